//! The log: to the journal where systemd listens, else lines on standard error; its filter can change while it runs.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use crate::config::{Log, LogFormat};
use crate::error::{Doing, Error, Kind, Result};

/// How the journal names us.
const IDENTIFIER: &str = "nosso";
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// The log of this process.
pub(super) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Journal,
    Text,
    Json,
}

impl Logging {
    /// Logs from now on, as `[log]` says. Errors: a filter that makes no sense; a logger that is there already.
    pub(super) fn start(log: &Log, env: &[(String, String)]) -> Result<Self> {
        let (filter, handle) = reload::Layer::new(Self::filter(&log.filter)?);
        let var = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let sink = sink(log.format, var("JOURNAL_STREAM"), stderr_identity());
        let coloured = std::io::stderr().is_terminal() && var("NO_COLOR").is_none_or(str::is_empty);
        let ansi = if coloured { Ansi::Coloured } else { Ansi::Plain };
        let subscriber = Registry::default().with(filter).with(lines(sink, ansi, std::io::stderr));
        tracing::subscriber::set_global_default(subscriber).doing(Kind::Internal, "start the log")?;
        Ok(Self { filter: handle })
    }

    /// The filter that `text` spells: a level, or `target=level` pairs with commas between.
    pub(super) fn filter(text: &str) -> Result<EnvFilter> {
        let wrong = |problem: String| {
            Error::new(Kind::Config, format!("log.filter is {text:?}: {problem}")).hint(
                "write a level (off, error, warn, info, debug, trace) or pairs such as info,nosso::rpc=debug",
            )
        };
        // a word alone would be taken for the name of a module, and a mistyped level would switch everything off
        let unknown = text.split(',').map(str::trim).find(|part| {
            let is_module = part.contains("::") || *part == IDENTIFIER;
            let is_pair = part.contains(['=', '[']);
            !is_pair && !is_module && !LEVELS.contains(&part.to_lowercase().as_str())
        });
        if let Some(part) = unknown {
            return Err(wrong(format!("{part:?} is no level")));
        }
        EnvFilter::builder().parse(text).map_err(|error| wrong(error.to_string()))
    }

    /// Filters by `filter` from now on.
    pub(super) fn set(&self, filter: EnvFilter) {
        if let Err(error) = self.filter.reload(filter) {
            tracing::error!(%error, "the log's filter could not be changed");
        }
    }
}

/// Whether lines may carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ansi {
    Coloured,
    Plain,
}

/// systemd tells in `JOURNAL_STREAM` which file is its journal; a daemon whose standard error was sent elsewhere does
/// not log there.
fn sink(format: LogFormat, journal_stream: Option<&str>, stderr: Option<(u64, u64)>) -> Sink {
    let journal = journal_stream
        .and_then(|text| text.split_once(':'))
        .and_then(|(dev, ino)| Some((dev.parse().ok()?, ino.parse().ok()?)));
    match format {
        LogFormat::Json => Sink::Json,
        LogFormat::Auto if journal.is_some() && journal == stderr => Sink::Journal,
        LogFormat::Auto | LogFormat::Text => Sink::Text,
    }
}

fn stderr_identity() -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(std::io::stderr()).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

fn lines<S, W>(sink: Sink, ansi: Ansi, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let text = tracing_subscriber::fmt::layer();
    match sink {
        Sink::Json => text.json().flatten_event(true).with_writer(writer).boxed(),
        Sink::Text => text.with_ansi(ansi == Ansi::Coloured).with_writer(writer).boxed(),
        Sink::Journal => match tracing_journald::layer() {
            Ok(journal) => journal.with_syslog_identifier(IDENTIFIER.into()).with_field_prefix(None).boxed(),
            // standard error goes to the journal as well, only without fields
            Err(_) => text.with_ansi(false).without_time().with_writer(writer).boxed(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn filters_are_checked() {
        let check = |text: &str, good: bool| {
            let filter = Logging::filter(text);
            assert_eq!(filter.is_ok(), good, "{text}: {filter:?}");
            if let Err(error) = filter {
                assert!(error.kind() == Kind::Config && error.hint_text().is_some(), "{error}");
            }
        };
        check("info", true);
        check("WARN", true);
        check("info,nosso::rpc=debug", true);
        check("nosso", true);
        check("debgu", false);
        check("info,nosso=lots", false);
        check("", false);
    }

    #[test]
    fn the_journal_is_used_only_where_standard_error_is_it() {
        let check = |format, stream, expected| assert_eq!(sink(format, stream, Some((8, 15))), expected);
        check(LogFormat::Auto, Some("8:15"), Sink::Journal);
        check(LogFormat::Auto, Some("8:16"), Sink::Text);
        check(LogFormat::Auto, Some("nonsense"), Sink::Text);
        check(LogFormat::Auto, None, Sink::Text);
        check(LogFormat::Text, Some("8:15"), Sink::Text);
        check(LogFormat::Json, Some("8:15"), Sink::Json);
        assert_eq!(sink(LogFormat::Auto, None, None), Sink::Text);
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_lines_carry_fields_and_a_new_filter_counts_at_once() {
        let written = Written::default();
        let writer = written.clone();
        let (filter, handle) = reload::Layer::new(Logging::filter("warn").unwrap());
        let logging = Logging { filter: handle };
        let layer = lines(Sink::Json, Ansi::Plain, move || writer.clone());
        let subscriber = Registry::default().with(filter).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("unheard");
            logging.set(Logging::filter("info").unwrap());
            tracing::info!(key = "embed.threads", "heard");
        });
        let line: serde_json::Value = serde_json::from_str(written.text().trim()).unwrap();
        assert_eq!(line["message"], "heard");
        assert_eq!((&line["key"], &line["level"]), (&"embed.threads".into(), &"INFO".into()));
    }

    #[test]
    fn text_without_a_terminal_has_no_escapes() {
        let written = Written::default();
        let writer = written.clone();
        let layer = lines(Sink::Text, Ansi::Plain, move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || tracing::warn!("plain"));
        assert!(
            written.text().contains("plain") && !written.text().contains('\u{1b}'),
            "{:?}",
            written.text()
        );
    }
}
