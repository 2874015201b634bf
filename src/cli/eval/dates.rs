//! The forms in which benchmark files write the date of a session.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// "1:56 pm on 8 May, 2023" (LoCoMo), "2023/05/20 (Sat) 15:08" (LongMemEval), with a time of day.
const TIMES: &[&str] =
    &["%I:%M %p on %d %B, %Y", "%Y/%m/%d (%a) %H:%M", "%d.%m.%Y, %H:%M:%S", "%Y-%m-%d %H:%M:%S"];
/// "March-15-2024" (BEAM), without one.
const DAYS: &[&str] = &["%B-%d-%Y", "%Y/%m/%d (%a)", "%Y/%m/%d", "%d.%m.%Y", "%d %B, %Y", "%B %d, %Y"];
/// Where a file's first session has no date: any day will do.
const FIRST: i64 = 1_704_067_200_000;
const DAY: i64 = 86_400_000;

/// The time that is written there, taken as UTC; midnight where it is a day only.
pub fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let time = TIMES.iter().find_map(|form| DateTime::strptime(form, text).ok());
    let day = || DAYS.iter().find_map(|form| Date::strptime(form, text).ok()).map(DateTime::from);
    let zoned = time.or_else(day)?.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// The days of a chat's sessions in their order: a session whose date is missing or cannot be read lies a day after
/// the one before it.
#[derive(Default)]
pub struct Calendar(Option<Timestamp>);

impl Calendar {
    /// The time of the next session.
    pub fn next(&mut self, written: Option<&str>) -> Timestamp {
        let guessed = || self.0.map_or(Timestamp::from_millis(FIRST), |last| last.plus_millis(DAY));
        let time = written.and_then(read).unwrap_or_else(guessed);
        self.0 = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_the_benchmarks_write_them() {
        for (text, expected) in [
            ("1:56 pm on 8 May, 2023", "2023-05-08T13:56:00.000Z"),
            ("12:09 am on 13 September, 2023", "2023-09-13T00:09:00.000Z"),
            ("2023/05/20 (Sat) 15:08", "2023-05-20T15:08:00.000Z"),
            ("2023/05/20", "2023-05-20T00:00:00.000Z"),
            ("March-15-2024", "2024-03-15T00:00:00.000Z"),
            ("29.12.2023, 21:02:05", "2023-12-29T21:02:05.000Z"),
            ("29.12.2023", "2023-12-29T00:00:00.000Z"),
            ("2024-03-14T09:26:53Z", "2024-03-14T09:26:53.000Z"),
        ] {
            assert_eq!(read(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "soon", "32.12.2023", "Smarch-13-2024"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_session_without_a_date_follows_the_one_before() {
        let mut calendar = Calendar::default();
        assert_eq!(calendar.next(None).to_string(), "2024-01-01T00:00:00.000Z");
        assert_eq!(calendar.next(Some("March-15-2024")).to_string(), "2024-03-15T00:00:00.000Z");
        assert_eq!(calendar.next(Some("?")).to_string(), "2024-03-16T00:00:00.000Z");
    }
}
