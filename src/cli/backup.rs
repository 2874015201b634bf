//! `nosso backup` copies the database while the daemon works; `nosso restore` puts a copy back, with the daemon or
//! without it.

use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::style::{self, paint};
use super::{clean, text, when};
use crate::api::backup::{
    Backup, BackupCreate as Create, BackupReason, BackupRestore as Restore, BackupRestored,
};
use crate::api::methods::{BackupCreate, BackupList, BackupRestore};
use crate::api::system::{Counts, Empty};
use crate::client::Client;
use crate::error::{Error, Kind, Result};
use crate::memory;

/// What `nosso backup` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write into [default: the daemon's backup folder]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// List the backups in the daemon's backup folder
    #[arg(short, long, conflicts_with = "folder")]
    pub list: bool,
}

/// What `nosso restore` takes.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Do it without the daemon, which must not run: for a database that it cannot open
    #[arg(long)]
    pub offline: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Makes a backup, or lists them.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    if args.list {
        return list(&client, context).await;
    }
    let folder = args.folder.map(|folder| absolute(&folder, context));
    let made =
        context::unless_interrupted(async { Ok(client.call::<BackupCreate>(&Create { folder }).await?) })
            .await?;
    match context.out.json {
        true => context.out.document(&made)?,
        false => context.out.note(&text::fill(
            context.words.backed_up,
            &[&clean::line(&made.file), &when::bytes(made.bytes)],
        )),
    }
    Ok(Ended::Well)
}

async fn list(client: &Client, context: &mut Context) -> Run {
    let found = client.call::<BackupList>(&Empty {}).await?;
    if context.out.json {
        context.out.document(&found)?;
    } else if found.backups.is_empty() {
        context.out.note(&text::fill(context.words.no_backup, &[&clean::line(&found.folder)]));
    } else {
        let text: String = found.backups.iter().map(|backup| line(backup, context)).collect();
        context.out.page(&text)?;
    }
    Ok(Ended::Well)
}

fn line(backup: &Backup, context: &Context) -> String {
    let reason = match backup.reason {
        BackupReason::Asked => "",
        BackupReason::Upgrade => "before an upgrade",
        BackupReason::Restore => "replaced by a restore",
    };
    format!(
        "{}  {:>9}  {}  {}\n",
        when::minute(backup.created_at, &context.zone),
        when::bytes(backup.bytes),
        clean::line(&backup.file),
        paint(style::DIM, reason)
    )
}

/// Restores by way of the daemon where it runs, else by itself.
pub async fn restore(args: RestoreArgs, context: &mut Context) -> Run {
    let file = absolute(&args.file, context);
    if !Path::new(&file).is_file() {
        let message = format!("restore {file}: there is no such file");
        return Err(Failure::NoInput(Error::new(Kind::NotFound, message).hint("see: nosso backup --list")));
    }
    if !args.yes && !confirmed(&file, context)? {
        context.out.note(context.words.kept);
        return Ok(Ended::CheckFailed);
    }
    let (socket, _) = context.socket()?;
    let restored = match args.offline {
        true => offline(&file, context)?,
        false => match Client::connect(&socket, context::myself()).await {
            Ok(client) => {
                let restore = Restore { file: file.clone() };
                context::unless_interrupted(async { Ok(client.call::<BackupRestore>(&restore).await?) })
                    .await?
            }
            Err(error) if error.kind() == Kind::Unreachable => offline(&file, context)?,
            Err(error) => return Err(error.into()),
        },
    };
    match context.out.json {
        true => context.out.document(&restored)?,
        false => {
            let BackupRestored { counts, kept_aside } = &restored;
            let Counts { conversations, messages, memories, chunks: _ } = counts;
            let mut said = text::fill(context.words.put_back, &[conversations, messages, memories]);
            if let Some(kept) = kept_aside {
                said.push('\n');
                said.push_str(&text::fill(context.words.kept_aside, &[&clean::line(kept)]));
            }
            context.out.note(&said);
        }
    }
    Ok(Ended::Well)
}

fn offline(file: &str, context: &Context) -> Result<BackupRestored> {
    memory::restore_closed(&context.paths, Path::new(file))
}

fn absolute(path: &Path, context: &Context) -> String {
    context.working_directory.join(path).display().to_string()
}

fn confirmed(file: &str, context: &mut Context) -> Result<bool, Failure> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        return Err(Error::invalid("restore: nobody is there to be asked")
            .hint("say yes beforehand: --yes")
            .into());
    }
    context.out.prompt(&text::fill(context.words.restore_question, &[&clean::line(file)]));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::invalid(format!("read the answer: {error}")))?;
    Ok(text::is_yes(&answer))
}
