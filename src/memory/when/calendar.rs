//! Days of the calendar: what "now" is for the person, and spans of whole days as points in time.

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::words::{Feast, Season, Unit};
use crate::model::Timestamp;

/// When and where a question is asked.
pub struct Clock {
    /// The time.
    pub now: Timestamp,
    /// The day there.
    pub today: Date,
    zone: TimeZone,
}

/// Whole days, the last not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: Date,
    /// Behind the last.
    pub until: Date,
}

impl Clock {
    /// The clock of a person in that zone.
    pub fn new(now: Timestamp, zone: TimeZone) -> Self {
        let instant = jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
        Self { now, today: instant.to_zoned(zone.clone()).date(), zone }
    }

    /// The first moment of a day there.
    pub fn midnight(&self, day: Date) -> Option<Timestamp> {
        let zoned = day.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }

    /// The day so many units before today.
    pub fn back(&self, n: i64, unit: Unit) -> Option<Date> {
        moved(self.today, -n, unit)
    }
}

/// That day so many units later.
pub fn moved(day: Date, n: i64, unit: Unit) -> Option<Date> {
    let span = match unit {
        Unit::Minute | Unit::Hour => Span::new(),
        Unit::Day => Span::new().try_days(n).ok()?,
        Unit::Week => Span::new().try_weeks(n).ok()?,
        Unit::Month => Span::new().try_months(n).ok()?,
        Unit::Year => Span::new().try_years(n).ok()?,
    };
    day.checked_add(span).ok()
}

impl Days {
    /// From one day to another, which is not included; none where that is no time at all.
    pub fn between(from: Date, until: Date) -> Option<Self> {
        (from < until).then_some(Self { from, until })
    }

    /// So many days from that one on.
    pub fn some(from: Date, n: i64) -> Option<Self> {
        Self::between(from, moved(from, n, Unit::Day)?)
    }

    /// The day, week (from Monday), month or year of the calendar that holds that day.
    pub fn around(day: Date, unit: Unit) -> Option<Self> {
        let from = match unit {
            Unit::Minute | Unit::Hour | Unit::Day => return Self::some(day, 1),
            Unit::Week => moved(day, -i64::from(day.weekday().to_monday_zero_offset()), Unit::Day)?,
            Unit::Month => day.first_of_month(),
            Unit::Year => day.first_of_year(),
        };
        Self::between(from, moved(from, 1, unit)?)
    }

    /// A year, a month of it, or a day of that.
    pub fn of(year: i16, month: Option<i8>, day: Option<i8>) -> Option<Self> {
        let first = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
        Self::around(
            first,
            if day.is_some() {
                Unit::Day
            } else if month.is_some() {
                Unit::Month
            } else {
                Unit::Year
            },
        )
    }

    /// A season, named by the year in which most of it lies: the summer of 2024 in Brazil began in December 2023.
    /// It takes in what astronomers and weather forecasters call so: four whole months.
    pub fn of_season(season: Season, is_south: bool, year: i16) -> Option<Self> {
        let of_north = match season {
            Season::Winter => 0,
            Season::Spring => 1,
            Season::Summer => 2,
            Season::Autumn => 3,
        };
        let quarter = if is_south { (of_north + 2) % 4 } else { of_north };
        // the first begins in December of the year before
        let from = moved(Date::new(year, 1, 1).ok()?, quarter * 3 - 1, Unit::Month)?;
        Self::between(from, moved(from, 4, Unit::Month)?)
    }

    /// A feast of that year; New Year's is the night into it.
    pub fn of_feast(feast: Feast, year: i16) -> Option<Self> {
        match feast {
            Feast::Christmas => Self::some(Date::new(year, 12, 24).ok()?, 3),
            Feast::NewYear => Self::some(Date::new(year.checked_sub(1)?, 12, 31).ok()?, 2),
            Feast::Easter => Self::some(moved(easter(year)?, -2, Unit::Day)?, 4),
            Feast::Carnival => Self::some(moved(easter(year)?, -50, Unit::Day)?, 5),
        }
    }
}

/// Easter Sunday, by the anonymous Gregorian rule.
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(year, (n / 31) as i8, (n % 31 + 1) as i8).ok()
}

/// The years in which a person's messages can lie, so that other numbers are not taken for years.
pub fn is_year(number: i64) -> bool {
    (1970..=2099).contains(&number)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn check(days: Option<Days>, from: Date, last: Date) {
        assert_eq!(days, Days::between(from, last.tomorrow().unwrap()));
    }

    #[test]
    fn seasons_turn_with_the_half_of_the_earth() {
        check(Days::of_season(Season::Summer, false, 2024), date(2024, 6, 1), date(2024, 9, 30));
        check(Days::of_season(Season::Summer, true, 2024), date(2023, 12, 1), date(2024, 3, 31));
        check(Days::of_season(Season::Winter, false, 2024), date(2023, 12, 1), date(2024, 3, 31));
        check(Days::of_season(Season::Winter, true, 2024), date(2024, 6, 1), date(2024, 9, 30));
        check(Days::of_season(Season::Spring, true, 2024), date(2024, 9, 1), date(2024, 12, 31));
        check(Days::of_season(Season::Autumn, true, 2024), date(2024, 3, 1), date(2024, 6, 30));
    }

    #[test]
    fn feasts_move() {
        for (year, month, day) in [(2023, 4, 9), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2038, 4, 25)] {
            assert_eq!(easter(year), Date::new(year, month, day).ok());
        }
        // Shrove Tuesday of 2024 was 13 February
        check(Days::of_feast(Feast::Carnival, 2024), date(2024, 2, 10), date(2024, 2, 14));
        check(Days::of_feast(Feast::NewYear, 2024), date(2023, 12, 31), date(2024, 1, 1));
        check(Days::of_feast(Feast::Christmas, 2024), date(2024, 12, 24), date(2024, 12, 26));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_have_their_length() {
        check(Days::around(date(2024, 3, 17), Unit::Week), date(2024, 3, 11), date(2024, 3, 17));
        check(Days::around(date(2024, 2, 17), Unit::Month), date(2024, 2, 1), date(2024, 2, 29));
        check(Days::of(2024, Some(2), Some(29)), date(2024, 2, 29), date(2024, 2, 29));
        assert_eq!(Days::of(2023, Some(2), Some(29)), None);
    }
}
