//! White space that tells nothing.

/// The words of a text on one line, a single space between them.
pub fn collapse_whitespace(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two texts have in common that say the same, but for case and white space.
pub fn plain(text: &str) -> String {
    collapse_whitespace(text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_on_one_line() {
        assert_eq!(collapse_whitespace("  Olá,\n\tMundo \u{a0}. "), "Olá, Mundo .");
        assert_eq!(collapse_whitespace(" \n"), "");
        assert_eq!(plain("Olá,\n MUNDO"), plain(" olá, mundo"));
    }
}
