//! `nosso man`: the manual, a page for the program and one for each subcommand.

use std::path::PathBuf;

use clap::CommandFactory;

use super::args::Cli;
use super::context::Context;
use super::exit::{Ended, Run};
use crate::error::{Doing, Kind};

/// What `nosso man` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write all pages into this folder [default: print the main page]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Writes the pages.
pub fn run(args: Args, context: &mut Context) -> Run {
    let pages = pages(Cli::command());
    let Some(folder) = args.folder else {
        for (_, page) in pages.iter().take(1) {
            context.out.raw(page)?;
        }
        return Ok(Ended::Well);
    };
    std::fs::create_dir_all(&folder).doing(Kind::Storage, format!("make the folder {}", folder.display()))?;
    for (name, page) in &pages {
        let file = folder.join(format!("{name}.1"));
        std::fs::write(&file, page).doing(Kind::Storage, format!("write {}", file.display()))?;
    }
    context.out.note(&format!("{} pages written to {}", pages.len(), folder.display()));
    Ok(Ended::Well)
}

/// The command's own page first, then those of its subcommands: (name, page in troff).
fn pages(mut command: clap::Command) -> Vec<(String, String)> {
    // makes clap hand the global flags down and name the subcommands in full ("nosso-jobs-retry")
    command.build();
    let mut pages = vec![];
    collect(&command, &mut pages);
    pages
}

fn collect(command: &clap::Command, pages: &mut Vec<(String, String)>) {
    let mut page = Vec::new();
    // rendering into memory does not fail
    let _ = clap_mangen::Man::new(command.clone()).render(&mut page);
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    pages.push((name, String::from_utf8_lossy(&page).into_owned()));
    let is_page = |subcommand: &&clap::Command| !subcommand.is_hide_set() && subcommand.get_name() != "help";
    command.get_subcommands().filter(is_page).for_each(|subcommand| collect(subcommand, pages));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_has_a_page() {
        let pages = pages(Cli::command());
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "nosso");
        for expected in ["nosso-search", "nosso-jobs", "nosso-jobs-retry", "nosso-config-edit"] {
            assert!(names.contains(&expected), "{expected} is missing in {names:?}");
        }
        for (name, page) in &pages {
            assert!(page.contains(".SH NAME") && page.contains("nosso"), "{name}: {page}");
        }
    }
}
