//! The only place that writes to standard output and standard error.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::args::{Color, Global};
use super::exit::Failure;
use super::style::{self, paint};
use crate::error::{Error, Kind};

/// Where results and messages go, and how they look there. Results go to standard output, everything else to
/// standard error.
pub struct Output {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    /// Whether `--json` was asked for.
    pub json: bool,
    /// The columns of the terminal that shows the results; none where they go to a file or a pipe.
    pub width: Option<usize>,
    /// Whether messages go to a terminal, where progress may be shown.
    pub live: bool,
    colored_stdout: bool,
    colored_stderr: bool,
    quiet: bool,
    pager: Option<String>,
}

impl Output {
    /// The output that the flags and the environment ask for.
    pub fn new(global: &Global, var: impl Fn(&str) -> Option<String>) -> Self {
        let terminal = io::stdout().is_terminal();
        let choose = |auto: anstream::ColorChoice| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !matches!(auto, anstream::ColorChoice::Never),
        };
        let pager = match (terminal, global.no_pager || global.json) {
            (true, false) => Some(var("PAGER").unwrap_or_else(|| "less -FRX".into())),
            _ => None,
        };
        Self {
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            json: global.json,
            width: terminal.then(terminal_width).flatten(),
            live: io::stderr().is_terminal() && !global.quiet,
            colored_stdout: choose(anstream::AutoStream::choice(&io::stdout())),
            colored_stderr: choose(anstream::AutoStream::choice(&io::stderr())),
            quiet: global.quiet,
            pager: pager.filter(|command| !command.trim().is_empty() && command.trim() != "cat"),
        }
    }

    /// Prints a result as it is.
    pub fn text(&mut self, styled: &str) -> Result<(), Failure> {
        write(&mut self.stdout, styled, self.colored_stdout)
    }

    /// Prints a result through the pager, where results go to a terminal.
    pub fn page(&mut self, styled: &str) -> Result<(), Failure> {
        match self.pager.clone() {
            Some(command) if show_in_pager(&command, styled, self.colored_stdout) => Ok(()),
            _ => self.text(styled),
        }
    }

    /// Prints one JSON document: readable on a terminal, on one line elsewhere.
    pub fn document(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = match self.width {
            Some(_) => serde_json::to_string_pretty(value),
            None => serde_json::to_string(value),
        };
        let text = text.map_err(|error| Error::internal(format!("write JSON: {error}")))?;
        write(&mut self.stdout, &format!("{text}\n"), true)
    }

    /// Prints one line of NDJSON.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text =
            serde_json::to_string(value).map_err(|error| Error::internal(format!("write JSON: {error}")))?;
        write(&mut self.stdout, &format!("{text}\n"), true)
    }

    /// Prints bytes of a result untouched: an export.
    pub fn raw(&mut self, text: &str) -> Result<(), Failure> {
        write(&mut self.stdout, text, true)
    }

    /// Tells the person something that is no result; `--quiet` leaves it out.
    pub fn note(&mut self, styled: &str) {
        if !self.quiet {
            self.message(&format!("{styled}\n"));
        }
    }

    /// Tells the person that something is not as it should be.
    pub fn warn(&mut self, text: &str) {
        self.note(&format!("{} {text}", paint(style::WARN, "!")));
    }

    /// Tells the person what went wrong and what to do, quiet or not.
    pub fn error(&mut self, error: &Error) {
        let text = super::clean::block(&error.full_text());
        self.message(&format!("{} {text}\n", paint(style::BAD, "nosso:")));
        if let Some(hint) = error.hint_text() {
            self.message(&format!("{} {}\n", paint(style::NAME, "hint:"), super::clean::block(hint)));
        }
    }

    /// Asks a question that wants an answer on the same line.
    pub fn prompt(&mut self, styled: &str) {
        self.message(styled);
    }

    /// The columns to wrap at: the terminal's, never so wide that reading becomes hard; none: do not wrap.
    pub fn wrap_width(&self) -> Option<usize> {
        self.width.map(|columns| columns.clamp(20, 100))
    }

    fn message(&mut self, styled: &str) {
        // when even standard error is gone there is nobody left to tell
        let _ = write(&mut self.stderr, styled, self.colored_stderr);
    }
}

fn write(to: &mut Box<dyn Write>, text: &str, keep_styles: bool) -> Result<(), Failure> {
    let written = match keep_styles {
        true => to.write_all(text.as_bytes()),
        false => write!(to, "{}", anstream::adapter::strip_str(text)),
    };
    written.and_then(|()| to.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => {
            Failure::Failed(Error::new(Kind::Storage, format!("write the output: {error}")).caused_by(error))
        }
    })
}

fn terminal_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
}

/// Whether the pager could be started; what it does with the text is then the person's business.
fn show_in_pager(command: &str, styled: &str, colored: bool) -> bool {
    // Ctrl-C belongs to the pager while it runs; without this it would end us and leave the terminal to both
    let _ours = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    let Ok(mut child) = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn() else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = match colored {
            true => stdin.write_all(styled.as_bytes()),
            false => write!(stdin, "{}", anstream::adapter::strip_str(styled)),
        };
    }
    // 127: the shell did not find the pager
    child.wait().is_ok_and(|status| status.code() != Some(127))
}

/// An output that keeps what is written, for tests.
#[cfg(test)]
pub mod captured {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written to one stream.
    #[derive(Clone, Default)]
    pub struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        /// The text so far.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An uncoloured output without a terminal, and what it writes to its two streams.
    pub fn output() -> (Output, Captured, Captured) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let output = Output {
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            json: false,
            width: None,
            live: false,
            colored_stdout: false,
            colored_stderr: false,
            quiet: false,
            pager: None,
        };
        (output, stdout, stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do() {
        let (mut output, stdout, stderr) = captured::output();
        output.error(&Error::new(Kind::Unreachable, "connect to /x").hint("nosso serve"));
        assert_eq!(stderr.text(), "nosso: connect to /x\nhint: nosso serve\n");
        assert_eq!(stdout.text(), "");
    }

    #[test]
    fn errors_cannot_carry_escapes() {
        let (mut output, _, stderr) = captured::output();
        output.error(&Error::invalid("found \x1b[2J"));
        assert_eq!(stderr.text(), "nosso: found ␛[2J\n");
    }

    #[test]
    fn styles_are_taken_out_where_nobody_wants_them() {
        let (mut output, stdout, _) = captured::output();
        output.text(&paint(style::TITLE, "plain")).unwrap();
        assert_eq!(stdout.text(), "plain");
    }

    #[test]
    fn a_reader_that_leaves_is_no_fault() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut output, _, _) = captured::output();
        output.stdout = Box::new(Gone);
        assert!(matches!(output.text("x"), Err(Failure::OutputClosed)));
    }
}
