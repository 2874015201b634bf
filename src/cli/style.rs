//! The few looks that the program's output uses, and text fitted to a width.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar;

use crate::api::search::Span;

/// What a line is about.
pub const TITLE: Style = Style::new().bold();
/// Ids, dates, what one may skip.
pub const DIM: Style = Style::new().dimmed();
/// A word that was searched for.
pub const HIT: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
/// Who speaks, what can be typed.
pub const NAME: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
/// A check that passed.
pub const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
/// A check that wants attention.
pub const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
/// A failure.
pub const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// The text in that style; [`super::output::Output`] takes the style out again where it is not wanted.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Breaks lines at spaces so that none is wider than `width` columns, where words allow it.
///
/// A space becomes a line break, nothing is added, so that ranges in the text keep their meaning.
pub fn wrap(text: &str, width: usize) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let (mut column, mut last_space) = (0, None);
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '\n' => (column, last_space) = (0, None),
            c => {
                column += c.width().unwrap_or(0);
                // a space that would stand behind the last column needs no room
                let space = if c == ' ' { Some(i) } else { last_space };
                match space {
                    Some(space) if column > width => {
                        chars[space] = '\n';
                        (column, last_space, i) = (0, None, space);
                    }
                    _ => last_space = space,
                }
            }
        }
        i += 1;
    }
    chars.into_iter().collect()
}

/// Cuts one line to `width` columns, with an ellipsis where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    let columns = |c: char| c.width().unwrap_or(0);
    if text.chars().map(columns).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let fits = columns(*c) <= room;
        room = room.saturating_sub(columns(*c));
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// The part of a long text that holds its first marked word, and the marks in it.
pub fn excerpt(text: &str, spans: &[Span], most: usize) -> (String, Vec<Span>) {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return (text.to_owned(), spans.to_vec());
    }
    let first = spans.first().map_or(0, |span| span.start as usize);
    let mut start = first.saturating_sub(most / 3).min(chars.len() - most);
    if start > 0 {
        // begin at a word, unless the next one is far
        start += chars[start..].iter().take(20).position(|c| c.is_whitespace()).map_or(0, |space| space + 1);
    }
    let mut end = (start + most).min(chars.len());
    if end < chars.len() {
        end -=
            chars[..end].iter().rev().take(20).position(|c| c.is_whitespace()).map_or(0, |space| space + 1);
    }
    let (head, tail) = (if start > 0 { "…" } else { "" }, if end < chars.len() { "…" } else { "" });
    let shift = |position: u32| (position as usize - start + head.chars().count()) as u32;
    let spans = spans
        .iter()
        .filter(|span| start <= span.start as usize && span.start <= span.end && span.end as usize <= end)
        .map(|span| Span { start: shift(span.start), end: shift(span.end) })
        .collect();
    let kept: String = chars[start..end].iter().collect();
    (format!("{head}{kept}{tail}"), spans)
}

/// Marks the ranges; ranges that do not fit the text are left out.
pub fn highlight(text: &str, spans: &[Span]) -> String {
    let mut marked = String::with_capacity(text.len() + 16 * spans.len());
    let mut spans = spans.iter().filter(|span| span.start < span.end).peekable();
    let (open, close) = (format!("{HIT}"), format!("{HIT:#}"));
    let mut inside: Option<Span> = None;
    for (i, c) in text.chars().enumerate() {
        let i = i as u32;
        if inside.is_some_and(|span| span.end == i) {
            marked.push_str(&close);
            inside = None;
        }
        while inside.is_none() && spans.peek().is_some_and(|span| span.start <= i) {
            inside = spans.next().filter(|span| span.start == i).copied();
            if inside.is_some() {
                marked.push_str(&open);
            }
        }
        marked.push(c);
    }
    if inside.is_some() {
        marked.push_str(&close);
    }
    marked
}

/// Puts `margin` before every line.
pub fn indent(text: &str, margin: &str) -> String {
    text.lines().map(|line| format!("{margin}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    #[test]
    fn lines_break_at_spaces() {
        for (text, width, expected) in [
            ("one two three", 7, "one two\nthree"),
            ("one two three", 8, "one two\nthree"),
            ("one two three", 80, "one two three"),
            ("a\nlonger line here", 8, "a\nlonger\nline\nhere"),
            ("unbreakable", 4, "unbreakable"),
            ("unbreakable word", 4, "unbreakable\nword"),
            ("日本 語", 4, "日本\n語"),
        ] {
            assert_eq!(wrap(text, width), expected, "{text:?} at {width}");
        }
    }

    #[test]
    fn lines_are_cut_to_columns() {
        for (text, width, expected) in [("short", 5, "short"), ("longer", 5, "long…"), ("日本語", 4, "日…")]
        {
            assert_eq!(cut(text, width), expected);
        }
    }

    #[test]
    fn words_are_marked() {
        let mark = |text: &str| text.replace('<', &format!("{HIT}")).replace('>', &format!("{HIT:#}"));
        for (text, spans, expected) in [
            ("the deadline is near", vec![span(4, 12)], "the <deadline> is near"),
            ("ação e reação", vec![span(0, 4), span(7, 13)], "<ação> e <reação>"),
            ("ab", vec![span(0, 1), span(1, 2)], "<a><b>"),
            ("ab", vec![span(1, 9)], "a<b>"),
            ("ab", vec![span(5, 9)], "ab"),
            ("ab", vec![span(1, 1)], "ab"),
        ] {
            assert_eq!(highlight(text, &spans), mark(expected), "{text:?}");
        }
    }

    #[test]
    fn an_excerpt_holds_the_first_word_that_was_found() {
        let text = format!("{} needle {}", "hay ".repeat(100), "hay ".repeat(100));
        let (short, spans) = excerpt(&text, &[span(401, 407)], 60);
        assert!(short.chars().count() <= 62 && short.starts_with('…') && short.ends_with('…'), "{short}");
        let found: String = short
            .chars()
            .skip(spans[0].start as usize)
            .take((spans[0].end - spans[0].start) as usize)
            .collect();
        assert_eq!(found, "needle");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_by_wrapping(text in any::<String>(), width in 1usize..40) {
            let wrapped = wrap(&text, width);
            prop_assert_eq!(wrapped.replace('\n', " "), text.replace('\n', " "));
        }

        #[test]
        fn any_ranges_are_survived(text in "[a-z é日]{0,200}", raw in prop::collection::vec((0u32..300, 0u32..300), 0..5)) {
            let spans: Vec<Span> = raw.iter().map(|(start, end)| span(*start, *end)).collect();
            let (short, inner) = excerpt(&text, &spans, 50);
            prop_assert!(short.chars().count() <= 52);
            let marked = highlight(&short, &inner);
            prop_assert_eq!(anstream::adapter::strip_str(&marked).to_string(), short);
        }
    }
}
