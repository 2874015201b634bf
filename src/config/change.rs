//! What differs between two sets of settings, and what of it a running daemon can take.

use figment::value::{Dict, Value};

use super::Config;
use super::keys::{Applies, KEYS, Key};
use crate::error::{Error, Result};

/// One setting that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// "section.key".
    pub key: &'static str,
    /// When the new value counts.
    pub applies: Applies,
}

/// The settings that differ, in the order of the table.
pub fn changes(old: &Config, new: &Config) -> Result<Vec<Change>> {
    let (old, new) = (sections(old)?, sections(new)?);
    let differs = |key: &&Key| value(&old, key) != value(&new, key);
    Ok(KEYS.iter().filter(differs).map(|key| Change { key: key.name, applies: key.applies }).collect())
}

/// `new`, but with `running`'s values for the settings that count on a restart only: what the daemon then really
/// has.
pub fn keeping_until_restart(running: &Config, new: &Config) -> Result<Config> {
    let (running, mut kept) = (sections(running)?, sections(new)?);
    for key in KEYS.iter().filter(|key| key.applies == Applies::OnRestart) {
        let (section, name) = key.parts();
        let Some(entries) =
            section.split('.').try_fold(&mut kept, |within, part| match within.get_mut(part) {
                Some(Value::Dict(_, entries)) => Some(entries),
                _ => None,
            })
        else {
            continue;
        };
        match value(&running, key) {
            Some(value) => entries.insert(name.into(), value.clone()),
            None => entries.remove(name),
        };
    }
    Value::from(kept).deserialize().map_err(|error| Error::internal(format!("merge the settings: {error}")))
}

fn sections(config: &Config) -> Result<Dict> {
    let value =
        Value::serialize(config).map_err(|error| Error::internal(format!("list the settings: {error}")))?;
    value.into_dict().ok_or_else(|| Error::internal("the settings are no table"))
}

/// The value of `key` in the sections, some of which lie in others.
pub(super) fn value<'a>(sections: &'a Dict, key: &Key) -> Option<&'a Value> {
    let (section, name) = key.parts();
    let entries = section.split('.').try_fold(sections, |within, part| within.get(part)?.as_dict())?;
    entries.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;

    #[test]
    fn changes_are_named_and_the_costly_ones_wait() {
        let running = Config::default();
        let mut new = Config::default();
        new.log.filter = "debug".into();
        new.log.format = LogFormat::Json;
        new.socket.path = Some("/elsewhere".into());
        new.chat.model = Some("tiny".into());

        let found: Vec<_> = changes(&running, &new).unwrap().iter().map(|c| (c.key, c.applies)).collect();
        let expected = [
            ("socket.path", Applies::OnRestart),
            ("log.filter", Applies::AtOnce),
            ("log.format", Applies::OnRestart),
            ("chat.model", Applies::AtOnce),
        ];
        assert_eq!(found, expected);

        let kept = keeping_until_restart(&running, &new).unwrap();
        let left: Vec<_> = changes(&running, &kept).unwrap().iter().map(|c| c.key).collect();
        assert_eq!(left, ["log.filter", "chat.model"]);
        assert_eq!(kept.socket.path, None);
    }
}
