//! `nosso watch`: folders whose files are captured while they change.

use std::path::{Path, PathBuf};

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::project::{self, NewIn};
use super::style::{self, paint};
use super::text::{self, Words};
use crate::api::methods::{WatchAdd, WatchList, WatchRemove};
use crate::api::system::Empty;
use crate::api::watch::{Watch, WatchAdd as Add, WatchKind, WatchRemove as Remove, WatchState};
use crate::client::Client;
use crate::error::{Error, Result};

/// What `nosso watch` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Option<Action>,
}

/// What to do with watched folders.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Capture the files of a folder from now on
    Add {
        /// The folder [default: where the tool of --kind keeps its sessions]
        #[arg(value_name = "FOLDER", required_unless_present = "kind")]
        folder: Option<PathBuf>,
        /// What its files are: notes, claude-code, codex or gemini [default: judged by the path]
        #[arg(long, value_name = "KIND", value_parser = parse_kind)]
        kind: Option<WatchKind>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would print it as help")]
        project: NewIn,
    },
    /// List the folders and how their capture goes; `nosso watch` alone does the same
    List,
    /// Capture a folder no longer; what was captured stays
    Remove {
        /// The folder
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Delete what was captured of it too
        #[arg(long)]
        forget: bool,
    },
}

fn parse_kind(name: &str) -> Result<WatchKind, String> {
    name.parse()
}

/// Adds, lists or removes.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    match args.action.unwrap_or(Action::List) {
        Action::Add { folder, kind, project } => add(&client, folder, kind, project, context).await,
        Action::List => list(&client, context).await,
        Action::Remove { folder, forget } => {
            let path = path_text(&context.working_directory.join(folder))?;
            let removed = client.call::<WatchRemove>(&Remove { path: path.clone(), forget }).await?;
            if context.out.json {
                context.out.document(&removed)?;
                return Ok(Ended::Well);
            }
            if !removed.removed {
                context.out.note(&text::fill(context.words.not_watched, &[&clean::line(&path)]));
                return Ok(Ended::NothingFound);
            }
            let line =
                text::fill(context.words.watched_no_more, &[&clean::line(&path), &removed.conversations]);
            context.out.text(&format!("{line}\n"))?;
            Ok(Ended::Well)
        }
    }
}

async fn add(
    client: &Client,
    folder: Option<PathBuf>,
    kind: Option<WatchKind>,
    project: NewIn,
    context: &mut Context,
) -> Run {
    let folder = match (folder, kind) {
        (Some(folder), _) => context.working_directory.join(folder),
        (None, kind) => {
            usual_folder(kind.unwrap_or(WatchKind::Notes), |name| std::env::var_os(name).map(PathBuf::from))?
        }
    };
    // sessions say themselves where they were held
    let is_notes = kind.is_none_or(|kind| kind == WatchKind::Notes);
    let project = match &project.project {
        Some(_) => project.name(&folder),
        None if is_notes => project::checkout(&folder).map(|root| root.display().to_string()),
        None => None,
    };
    let added = client.call::<WatchAdd>(&Add { path: path_text(&folder)?, kind, project }).await?;
    match context.out.json {
        true => context.out.document(&added)?,
        false => {
            let line = text::fill(context.words.watched, &[&clean::line(&added.path), &added.kind]);
            context.out.text(&format!("{line}\n"))?;
        }
    }
    Ok(Ended::Well)
}

async fn list(client: &Client, context: &mut Context) -> Run {
    let list = client.call::<WatchList>(&Empty {}).await?;
    if context.out.json {
        context.out.document(&list)?;
        return Ok(Ended::Well);
    }
    if list.items.is_empty() {
        context.out.note(context.words.nothing_watched);
        return Ok(Ended::Well);
    }
    let lines: String = list.items.iter().map(|watch| lines_of(watch, context.words)).collect();
    context.out.page(&lines)?;
    Ok(Ended::Well)
}

fn lines_of(watch: &Watch, words: &Words) -> String {
    let Watch { path, kind, project, added_at: _, state, problem, files, waiting, skipped_total, skipped } =
        watch;
    let (state, style) = match state {
        WatchState::Starting => ("starting", style::DIM),
        WatchState::Events => ("live", style::GOOD),
        WatchState::Polling => ("polling", style::WARN),
        WatchState::Missing => ("missing", style::BAD),
        WatchState::Off => ("off", style::BAD),
    };
    let counts = text::fill(words.watched_files, &[files, waiting, skipped_total]);
    let project =
        project.as_deref().map(|project| format!(" · {}", clean::line(project))).unwrap_or_default();
    let about = paint(style::DIM, format!("{kind} · {counts}{project}"));
    let mut lines = format!("{}  {}  {about}\n", paint(style::TITLE, clean::line(path)), paint(style, state));
    if let Some(problem) = problem {
        lines.push_str(&format!("  {} {}\n", paint(style::WARN, "!"), clean::line(problem)));
    }
    for left_out in skipped {
        let line = format!("  {}: {}", clean::line(&left_out.place), clean::line(&left_out.reason));
        lines.push_str(&format!("{}\n", paint(style::DIM, line)));
    }
    if *skipped_total > skipped.len() as u64 {
        lines.push_str(&format!("{}\n", paint(style::DIM, "  …")));
    }
    lines
}

/// Where a tool keeps its sessions, by the variables that say so.
fn usual_folder(kind: WatchKind, variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    let set = |name: &str| variable(name).filter(|folder| folder.is_absolute());
    let (own, within_home, below) = match kind {
        WatchKind::Notes => {
            return Err(Error::invalid("watch notes: no folder is named")
                .hint("name the folder: nosso watch add FOLDER"));
        }
        WatchKind::ClaudeCode => (set("CLAUDE_CONFIG_DIR"), ".claude", "projects"),
        WatchKind::Codex => (set("CODEX_HOME"), ".codex", "sessions"),
        WatchKind::Gemini => (None, ".gemini", "tmp"),
    };
    let base = own.or_else(|| set("HOME").map(|home| home.join(within_home))).ok_or_else(|| {
        Error::invalid(format!("find the sessions of {kind}: HOME is not set"))
            .hint("name the folder: nosso watch add FOLDER")
    })?;
    Ok(base.join(below))
}

fn path_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::invalid(format!("watch {}: the name is no UTF-8", path.display())).hint("rename the folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::ENGLISH;

    #[test]
    fn the_usual_folders_are_those_of_the_tools() {
        let check = |kind, set: &[(&str, &str)], expected: Option<&str>| {
            let find =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            let found = usual_folder(kind, find).ok();
            assert_eq!(found, expected.map(PathBuf::from), "{kind} {set:?}");
        };
        check(WatchKind::ClaudeCode, &[("HOME", "/h")], Some("/h/.claude/projects"));
        check(WatchKind::ClaudeCode, &[("HOME", "/h"), ("CLAUDE_CONFIG_DIR", "/c")], Some("/c/projects"));
        check(WatchKind::Codex, &[("CODEX_HOME", "/x")], Some("/x/sessions"));
        check(WatchKind::Codex, &[("HOME", "/h"), ("CODEX_HOME", "relative")], Some("/h/.codex/sessions"));
        check(WatchKind::Gemini, &[("HOME", "/h")], Some("/h/.gemini/tmp"));
        check(WatchKind::Gemini, &[], None);
        check(WatchKind::Notes, &[("HOME", "/h")], None);
    }

    #[test]
    fn a_folder_is_a_line_and_what_is_wrong_others() {
        let watch = serde_json::from_value(serde_json::json!({
            "path": "/notes", "kind": "notes", "project": "site", "addedAt": "2024-03-14T00:00:00Z",
            "state": "polling", "problem": "no watches\nleft", "files": 3, "waiting": 1, "skippedTotal": 2,
            "skipped": [{"place": "a.png", "reason": "is no text"}],
        }));
        let lines = anstream::adapter::strip_str(&lines_of(&watch.unwrap(), &ENGLISH)).to_string();
        assert_eq!(
            lines,
            "/notes  polling  notes · 3 files, 1 to be read, 2 left out · site\n  ! no watches left\n  \
             a.png: is no text\n  …\n"
        );
    }
}
