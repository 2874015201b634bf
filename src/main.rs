//! The `nosso` program.

use nosso::{cli, daemon};

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os(), |paths, flags| daemon::run(daemon::Options::from_process(paths, flags)))
}
