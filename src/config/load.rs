//! Puts the layers of settings together: defaults < file < variables < flags.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, providers::Serialized};

use super::file::{self, FileValue};
use super::keys::{Expects, Key};
use super::{ChatProvider, Config, template};
use crate::error::{Error, Kind, Result};
use crate::paths::Paths;

/// Variables with a short name of their own.
const SHORTHANDS: &[(&str, &str)] = &[("NOSSO_LOG", "log.filter"), ("NOSSO_SOCKET", "socket.path")];

/// Settings from the command line: over everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The config file that was named; None: the usual one, which need not exist.
    file: Option<PathBuf>,
    values: Vec<(String, String, String)>,
}

impl Flags {
    /// Reads this config file, which then must exist, in place of the usual one.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The config file that counts, absolute, whether it exists or not.
    pub fn config_file(&self, paths: &Paths) -> PathBuf {
        let file = self.file.clone().unwrap_or_else(|| paths.config_file());
        std::path::absolute(&file).unwrap_or(file)
    }

    /// Sets `key` ("log.filter") to `value`; `flag` ("--log") is how errors and origins call it.
    #[must_use]
    pub fn with(mut self, flag: impl Into<String>, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push((flag.into(), key.into(), value.into()));
        self
    }
}

/// The settings, and where they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings. Paths in them are absolute.
    pub config: Config,
    /// Where each value came from, by "section.key"; a key that is not here has its default.
    pub origins: BTreeMap<&'static str, Origin>,
    /// The config file.
    pub file: PathBuf,
    /// Whether that file exists.
    pub file_exists: bool,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the config file.
    File {
        /// Its path.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A command line flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { file, line } => write!(f, "{}:{line}", file.display()),
            Origin::Variable(name) | Origin::Flag(name) => write!(f, "{name}"),
        }
    }
}

impl Loaded {
    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

/// Loads the settings. `env` is every variable of the process (`HOME` and `NOSSO_*` are looked at; an empty one
/// counts as unset).
///
/// Errors are of kind `config` and name the file and line, the variable or the flag, what was found, and what is
/// expected.
pub fn load(paths: &Paths, env: impl IntoIterator<Item = (String, String)>, flags: &Flags) -> Result<Loaded> {
    let env: BTreeMap<String, String> = env.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let home = env.get("HOME").map(PathBuf::from);
    let file = flags.config_file(paths);
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();

    let text = file::read(&file)?;
    if text.is_none() && flags.file.is_some() {
        let error = Error::new(Kind::Config, format!("the config file {} does not exist", file.display()));
        return Err(error.hint("leave --config away to start with the defaults"));
    }
    let file_exists = text.is_some();

    let mut from_file = Layer::new("config file", home.as_deref(), Some(&folder));
    for FileValue { key, value, line } in file::values(&file, &text.unwrap_or_default())? {
        from_file.put(key, value, Origin::File { file: file.clone(), line });
    }
    let mut from_env = Layer::new("environment", home.as_deref(), None);
    for (name, value) in &env {
        if let Some(key) = key_of_variable(name)? {
            from_env.put(key, spelled(key, value, name)?, Origin::Variable(name.clone()));
        }
    }
    let mut from_flags = Layer::new("command line", home.as_deref(), None);
    for (flag, name, value) in &flags.values {
        let key = Key::find(name).ok_or_else(|| unknown(name, flag))?;
        from_flags.put(key, spelled(key, value, flag)?, Origin::Flag(flag.clone()));
    }

    let origins: BTreeMap<_, _> =
        [&from_file, &from_env, &from_flags].into_iter().flat_map(|layer| layer.origins.clone()).collect();
    let config: Config = Figment::from(Serialized::defaults(Config::default()))
        .merge(from_file)
        .merge(from_env)
        .merge(from_flags)
        .extract()
        .map_err(|error| Error::new(Kind::Config, format!("load the settings: {error}")))?;
    let loaded = Loaded { config, origins, file, file_exists };
    check_together(&loaded)?;
    Ok(loaded)
}

/// `socket.path` of a config file that is wrong elsewhere: who looks for the daemon needs nothing else of it. None
/// where the file is no TOML or does not say.
pub fn socket_in_broken_file(file: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let path = file::text_value(&file::read(file).ok()??, "socket", "path")?;
    Some(absolute(&path, home, file.parent()))
}

/// "the key `embed.thread` (config.toml:3) does not exist", with the nearest one as a hint.
pub(super) fn unknown(name: &str, place: &str) -> Error {
    let error = Error::new(Kind::Config, format!("{place}: there is no setting {name}"));
    error.hint(match Key::nearest(name) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`nosso config show` lists all settings".into(),
    })
}

/// The error of a value that `key` does not take: as [`mistaken`], or what is wrong with a template.
pub(super) fn refused(key: &Key, value: Option<&Value>, found: &str, place: &str) -> Error {
    let text = value.and_then(Value::as_str);
    let problem = match (key.expects, text) {
        (Expects::Template(known), Some(text)) => template::problem(text, known),
        _ => None,
    };
    match problem {
        Some(problem) => {
            Error::new(Kind::Config, format!("{place}: {} {}", key.name, problem.found)).hint(problem.hint)
        }
        None => mistaken(key, found, place),
    }
}

/// "config.toml:3: embed.threads is \"two\", but must be a whole number from 1 to 256"
fn mistaken(key: &Key, found: &str, place: &str) -> Error {
    let expected = key.expects.described();
    Error::new(Kind::Config, format!("{place}: {} is {found}, but must be {expected}", key.name))
}

fn spelled(key: &Key, text: &str, place: &str) -> Result<Value> {
    key.expects.parse(text).ok_or_else(|| refused(key, Some(&text.into()), &format!("{text:?}"), place))
}

/// The setting that a variable means: `NOSSO_EMBED__THREADS` is `embed.threads`. Variables without the double
/// underscore are other programs' business, except the shorthands.
fn key_of_variable(name: &str) -> Result<Option<&'static Key>> {
    let Some(rest) = name.strip_prefix("NOSSO_") else { return Ok(None) };
    if let Some((_, key)) = SHORTHANDS.iter().find(|(short, _)| *short == name) {
        return Ok(Key::find(key));
    }
    if !rest.contains("__") {
        return Ok(None);
    }
    let dotted = rest.to_lowercase().replace("__", ".");
    Key::find(&dotted).map(Some).ok_or_else(|| unknown(&dotted, name))
}

/// What only makes sense, or not, together.
fn check_together(loaded: &Loaded) -> Result<()> {
    let Config { chat, recall, .. } = &loaded.config;
    let at = |key: &str| format!("{key} ({})", loaded.origin(key));
    if chat.provider == ChatProvider::Openai && chat.openai_url.is_none() {
        let error =
            Error::new(Kind::Config, format!("{} is \"openai\", without a server", at("chat.provider")));
        return Err(error.hint("set chat.openai_url, for example \"http://127.0.0.1:8080/v1\""));
    }
    // the sum of two f32 may be a little over
    if recall.recent_share + recall.recalled_share > 1.0001 {
        let both = format!("{} and {}", at("recall.recent_share"), at("recall.recalled_share"));
        let found = format!("{} + {}", recall.recent_share, recall.recalled_share);
        return Err(Error::new(Kind::Config, format!("{both} are {found}, together more than 1"))
            .hint("they are shares of one prompt: make the sum 1 or less"));
    }
    Ok(())
}

/// One layer of values, as figment takes it.
struct Layer<'a> {
    name: &'static str,
    home: Option<&'a Path>,
    /// What relative paths are relative to; None: the working directory.
    folder: Option<&'a Path>,
    sections: Dict,
    origins: BTreeMap<&'static str, Origin>,
}

impl<'a> Layer<'a> {
    fn new(name: &'static str, home: Option<&'a Path>, folder: Option<&'a Path>) -> Self {
        Self { name, home, folder, sections: Dict::new(), origins: BTreeMap::new() }
    }

    fn put(&mut self, key: &'static Key, value: Value, origin: Origin) {
        let value = match (key.expects, value.as_str()) {
            (Expects::Path | Expects::SocketPath, Some(path)) => {
                Value::from(absolute(path, self.home, self.folder).to_string_lossy().into_owned())
            }
            _ => value,
        };
        let (section, name) = key.parts();
        let entries = section.split('.').try_fold(&mut self.sections, |within, part| {
            match within.entry(part.into()).or_insert_with(|| Value::from(Dict::new())) {
                Value::Dict(_, entries) => Some(entries),
                _ => None,
            }
        });
        if let Some(entries) = entries {
            entries.insert(name.into(), value);
        }
        self.origins.insert(key.name, origin);
    }
}

/// `~/x` below the home folder, `x` below the file's folder; without one, below the working directory.
fn absolute(path: &str, home: Option<&Path>, folder: Option<&Path>) -> PathBuf {
    let below_home = match path {
        "~" => home.map(Path::to_owned),
        _ => path.strip_prefix("~/").and_then(|rest| Some(home?.join(rest))),
    };
    below_home.unwrap_or_else(|| match folder {
        Some(folder) => folder.join(path),
        None => std::path::absolute(path).unwrap_or_else(|_| path.into()),
    })
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.sections.clone()))
    }
}
