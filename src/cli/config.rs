//! `nosso config`: the settings, where each came from, and changing them.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Command;

use super::context::Context;
use super::exit::{Ended, Run};
use super::settings;
use super::style::{self, paint};
use crate::error::{Doing, Error, Kind, Result};

/// What `nosso config` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Action,
}

/// What to do with the settings.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print all settings as they are now
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Print where the config file is
    Path,
    /// Check the settings; exit code 78 says that they are wrong
    Check,
    /// Change one setting in the config file; a running daemon takes it over
    Set {
        /// Which one (memory.extract.enabled)
        key: String,
        /// Its value
        value: String,
    },
    /// Open the config file in $VISUAL or $EDITOR, and check it afterwards
    Edit,
}

/// Shows, checks or edits the settings.
pub fn run(args: Args, context: &mut Context) -> Run {
    match args.action {
        Action::Show { origin } => show(origin, context)?,
        Action::Path => {
            // also where the file is wrong: this is how one finds it
            let file = context.global.config.clone().unwrap_or_else(|| context.paths.config_file());
            match context.out.json {
                true => context.out.document(&serde_json::json!({"path": file, "exists": file.exists()}))?,
                false => context.out.text(&format!("{}\n", file.display()))?,
            }
        }
        Action::Check => check(context)?,
        Action::Set { key, value } => {
            let file = context.global.config.clone().unwrap_or_else(|| context.paths.config_file());
            crate::config::set_key(&file, &key, &value)?;
            check(context)?;
        }
        Action::Edit => {
            let file = context.global.config.clone().unwrap_or_else(|| context.paths.config_file());
            let editor = editor(&file, std::io::stdin().is_terminal() && std::io::stdout().is_terminal())?;
            prepare(&file)?;
            edit(&file, &editor)?;
            check(context)?;
        }
    }
    Ok(Ended::Well)
}

fn show(origin: bool, context: &mut Context) -> Result<(), super::exit::Failure> {
    let loaded = settings::load(&context.paths, &context.global)?;
    match (context.out.json, origin) {
        (true, false) => context.out.document(&loaded.config),
        (true, true) => {
            let origins: serde_json::Map<_, _> = loaded
                .origins
                .iter()
                .map(|(key, origin)| ((*key).to_owned(), origin.to_string().into()))
                .collect();
            context.out.document(&serde_json::json!({
                "config": loaded.config, "origins": origins, "file": loaded.file,
            }))
        }
        (false, true) => context.out.page(&loaded.to_toml_with_origins()),
        (false, false) => context.out.page(&loaded.to_toml()),
    }
}

fn check(context: &mut Context) -> Result<()> {
    let loaded = settings::load(&context.paths, &context.global)?;
    let found = if loaded.file_exists { "is good" } else { "does not exist; the defaults hold" };
    context.out.note(&format!("{} {} {found}", paint(style::GOOD, "✓"), loaded.file.display()));
    Ok(())
}

/// Makes the file where it is missing, with every default as a comment.
fn prepare(file: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if file.exists() {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        let doing = || format!("make the folder {}", folder.display());
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .doing(Kind::Storage, doing())?;
    }
    std::fs::write(file, template()?).doing(Kind::Storage, format!("write {}", file.display()))
}

/// The sections, with every default commented out: what is not changed follows later versions' defaults.
fn template() -> Result<String> {
    let nowhere = crate::paths::Paths::below(Path::new("/nonexistent"));
    let defaults = crate::config::load(&nowhere, [], &crate::config::Flags::default())?.to_toml();
    let lines = defaults.lines().map(|line| match line.starts_with(['[', '#']) || line.is_empty() {
        true => format!("{line}\n"),
        false => format!("# {line}\n"),
    });
    Ok(format!(
        "# Settings of nosso; take the # away to change one. `nosso config check` checks them.\n\n{}",
        lines.collect::<String>()
    ))
}

/// The person's editor; the usual one works at a terminal only, and without one would wait for ever.
fn editor(file: &Path, at_terminal: bool) -> Result<String> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()));
    match named {
        Some(editor) => Ok(editor),
        None if at_terminal => Ok("vi".into()),
        None => Err(Error::new(
            Kind::Config,
            format!("edit {}: there is no terminal for vi", file.display()),
        )
        .hint("name an editor that needs none (EDITOR=… nosso config edit), or change the file yourself")),
    }
}

fn edit(file: &Path, editor: &str) -> Result<()> {
    // $EDITOR may hold arguments ("code --wait"), so a shell splits it, and gets the path apart from the program
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file)
        .status()
        .doing(Kind::Storage, format!("start {editor}"))?;
    match status.success() {
        true => Ok(()),
        false => {
            Err(Error::new(Kind::Config, format!("edit {}: {editor} ended with {status}", file.display()))
                .hint("choose an editor: EDITOR=nano nosso config edit"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_config_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let paths = crate::paths::Paths::below(folder.path());
        prepare(&paths.config_file()).unwrap();
        let loaded = crate::config::load(&paths, [], &crate::config::Flags::default()).unwrap();
        assert!(loaded.file_exists);
        assert_eq!(loaded.config, crate::config::Config::default());
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[log]\n").unwrap();
        prepare(&file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[log]\n");
    }
}
