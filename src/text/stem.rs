//! The stem of a word, which its plurals and tenses share.

use rust_stemmers::{Algorithm, Stemmer};

use super::fold::fold;
use super::language::Language;

/// The stem of a folded word, folded as well. Only words of plain letters have one other than themselves.
pub(super) fn stem(form: &str, language: Language) -> String {
    if !form.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return form.to_owned();
    }
    match language {
        Language::English => Stemmer::create(Algorithm::English).stem(form).into_owned(),
        Language::Portuguese => portuguese(form),
    }
}

/// The stemmer expects accents, which we folded away because people leave them out; and it gives "reunião" and
/// "reuniões" different stems. So plurals become singulars first, and the endings that its rules know get their
/// accents back.
fn portuguese(form: &str) -> String {
    let mut word = form.to_owned();
    if let Some((plural, singular)) = replaced(&word, PLURALS) {
        word.truncate(word.len() - plural.len());
        word.push_str(singular);
    }
    if let Some((bare, accented)) = replaced(&word, ACCENTED) {
        word.truncate(word.len() - bare.len());
        word.push_str(accented);
    }
    fold(&Stemmer::create(Algorithm::Portuguese).stem(&word))
}

fn replaced(
    word: &str,
    endings: &[(usize, &'static str, &'static str)],
) -> Option<(&'static str, &'static str)> {
    endings
        .iter()
        .find(|(least, ending, _)| word.len() >= *least && word.ends_with(ending))
        .map(|(_, ending, other)| (*ending, *other))
}

/// From how many letters on, the ending, and what it becomes.
const PLURALS: &[(usize, &str, &str)] = &[
    (5, "oes", "ao"),
    (5, "aes", "ao"),
    (5, "ais", "al"),
    (6, "eis", "el"),
    (5, "ois", "ol"),
    (4, "ns", "m"),
];

const ACCENTED: &[(usize, &str, &str)] = &[
    (5, "cao", "ção"),
    (6, "avel", "ável"),
    (6, "ivel", "ível"),
    (7, "ancias", "âncias"),
    (7, "encias", "ências"),
    (6, "ancia", "ância"),
    (6, "encia", "ência"),
    (4, "ao", "ão"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, words: &[&str]) {
        let stems: Vec<String> = words.iter().map(|word| stem(&fold(word), language)).collect();
        assert!(stems.windows(2).all(|pair| pair[0] == pair[1]), "{words:?} {stems:?}");
    }

    #[test]
    fn forms_of_a_word_share_its_stem() {
        check(Language::Portuguese, &["reunião", "reuniões", "reuniao", "REUNIOES"]);
        check(Language::Portuguese, &["informação", "informações", "informar"]);
        check(Language::Portuguese, &["animal", "animais"]);
        check(Language::Portuguese, &["jovem", "jovens"]);
        check(Language::Portuguese, &["papel", "papéis"]);
        check(Language::Portuguese, &["alemão", "alemães"]);
        check(Language::English, &["deploy", "deployed", "deploys", "deploying"]);
        check(Language::English, &["city", "cities"]);
    }

    #[test]
    fn what_is_no_word_stays_as_it_is() {
        for form in ["e0382", "日本", "☃", "x2"] {
            assert_eq!(stem(form, Language::English), form);
            assert_eq!(stem(form, Language::Portuguese), form);
        }
    }
}
