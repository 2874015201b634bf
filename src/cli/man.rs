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
    let pages = pages(Cli::command(), "nosso");
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
fn pages(command: clap::Command, name: &str) -> Vec<(String, String)> {
    let mut command = command.disable_help_subcommand(true);
    // makes clap hand the global flags down and write the usage lines
    command.build();
    let mut pages = vec![];
    collect(&command, name, &mut pages);
    pages
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    let own = command.clone().name(name.to_owned()).bin_name(name.replace('-', " "));
    let mut page = Vec::new();
    // rendering into memory does not fail
    let _ = clap_mangen::Man::new(own).render(&mut page);
    pages.push((name.to_owned(), String::from_utf8_lossy(&page).into_owned()));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        collect(subcommand, &format!("{name}-{}", subcommand.get_name()), pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_has_a_page() {
        let pages = pages(Cli::command(), "nosso");
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
