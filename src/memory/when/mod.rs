//! The time that a question asks for: "na semana passada", "em março de 2024", "yesterday", "last summer".
//!
//! Portuguese and English, with or without accents, day before month where both could be. Nothing here knows of
//! messages: a question, the time at which it is asked and the person's time zone give ranges of time.

mod calendar;
mod expression;
mod mention;
mod parts;
mod relative;
mod token;
mod words;

use std::ops::Range;

use jiff::tz::TimeZone;

pub use mention::{DateMention, date_match, mentions};

use crate::model::Timestamp;

/// A time that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    /// Where it begins.
    pub from: Timestamp,
    /// Behind its end; always after `from`.
    pub until: Timestamp,
    /// The bytes of the text that name it, with the words that lead to it ("em março de 2024").
    pub span: Range<usize>,
    /// How sure the range is.
    pub certainty: Certainty,
    /// How the text puts it.
    pub sort: Sort,
}

/// How sure a range is, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// A day or less is named: "ontem", "12/03/2024", "last Friday".
    Day,
    /// A week, a month or a year of the calendar is named: "last week", "em março de 2024".
    Period,
    /// What is named leaves much open: "last summer", "há alguns dias", a month without its year.
    Vague,
}

/// How a text puts a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// In it: "em março", "between March and May".
    Within,
    /// From then on: "desde março", "since March"; the range has no end.
    Since,
    /// Earlier: "antes de 2023", "before May"; the range has no beginning.
    Before,
}

/// Words that are read; behind them a text is no question but something pasted behind one.
const MAX_TOKENS: usize = 4096;

/// The times that a text names, in the order in which they stand there, not overlapping.
///
/// `now`: when it is asked; `zone`: where days begin and end. A month, a day or a season without a year is the latest
/// that has begun by then, because questions to a memory look back.
pub fn times(text: &str, now: Timestamp, zone: &TimeZone) -> Vec<TimeRange> {
    let clock = calendar::Clock::new(now, zone.clone());
    let tokens = token::tokens(text, MAX_TOKENS);
    expression::all(&tokens, &clock).into_iter().filter_map(|found| found.range(&tokens, &clock)).collect()
}

#[cfg(test)]
mod tests;
