//! Dates by their parts: "12/03/2024", "12 de março", "March 12th, 2024", "março de 2024", "in 2023", "dia 12".

use super::Certainty;
use super::calendar::{Clock, Days, is_year};
use super::token::Token;
use super::words::{self, Needs};

/// What a text says of a date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// The year, as far as it is told.
    pub year: Option<Year>,
    /// 1 to 12.
    pub month: Option<i8>,
    /// 1 to 31.
    pub day: Option<i8>,
}

/// How a year is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Year {
    /// By its number.
    Is(i16),
    /// So many before the one in which it is asked: "do ano passado", "this year".
    Back(i16),
    /// "last March": the latest that is over.
    LastOver,
}

/// Words after which "march" and "may" are months, and "2023" is a year.
const LEADING: &[&str] = &[
    "in", "of", "since", "until", "till", "before", "after", "during", "last", "this", "by", "from",
    "between", "early", "late", "mid", "em", "desde", "ate", "durante", "apos", "entre", "neste", "nesse",
    "deste", "desse", "mes", "ano", "year", "month",
];
/// Words after which only a year is one: "de março" may be Marco's.
const LEADING_A_YEAR: &[&str] = &["de", "do"];
/// Words after which "12/03" is a day of a month and not a fraction.
const LEADING_A_DAY: &[&str] = &[
    "em", "dia", "no", "de", "on", "desde", "since", "ate", "until", "till", "before", "after", "entre",
    "between",
];
/// How far back a 29 February is looked for.
const MAX_YEARS_BACK: i16 = 8;

impl Parts {
    /// The days, and how sure they are; what is not told is taken so that it is the latest that has begun.
    pub fn days(&self, clock: &Clock) -> Option<(Days, Certainty)> {
        let this = clock.today.year();
        let certainty = if self.day.is_some() { Certainty::Day } else { Certainty::Period };
        let (first, sure) = match self.year {
            Some(Year::Is(year)) => return Some((Days::of(year, self.month, self.day)?, certainty)),
            Some(Year::Back(n)) => return Some((Days::of(this - n, self.month, self.day)?, certainty)),
            Some(Year::LastOver) => (true, certainty),
            None => (false, Certainty::Vague),
        };
        let has_come = |days: &Days| if first { days.until <= clock.today } else { days.from <= clock.today };
        let years = (0..=MAX_YEARS_BACK).map(|back| this - back);
        let candidates = years.flat_map(|year| match self.month {
            Some(month) => vec![Days::of(year, Some(month), self.day)],
            None => (1..=12).rev().map(|month| Days::of(year, Some(month), self.day)).collect(),
        });
        Some((candidates.flatten().find(has_come)?, sure))
    }

    /// Fills in what "entre 12 e 15 de março" and "from March to May 2024" say of the second only. Both may then have
    /// a year that nobody told, which is why the answer is whether it was guessed.
    pub fn complete_from(&mut self, second: &mut Parts, clock: &Clock) -> bool {
        let guessed = second.year.is_none() && second.month.is_some() && self.year.is_none();
        if guessed {
            second.year = second.days(clock).map(|(days, _)| Year::Is(days.from.year()));
        }
        if self.year.is_none() {
            if self.month.is_none() {
                self.month = second.month;
            }
            let crosses =
                (self.month, self.day.filter(|_| second.day.is_some())) > (second.month, second.day);
            self.year = second.year.map(|year| match year {
                Year::Is(year) => Year::Is(year - i16::from(crosses)),
                Year::Back(n) => Year::Back(n + i16::from(crosses)),
                Year::LastOver => year,
            });
        } else if second.year.is_none() {
            second.year = self.year;
        }
        guessed
    }
}

/// The date that begins at that token, and how many tokens name it. `is_led`: whether a word before it says that a
/// time follows.
pub fn parse(tokens: &[Token], at: usize, is_led: bool) -> Option<(Parts, usize)> {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let rest = tokens.get(at..)?;
    let first = rest.first()?;
    // a part of something longer: "1.12.3.4", "v12/3", a phone number
    let opening = ["(", "[", "\"", "'", "“"];
    if first.number.is_some()
        && before.is_some_and(|before| before.touches(first) && !before.is_any(&opening))
    {
        return None;
    }
    let led_by = |words: &[&str]| is_led || before.is_some_and(|before| before.is_any(words));
    numeric(rest, led_by(LEADING_A_DAY))
        .or_else(|| day_and_month(rest))
        .or_else(|| month_and_more(rest, led_by(LEADING)))
        .or_else(|| year(rest, led_by(LEADING) || led_by(LEADING_A_YEAR)))
        .or_else(|| day(rest))
}

/// "2024-03-12", "12/03/2024", "12.3.24", "12/mar/2024", "03/2024", and after a word that leads to it "12/03".
fn numeric(rest: &[Token], is_led: bool) -> Option<(Parts, usize)> {
    let [first, sign, second, more @ ..] = rest else { return None };
    if !sign.is_any(&["/", "-", "."]) || !first.touches(sign) || !sign.touches(second) {
        return None;
    }
    let third = match more {
        [again, third, ..] if again.is(&sign.folded) && second.touches(again) && again.touches(third) => {
            Some(third)
        }
        _ => None,
    };
    let ends = |n: usize| {
        // not "12/03/2024/7" nor "1.2.3.4"
        rest.get(n).is_none_or(|next| {
            let goes_on = rest.get(n + 1).is_some_and(|after| next.touches(after) && after.number.is_some());
            !(rest[n - 1].touches(next)
                && (next.number.is_some() || next.is("%") || (goes_on && !next.is(","))))
        })
    };
    let is_day = |n: &i64| (1..=31).contains(n);
    let month_of = |token: &Token| match token.number_of(1..=2) {
        Some(number) => i8::try_from(number).ok().filter(|number| (1..=12).contains(number)),
        None => words::month(token).map(|(month, _)| month),
    };
    if let (Some(year), Some(third)) = (first.number_of(4..=4), third) {
        let (month, day) = (month_of(second)?, third.number_of(1..=2).filter(is_day)?);
        return (is_year(year) && ends(5)).then(|| (full(year, month, day), 5));
    }
    let one = first.number_of(1..=2).filter(is_day)?;
    if let Some(third) = third {
        let year = third.number_of(4..=4).filter(|year| is_year(*year));
        let year =
            year.or_else(|| third.number_of(2..=2).filter(|_| !sign.is(".")).map(|short| 2000 + short))?;
        let (day, month) = match (month_of(second), second.number_of(1..=2).filter(is_day)) {
            (Some(month), _) => (one, month),
            // 03/25/2024 can only be the American order
            (None, Some(day)) => (day, month_of(first)?),
            (None, None) => return None,
        };
        return ends(5).then(|| (full(year, month, day), 5));
    }
    if let (true, Some(year)) = (sign.is("/"), second.number_of(4..=4).filter(|year| is_year(*year))) {
        let parts = Parts { year: Some(Year::Is(year as i16)), month: Some(month_of(first)?), day: None };
        return ends(3).then_some((parts, 3));
    }
    let month = month_of(second).filter(|_| is_led && sign.is("/") && ends(3))?;
    Some((Parts { year: None, month: Some(month), day: Some(one as i8) }, 3))
}

fn full(year: i64, month: i8, day: i64) -> Parts {
    Parts { year: Some(Year::Is(year as i16)), month: Some(month), day: Some(day as i8) }
}

/// "12 de março de 2024", "1º de maio", "12th of March", "5 Dec 2023".
fn day_and_month(rest: &[Token]) -> Option<(Parts, usize)> {
    let (day, mut n) = day_number(rest)?;
    let joined = rest.get(n).filter(|token| token.is_any(&["de", "of"]));
    n += usize::from(joined.is_some());
    let (month, needs) = words::month(rest.get(n)?)?;
    let parts = Parts { year: None, month: Some(month), day: Some(day) };
    let with_year = year_after(rest, n + 1);
    match (needs, joined.is_some(), with_year) {
        (Needs::JoinedNumber, false, None) => None,
        // "3 may 4" is none, "12 may 2024" and "3 may" are
        (_, _, None) => Some((parts, n + 1)),
        (_, _, Some((year, n))) => Some((Parts { year: Some(year), ..parts }, n)),
    }
}

/// "março de 2024", "March 12th, 2024", "March", "março passado", "last March".
fn month_and_more(rest: &[Token], is_led: bool) -> Option<(Parts, usize)> {
    if rest[0].is_any(&["last", "ultimo"]) {
        let (month, _) = words::month(rest.get(1)?).filter(|(_, needs)| *needs <= Needs::Context)?;
        return Some((Parts { year: Some(Year::LastOver), month: Some(month), day: None }, 2));
    }
    let (month, needs) = words::month(&rest[0])?;
    let parts = Parts { year: None, month: Some(month), day: None };
    if let Some((year, n)) = year_after(rest, 1) {
        let is_joined = rest[1].is_any(&["de", "/", "do"]);
        return (needs != Needs::JoinedNumber || is_joined)
            .then_some((Parts { year: Some(year), ..parts }, n));
    }
    if needs != Needs::JoinedNumber {
        let the = usize::from(rest.get(1).is_some_and(|token| token.is("the")));
        if let Some((day, n)) = rest.get(1 + the..).and_then(day_number) {
            let (parts, n) = (Parts { day: Some(day), ..parts }, n + 1 + the);
            return match year_after(rest, n) {
                Some((year, n)) => Some((Parts { year: Some(year), ..parts }, n)),
                None => Some((parts, n)),
            };
        }
    }
    if rest.get(1).is_some_and(|token| token.is("passado")) && needs <= Needs::Context {
        return Some((Parts { year: Some(Year::LastOver), ..parts }, 2));
    }
    (needs == Needs::Nothing || (needs == Needs::Context && is_led)).then_some((parts, 1))
}

/// "2023", behind a word that leads to it.
fn year(rest: &[Token], is_led: bool) -> Option<(Parts, usize)> {
    let year = rest[0].number_of(4..=4).filter(|year| is_led && is_year(*year))?;
    // "in 2023 messages" is a number of messages, but nobody asks so; "2023/4" and "2023.5" are no years
    let torn =
        rest.get(1).is_some_and(|next| rest[0].touches(next) && next.is_any(&["/", "%", "º", "o", "a", "x"]));
    (!torn).then(|| (Parts { year: Some(Year::Is(year as i16)), ..Parts::default() }, 1))
}

/// "dia 12", "the 12th".
fn day(rest: &[Token]) -> Option<(Parts, usize)> {
    if !rest[0].is_any(&["dia", "the"]) {
        return None;
    }
    if let Some((parts, n)) = rest.get(1..).and_then(day_and_month) {
        return Some((parts, n + 1));
    }
    let (day, n) = rest.get(1..).and_then(day_number)?;
    let is_told = rest[0].is("dia") || n == 2;
    is_told.then(|| (Parts { day: Some(day), ..Parts::default() }, n + 1))
}

/// "12", "12th", "1º".
fn day_number(rest: &[Token]) -> Option<(i8, usize)> {
    let [first, more @ ..] = rest else { return None };
    let day = first.number_of(1..=2).filter(|day| (1..=31).contains(day))? as i8;
    match more.first().filter(|next| first.touches(next)) {
        Some(next) if next.is_any(&["st", "nd", "rd", "th", "o"]) => Some((day, 2)),
        // "12h", "12:30", "12%"
        Some(next) if !next.is_any(&[",", ".", "?", "!", ")", ";", "-", "–", "\"", "”", "'"]) => None,
        Some(next) if next.is_any(&[",", "."]) => {
            let is_decimal = more.get(1).is_some_and(|after| next.touches(after) && after.number.is_some());
            (!is_decimal).then_some((day, 1))
        }
        _ => Some((day, 1)),
    }
}

/// The year that goes on a date, from that token on, and where it ends: "de 2024", ", 2024", "/24", "do ano passado",
/// "last year".
pub fn year_after(rest: &[Token], at: usize) -> Option<(Year, usize)> {
    let is = |at: usize, words: &[&str]| rest.get(at).is_some_and(|token| token.is_any(words));
    let joint = usize::from(is(at, &[",", "de", "do", "of", "/", "-", "in", "em"]));
    let place = at + joint;
    if let Some(year) = rest.get(place).and_then(|token| token.number_of(4..=4)).filter(|year| is_year(*year))
    {
        return Some((Year::Is(year as i16), place + 1));
    }
    let short = rest.get(place).and_then(|token| token.number_of(2..=2));
    if let (Some(year), true) = (short, is(at, &["/"]) && rest[at - 1].touches(&rest[at])) {
        return Some((Year::Is(2000 + year as i16), place + 1));
    }
    let relative: &[(&[&str], &[&str], i16)] = &[
        (&["ano"], &["passado"], 1),
        (&["ano"], &["retrasado"], 2),
        (&["last"], &["year"], 1),
        (&["deste", "desse", "neste", "este", "this"], &["ano", "year"], 0),
    ];
    let found = relative.iter().find(|(first, second, _)| is(place, first) && is(place + 1, second))?;
    Some((Year::Back(found.2), place + 2))
}
