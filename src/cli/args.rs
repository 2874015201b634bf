//! What can be typed: the flags that every subcommand takes, and the list of subcommands. Each subcommand's own
//! arguments stand in its own file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The memory that all your local tools share
#[derive(Debug, Parser)]
#[command(
    name = "nosso",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Without a daemon nothing works: `nosso service install` lets systemd start it when it is needed,\n\
                  `nosso serve` runs it in this terminal. `nosso demo` shows what it does."
)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub global: Global,
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub command: Command,
}

/// The flags that every subcommand takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The daemon's socket [default: $NOSSO_SOCKET, the config, $XDG_RUNTIME_DIR/nosso/nosso.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The config file [default: $XDG_CONFIG_HOME/nosso/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON as the API gives it; what streams, as a JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Never start $PAGER
    #[arg(long, global = true)]
    pub no_pager: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands, in the order in which a person meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Talk with an assistant that remembers what was said before
    Chat(super::chat::Args),
    /// Ask one question; text piped in belongs to it (`git diff | nosso ask "any bugs?"`)
    Ask(super::ask::Args),
    /// Find what was said, by words and by meaning
    Search(super::search::Args),
    /// Store a fact that all tools should know
    Remember(super::remember::Args),
    /// List the facts that are stored; review, move, pin and replace them
    Memories(super::memories::Args),
    /// Delete memories, messages or conversations; `nosso undo` brings them back
    Delete(super::delete::Args),
    /// Bring back what was deleted last, or what is named
    Undo(super::trash::UndoArgs),
    /// List what was deleted and can be brought back
    Trash(super::trash::Args),
    /// Forget things, a project or what a tool stored, for good: nothing of it stays in any file
    Forget(super::forget::Args),
    /// List conversations, the last changed first
    List(super::list::Args),
    /// Show a conversation, a message or a memory
    Show(super::show::Args),
    /// Pin, archive, tag, move, rename or hide conversations, one or many
    #[command(visible_alias = "organize")]
    Organise(super::organise::Args),
    /// The folders of conversations
    Folders(super::folders::Args),
    /// The tags of conversations
    Tags(super::tags::Args),
    /// Show another branch of a conversation
    Branch(super::branch::Args),
    /// Say a message anew, on a branch beside the old one
    Edit(super::edit::Args),
    /// Copy a conversation: the branch that leads to a message, or all of it
    Copy(super::copy::Args),
    /// Write a conversation as one HTML or Markdown file
    Share(super::share::Args),
    /// How much was said: by day, model, tool and project
    Stats(super::stats::Args),
    /// A title or tags for a conversation
    Suggest(super::suggest::Args),
    /// What a long conversation says in few words
    Summary(super::suggest::SummaryArgs),
    /// Write everything or a selection as NDJSON, as Open WebUI's JSON or as Markdown
    Export(super::export::Args),
    /// Bring in the histories of other tools, or an export of nosso
    Import(super::import::Args),
    /// Copy the database while it is in use, check the copy, and keep the newest copies
    Backup(super::backup::Args),
    /// Check a backup and put it in the place of everything that is stored
    Restore(super::backup::RestoreArgs),
    /// Capture the files of folders while they change: notes, and sessions of coding tools
    Watch(super::watch::Args),
    /// How the daemon is
    Status(super::status::Args),
    /// Check the installation and say how to fix it
    Doctor(super::doctor::Args),
    /// Texts that wait to be embedded
    Jobs(super::jobs::Args),
    /// The vector index: how it is, and making it anew
    Index(super::index::Args),
    /// Bring the runtime library and the model that finding by meaning needs
    Setup(super::setup::Args),
    /// The embedding model and the language models
    Model(super::model::Args),
    /// Show, check or edit the settings
    Config(super::config::Args),
    /// Let systemd start the daemon when it is needed
    Service(super::service::Args),
    /// Run the daemon in this terminal
    Serve(super::serve::Args),
    /// Show what nosso does, on a history of its own
    Demo(super::demo::Args),
    /// Measure how well questions of a benchmark find what answers them
    Eval(super::eval::Args),
    /// Print the completions of a shell
    Completions(super::completions::Args),
    /// Print the manual page, or write all of them into a folder
    Man(super::man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// What clap made of a command line: the Debug text of the subcommand, or the kind of refusal.
    fn parsed(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn good_lines_are_understood() {
        for line in [
            "nosso chat",
            "nosso chat -c",
            "nosso chat -C 0192d3a4-0000-7000-8000-000000000000",
            "nosso ask what is it",
            "nosso ask --no-memory -m llama3.2 -s short --no-store -- -x",
            "nosso ask --preview question --json",
            "nosso search -n 5 --mode lexical --role user --since 2024-01-01 --here deadline",
            "nosso search --client vscode --kind memory --context 2 --explain --project site a b",
            "nosso remember --kind preference --project none I like tea",
            "nosso memories --all",
            "nosso memories --path work/db --pinned -n 3",
            "nosso memories review",
            "nosso memories review --accept 0192d3a4-0000-7000-8000-000000000000 --replace",
            "nosso memories history 0192d3a4-0000-7000-8000-000000000000",
            "nosso memories move work/db archive/db",
            "nosso memories pin 0192d3a4-0000-7000-8000-000000000000",
            "nosso memories change 0192d3a4-0000-7000-8000-000000000000 --kind user --no-path --project none",
            "nosso config set memory.extract.enabled true",
            "nosso memories replace 0192d3a4-0000-7000-8000-000000000000 new words",
            "nosso remember --path work/db --pin --anyway --from 0192d3a4-0000-7000-8000-000000000000 the host is db2",
            "nosso suggest title 0192d3a4-0000-7000-8000-000000000000 --apply",
            "nosso suggest tags 0192d3a4-0000-7000-8000-000000000000 --apply -n 3 -m extractive",
            "nosso summary 0192d3a4-0000-7000-8000-000000000000 --make",
            "nosso forget -y 0192d3a4-0000-7000-8000-000000000000",
            "nosso forget --project site --client vscode --trash --backups",
            "nosso delete 0192d3a4-0000-7000-8000-000000000000",
            "nosso undo",
            "nosso trash -n 3",
            "nosso backup /media/disk",
            "nosso backup --list",
            "nosso restore --offline -y nosso.db",
            "nosso export -f markdown --client vscode --since 2024-01-01 notes",
            "nosso export -C 0192d3a4-0000-7000-8000-000000000000",
            "nosso list -n 3 --project site",
            "nosso list tag:work --archived dead",
            "nosso organise --pin --tag a --tag b 0192d3a4-0000-7000-8000-000000000000",
            "nosso organize --matching tag:old --archive",
            "nosso folders move a b/c",
            "nosso tags delete a",
            "nosso branch 0192d3a4-0000-7000-8000-000000000000 --exact",
            "nosso edit 0192d3a4-0000-7000-8000-000000000000 in other words",
            "nosso copy 0192d3a4-0000-7000-8000-000000000000 --title x",
            "nosso share 0192d3a4-0000-7000-8000-000000000000 --markdown -o -",
            "nosso stats --since 2024-01-01 --here",
            "nosso ask --again 0192d3a4-0000-7000-8000-000000000000",
            "nosso ask --scope client --private what",
            "nosso show",
            "nosso show 0192d3a4-0000-7000-8000-000000000000",
            "nosso export --force out.ndjson",
            "nosso import -",
            "nosso watch",
            "nosso watch add notes --kind notes --project none",
            "nosso watch add --kind codex",
            "nosso watch remove notes --forget",
            "nosso jobs --state dead",
            "nosso jobs retry 1 2",
            "nosso index rebuild",
            "nosso model list",
            "nosso model use /models/bge-m3",
            "nosso setup --from packages",
            "nosso demo --with-llm",
            "nosso eval locomo10.json faquad.json --mode all --scope store --limit 50 --unaccented --keep d -o f",
            "nosso config show --origin",
            "nosso service install",
            "nosso completions fish",
            "nosso man target/man",
            "nosso --socket /x --color never status",
            "nosso status --socket /x --color always -q",
        ] {
            assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err());
        }
    }

    #[test]
    fn bad_lines_are_refused() {
        use clap::error::ErrorKind::*;
        for (line, expected) in [
            ("nosso", DisplayHelpOnMissingArgumentOrSubcommand),
            ("nosso --version", DisplayVersion),
            ("nosso serch x", InvalidSubcommand),
            ("nosso search", MissingRequiredArgument),
            ("nosso search --mode fuzzy x", InvalidValue),
            ("nosso search --since yesterday x", ValueValidation),
            ("nosso search --role robot x", ValueValidation),
            ("nosso search --here --project a x", ArgumentConflict),
            ("nosso search --context 11 x", ValueValidation),
            ("nosso chat -c -C 0192d3a4-0000-7000-8000-000000000000", ArgumentConflict),
            ("nosso chat -C 12", ValueValidation),
            ("nosso forget", MissingRequiredArgument),
            ("nosso forget 12", ValueValidation),
            ("nosso remember --anyway --replace x", ArgumentConflict),
            ("nosso memories pin", MissingRequiredArgument),
            ("nosso suggest", DisplayHelpOnMissingArgumentOrSubcommand),
            ("nosso forget --here --project a", ArgumentConflict),
            ("nosso delete", MissingRequiredArgument),
            ("nosso restore", MissingRequiredArgument),
            ("nosso export --trash --client a", ArgumentConflict),
            ("nosso import", MissingRequiredArgument),
            ("nosso watch add --kind mail", ValueValidation),
            ("nosso watch remove", MissingRequiredArgument),
            ("nosso jobs --state lost", InvalidValue),
            ("nosso list -n 0", ValueValidation),
            ("nosso organise --archive", MissingRequiredArgument),
            ("nosso organise --pin --unpin 0192d3a4-0000-7000-8000-000000000000", ArgumentConflict),
            ("nosso share 0192d3a4-0000-7000-8000-000000000000 --html --markdown", ArgumentConflict),
            ("nosso ask --again 0192d3a4-0000-7000-8000-000000000000 why", ArgumentConflict),
            ("nosso status --color maybe", InvalidValue),
            ("nosso eval", MissingRequiredArgument),
            ("nosso eval a.json --limit 0", ValueValidation),
        ] {
            assert_eq!(parsed(line).err(), Some(expected), "{line}");
        }
    }

    #[test]
    fn every_subcommand_is_explained() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }
}
