//! Times told from the one in which it is asked: "ontem", "last week", "há três dias", "na sexta", "last summer".

use super::Certainty;
use super::calendar::{Clock, Days, moved};
use super::parts::{Year, year_after};
use super::token::Token;
use super::words::{self, Feast, Unit};
use crate::model::Timestamp;

/// A time that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Whole days.
    Days(Days, Certainty),
    /// Hours or minutes.
    Instants(Timestamp, Timestamp),
}

/// How "last", "this" or nothing stands before a word: it decides which of many is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Last,
    This,
    Any,
}

const LAST: &[&str] = &["last", "previous", "ultimo", "ultima"];
const THIS: &[&str] = &[
    "this", "este", "esta", "esse", "essa", "neste", "nesta", "nesse", "nessa", "deste", "desta", "desse",
    "dessa",
];
/// Before a weekday or another day that comes again and again, or is still to come.
const NOT_ONE_OF_THE_PAST: &[&str] =
    &["every", "each", "all", "next", "toda", "todo", "todas", "todos", "cada", "proxima", "proximo"];
/// Behind "hoje", "ontem", "yesterday": the part of the day, which a day is exact enough without.
const PARTS_OF_DAY: &[&[&str]] = &[
    &["a", "noite"],
    &["a", "tarde"],
    &["de", "manha"],
    &["de", "noite"],
    &["de", "tarde"],
    &["pela", "manha"],
    &["cedo"],
    &["morning"],
    &["afternoon"],
    &["evening"],
    &["night"],
];
/// The units of which there is a last and a current one.
const CALENDAR_UNITS: &[Unit] = &[Unit::Week, Unit::Month, Unit::Year];

/// The words from a place on, and the one before it.
struct Words<'a> {
    before: Option<&'a Token>,
    rest: &'a [Token],
}

impl Words<'_> {
    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.rest.get(at).is_some_and(|token| token.is_any(words))
    }

    fn are(&self, at: usize, phrase: &[&str]) -> bool {
        phrase.iter().enumerate().all(|(place, word)| self.is(at + place, &[word]))
    }

    fn is_led_by(&self, words: &[&str]) -> bool {
        self.before.is_some_and(|before| before.is_any(words))
    }

    fn which(&self) -> (Which, usize) {
        match () {
            () if self.is(0, LAST) => (Which::Last, 1),
            () if self.is(0, THIS) => (Which::This, 1),
            () => (Which::Any, 0),
        }
    }

    fn unit(&self, at: usize) -> Option<Unit> {
        self.rest.get(at).and_then(words::unit)
    }
}

/// The time that begins at that token, and how many tokens name it. `is_led`: whether a word before it says that a
/// time follows.
pub fn parse(tokens: &[Token], at: usize, is_led: bool, clock: &Clock) -> Option<(Moment, usize)> {
    let words = Words { before: at.checked_sub(1).map(|before| &tokens[before]), rest: tokens.get(at..)? };
    near_day(&words, clock)
        .or_else(|| ago(&words, clock))
        .or_else(|| last_few(&words, clock))
        .or_else(|| weekend(&words, clock))
        .or_else(|| calendar_unit(&words, clock))
        .or_else(|| weekday(&words, is_led, clock))
        .or_else(|| season(&words, is_led, clock))
        .or_else(|| feast(&words, is_led, clock))
}

fn around(day: Option<jiff::civil::Date>, unit: Unit) -> Option<Moment> {
    let certainty = if unit == Unit::Day { Certainty::Day } else { Certainty::Period };
    Some(Moment::Days(Days::around(day?, unit)?, certainty))
}

/// "hoje", "ontem à noite", "anteontem", "the day before yesterday", "last night", "this morning".
fn near_day(words: &Words<'_>, clock: &Clock) -> Option<(Moment, usize)> {
    let day = |n_days: i64, n: usize| Some((around(clock.back(n_days, Unit::Day), Unit::Day)?, n));
    let with_part = |n_days: i64, n: usize| {
        let part = PARTS_OF_DAY.iter().find(|part| words.are(n, part));
        day(n_days, n + part.map_or(0, |part| part.len()))
    };
    match () {
        () if words.are(0, &["the", "day", "before", "yesterday"]) => day(2, 4),
        () if words.are(0, &["day", "before", "yesterday"]) => day(2, 3),
        () if words.are(0, &["antes", "de", "ontem"]) => with_part(2, 3),
        () if words.is(0, &["anteontem"]) => with_part(2, 1),
        () if words.is(0, &["ontem", "yesterday"]) => with_part(1, 1),
        () if words.is(0, &["hoje", "today"]) => with_part(0, 1),
        () if words.is(0, &["tonight"]) => day(0, 1),
        () if words.is(0, &["last"]) && words.is(1, &["night", "evening"]) => day(1, 2),
        () if words.are(0, &["noite", "passada"]) || words.are(0, &["ultima", "noite"]) => day(1, 2),
        () if words.is(0, &["this"]) && words.is(1, &["morning", "afternoon", "evening"]) => day(0, 2),
        () if words.is(0, THIS) && words.is(1, &["manha", "tarde", "noite"]) => day(0, 2),
        () => None,
    }
}

/// "há três dias", "faz 2 semanas", "três dias atrás", "two months ago", "a few days ago", "a couple of weeks ago".
fn ago(words: &Words<'_>, clock: &Clock) -> Option<(Moment, usize)> {
    let opened = words.is(0, &["ha", "faz"]);
    let mut at = usize::from(opened);
    while opened && words.is(at, &["cerca", "de", "uns", "umas", "quase"]) && words.unit(at + 1).is_none() {
        at += 1;
    }
    let (count, exactly, behind) =
        if words.are(at, &["a", "couple", "of"]) || words.are(at, &["um", "par", "de"]) {
            (2, false, at + 3)
        } else if words.is(at, &["a"]) && words.is(at + 1, &["few"]) {
            (3, false, at + 2)
        } else {
            let (count, exactly) = words::count(words.rest.get(at)?)?;
            (count, exactly, at + 1)
        };
    let unit = words.unit(behind)?;
    let closed = words.is(behind + 1, &["ago", "atras"]);
    if !opened && !closed {
        return None;
    }
    let n = behind + 1 + usize::from(closed);
    if let Unit::Hour | Unit::Minute = unit {
        let millis = if unit == Unit::Hour { 3_600_000 } else { 60_000 };
        let spread = if exactly { 1 } else { count };
        let (from, until) = (-(count + spread) * millis, -(count - spread) * millis);
        return Some((Moment::Instants(clock.now.plus_millis(from), clock.now.plus_millis(until)), n));
    }
    if exactly {
        return Some((around(clock.back(count, unit), unit)?, n));
    }
    // "a few" is one to seven, "a couple" one to three
    let most = count * 2 - i64::from(count == 2) + i64::from(count == 3);
    let (first, last) =
        (Days::around(clock.back(most, unit)?, unit)?, Days::around(clock.back(1, unit)?, unit)?);
    Some((Moment::Days(Days::between(first.from, last.until)?, Certainty::Vague), n))
}

/// "nos últimos 3 dias", "in the past two weeks", "the last few months", "nos últimos dias": up to now.
fn last_few(words: &Words<'_>, clock: &Clock) -> Option<(Moment, usize)> {
    if !words.is(0, &["last", "past", "previous", "ultimos", "ultimas"]) {
        return None;
    }
    let (count, exactly, behind) = match words.rest.get(1).and_then(words::count) {
        Some((count, exactly)) => (count, exactly, 2),
        // "the past week", and "nos últimos dias", which says no number
        None if words.is(0, &["past"]) => (1, true, 1),
        None if words.is(0, &["ultimos", "ultimas"]) => (7, false, 1),
        None => return None,
    };
    let unit = words.unit(behind)?;
    if let Unit::Hour | Unit::Minute = unit {
        let millis = if unit == Unit::Hour { 3_600_000 } else { 60_000 };
        return Some((Moment::Instants(clock.now.plus_millis(-count * millis), clock.now), behind + 1));
    }
    let count = if exactly { count } else { 7 };
    let days = Days::between(clock.back(count, unit)?, moved(clock.today, 1, Unit::Day)?)?;
    let certainty = if exactly { Certainty::Period } else { Certainty::Vague };
    Some((Moment::Days(days, certainty), behind + 1))
}

/// "no fim de semana passado", "last weekend", "this weekend": Saturday and Sunday.
fn weekend(words: &Words<'_>, clock: &Clock) -> Option<(Moment, usize)> {
    let (mut which, mut n) = words.which();
    if words.is(n, &["weekend"]) {
        n += 1;
    } else if words.is(n, &["fim", "final"]) && words.are(n + 1, &["de", "semana"]) {
        n += 3;
    } else {
        return None;
    }
    if words.is(n, &["passado"]) {
        (which, n) = (Which::Last, n + 1);
    }
    let is_led = words.is_led_by(&["the", "on", "at", "over", "no", "o", "ao", "desde", "since"]);
    if which == Which::Any && !is_led || words.is_led_by(NOT_ONE_OF_THE_PAST) {
        return None;
    }
    let monday = Days::around(clock.today, Unit::Week)?.from;
    let saturday = moved(monday, 5, Unit::Day)?;
    let is_over = moved(saturday, 2, Unit::Day)? <= clock.today;
    let has_begun = saturday <= clock.today;
    let is_current = match which {
        Which::Last => is_over,
        Which::This => true,
        Which::Any => has_begun,
    };
    let from = if is_current { saturday } else { moved(saturday, -7, Unit::Day)? };
    Some((Moment::Days(Days::some(from, 2)?, Certainty::Period), n))
}

/// "semana passada", "mês retrasado", "este ano", "last month", "the week before last", "this year".
fn calendar_unit(words: &Words<'_>, clock: &Clock) -> Option<(Moment, usize)> {
    let (which, n) = words.which();
    let unit = words.unit(n).filter(|unit| CALENDAR_UNITS.contains(unit))?;
    let back = |count: i64, n: usize| Some((around(clock.back(count, unit), unit)?, n));
    match which {
        // "última semana" is the last, or the days up to now
        Which::Last if !words.is(0, &["last", "previous"]) => {
            let from = Days::around(clock.back(1, unit)?, unit)?.from;
            let days = Days::between(from, moved(clock.today, 1, Unit::Day)?)?;
            Some((Moment::Days(days, Certainty::Vague), 2))
        }
        Which::Last => back(1, 2),
        Which::This => back(0, 2),
        Which::Any if words.is(1, &["passada", "passado"]) => back(1, 2),
        Which::Any if words.is(1, &["retrasada", "retrasado"]) => back(2, 2),
        Which::Any if words.is(1, &["atual", "corrente"]) => back(0, 2),
        Which::Any if words.are(1, &["before", "last"]) => back(2, 3),
        Which::Any => None,
    }
}

/// "na segunda", "sexta-feira passada", "last Friday", "on Monday", "Tuesday of last week": the latest before today.
fn weekday(words: &Words<'_>, is_led: bool, clock: &Clock) -> Option<(Moment, usize)> {
    if words.is_led_by(NOT_ONE_OF_THE_PAST) {
        return None;
    }
    let (mut which, mut n) = words.which();
    let (day, means_more) = words::weekday(words.rest.get(n)?)?;
    n += 1;
    let mut is_sure = !means_more || which != Which::Any;
    let hyphen = usize::from(words.is(n, &["-"]));
    if means_more && words.is(n + hyphen, &["feira"]) {
        (is_sure, n) = (true, n + hyphen + 1);
    }
    if words.is(n, &["passada", "passado"]) {
        (which, is_sure, n) = (Which::Last, true, n + 1);
    }
    let monday = Days::around(clock.today, Unit::Week)?.from;
    let of_last_week: &[&[&str]] = &[
        &["da", "semana", "passada"],
        &["of", "last", "week"],
        &["last", "week"],
        &["na", "semana", "passada"],
    ];
    let in_week = |monday| moved(monday, i64::from(day) - 1, Unit::Day);
    if let Some(phrase) = of_last_week.iter().find(|phrase| words.are(n, phrase)) {
        return Some((around(in_week(moved(monday, -7, Unit::Day)?), Unit::Day)?, n + phrase.len()));
    }
    // "na segunda vez", "a quinta parte" go on with what is counted
    let is_led = is_led || words.is_led_by(&["na", "nesta", "nessa", "desde", "ate"]);
    let goes_on = words.rest.get(n).is_some_and(|next| {
        let is_word = next.folded.chars().all(char::is_alphabetic);
        is_word && !super::super::language::Language::is_common_word(&next.folded)
    });
    if !is_sure && (!is_led || goes_on) {
        return None;
    }
    let this = in_week(monday)?;
    let from = match which {
        Which::This => this,
        Which::Last | Which::Any if this < clock.today => this,
        Which::Last | Which::Any => moved(this, -7, Unit::Day)?,
    };
    Some((around(Some(from), Unit::Day)?, n))
}

/// "verão passado", "no verão de 2023", "last summer", "in the winter".
fn season(words: &Words<'_>, is_led: bool, clock: &Clock) -> Option<(Moment, usize)> {
    let (which, n) = words.which();
    let (season, is_south) = words::season(words.rest.get(n)?)?;
    let leading = &["in", "the", "during", "since", "over", "no", "na", "durante", "desde", "of"];
    // "the fall of", "the spring of a door": "the" leads only where it is led itself, which is not looked at
    let is_led = is_led || words.is_led_by(leading) && !words.is(n + 1, &["of"]);
    let (year, which, n) = again(words, which, n + 1, is_led)?;
    let of_year = |year| Days::of_season(season, is_south, year);
    // the four months of a season reach into the next: it is over after three
    let is_over = |days: &Days| moved(days.from, 3, Unit::Month).is_some_and(|end| end <= clock.today);
    let days = latest(year, which, clock, of_year, is_over)?;
    Some((Moment::Days(days, Certainty::Vague), n))
}

/// "no Natal", "last Christmas", "réveillon de 2023", "at Easter", "no carnaval".
fn feast(words: &Words<'_>, is_led: bool, clock: &Clock) -> Option<(Moment, usize)> {
    let (which, n) = words.which();
    let (feast, n_named, means_more) = words::feast(words.rest.get(n..)?)?;
    let is_eve = words.is(n + n_named - 1, &["eve"]);
    let is_led = is_led || !means_more || words.is_led_by(&["no", "o", "do", "ao", "pelo", "desde"]);
    let (year, which, n) = again(words, which, n + n_named, is_led)?;
    // the eve of New Year's lies in the year before
    let of_year =
        |year: i16| Days::of_feast(feast, year.checked_add(i16::from(feast == Feast::NewYear && is_eve))?);
    let days = latest(year, which, clock, of_year, |days| days.until <= clock.today)?;
    let certainty = if year.is_some() { Certainty::Period } else { Certainty::Vague };
    Some((Moment::Days(days, certainty), n))
}

/// What stands behind a season or a feast: its year, or "passado"; none where nothing says that a time is meant.
fn again(words: &Words<'_>, which: Which, n: usize, is_led: bool) -> Option<(Option<Year>, Which, usize)> {
    if words.is(n, &["passado", "passada"]) {
        return Some((None, Which::Last, n + 1));
    }
    match year_after(words.rest, n) {
        Some((year, n)) => Some((Some(year), which, n)),
        None => (is_led || which != Which::Any).then_some((None, which, n)),
    }
}

/// The one of that year; without a year the latest that has begun, or that is over where "last" is said.
fn latest(
    year: Option<Year>,
    which: Which,
    clock: &Clock,
    of_year: impl Fn(i16) -> Option<Days>,
    is_over: impl Fn(&Days) -> bool,
) -> Option<Days> {
    let this = clock.today.year();
    match year {
        Some(Year::Is(year)) => return of_year(year),
        Some(Year::Back(n)) => return of_year(this - n),
        Some(Year::LastOver) | None => (),
    }
    let has_come = |days: &Days| if which == Which::Last { is_over(days) } else { days.from <= clock.today };
    (-1..=2).filter_map(|back| of_year(this - back)).find(has_come)
}
