//! A point in time with millisecond precision: an integer in the database, RFC 3339 UTC on the wire.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The years 0000 to 9999, which is what RFC 3339 can write; jiff ends 26 hours before the end of the last.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_207_200_000;

impl Timestamp {
    /// The time of the machine's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// That many milliseconds after 1970, or before; what RFC 3339 cannot write is clamped.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Milliseconds after 1970.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Its day in UTC: `2024-03-14`.
    pub fn day(self) -> String {
        let mut day = self.to_string();
        day.truncate(10);
        day
    }

    /// This time and `millis` more.
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the range was checked on the way in, so the fallback is never seen
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = String;
    /// Reads RFC 3339 ("2024-03-14T09:26:53Z", with any offset), or a date alone (midnight UTC).
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::from_millis(time.as_millisecond()));
        }
        // jiff would take "2024-03-14T09:26:53", which lacks its zone, for a date and drop the rest
        let date = text.parse::<jiff::civil::Date>().ok().filter(|_| !text.contains([':', ' ', 'T', 't']));
        date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map(|midnight| Self::from_millis(midnight.timestamp().as_millisecond()))
            .ok_or_else(|| format!("'{text}' is no time; write it as 2024-03-14T09:26:53Z or 2024-03-14"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "description": "RFC 3339, UTC, milliseconds"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), expected);
    }

    #[test]
    fn a_day_is_that_of_utc() {
        let check =
            |text: &str, expected: &str| assert_eq!(text.parse::<Timestamp>().unwrap().day(), expected);
        check("2024-03-14T23:30:00-03:00", "2024-03-15");
        check("0000-01-01T00:00:00Z", "0000-01-01");
        check("9999-12-30T00:00:00Z", "9999-12-30");
    }

    #[test]
    fn times_are_read_and_written() {
        check("2024-03-14T09:26:53.5Z", "2024-03-14T09:26:53.500Z");
        check("2024-03-14T09:26:53-03:00", "2024-03-14T12:26:53.000Z");
        assert!("2024-03-14T09:26:53".parse::<Timestamp>().is_err(), "a time without its zone");
        check("2024-03-14", "2024-03-14T00:00:00.000Z");
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        assert!("yesterday".parse::<Timestamp>().unwrap_err().contains("2024-03-14"));
    }

    #[test]
    fn extremes_are_clamped_and_stay_readable() {
        for millis in [i64::MIN, i64::MAX] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
