//! `config.toml`: reads it with line numbers, and changes one key without touching the rest.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};
use toml_edit::{Document, DocumentMut, Item, Table, TableLike};

use super::keys::{Expects, Key, whole};
use super::load::{refused, unknown};
use crate::error::{Doing, Error, Kind, Result};

/// What a config file may be long at most; a mistaken path to a large file must not fill the memory.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// One value of the file.
#[derive(Debug)]
pub(super) struct FileValue {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    /// From 1.
    pub(super) line: usize,
}

/// The file's text; None where there is no file.
pub(super) fn read(file: &Path) -> Result<Option<String>> {
    let doing = || format!("read the config file {}", file.display());
    match std::fs::metadata(file) {
        Ok(meta) if meta.len() > MAX_FILE_BYTES => {
            let found = format!("{}: it has {} bytes, over {MAX_FILE_BYTES}", doing(), meta.len());
            return Err(Error::new(Kind::Config, found));
        }
        _ => (),
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(Kind::Config, doing()),
    }
}

/// Every value of the text, checked against the table of keys.
pub(super) fn values(file: &Path, text: &str) -> Result<Vec<FileValue>> {
    let place = |span: Option<Range<usize>>| {
        let line = span.map_or(1, |span| line_of(text, span.start));
        (line, format!("{}:{line}", file.display()))
    };
    let document = Document::parse(text).map_err(|error| {
        let problem = error.message().lines().collect::<Vec<_>>().join(", ");
        Error::new(Kind::Config, format!("{}: {problem}", place(error.span()).1))
            .hint("the file is TOML: `[section]` lines, then `key = value` lines")
    })?;

    let mut found = vec![];
    let mut open: VecDeque<(String, &dyn TableLike)> =
        VecDeque::from([(String::new(), document.as_table() as _)]);
    while let Some((section, table)) = open.pop_front() {
        for (name, item) in table.iter() {
            let (line, place) = place(table.key(name).and_then(|key| key.span()));
            let dotted = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            match (Key::find(&dotted), item.as_table_like()) {
                (Some(key), _) => {
                    let value = plain(item);
                    let taken = value.clone().and_then(|value| key.expects.accept(value));
                    let value = taken.ok_or_else(|| refused(key, value.as_ref(), &shown(item), &place))?;
                    found.push(FileValue { key, value, line });
                }
                // an empty section says nothing, but its name must be one
                (None, Some(inner)) if !inner.is_empty() || is_section(&dotted) => {
                    open.push_back((dotted, inner))
                }
                (None, _) => return Err(unknown(&dotted, &place)),
            }
        }
    }
    Ok(found)
}

/// A text of the file, whatever else is wrong with it; None where it is no TOML, or there is no such text.
pub(super) fn text_value(text: &str, section: &str, name: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let found = document.get(section)?.as_table_like()?.get(name)?.as_str()?;
    (!found.is_empty()).then(|| found.to_owned())
}

fn is_section(name: &str) -> bool {
    let below = |key: &Key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    super::KEYS.iter().any(below)
}

/// Sets `name` ("embed.model") in the config file, leaving comments and order as they are; creates file and folder
/// where they are missing. The file is replaced in one step, so no reader sees half of it.
///
/// Errors: no such key, a value that it does not take, a file that is not valid as it is, no permission.
pub fn set_key(file: &Path, name: &str, value: &str) -> Result<()> {
    let key = Key::find(name).ok_or_else(|| unknown(name, "set"))?;
    if matches!(key.expects, Expects::Each(_)) {
        let error = Error::new(Kind::Config, format!("set: {} is a table of names", key.name));
        return Err(error.hint(format!("write it into {} below [{}]", file.display(), key.name)));
    }
    let parsed = key.expects.parse(value);
    let parsed = parsed.ok_or_else(|| refused(key, Some(&value.into()), &format!("{value:?}"), "set"))?;
    let text = read(file)?.unwrap_or_default();
    values(file, &text)?;
    let mut document: DocumentMut =
        text.parse().doing(Kind::Config, format!("read the config file {}", file.display()))?;

    let (section, name) = key.parts();
    let mut within: &mut dyn TableLike = document.as_table_mut();
    for part in section.split('.') {
        let made = within.entry(part).or_insert_with(|| {
            let mut table = Table::new();
            // a section that only holds others needs no line of its own
            table.set_implicit(true);
            Item::Table(table)
        });
        within = made.as_table_like_mut().ok_or_else(|| Error::internal("a section is no table"))?;
    }
    put(within, name, to_toml(key.expects, &parsed, value));
    replace(file, &document.to_string())
}

/// Replaces the value only, so that the comment behind it stays.
fn put(section: &mut dyn TableLike, name: &str, mut value: toml_edit::Value) {
    match section.get_mut(name) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            section.insert(name, Item::Value(value));
        }
    }
}

fn to_toml(expects: Expects, parsed: &Value, text: &str) -> toml_edit::Value {
    match expects {
        Expects::Switch => parsed.to_bool().unwrap_or_default().into(),
        Expects::Whole(..) => whole(parsed).and_then(|n| i64::try_from(n).ok()).unwrap_or_default().into(),
        Expects::Number(..) => parsed.to_f64().unwrap_or_default().into(),
        _ => text.into(),
    }
}

fn replace(file: &Path, text: &str) -> Result<()> {
    // a link into a folder of dotfiles stays a link
    let target: PathBuf = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    let doing = || format!("write the config file {}", file.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(Kind::Storage, doing())?;
    let mut new = tempfile::NamedTempFile::new_in(folder).doing(Kind::Storage, doing())?;
    if let Ok(old) = std::fs::metadata(&target) {
        new.as_file().set_permissions(old.permissions()).doing(Kind::Storage, doing())?;
    }
    new.write_all(text.as_bytes()).doing(Kind::Storage, doing())?;
    new.as_file().sync_all().doing(Kind::Storage, doing())?;
    new.persist(&target).doing(Kind::Storage, doing())?;
    Ok(())
}

/// The plain value of an item, or a table of such; None for arrays and times, which no setting takes.
fn plain(item: &Item) -> Option<Value> {
    if let Some(table) = item.as_table_like() {
        let entry = |(name, item): (&str, &Item)| Some((name.to_owned(), plain(item)?));
        return table.iter().map(entry).collect::<Option<Dict>>().map(Value::from);
    }
    match item.as_value()? {
        toml_edit::Value::String(text) => Some(Value::from(text.value().as_str())),
        toml_edit::Value::Integer(number) => Some(Value::from(*number.value())),
        toml_edit::Value::Float(number) => Some(Value::from(*number.value())),
        toml_edit::Value::Boolean(switch) => Some(Value::from(*switch.value())),
        _ => None,
    }
}

fn shown(item: &Item) -> String {
    match item {
        Item::Value(toml_edit::Value::Array(_)) | Item::ArrayOfTables(_) => "a list".into(),
        Item::Value(toml_edit::Value::InlineTable(_)) | Item::Table(_) => "a table".into(),
        item => item.to_string().trim().to_owned(),
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_between_comments() {
        let check = |before: &str, key: &str, value: &str, after: &str| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("new/config.toml");
            if !before.is_empty() {
                std::fs::create_dir(file.parent().unwrap()).unwrap();
                std::fs::write(&file, before).unwrap();
            }
            set_key(&file, key, value).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
        };
        check("", "embed.model", "/m", "[embed]\nmodel = \"/m\"\n");
        check(
            "# mine\n[embed]\n# how many\nthreads = 1 # few\n\n[log]\nfilter = \"info\"\n",
            "embed.threads",
            "4",
            "# mine\n[embed]\n# how many\nthreads = 4 # few\n\n[log]\nfilter = \"info\"\n",
        );
        check("embed.threads = 1\n", "embed.niceness", "3", "embed.threads = 1\nembed.niceness = 3\n");
        check(
            "[memory]\n",
            "memory.extract.enabled",
            "true",
            "[memory]\n\n[memory.extract]\nenabled = true\n",
        );
        check("", "prompts.pt.title", "x", "[prompts.pt]\ntitle = \"x\"\n");
        check(
            "embed = { threads = 1 }\n",
            "embed.enabled",
            "false",
            "embed = { threads = 1 , enabled = false }\n",
        );
    }

    #[test]
    fn a_broken_file_and_a_wrong_value_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        for (text, key, value) in [
            ("[embed\n", "embed.threads", "1"),
            ("", "embed.threads", "0"),
            ("", "embed.thread", "1"),
            ("[embed]\nthreads = \"x\"\n", "embed.niceness", "1"),
            ("", "secrets.projects", "off"),
            ("", "prompts.en.title", "{x}"),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(set_key(&file, key, value).unwrap_err().kind(), Kind::Config);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_linked_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("config.toml"), folder.path().join("dotfile"));
        std::fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        set_key(&link, "log.filter", "debug").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "[log]\nfilter = \"debug\"\n");
    }
}
