//! Reads a file line by line; a line that is too long is passed over without being held.

use std::io::{BufRead, Read};

use super::scan::unreadable;
use crate::error::Result;

/// A line of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The line, without its end.
    Whole(&'a [u8]),
    /// It has more bytes than asked for.
    TooLong,
}

/// Gives `each` the lines of the file that are not blank, with their numbers from 1. Errors: `Storage` where reading
/// fails, and what `each` answers.
pub fn lines(
    reader: &mut dyn BufRead,
    most: usize,
    mut each: impl FnMut(u64, Line<'_>) -> Result<()>,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut *reader).take(most as u64 + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        let is_whole = line.ends_with(b"\n") || read <= most;
        if !is_whole {
            each(number, Line::TooLong)?;
            skip(reader)?;
            continue;
        }
        // some programs put a byte order mark before everything
        let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
        if !text.trim_ascii().is_empty() {
            each(number, Line::Whole(text.trim_ascii_end()))?;
        }
    }
    Ok(())
}

fn skip(reader: &mut dyn BufRead) -> Result<()> {
    loop {
        let found = reader.fill_buf().map_err(unreadable)?;
        let (n, is_over) = match memchr::memchr(b'\n', found) {
            Some(place) => (place + 1, true),
            None => (found.len(), found.is_empty()),
        };
        reader.consume(n);
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_passed_over_and_numbers_stay() {
        let mut all = vec![];
        let text = "\u{feff}one\r\n\n  \n1234567890\ntwo\n12345678";
        lines(&mut text.as_bytes(), 9, |number, line| {
            all.push(match line {
                Line::Whole(line) => format!("{number} {}", String::from_utf8_lossy(line)),
                Line::TooLong => format!("{number} too long"),
            });
            Ok(())
        })
        .unwrap();
        assert_eq!(all, ["1 one", "4 too long", "5 two", "6 12345678"]);
    }
}
