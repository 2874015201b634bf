//! Times as people read them: in the time zone of the machine.

use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// The day: "2024-03-14".
pub fn day(time: Timestamp, zone: &TimeZone) -> String {
    local(time, zone).strftime("%Y-%m-%d").to_string()
}

/// The day and the minute: "2024-03-14 09:26".
pub fn minute(time: Timestamp, zone: &TimeZone) -> String {
    local(time, zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A length of time in its two largest units: "3 d 4 h".
pub fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(size, _)| seconds >= *size) else {
        return "0 s".into();
    };
    let (size, name) = units[first];
    let mut text = format!("{} {name}", seconds / size);
    if let Some((smaller, name)) = units.get(first + 1)
        && seconds % size / smaller > 0
    {
        text.push_str(&format!(" {} {name}", seconds % size / smaller));
    }
    text
}

/// A number of bytes in the unit that keeps it short: "1.4 MB".
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.95 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

fn local(time: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    // a Timestamp holds only what RFC 3339 can write, which jiff can hold as well
    jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or_default().to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local() {
        let time: Timestamp = "2024-03-14T01:26:53Z".parse().unwrap();
        assert_eq!(minute(time, &TimeZone::UTC), "2024-03-14 01:26");
        assert_eq!(minute(time, &TimeZone::fixed(jiff::tz::offset(-3))), "2024-03-13 22:26");
        assert_eq!(day(time, &TimeZone::fixed(jiff::tz::offset(-3))), "2024-03-13");
    }

    #[test]
    fn lengths_and_sizes_are_short() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (3_600, "1 h"), (3_661, "1 h 1 min"), (273_600, "3 d 4 h")]
        {
            assert_eq!(length(seconds), expected);
        }
        for (count, expected) in [(0, "0 B"), (999, "999 B"), (1_400_000, "1.4 MB"), (999_999, "1.0 MB")] {
            assert_eq!(bytes(count), expected);
        }
    }
}
