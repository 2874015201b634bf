//! The table of all keys: what each one takes, and whether a running daemon can take a new value.

use figment::value::Value;

use super::template;
use Applies::{AtOnce, OnRestart};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// "section.key"; a section may lie in another: "memory.extract.enabled".
    pub name: &'static str,
    /// What it takes.
    pub expects: Expects,
    /// When a new value counts.
    pub applies: Applies,
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expects {
    /// Any text that is not empty.
    Text,
    /// The path of a file or folder; `~/` stands for the home folder.
    Path,
    /// The path of a socket; the kernel takes 107 bytes.
    SocketPath,
    /// An `http://` or `https://` address.
    Url,
    /// `true` or `false`.
    Switch,
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A table of names, each with one of these words.
    Each(&'static [&'static str]),
    /// A text that may have these placeholders.
    Template(&'static [&'static str]),
}

/// When a changed setting counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// A reload is enough.
    AtOnce,
    /// The daemon must be restarted.
    OnRestart,
}

/// Every setting, in the order of the config file. A test compares it with the fields of `Config`.
pub const KEYS: &[Key] = &[
    key("socket.path", Expects::SocketPath, OnRestart),
    key("log.filter", Expects::Text, AtOnce),
    key("log.format", Expects::OneOf(&["auto", "text", "json"]), OnRestart),
    key("store.durability", Expects::OneOf(&["full", "normal"]), OnRestart),
    key("store.trash_days", Expects::Whole(0, 36_500), AtOnce),
    key("store.keep_backups", Expects::Whole(1, 1000), AtOnce),
    key("embed.enabled", Expects::Switch, AtOnce),
    key("embed.model", Expects::Path, AtOnce),
    // a process loads one ONNX Runtime and keeps it
    key("embed.library", Expects::Path, OnRestart),
    key("embed.threads", Expects::Whole(1, 256), AtOnce),
    key("embed.niceness", Expects::Whole(0, 19), AtOnce),
    key("embed.unload_after_seconds", Expects::Whole(0, MAX_SECONDS), AtOnce),
    key("chat.provider", Expects::OneOf(&["auto", "ollama", "openai", "extractive"]), AtOnce),
    key("chat.model", Expects::Text, AtOnce),
    key("chat.ollama_url", Expects::Url, AtOnce),
    key("chat.openai_url", Expects::Url, AtOnce),
    key("chat.openai_key_file", Expects::Path, AtOnce),
    key("chat.context_tokens", Expects::Whole(256, MAX_TOKENS), AtOnce),
    key("chat.max_answer_tokens", Expects::Whole(1, MAX_TOKENS), AtOnce),
    key("chat.temperature", Expects::Number(0.0, 2.0), AtOnce),
    key("chat.first_token_timeout_seconds", Expects::Whole(1, MAX_SECONDS), AtOnce),
    key("chat.token_timeout_seconds", Expects::Whole(1, MAX_SECONDS), AtOnce),
    key("chat.summarize", Expects::Switch, AtOnce),
    key("recall.limit", Expects::Whole(0, 200), AtOnce),
    key("recall.standing_share", Expects::Number(0.0, 1.0), AtOnce),
    key("recall.recent_share", Expects::Number(0.0, 1.0), AtOnce),
    key("recall.recalled_share", Expects::Number(0.0, 1.0), AtOnce),
    key("rerank.path", Expects::Path, AtOnce),
    key("rerank.candidates", Expects::Whole(1, 200), AtOnce),
    key("memory.extract.enabled", Expects::Switch, AtOnce),
    key("memory.extract.tokens_per_day", Expects::Whole(0, MAX_TOKENS), AtOnce),
    key("secrets.mode", Expects::OneOf(SECRET_MODES), AtOnce),
    key("secrets.projects", Expects::Each(SECRET_MODES), AtOnce),
    key("prompts.en.answer", Expects::Template(&["today"]), AtOnce),
    key("prompts.en.summary", Expects::Template(&["words"]), AtOnce),
    key("prompts.en.extract", Expects::Template(&["today"]), AtOnce),
    key("prompts.en.title", Expects::Template(&["characters"]), AtOnce),
    key("prompts.en.tags", Expects::Template(&["tags"]), AtOnce),
    key("prompts.pt.answer", Expects::Template(&["today"]), AtOnce),
    key("prompts.pt.summary", Expects::Template(&["words"]), AtOnce),
    key("prompts.pt.extract", Expects::Template(&["today"]), AtOnce),
    key("prompts.pt.title", Expects::Template(&["characters"]), AtOnce),
    key("prompts.pt.tags", Expects::Template(&["tags"]), AtOnce),
    key("capture.enabled", Expects::Switch, AtOnce),
    key("capture.max_file_kib", Expects::Whole(1, 65536), AtOnce),
    key("capture.polling", Expects::OneOf(&["auto", "always"]), AtOnce),
];

const SECRET_MODES: &[&str] = &["mask", "report", "off"];
/// Ten years: what is longer is a mistake, and would overflow a deadline.
const MAX_SECONDS: i64 = 10 * 365 * 24 * 3600;
/// More than any model has, and it fits a `u32`.
const MAX_TOKENS: i64 = 100_000_000;
/// `sun_path` without its closing zero.
const MAX_SOCKET_PATH_BYTES: usize = 107;

const fn key(name: &'static str, expects: Expects, applies: Applies) -> Key {
    Key { name, expects, applies }
}

impl Key {
    /// The key of that name.
    pub fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Section and key.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    /// The name that comes nearest to a mistyped one, if one comes near: in full, or only its last part.
    pub fn nearest(mistyped: &str) -> Option<&'static str> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let score = |key: &Key| {
            let full = strsim::jaro_winkler(key.name, mistyped);
            // "threads" without its section is a whole key in the wrong place
            full.max(strsim::jaro_winkler(&last(key.name), &last(mistyped)) - 0.02)
        };
        let best = KEYS.iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
        (score(best) > 0.82).then_some(best.name)
    }
}

impl Expects {
    /// "a whole number from 1 to 256"
    pub fn described(&self) -> String {
        match self {
            Expects::Text => "a text".into(),
            Expects::Path => "a path".into(),
            Expects::SocketPath => format!("a path of at most {MAX_SOCKET_PATH_BYTES} bytes"),
            Expects::Url => "an http:// or https:// address".into(),
            Expects::Switch => "true or false".into(),
            Expects::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Expects::Number(least, most) => format!("a number from {least} to {most}"),
            Expects::OneOf(words) => format!("one of \"{}\"", words.join("\", \"")),
            Expects::Each(words) => format!("a table of names, each \"{}\"", words.join("\" or \"")),
            Expects::Template(_) => "a text".into(),
        }
    }

    /// The value that a variable or a flag spells, or None where it is not what is expected.
    pub fn parse(&self, text: &str) -> Option<Value> {
        let value = match self {
            Expects::Switch => Value::from(text.parse::<bool>().ok()?),
            Expects::Whole(..) => Value::from(text.parse::<i64>().ok()?),
            Expects::Number(..) => Value::from(text.parse::<f64>().ok()?),
            _ => Value::from(text),
        };
        self.accept(value)
    }

    /// The value as it will be stored (a whole number where a number is expected is one), or None where it is not
    /// what is expected.
    pub fn accept(&self, value: Value) -> Option<Value> {
        let text = value.as_str().unwrap_or_default();
        let good = match *self {
            Expects::Text | Expects::Path => !text.trim().is_empty(),
            Expects::Template(known) => !text.trim().is_empty() && template::problem(text, known).is_none(),
            Expects::Each(words) => value.as_dict().is_some_and(|entries| {
                entries.values().all(|word| word.as_str().is_some_and(|word| words.contains(&word)))
            }),
            Expects::SocketPath => !text.trim().is_empty() && text.len() <= MAX_SOCKET_PATH_BYTES,
            Expects::Url => {
                let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
                rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
            }
            Expects::Switch => value.to_bool().is_some(),
            Expects::Whole(least, most) => {
                whole(&value).is_some_and(|n| (least.into()..=most.into()).contains(&n))
            }
            Expects::Number(least, most) => {
                let number = value.to_f64().or_else(|| whole(&value).map(|n| n as f64))?;
                return (least..=most).contains(&number).then(|| Value::from(number));
            }
            Expects::OneOf(words) => words.contains(&text),
        };
        good.then_some(value)
    }
}

/// A whole number of either sign; figment keeps them apart.
pub(super) fn whole(value: &Value) -> Option<i128> {
    value.to_i128().or_else(|| value.to_u128().and_then(|n| n.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Prompts, Templates};

    /// A config in which nothing is unset, so that every field is seen.
    fn full() -> Config {
        let mut config = Config::default();
        config.socket.path = Some("/s".into());
        config.embed.model = Some("/m".into());
        config.embed.library = Some("/l".into());
        config.rerank.path = Some("/r".into());
        config.chat.model = Some("m".into());
        config.chat.openai_url = Some("http://h".into());
        config.chat.openai_key_file = Some("/k".into());
        config.chat.context_tokens = Some(4096);
        config.chat.temperature = Some(0.5);
        let texts = Templates {
            answer: Some("a".into()),
            summary: Some("s".into()),
            extract: Some("e".into()),
            title: Some("t".into()),
            tags: Some("t".into()),
        };
        config.prompts = Prompts { en: texts.clone(), pt: texts };
        config
    }

    #[test]
    fn the_table_names_every_setting_and_takes_its_defaults() {
        let mut open = vec![(String::new(), Value::serialize(full()).unwrap())];
        let mut fields = vec![];
        while let Some((section, value)) = open.pop() {
            for (name, value) in value.into_dict().unwrap() {
                let name = if section.is_empty() { name } else { format!("{section}.{name}") };
                match Key::find(&name) {
                    Some(key) => {
                        assert!(key.expects.accept(value).is_some(), "{name} does not take its own default");
                        fields.push(name);
                    }
                    None if value.as_dict().is_some() => open.push((name, value)),
                    None => panic!("{name} is not in KEYS"),
                }
            }
        }
        for key in KEYS {
            assert!(fields.iter().any(|f| f == key.name), "{} is no setting", key.name);
        }
    }

    #[test]
    fn values_are_taken_strictly() {
        let check = |name: &str, text: &str, good: bool| {
            assert_eq!(Key::find(name).unwrap().expects.parse(text).is_some(), good, "{name} = {text:?}");
        };
        check("embed.threads", "1", true);
        check("embed.threads", "0", false);
        check("embed.threads", "two", false);
        check("embed.threads", "1.5", false);
        check("embed.niceness", "20", false);
        check("embed.niceness", "-1", false);
        check("embed.enabled", "true", true);
        check("embed.enabled", "yes", false);
        check("recall.recent_share", "1", true);
        check("recall.recent_share", "1.01", false);
        check("recall.recent_share", "NaN", false);
        check("chat.ollama_url", "127.0.0.1:11434", false);
        check("chat.ollama_url", "http://127.0.0.1:11434", true);
        check("chat.provider", "gpt", false);
        check("chat.model", "7", true);
        check("chat.model", " ", false);
        check("socket.path", &"s".repeat(108), false);
        check("prompts.en.answer", "Today is {today}, {{really}}.", true);
        check("prompts.en.answer", "Today is {day}.", false);
        check("secrets.projects", "off", false);
    }

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let check = |mistyped: &str, expected: Option<&str>| assert_eq!(Key::nearest(mistyped), expected);
        check("embed.thread", Some("embed.threads"));
        check("embeding.threads", Some("embed.threads"));
        check("threads", Some("embed.threads"));
        check("log.level", Some("log.filter"));
        check("chat.modle", Some("chat.model"));
        check("zzz", None);
    }
}
