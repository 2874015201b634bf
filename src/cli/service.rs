//! `nosso service`: the user units, so that systemd starts the daemon when a client connects.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::style::{self, paint};
use crate::error::{Doing, Error, Kind, Result};

const SERVICE: &str = include_str!("../../systemd/nosso.service");
const SOCKET: &str = include_str!("../../systemd/nosso.socket");
/// The line of the unit that names the program, as packages install it.
const PACKAGED_PROGRAM: &str = "/usr/bin/nosso";

/// What `nosso service` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Action,
}

/// What to do with the units.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Write the user units and enable the socket: the daemon starts when it is needed
    Install,
    /// Stop the daemon, disable the socket and remove the units; what is stored stays
    Uninstall,
    /// Whether the units are installed and running
    Status,
}

/// Installs, removes or shows the units.
pub fn run(args: Args, context: &mut Context) -> Run {
    let folder = units_folder(&context.paths.config);
    match args.action {
        Action::Install => install(&folder, context),
        Action::Uninstall => uninstall(&folder, context),
        Action::Status => status(&folder, context),
    }
}

/// `$XDG_CONFIG_HOME/systemd/user`, beside our own folder.
pub fn units_folder(config: &Path) -> PathBuf {
    config.with_file_name("systemd").join("user")
}

fn install(folder: &Path, context: &mut Context) -> Run {
    if context.global.socket.is_some() || context.global.config.is_some() {
        let text = "install the service: the units use the usual socket and config file";
        return Err(Error::invalid(text).hint("leave --socket and --config away").into());
    }
    let program = std::env::current_exe().doing(Kind::Storage, "find this program's own file")?;
    for (file, text) in units(folder, &program)? {
        write(&file, &text)?;
        context.out.note(&format!("{} {}", paint(style::GOOD, "✓"), file.display()));
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--now", "nosso.socket"])?;
    // a daemon of an older version goes on with the old program until it is restarted
    systemctl(&["try-restart", "nosso.service"])?;
    context.out.note(&format!(
        "{} the daemon starts with the first call; try: nosso status",
        paint(style::GOOD, "✓")
    ));
    context.out.note(&paint(style::DIM, "to keep it after you log out: loginctl enable-linger"));
    Ok(Ended::Well)
}

fn uninstall(folder: &Path, context: &mut Context) -> Run {
    let files: Vec<PathBuf> = ["nosso.socket", "nosso.service"].map(|name| folder.join(name)).into();
    if !files.iter().any(|file| file.exists()) {
        context.out.note(&format!("no units in {}", folder.display()));
        return Ok(Ended::NothingFound);
    }
    // without a running manager there is nothing to stop, and the files can still go
    let stopped = systemctl(&["disable", "--now", "nosso.socket", "nosso.service"]);
    for file in files.iter().filter(|file| file.exists()) {
        std::fs::remove_file(file).doing(Kind::Storage, format!("remove {}", file.display()))?;
        context.out.note(&format!("{} removed {}", paint(style::GOOD, "✓"), file.display()));
    }
    stopped?;
    systemctl(&["daemon-reload"])?;
    Ok(Ended::Well)
}

fn status(folder: &Path, context: &mut Context) -> Run {
    let installed = folder.join("nosso.socket").exists();
    let ask = |question: &str, unit: &str| answer_of_systemctl(&[question, unit]);
    let (enabled, socket, service) = (
        ask("is-enabled", "nosso.socket"),
        ask("is-active", "nosso.socket"),
        ask("is-active", "nosso.service"),
    );
    if context.out.json {
        context.out.document(&serde_json::json!({
            "installed": installed, "folder": folder, "enabled": enabled, "socket": socket, "service": service,
        }))?;
    } else {
        let shown = |answer: &Option<String>| answer.clone().unwrap_or_else(|| "unknown".into());
        context.out.text(&format!(
            "units    {}\nsocket   {}, {}\nservice  {}\n",
            if installed { folder.display().to_string() } else { "not installed".into() },
            shown(&enabled),
            shown(&socket),
            shown(&service)
        ))?;
    }
    match socket.as_deref() {
        Some("active") => Ok(Ended::Well),
        _ => Ok(Ended::CheckFailed),
    }
}

/// The units with this program in place of the packaged one.
fn units(folder: &Path, program: &Path) -> Result<[(PathBuf, String); 2]> {
    let program = program.to_str().filter(|path| !path.contains(['\n', '"', '\\'])).ok_or_else(|| {
        Error::invalid(format!("write the unit: systemd cannot name the program {}", program.display()))
            .hint("install nosso at a path without quotes, backslashes and line breaks")
    })?;
    // systemd reads % as a specifier and $ as a variable
    let quoted = format!("\"{}\"", program.replace('%', "%%").replace('$', "$$"));
    Ok([
        (folder.join("nosso.socket"), SOCKET.to_owned()),
        (folder.join("nosso.service"), SERVICE.replace(PACKAGED_PROGRAM, &quoted)),
    ])
}

fn write(file: &Path, text: &str) -> Result<()> {
    let doing = || format!("write the unit {}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).doing(Kind::Storage, doing())?;
    }
    std::fs::write(file, text).doing(Kind::Storage, doing())
}

fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let line = format!("systemctl --user {}", arguments.join(" "));
    let output = Command::new("systemctl").arg("--user").args(arguments).output().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let error = Error::new(Kind::Unsupported, format!("run {line}: {error}")).caused_by(error);
        match missing {
            true => error.hint("this machine has no systemd; run the daemon yourself: nosso serve"),
            false => error,
        }
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(Kind::Unsupported, format!("run {line}: {}", said.trim()))
        .hint("without a systemd of your own session (in a container, over su), run the daemon yourself: nosso serve")
        .into())
}

/// The one word that `is-enabled` and `is-active` print; none where nobody answers.
pub fn answer_of_systemctl(arguments: &[&str]) -> Option<String> {
    let output = Command::new("systemctl").arg("--user").args(arguments).output().ok()?;
    let word = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_this_program() {
        let [socket, service] = units(Path::new("/u"), Path::new("/home/ana/my 100% bin/nosso")).unwrap();
        assert_eq!(socket.0, Path::new("/u/nosso.socket"));
        assert!(service.1.contains("\nExecStart=\"/home/ana/my 100%% bin/nosso\" serve\n"), "{}", service.1);
        assert!(!service.1.contains(PACKAGED_PROGRAM));
    }

    #[test]
    fn programs_that_systemd_cannot_name_are_refused() {
        assert!(units(Path::new("/u"), Path::new("/a\"b/nosso")).is_err());
    }

    #[test]
    fn the_units_avoid_the_known_traps() {
        assert!(
            SOCKET.contains("ListenStream=%t/nosso/nosso.sock") && SOCKET.contains("FileDescriptorName=rpc")
        );
        let sets = |key: &str| SERVICE.lines().any(|line| line.starts_with(key));
        assert!(!sets("RuntimeDirectory="), "stopping the service would remove the socket");
        assert!(!sets("StateDirectory="), "on systemd 252 it is the config folder");
    }
}
