//! `nosso export`: everything as NDJSON, to a file or to standard output.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::project::Only;
use super::text;
use crate::api::data::{ExportItem, ExportParams};
use crate::api::methods::DataExport;
use crate::api::system::Counts;
use crate::error::{Doing, Error, Kind, Result};

/// What `nosso export` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write [default: standard output]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
}

/// Writes the export; the file appears only when all of it is there.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let params = ExportParams { project: args.only.name(&context.working_directory)? };
    let file = args.file.filter(|file| file.as_os_str() != "-");
    let Some(file) = file else {
        context::unless_interrupted(write_records(&params, context, |context, lines| context.out.raw(lines)))
            .await?;
        return Ok(Ended::Well);
    };
    refuse_existing("export", &file, args.force)?;
    let mut partial = Partial::beside(&file)?;
    let counts =
        context::unless_interrupted(write_records(&params, context, |_, lines| Ok(partial.write(lines)?)))
            .await?;
    partial.finish(&file)?;
    match context.out.json {
        true => context.out.document(&counts)?,
        false => context.out.note(&text::fill(
            context.words.exported,
            &[&counts.conversations, &counts.messages, &counts.memories, &file.display()],
        )),
    }
    Ok(Ended::Well)
}

async fn write_records(
    params: &ExportParams,
    context: &mut Context,
    mut write: impl FnMut(&mut Context, &str) -> Result<(), Failure>,
) -> Result<Counts, Failure> {
    let client = context.client().await?;
    let mut items = client.stream::<DataExport>(params).await?;
    while let Some(item) = items.next().await {
        match item? {
            ExportItem::Records { lines } => {
                let mut text = lines.join("\n");
                text.push('\n');
                write(context, &text)?;
            }
            ExportItem::Done { counts } => return Ok(counts),
            ExportItem::Error { kind, message } => {
                return Err(Error::new(Kind::from_name(&kind).unwrap_or(Kind::Internal), message).into());
            }
        }
    }
    Err(Error::new(Kind::UpstreamCut, "export: the daemon closed the connection before the end").into())
}

/// A file that exists is written over only where that was asked for.
pub fn refuse_existing(doing: &str, file: &Path, force: bool) -> Result<()> {
    if !file.exists() || force {
        return Ok(());
    }
    Err(Error::new(Kind::Conflict, format!("{doing} to {}: the file exists", file.display()))
        .hint("choose another name, or write over it with --force"))
}

/// A file that is being written, readable by its owner only; dropped before it is finished, it is removed.
pub struct Partial {
    file: tempfile::NamedTempFile,
    written: std::io::BufWriter<std::fs::File>,
}

impl Partial {
    /// An empty file in the folder of `target`.
    pub fn beside(target: &Path) -> Result<Self> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let doing = || format!("write into {}", folder.display());
        let file = tempfile::Builder::new().prefix(".nosso-export").tempfile_in(folder);
        let file = file.doing(Kind::Storage, doing())?;
        let written = std::io::BufWriter::new(file.reopen().doing(Kind::Storage, doing())?);
        Ok(Self { file, written })
    }

    /// Writes more.
    pub fn write(&mut self, text: &str) -> Result<()> {
        self.written.write_all(text.as_bytes()).doing(Kind::Storage, "write the export")
    }

    /// Makes it durable and gives it its name.
    pub fn finish(mut self, target: &Path) -> Result<()> {
        self.written.flush().doing(Kind::Storage, "write the export")?;
        self.file.as_file().sync_all().doing(Kind::Storage, "write the export")?;
        self.file.persist(target).doing(Kind::Storage, format!("write {}", target.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.ndjson");
        let mut partial = Partial::beside(&target).unwrap();
        partial.write("{}\n").unwrap();
        drop(partial);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut partial = Partial::beside(&target).unwrap();
        partial.write("{}\n").unwrap();
        assert!(!target.exists());
        partial.finish(&target).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "{}\n");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
