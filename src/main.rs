//! The `nosso` program.

fn main() -> std::process::ExitCode {
    nosso::cli::main(std::env::args_os(), |_, _| {
        Err(nosso::error::Error::new(nosso::error::Kind::Unsupported, "this build has no daemon"))
    })
}
