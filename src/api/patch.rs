//! A member of an update: left as it is, cleared, or set.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Absent keeps the value, `null` clears it, anything else sets it. Write `#[serde(default, skip_serializing_if
/// = "Patch::is_keep")]` above a member of this type.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Take the value away.
    Clear,
    /// Put this value there.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether nothing is to change.
    pub fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }

    /// The same with another value, where it sets one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(new) => Patch::Set(change(new)),
        }
    }

    /// The value after the change, given the one before.
    pub fn apply(self, old: Option<T>) -> Option<T> {
        match self {
            Patch::Keep => old,
            Patch::Clear => None,
            Patch::Set(new) => Some(new),
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Patch::Keep | Patch::Clear => serializer.serialize_none(),
            Patch::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Patch::Clear, Patch::Set))
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Patch_{}", T::schema_name()).into()
    }
    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        schemas.subschema_for::<Option<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Update {
        #[serde(default)]
        title: Patch<String>,
    }

    fn check(json: &str, expected: Patch<String>) {
        assert_eq!(serde_json::from_str::<Update>(json).unwrap().title, expected, "{json}");
    }

    #[test]
    fn absent_null_and_a_value_differ() {
        check("{}", Patch::Keep);
        check(r#"{"title":null}"#, Patch::Clear);
        check(r#"{"title":"x"}"#, Patch::Set("x".into()));
    }
}
