//! `nosso doctor`: checks with stable ids, what each found, and how to fix it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde::Serialize;

use super::clean;
use super::context::{self, Context};
use super::exit::{Ended, Run};
use super::service;
use super::settings;
use super::style::{self, paint};
use super::text;
use super::when;
use crate::api::methods::{BackupList, ModelList, SystemStatus, WatchList};
use crate::api::system::{Empty, SystemStatus as Status};
use crate::api::watch::{Watch, WatchState};
use crate::client::Client;
use crate::error::Error;
use crate::model::Timestamp;
use crate::setup;

/// Free bytes below which writes will soon fail.
const LITTLE_SPACE: u64 = 500_000_000;

/// The check of the last backup, and the age from which on it warns.
const BACKUP: &str = "backup.age";
const OLD_BACKUP_SECONDS: u64 = 30 * 24 * 60 * 60;

/// `nosso doctor` takes the global flags only.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its stable id: "socket.reachable".
    pub id: &'static str,
    /// Whether it is well.
    pub state: State,
    /// What was found.
    pub message: String,
    /// How to fix it.
    pub fix: Option<String>,
}

/// Whether something is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Ok,
    /// It works, but not as it could.
    Warning,
    /// It does not work.
    Failed,
}

/// Runs every check; exit code 1 says that one failed.
pub async fn run(Args {}: Args, context: &mut Context) -> Run {
    let mut checks = vec![settings_check(context), folder_check("data.folder", &context.paths.data)];
    checks.push(space_check(&context.paths.data));
    checks.push(files_check(context));
    checks.push(service_check(context));
    // what is wrong with the settings is told by `config.valid`
    let socket = context.socket().map_or_else(|_| context.paths.socket(), |(socket, _)| socket);
    // no socket is what `socket.reachable` tells, with the command that helps
    checks.extend(socket_check(&socket));
    match Client::connect(&socket, context::myself()).await {
        Err(error) => {
            let command = context.command_that_starts_the_daemon();
            checks.push(failed(
                "socket.reachable",
                error.full_text(),
                format!("start the daemon: {command}"),
            ));
        }
        Ok(client) => {
            checks.push(ok("socket.reachable", format!("the daemon answers at {}", socket.display())));
            match client.call::<SystemStatus>(&Empty {}).await {
                Ok(status) => checks.extend(status_checks(&status)),
                Err(error) => checks.push(of_error("daemon.status", &error)),
            }
            checks.push(backup_check(&client).await);
            checks.push(answers_check(&client).await);
            let watched = watch_checks(&client).await;
            // the daemon warns of them too
            checks.retain(|check| !watched.iter().any(|other| other.message == check.message));
            checks.extend(watched);
        }
    }
    report(&checks, context)
}

fn report(checks: &[Check], context: &mut Context) -> Run {
    let failures = checks.iter().filter(|check| check.state == State::Failed).count();
    if context.out.json {
        context.out.document(&serde_json::json!({"ok": failures == 0, "checks": checks}))?;
    } else {
        let lines: String = checks.iter().map(line).collect();
        context.out.text(&lines)?;
        match failures {
            0 => context.out.note(&paint(style::GOOD, context.words.all_well)),
            n => context.out.note(&paint(style::BAD, text::fill(context.words.checks_failed, &[&n]))),
        }
    }
    Ok(if failures == 0 { Ended::Well } else { Ended::CheckFailed })
}

fn line(check: &Check) -> String {
    let (mark, style) = match check.state {
        State::Ok => ("✓", style::GOOD),
        State::Warning => ("!", style::WARN),
        State::Failed => ("✗", style::BAD),
    };
    let id = paint(style::DIM, format!("{:<18}", check.id));
    let mut line = format!("{} {id} {}\n", paint(style, mark), clean::line(&check.message));
    if let Some(fix) = &check.fix {
        line.push_str(&format!("{:21}{} {}\n", "", paint(style::NAME, "→"), clean::line(fix)));
    }
    line
}

fn ok(id: &'static str, message: impl Into<String>) -> Check {
    Check { id, state: State::Ok, message: message.into(), fix: None }
}

fn warning(id: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { id, state: State::Warning, message: message.into(), fix: Some(fix.into()) }
}

fn failed(id: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { id, state: State::Failed, message: message.into(), fix: Some(fix.into()) }
}

fn of_error(id: &'static str, error: &Error) -> Check {
    Check { id, state: State::Failed, message: error.full_text(), fix: error.hint_text().map(str::to_owned) }
}

fn settings_check(context: &Context) -> Check {
    match settings::load(&context.paths, &context.global) {
        Ok(loaded) if loaded.file_exists => ok("config.valid", loaded.file.display().to_string()),
        Ok(_) => ok("config.valid", "no config file: the defaults hold"),
        Err(error) => of_error("config.valid", &error),
    }
}

/// What holds messages must be ours and nobody else's to read.
fn folder_check(id: &'static str, folder: &Path) -> Check {
    let Ok(found) = std::fs::metadata(folder) else {
        return ok(id, format!("{} is made when the daemon starts", folder.display()));
    };
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        let fix = format!("give it back to you: sudo chown -R $(id -u) {}", folder.display());
        return failed(id, format!("{} belongs to user {}, not to you", folder.display(), found.uid()), fix);
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let fix = format!("chmod 700 {}", folder.display());
        return warning(id, format!("{} can be read by others (mode {mode:o})", folder.display()), fix);
    }
    ok(id, folder.display().to_string())
}

fn space_check(data: &Path) -> Check {
    let Some(existing) = data.ancestors().find(|folder| folder.exists()) else {
        return ok("data.space", "unknown");
    };
    match rustix::fs::statvfs(existing) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let message = format!("{} free", when::bytes(free));
            match free < LITTLE_SPACE {
                true => failed("data.space", message, format!("make room on the disk of {}", data.display())),
                false => ok("data.space", message),
            }
        }
        Err(error) => {
            warning("data.space", format!("ask for free space: {error}"), "look at the disk: df -h")
        }
    }
}

/// What finding by meaning needs, by a glance; whether it works is the daemon's word in `embedding.model`.
fn files_check(context: &Context) -> Check {
    let id = "setup.files";
    let embed =
        settings::load(&context.paths, &context.global).map(|loaded| loaded.config.embed).unwrap_or_default();
    if !embed.enabled {
        return ok(id, "embed.enabled is false: only words are searched");
    }
    let found = setup::status(&context.paths);
    let library =
        super::setup::libraries(embed.library.as_deref(), context).into_iter().find(|path| path.is_file());
    let model = embed.model.filter(|folder| folder.is_dir()).or(found.model);
    match (library, model) {
        (Some(_), Some(model)) => ok(id, model.display().to_string()),
        (None, Some(_)) => {
            warning(id, "the ONNX Runtime library is missing: only words are searched", "nosso setup")
        }
        (Some(_), None) => {
            warning(id, "the embedding model is missing: only words are searched", "nosso setup")
        }
        (None, None) => warning(
            id,
            "the embedding model and its library are missing: only words are searched",
            "nosso setup",
        ),
    }
}

fn service_check(context: &Context) -> Check {
    let id = "service.enabled";
    match service::answer_of_systemctl(&["is-enabled", "nosso.socket"]).as_deref() {
        Some("enabled") => ok(id, "systemd starts the daemon when it is needed"),
        _ if service::units_folder(&context.paths.config).join("nosso.socket").exists() => warning(
            id,
            "the units are installed but not enabled",
            "systemctl --user enable --now nosso.socket",
        ),
        _ => warning(id, "systemd does not start the daemon", "nosso service install"),
    }
}

fn socket_check(socket: &Path) -> Option<Check> {
    let id = "socket.private";
    let found = std::fs::metadata(socket).ok()?;
    let mode = found.permissions().mode() & 0o777;
    let folder_mode = socket
        .parent()
        .and_then(|folder| std::fs::metadata(folder).ok())
        .map_or(0o777, |f| f.permissions().mode());
    Some(match (mode & 0o077, folder_mode & 0o077) {
        (0, _) | (_, 0) => ok(id, format!("mode {mode:o}")),
        _ => failed(
            id,
            format!("others can connect to {} (mode {mode:o})", socket.display()),
            "restart the daemon",
        ),
    })
}

fn status_checks(status: &Status) -> Vec<Check> {
    let mut checks = vec![];
    let ours = env!("CARGO_PKG_VERSION");
    checks.push(match status.version == ours {
        true => ok("daemon.version", ours),
        false => warning(
            "daemon.version",
            format!("the daemon is {}, this program {ours}", status.version),
            "restart the daemon: systemctl --user restart nosso.service",
        ),
    });
    let embedding = &status.embedding;
    checks.push(match (embedding.available, &embedding.problem) {
        (true, None) => ok("embedding.model", embedding.model.clone().unwrap_or_else(|| "available".into())),
        (_, problem) => {
            let problem = problem.clone().unwrap_or_else(|| "no model".into());
            warning("embedding.model", format!("only words are searched: {problem}"), "nosso setup")
        }
    });
    let queue = &status.queue;
    checks.push(match queue.dead {
        0 => ok("queue.dead", format!("{} jobs wait, none was given up", queue.ready)),
        n => failed(
            "queue.dead",
            format!("{n} jobs were given up"),
            "why: nosso jobs --state dead; again: nosso jobs retry",
        ),
    });
    let index = &status.index;
    checks.push(match (index.pending, queue.ready + queue.leased, embedding.available) {
        (0, ..) => ok("index.complete", format!("{} vectors", index.vectors)),
        (pending, 0, true) => failed(
            "index.complete",
            format!("{pending} passages are in neither index nor queue"),
            "nosso index rebuild",
        ),
        (pending, _, true) => ok("index.complete", format!("{pending} passages are on their way")),
        (pending, _, false) => {
            warning("index.complete", format!("{pending} passages wait for a model"), "nosso setup")
        }
    });
    if let Some(recall) = index.recall {
        checks.push(match recall < 0.99 {
            true => warning("index.recall", format!("recall@10 is {recall:.3}"), "nosso index rebuild"),
            false => ok("index.recall", format!("recall@10 is {recall:.3}")),
        });
    }
    checks.extend(status.warnings.iter().map(|text| Check {
        id: "daemon.warning",
        state: State::Warning,
        message: text.clone(),
        fix: None,
    }));
    checks
}

/// Whether a copy was made lately.
async fn backup_check(client: &Client) -> Check {
    match client.call::<BackupList>(&Empty {}).await {
        Ok(found) => age_check(found.backups.first().map(|newest| newest.created_at), Timestamp::now()),
        Err(error) => of_error(BACKUP, &error),
    }
}

fn age_check(newest: Option<Timestamp>, now: Timestamp) -> Check {
    let Some(newest) = newest else {
        return warning(BACKUP, "there is no backup", "nosso backup");
    };
    let seconds = u64::try_from(now.as_millis().saturating_sub(newest.as_millis())).unwrap_or(0) / 1000;
    let message = format!("the last backup was made {} ago", when::length(seconds));
    match seconds > OLD_BACKUP_SECONDS {
        true => warning(BACKUP, message, "nosso backup"),
        false => ok(BACKUP, message),
    }
}

async fn answers_check(client: &Client) -> Check {
    let id = "chat.model";
    match client.call::<ModelList>(&Empty {}).await {
        Ok(models) if models.provider == "extractive" => warning(
            id,
            "no language model: answers are quotes of what was said",
            "start Ollama, or set chat.openai_url (nosso config edit)",
        ),
        Ok(models) if models.models.is_empty() => {
            warning(id, format!("{} has no model", models.provider), "ollama pull llama3.2")
        }
        Ok(models) => {
            let named = models.default.unwrap_or_else(|| models.models[0].name.clone());
            ok(id, format!("{} answers with {named}", models.provider))
        }
        Err(error) => Check { state: State::Warning, ..of_error(id, &error) },
    }
}

/// One to each watched folder.
async fn watch_checks(client: &Client) -> Vec<Check> {
    let folders = match client.call::<WatchList>(&Empty {}).await {
        Ok(list) => list.items,
        Err(error) => return vec![of_error("watch.folders", &error)],
    };
    folders.iter().map(watch_check).collect()
}

fn watch_check(folder: &Watch) -> Check {
    let id = "watch.folders";
    let Watch { path, kind, state, problem, files, .. } = folder;
    match (state, problem) {
        (WatchState::Off, _) => {
            warning(id, format!("{path} is not captured: capture.enabled is false"), "nosso config edit")
        }
        (WatchState::Missing, Some(problem)) => {
            warning(id, problem, format!("bring it back, or: nosso watch remove {path}"))
        }
        (WatchState::Polling, Some(problem)) => {
            warning(id, problem, "sudo sysctl fs.inotify.max_user_watches=1048576")
        }
        (_, Some(problem)) => warning(id, problem, "see `nosso watch list`"),
        (_, None) => ok(id, format!("{path} ({kind}): {files} files")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(status: &Status) -> Vec<(&'static str, State)> {
        status_checks(status).iter().map(|check| (check.id, check.state)).collect()
    }

    fn example() -> Status {
        Status { warnings: vec![], ..crate::cli::status::example() }
    }

    #[test]
    fn a_good_daemon_passes() {
        assert!(states(&example()).iter().all(|(_, state)| *state == State::Ok));
    }

    #[test]
    fn every_trouble_has_an_id_and_a_fix() {
        let check = |change: &dyn Fn(&mut Status), id: &str, expected: State| {
            let mut status = example();
            change(&mut status);
            let checks = status_checks(&status);
            let found = checks.iter().find(|check| check.id == id).expect("the check is made");
            assert_eq!(found.state, expected, "{id}");
            assert!(expected == State::Ok || found.fix.is_some(), "{id} has no fix");
        };
        check(&|s| s.version = "0.0.1".into(), "daemon.version", State::Warning);
        check(&|s| s.embedding.problem = Some("no library".into()), "embedding.model", State::Warning);
        check(&|s| s.queue.dead = 2, "queue.dead", State::Failed);
        check(&|s| s.index.pending = 4, "index.complete", State::Failed);
        check(&|s| (s.index.pending, s.queue.ready) = (4, 4), "index.complete", State::Ok);
        check(&|s| s.index.recall = Some(0.9), "index.recall", State::Warning);
    }

    #[test]
    fn an_old_backup_is_told() {
        let now = Timestamp::now();
        let state = |days: i64| age_check(Some(now.plus_millis(-days * 86_400_000)), now).state;
        assert_eq!((state(0), state(29), state(31)), (State::Ok, State::Ok, State::Warning));
        assert_eq!(age_check(None, now).state, State::Warning);
    }

    #[test]
    fn a_watched_folder_that_is_not_well_is_told_with_what_to_do() {
        let check = |state: &str, problem: Option<&str>, expected: State| {
            let folder = serde_json::from_value(serde_json::json!({
                "path": "/n", "kind": "notes", "addedAt": "2024-03-14T00:00:00Z", "state": state, "problem": problem,
                "files": 3, "waiting": 0, "skippedTotal": 0, "skipped": [],
            }));
            let found = watch_check(&folder.unwrap());
            assert_eq!((found.state, found.fix.is_some()), (expected, expected != State::Ok), "{state}");
        };
        check("events", None, State::Ok);
        check("starting", None, State::Ok);
        check("polling", None, State::Ok);
        check("polling", Some("no watches left"), State::Warning);
        check("events", Some("cannot look into /n/x"), State::Warning);
        check("missing", Some("it is not there"), State::Warning);
        check("off", None, State::Warning);
    }

    #[test]
    fn folders_of_others_eyes_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |mode| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            folder_check("data.folder", folder.path()).state
        };
        assert_eq!((at(0o700), at(0o755)), (State::Ok, State::Warning));
    }

    #[test]
    fn a_check_is_a_line_and_its_fix_another() {
        let text = line(&failed("queue.dead", "2 jobs\x07", "nosso jobs retry"));
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "✗ queue.dead         2 jobs␇\n                     → nosso jobs retry\n"
        );
    }
}
