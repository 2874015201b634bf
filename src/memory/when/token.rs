//! A text as words and numbers, folded so that accents and capitals make no difference.

use unicode_normalization::char::is_combining_mark;

use super::super::highlight::fold;

/// A word, a number or a sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    /// In lower case, without accents.
    pub folded: String,
    /// The number that it is, if it is one of at most four digits.
    pub number: Option<i64>,
    /// Whether accents were folded away: "março" is a month, "marco" may be something else.
    pub is_accented: bool,
}

impl Token {
    /// Whether it is that word or sign.
    pub fn is(&self, word: &str) -> bool {
        self.folded == word
    }

    /// Whether it is one of those.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.contains(&self.folded.as_str())
    }

    /// The number that it is, if it has as many digits as that.
    pub fn number_of(&self, n_digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        self.number.filter(|_| n_digits.contains(&self.folded.len()))
    }

    /// Whether nothing, not even a blank, stands between the two.
    pub fn touches(&self, next: &Token) -> bool {
        self.end == next.start
    }
}

/// The first `most` tokens of a text: runs of letters, runs of digits, and every other sign by itself. White space
/// only separates.
pub fn tokens(text: &str, most: usize) -> Vec<Token> {
    let mut tokens: Vec<Token> = vec![];
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        if tokens.len() == most {
            break;
        }
        let belongs: fn(char) -> bool = match first {
            c if c.is_ascii_digit() => |c| c.is_ascii_digit(),
            // an accent may stand behind its letter as a character of its own
            c if is_letter(c) => |c| is_letter(c) || is_combining_mark(c),
            _ => |_| false,
        };
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = chars.next_if(|(_, c)| belongs(*c)) {
            end = at + c.len_utf8();
        }
        let folded = fold(&text[start..end]);
        let is_accented = folded != text[start..end].to_lowercase();
        let is_number = folded.len() <= 4 && first.is_ascii_digit();
        let number = if is_number { folded.parse().ok() } else { None };
        tokens.push(Token { start, end, folded, number, is_accented });
    }
    tokens
}

/// "º" and "ª" are letters elsewhere, but here they stand behind a number; folded they are "o" and "a".
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !matches!(c, 'º' | 'ª')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let tokens = tokens(text, 100);
        assert_eq!(tokens.iter().map(|it| it.folded.as_str()).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn words_numbers_and_signs_come_apart() {
        check("Há três dias?", &["ha", "tres", "dias", "?"]);
        check("12/03/2024", &["12", "/", "03", "/", "2024"]);
        check("March 12th, 2024", &["march", "12", "th", ",", "2024"]);
        check("1º de MARÇO", &["1", "o", "de", "marco"]);
        check("cafe\u{301} às 9h", &["cafe", "as", "9", "h"]);
        check("segunda-feira", &["segunda", "-", "feira"]);
        check("", &[]);
    }

    #[test]
    fn numbers_and_accents_are_noted() {
        let tokens = tokens("março marco 2024 20240 ９", 100);
        let told: Vec<_> = tokens.iter().map(|token| (token.is_accented, token.number)).collect();
        assert_eq!(told, [(true, None), (false, None), (false, Some(2024)), (false, None), (true, None)]);
    }

    #[test]
    fn a_long_text_is_not_read_to_its_end() {
        assert_eq!(tokens(&"a ".repeat(50), 10).len(), 10);
    }
}
