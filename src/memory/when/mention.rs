//! The days, months and years that a question names, compared with the day on which something was said.
//!
//! Weaker than a range: who asks what happened "on 8 May" is helped by what was said in May as well.

use jiff::tz::TimeZone;

use super::calendar::Clock;
use super::expression;
use super::parts::{Parts, Year};
use super::{MAX_TOKENS, token};
use crate::model::Timestamp;

/// A date as far as it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateMention {
    /// "2024".
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: Option<u8>,
    /// 1 to 31.
    pub day: Option<u8>,
}

/// What a match of the month, of the day in it, and of the year is worth: most that is stored is of few years.
const MONTH: f64 = 1.0;
const DAY: f64 = 1.0;
const YEAR: f64 = 0.5;

/// The dates that a text names, in their order; "last week" names none.
pub fn mentions(text: &str) -> Vec<DateMention> {
    let tokens = token::tokens(text, MAX_TOKENS);
    // which words are a date does not depend on when it is asked
    let clock = Clock::new(Timestamp::from_millis(0), TimeZone::UTC);
    let dates = expression::all(&tokens, &clock).into_iter().flat_map(|found| found.dates());
    dates
        .map(|Parts { year, month, day }| DateMention {
            year: match year {
                Some(Year::Is(year)) => Some(i32::from(year)),
                _ => None,
            },
            month: month.map(i8::unsigned_abs),
            day: day.map(i8::unsigned_abs),
        })
        .collect()
}

/// How well the best of the dates fits that time: the share of what it names that is right, from 0 to 1; 0 for no
/// dates. A day counts in its month only.
pub fn date_match(mentions: &[DateMention], time: Timestamp, zone: &TimeZone) -> f64 {
    let said = Clock::new(time, zone.clone()).today;
    let share = |mention: &DateMention| {
        let month = mention.month.map(|month| month == said.month().unsigned_abs());
        let day = mention.day.map(|day| day == said.day().unsigned_abs() && month != Some(false));
        let year = mention.year.map(|year| year == i32::from(said.year()));
        let parts = [(month, MONTH), (day, DAY), (year, YEAR)];
        let sum = |counts: &dyn Fn(Option<bool>) -> bool| -> f64 {
            parts.iter().filter(|(part, _)| counts(*part)).map(|(_, worth)| worth).sum()
        };
        let named = sum(&|part| part.is_some());
        if named > 0.0 { sum(&|part| part == Some(true)) / named } else { 0.0 }
    };
    mentions.iter().map(share).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: Option<i32>, month: Option<u8>, day: Option<u8>) -> DateMention {
        DateMention { year, month, day }
    }

    fn check(text: &str, expected: &[DateMention]) {
        assert_eq!(mentions(text), expected, "{text}");
    }

    #[test]
    fn dates_are_mentioned() {
        check("What did Ana do on 8 May, 2023?", &[date(Some(2023), Some(5), Some(8))]);
        check("What happened in May?", &[date(None, Some(5), None)]);
        check("O que foi dito em 12/03?", &[date(None, Some(3), Some(12))]);
        check(
            "Who left in 2022 and who in June?",
            &[date(Some(2022), None, None), date(None, Some(6), None)],
        );
        check("entre março e maio de 2024", &[date(None, Some(3), None), date(Some(2024), Some(5), None)]);
        check("the trip of last year, or yesterday", &[]);
        check("em março do ano passado", &[date(None, Some(3), None)]);
        check("How many kids, 3 or 4?", &[]);
    }

    #[test]
    fn what_is_right_of_a_date_counts() {
        let time: Timestamp = "2023-05-08T13:56:00Z".parse().unwrap();
        let score = |mention: DateMention| date_match(&[mention], time, &TimeZone::UTC);
        for (mention, expected) in [
            (date(Some(2023), Some(5), Some(8)), 1.0),
            (date(Some(2023), Some(5), Some(9)), 0.6),
            (date(Some(2022), Some(5), None), 1.0 / 1.5),
            (date(Some(2023), Some(6), Some(8)), 0.2),
            (date(None, None, Some(8)), 1.0),
            (date(None, Some(6), Some(8)), 0.0),
            (date(None, None, None), 0.0),
        ] {
            assert!((score(mention) - expected).abs() < 1e-12, "{mention:?}: {}", score(mention));
        }
        assert_eq!(date_match(&[], time, &TimeZone::UTC), 0.0);
        let best = [date(None, Some(1), None), date(None, Some(5), None)];
        assert_eq!(date_match(&best, time, &TimeZone::UTC), 1.0);
    }

    #[test]
    fn a_day_is_one_of_the_persons_zone() {
        let time: Timestamp = "2023-05-09T01:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(date_match(&[date(None, Some(5), Some(8))], time, &zone), 1.0);
    }
}
