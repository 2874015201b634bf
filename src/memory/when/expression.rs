//! Finds the times in a text: what leads to each, and where two of them are the ends of one.

use super::calendar::Clock;
use super::parts::{self, Parts, Year};
use super::relative::{self, Moment};
use super::token::Token;
use super::{Certainty, Sort, TimeRange};
use crate::model::Timestamp;

/// A time as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// A date of which parts may be missing.
    Parts(Parts),
    /// One that is known.
    Moment(Moment),
}

/// How times are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// In it.
    In(Time),
    /// From the first to the last, both included.
    Between(Time, Time),
    /// From its beginning on.
    Since(Time),
    /// From its end on.
    After(Time),
    /// Up to its beginning.
    Before(Time),
    /// Up to its end.
    Until(Time),
}

/// An expression and the tokens that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The first token.
    pub start: usize,
    /// Behind the last.
    pub end: usize,
    /// What it says.
    pub put: Put,
}

/// Words that belong to the expression behind them.
const LEADING: &[&str] = &[
    "em", "no", "na", "nos", "nas", "dia", "durante", "in", "on", "at", "the", "during", "over", "o", "a",
    "os", "as", "mes", "ano",
];
/// Words between "since", "antes" and the like and the time.
const BETWEEN: &[&str] =
    &["o", "a", "os", "as", "the", "de", "do", "da", "dos", "das", "no", "na", "em", "in", "dia"];

/// Several words in a row, one of several such rows.
type Phrases = &'static [&'static [&'static str]];

/// What makes of a time how it is put.
type Putting = fn(Time) -> Put;

/// What puts a time, and how.
const SORTS: [(Phrases, Putting); 4] =
    [(SINCE, Put::Since), (AFTER, Put::After), (BEFORE, Put::Before), (UNTIL, Put::Until)];
const SINCE: Phrases =
    &[&["since"], &["desde"], &["a", "partir", "de"], &["a", "partir", "do"], &["a", "partir", "da"]];
const AFTER: Phrases = &[&["after"], &["apos"], &["depois", "de"], &["depois", "do"], &["depois", "da"]];
const BEFORE: Phrases = &[&["before"], &["antes", "de"], &["antes", "do"], &["antes", "da"]];
const UNTIL: Phrases = &[&["until"], &["till"], &["ate"], &["up", "to"]];
/// How "from March on" ends.
const ONWARDS: Phrases =
    &[&["on"], &["onward"], &["onwards"], &["em", "diante"], &["para", "ca"], &["pra", "ca"]];

/// Every time in the text, the longest where several begin at one word.
pub fn all(tokens: &[Token], clock: &Clock) -> Vec<Found> {
    let (mut found, mut at) = (vec![], 0);
    while at < tokens.len() {
        match find(tokens, at, clock) {
            Some(mut expression) => {
                let floor = found.last().map_or(0, |last: &Found| last.end);
                while expression.start > floor && tokens[expression.start - 1].is_any(LEADING) {
                    expression.start -= 1;
                }
                at = expression.end;
                found.push(expression);
            }
            None => at += 1,
        }
    }
    found
}

fn find(tokens: &[Token], at: usize, clock: &Clock) -> Option<Found> {
    let found = |put: Put, end: usize| Some(Found { start: at, end, put });
    // "antes de ontem" is a day, not all that came before one
    if let Some((moment, n)) = relative::parse(tokens, at, false, clock) {
        return match range_after(tokens, at + n, Time::Moment(moment), clock) {
            Some((put, end)) => found(put, end),
            None => found(Put::In(Time::Moment(moment)), at + n),
        };
    }
    if tokens[at].is_any(&["between", "entre", "from", "de", "do", "da"]) {
        let opens_pair = tokens[at].is_any(&["between", "entre"]);
        let first = skip(tokens, at + 1);
        let joints: &[&str] =
            if opens_pair { &["and", "e"] } else { &["to", "until", "till", "through", "a", "ate"] };
        if let Some((first, n)) = end_of_range(tokens, first, clock).map(|(time, n)| (time, first + n)) {
            if tokens.get(n).is_some_and(|joint| joint.is_any(joints))
                && let Some((second, end)) = second(tokens, n + 1, clock)
                && let Some(put) = between(first, second)
            {
                return found(put, end);
            }
            let onwards = ONWARDS.iter().find(|phrase| are(tokens, n, phrase));
            if let (false, Some(phrase), true) = (opens_pair, onwards, is_whole(first)) {
                return found(Put::Since(first), n + phrase.len());
            }
        }
    }
    for (phrases, put) in SORTS {
        if let Some(phrase) = phrases.iter().find(|phrase| are(tokens, at, phrase))
            && let Some((time, end)) = second(tokens, at + phrase.len(), clock)
        {
            return found(put(time), end);
        }
    }
    // "12 a 15 de março", "12-15 March"
    if let Some((first, n)) = day_of_range(tokens, at)
        && let Some((put, end)) = range_after(tokens, at + n, first, clock)
    {
        return found(put, end);
    }
    let (parts, n) = parts::parse(tokens, at, false)?;
    match range_after(tokens, at + n, Time::Parts(parts), clock) {
        Some((put, end)) => found(put, end),
        None => found(Put::In(Time::Parts(parts)), at + n),
    }
}

/// The second end, where a joint follows and it is of the same kind as the first.
fn range_after(tokens: &[Token], at: usize, first: Time, clock: &Clock) -> Option<(Put, usize)> {
    let joint = tokens.get(at)?;
    if !joint.is_any(&["a", "ate", "to", "through", "-", "–", "—"]) {
        return None;
    }
    let Time::Parts(one) = first else { return None };
    // "March 12-15"
    if let (Some(_), Some(_), true) = (one.month, one.day, joint.is_any(&["-", "–", "to"]))
        && let Some((Time::Parts(Parts { day, .. }), n)) = day_of_range(tokens, at + 1)
        && parts::parse(tokens, at + 1, true).is_none_or(|(_, longer)| longer <= n)
    {
        let (year, end) = match parts::year_after(&tokens[at..], 1 + n) {
            Some((year, n)) => (Some(year), at + n),
            None => (one.year, at + 1 + n),
        };
        let last = Parts { day, year, month: one.month };
        return Some((between(first, Time::Parts(last))?, end));
    }
    let (last, end) = second(tokens, at + 1, clock)?;
    Some((between(first, last)?, end))
}

/// The range of two times that can be ends of one: a day to a day, a month to a month, a year to a year.
fn between(first: Time, last: Time) -> Option<Put> {
    let fits = match (first, last) {
        (Time::Parts(one), Time::Parts(other)) => {
            let kind = |parts: Parts| (parts.day.is_some(), parts.day.is_none() && parts.month.is_some());
            kind(one) == kind(other)
        }
        _ => true,
    };
    (fits && is_whole(last)).then_some(Put::Between(first, last))
}

/// Whether it says enough to stand alone: "12", which may begin "12 a 15 de março", does not.
fn is_whole(time: Time) -> bool {
    !matches!(time, Time::Parts(Parts { year: None, month: None, .. }))
}

fn end_of_range(tokens: &[Token], at: usize, clock: &Clock) -> Option<(Time, usize)> {
    time(tokens, at, clock).or_else(|| day_of_range(tokens, at))
}

/// "12", "the 12th": a day whose month stands behind the second end.
fn day_of_range(tokens: &[Token], at: usize) -> Option<(Time, usize)> {
    let day = tokens.get(at)?.number_of(1..=2).filter(|day| (1..=31).contains(day))?;
    let ordinal = tokens
        .get(at + 1)
        .is_some_and(|next| tokens[at].touches(next) && next.is_any(&["st", "nd", "rd", "th", "o"]));
    let parts = Parts { day: Some(day as i8), ..Parts::default() };
    Some((Time::Parts(parts), 1 + usize::from(ordinal)))
}

/// The time behind a word that leads to one, over the little words between.
fn second(tokens: &[Token], at: usize, clock: &Clock) -> Option<(Time, usize)> {
    let skipped = skip(tokens, at);
    [at, skipped].into_iter().find_map(|at| time(tokens, at, clock).map(|(time, n)| (time, at + n)))
}

fn time(tokens: &[Token], at: usize, clock: &Clock) -> Option<(Time, usize)> {
    let moment = relative::parse(tokens, at, true, clock).map(|(moment, n)| (Time::Moment(moment), n));
    moment.or_else(|| parts::parse(tokens, at, true).map(|(parts, n)| (Time::Parts(parts), n)))
}

fn skip(tokens: &[Token], at: usize) -> usize {
    at + tokens.iter().skip(at).take(2).take_while(|token| token.is_any(BETWEEN)).count()
}

fn are(tokens: &[Token], at: usize, phrase: &[&str]) -> bool {
    phrase.iter().enumerate().all(|(place, word)| tokens.get(at + place).is_some_and(|token| token.is(word)))
}

impl Found {
    /// The range that it stands for; none where there is no such day.
    pub fn range(&self, tokens: &[Token], clock: &Clock) -> Option<TimeRange> {
        let (beginning, end) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        let (from, until, certainty, sort) = match self.put {
            Put::In(time) => {
                let (from, until, certainty) = resolve(time, clock)?;
                (from, until, certainty, Sort::Within)
            }
            Put::Between(Time::Parts(mut first), Time::Parts(mut last)) => {
                let guessed = first.complete_from(&mut last, clock);
                let (from, _, one) = resolve(Time::Parts(first), clock)?;
                let (_, until, other) = resolve(Time::Parts(last), clock)?;
                let certainty = if guessed { Certainty::Vague } else { one.max(other) };
                (from, until, certainty, Sort::Within)
            }
            Put::Between(first, last) => {
                let ((from, _, one), (_, until, other)) = (resolve(first, clock)?, resolve(last, clock)?);
                (from, until, one.max(other), Sort::Within)
            }
            Put::Since(time) | Put::After(time) => {
                let (from, until, certainty) = resolve(time, clock)?;
                let from = if matches!(self.put, Put::Since(_)) { from } else { until };
                (from, end, certainty, Sort::Since)
            }
            Put::Before(time) | Put::Until(time) => {
                let (from, until, certainty) = resolve(time, clock)?;
                let until = if matches!(self.put, Put::Before(_)) { from } else { until };
                (beginning, until, certainty, Sort::Before)
            }
        };
        let span = tokens[self.start].start..tokens[self.end - 1].end;
        (from < until).then_some(TimeRange { from, until, span, certainty, sort })
    }

    /// The dates in it that name a month, a day or a year.
    pub fn dates(&self) -> Vec<Parts> {
        let times = match self.put {
            Put::In(time) | Put::Since(time) | Put::After(time) | Put::Before(time) | Put::Until(time) => {
                vec![time]
            }
            Put::Between(first, last) => vec![first, last],
        };
        let dates = times.into_iter().filter_map(|time| match time {
            Time::Parts(parts) => Some(parts),
            Time::Moment(_) => None,
        });
        dates
            .filter(|parts| {
                parts.month.is_some() || parts.day.is_some() || matches!(parts.year, Some(Year::Is(_)))
            })
            .collect()
    }
}

fn resolve(time: Time, clock: &Clock) -> Option<(Timestamp, Timestamp, Certainty)> {
    match time {
        Time::Parts(parts) => {
            let (days, certainty) = parts.days(clock)?;
            Some((clock.midnight(days.from)?, clock.midnight(days.until)?, certainty))
        }
        Time::Moment(Moment::Days(days, certainty)) => {
            Some((clock.midnight(days.from)?, clock.midnight(days.until)?, certainty))
        }
        Time::Moment(Moment::Instants(from, until)) => Some((from, until, Certainty::Day)),
    }
}
