//! The words for times in both languages, folded.

use super::token::Token;

/// A season; which months it covers depends on the half of the earth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    /// From March in the north.
    Spring,
    /// From June in the north.
    Summer,
    /// From September in the north.
    Autumn,
    /// From December in the north.
    Winter,
}

/// A feast that a date can be told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feast {
    /// 24 to 26 December.
    Christmas,
    /// 31 December and 1 January.
    NewYear,
    /// Good Friday to Easter Monday.
    Easter,
    /// The Saturday before Ash Wednesday to that day.
    Carnival,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// Of the calendar.
    Month,
    /// Of the calendar.
    Year,
}

/// How much more a word must have around it before it counts as a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: "agosto", "December".
    Nothing,
    /// A word that leads to a time, a day or a year: "may", "march", and "marco" without its cedilla.
    Context,
    /// A day or a year: "mar", "dec".
    Number,
    /// A day or a year, joined by "de" or a slash: "set", "out", "ago" are words of their own.
    JoinedNumber,
}

/// The month, 1 to 12, that a word names.
pub fn month(token: &Token) -> Option<(i8, Needs)> {
    let full = |number| Some((number, Needs::Nothing));
    match token.folded.as_str() {
        "janeiro" | "january" => full(1),
        "fevereiro" | "february" => full(2),
        "marco" if token.is_accented => full(3),
        "abril" | "april" => full(4),
        // with an accent it is a swimsuit
        "maio" if !token.is_accented => full(5),
        "junho" | "june" => full(6),
        "julho" | "july" => full(7),
        "agosto" | "august" => full(8),
        "setembro" | "september" => full(9),
        "outubro" | "october" => full(10),
        "novembro" | "november" => full(11),
        "dezembro" | "december" => full(12),
        "marco" | "march" => Some((3, Needs::Context)),
        "may" => Some((5, Needs::Context)),
        word => month_in_short(word),
    }
}

fn month_in_short(word: &str) -> Option<(i8, Needs)> {
    let number = match word {
        "jan" => 1,
        "fev" | "feb" => 2,
        "mar" => 3,
        "abr" | "apr" => 4,
        "jun" => 6,
        "jul" => 7,
        "aug" => 8,
        "sep" | "sept" => 9,
        "oct" => 10,
        "nov" => 11,
        "dez" | "dec" => 12,
        "mai" => return Some((5, Needs::JoinedNumber)),
        "ago" => return Some((8, Needs::JoinedNumber)),
        "set" => return Some((9, Needs::JoinedNumber)),
        "out" => return Some((10, Needs::JoinedNumber)),
        _ => return None,
    };
    Some((number, Needs::Number))
}

/// The day of the week, 1 (Monday) to 7, and whether the word means something else as well ("segunda": second).
pub fn weekday(token: &Token) -> Option<(i8, bool)> {
    Some(match token.folded.as_str() {
        "segunda" => (1, true),
        "terca" => (2, true),
        "quarta" => (3, true),
        "quinta" => (4, true),
        "sexta" => (5, true),
        "sabado" | "saturday" => (6, false),
        "domingo" | "sunday" => (7, false),
        "monday" => (1, false),
        "tuesday" => (2, false),
        "wednesday" => (3, false),
        "thursday" => (4, false),
        "friday" => (5, false),
        _ => return None,
    })
}

/// The season, and whether the word is Portuguese, which is spoken in the south.
pub fn season(token: &Token) -> Option<(Season, bool)> {
    Some(match token.folded.as_str() {
        "primavera" => (Season::Spring, true),
        "verao" => (Season::Summer, true),
        "outono" => (Season::Autumn, true),
        "inverno" => (Season::Winter, true),
        "spring" => (Season::Spring, false),
        "summer" => (Season::Summer, false),
        "autumn" | "fall" => (Season::Autumn, false),
        "winter" => (Season::Winter, false),
        _ => return None,
    })
}

/// The feast that begins at the first of these, how many tokens name it, and whether the word means something else as
/// well ("Natal" is a city).
pub fn feast(tokens: &[Token]) -> Option<(Feast, usize, bool)> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
    match tokens.first()?.folded.as_str() {
        "christmas" | "xmas" => {
            let n = if is(1, "eve") || is(1, "day") || is(1, "time") { 2 } else { 1 };
            Some((Feast::Christmas, n, false))
        }
        "natal" => Some((Feast::Christmas, 1, true)),
        "easter" | "pascoa" => Some((Feast::Easter, 1, false)),
        "carnaval" | "carnival" => Some((Feast::Carnival, 1, true)),
        "reveillon" => Some((Feast::NewYear, 1, false)),
        "ano" if is(1, "novo") => Some((Feast::NewYear, 2, true)),
        "new"
            if is(1, "year")
                && matches!(tokens.get(2), Some(token) if token.is_any(&["'", "’"]))
                && is(3, "s") =>
        {
            let n = if is(4, "eve") || is(4, "day") { 5 } else { 4 };
            Some((Feast::NewYear, n, false))
        }
        _ => None,
    }
}

/// The unit that a word names, one or many of it.
pub fn unit(token: &Token) -> Option<Unit> {
    Some(match token.folded.as_str() {
        "minuto" | "minutos" | "minute" | "minutes" => Unit::Minute,
        "hora" | "horas" | "hour" | "hours" => Unit::Hour,
        "dia" | "dias" | "day" | "days" => Unit::Day,
        "semana" | "semanas" | "week" | "weeks" => Unit::Week,
        "mes" | "meses" | "month" | "months" => Unit::Month,
        "ano" | "anos" | "year" | "years" => Unit::Year,
        _ => return None,
    })
}

/// The number that a token names, and whether it is meant exactly ("alguns" is not).
pub fn count(token: &Token) -> Option<(i64, bool)> {
    if let Some(number) = token.number.filter(|number| (1..=999).contains(number)) {
        return Some((number, true));
    }
    Some(match token.folded.as_str() {
        "um" | "uma" | "a" | "an" | "one" => (1, true),
        "dois" | "duas" | "two" => (2, true),
        "tres" | "three" => (3, true),
        "quatro" | "four" => (4, true),
        "cinco" | "five" => (5, true),
        "seis" | "six" => (6, true),
        "sete" | "seven" => (7, true),
        "oito" | "eight" => (8, true),
        "nove" | "nine" => (9, true),
        "dez" | "ten" => (10, true),
        "onze" | "eleven" => (11, true),
        "doze" | "twelve" => (12, true),
        "quinze" | "fifteen" => (15, true),
        "vinte" | "twenty" => (20, true),
        "trinta" | "thirty" => (30, true),
        "alguns" | "algumas" | "uns" | "umas" | "poucos" | "poucas" | "few" | "several" | "some" => {
            (3, false)
        }
        _ => return None,
    })
}
