//! The `nosso` program.

use nosso::{cli, daemon};

fn main() -> std::process::ExitCode {
    // ONNX Runtime from 1.29 on reports to its maker as soon as it is initialised, before any call could forbid it;
    // only this variable keeps it from that, and from leaving a device id in the temporary folder
    // SAFETY: no other thread exists yet that could read the environment
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    cli::main(std::env::args_os(), |paths, flags| daemon::run(daemon::Options::from_process(paths, flags)))
}
