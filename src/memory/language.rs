//! Tells Portuguese from English by common words and accents, so that prompts and quotes speak the person's
//! language.

/// A language that the product's own words exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English; also what is taken where nothing tells.
    English,
    /// Portuguese.
    Portuguese,
}

impl Language {
    /// The language of `text`, judged by its first words.
    pub fn of(text: &str) -> Self {
        let (mut english, mut portuguese) = (0u32, 0u32);
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
        for word in words.take(WORDS_READ) {
            let word = word.to_lowercase();
            english += 2 * u32::from(ENGLISH.binary_search(&word.as_str()).is_ok());
            portuguese += 2 * u32::from(PORTUGUESE.binary_search(&word.as_str()).is_ok());
            // English borrows é and ç now and then, but never these
            portuguese +=
                2 * u32::from(word.contains(['ã', 'õ']) || word.ends_with("ção") || word.ends_with("ções"));
            portuguese += u32::from(word.contains(['á', 'à', 'â', 'é', 'ê', 'í', 'ó', 'ô', 'ú', 'ç']));
        }
        if portuguese > english { Language::Portuguese } else { Language::English }
    }

    /// Whether `word`, in lower case, is so common in either language that it tells nothing about a text.
    pub fn is_common_word(word: &str) -> bool {
        let is_in = |list: &[&str]| list.binary_search(&word).is_ok();
        is_in(ENGLISH) || is_in(PORTUGUESE) || is_in(BOTH)
    }
}

/// A question tells its language within its first words; a pasted file behind it should not outvote them.
const WORDS_READ: usize = 60;

/// Common English words that are no Portuguese ones ("a", "as", "do", "no", "me", "for" are both). Sorted.
const ENGLISH: &[&str] = &[
    "about", "after", "again", "all", "an", "and", "any", "are", "at", "be", "been", "before", "but", "by",
    "can", "could", "did", "does", "don't", "every", "find", "from", "get", "give", "had", "has", "have",
    "he", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is", "it", "it's", "its", "last",
    "let", "list", "make", "many", "much", "my", "not", "of", "on", "or", "our", "out", "please", "said",
    "she", "should", "show", "so", "some", "tell", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "to", "use", "was", "we", "were", "what", "when", "where", "which", "who",
    "whose", "why", "will", "with", "would", "you", "your",
];

/// Common words of both languages, or of one where they mean something else in the other. Sorted.
const BOTH: &[&str] = &["a", "as", "do", "for", "me", "no", "the"];

/// Common Portuguese words that are no English ones, also without their accents, as people type them. Sorted.
const PORTUGUESE: &[&str] = &[
    "ainda", "ao", "aos", "aquela", "aquele", "aqui", "até", "cada", "com", "como", "da", "dar", "das", "de",
    "dela", "dele", "depois", "diga", "disse", "dizer", "dos", "e", "ela", "elas", "ele", "eles", "em",
    "entre", "era", "essa", "esse", "esta", "estamos", "estava", "este", "está", "estão", "eu", "falamos",
    "fazer", "fez", "ficou", "foi", "foram", "isso", "isto", "já", "lembra", "lembrar", "mais", "mas", "meu",
    "meus", "minha", "minhas", "mostre", "muito", "na", "nao", "nas", "nem", "nos", "nossa", "nosso", "num",
    "numa", "não", "nós", "o", "onde", "os", "ou", "para", "pela", "pelo", "pode", "pois", "por", "porque",
    "posso", "pra", "preciso", "quais", "qual", "quando", "quantas", "quanto", "quantos", "que", "quem",
    "quero", "quê", "sao", "se", "sem", "ser", "seu", "seus", "sobre", "sua", "suas", "são", "também", "tem",
    "temos", "tenho", "ter", "teu", "tinha", "tua", "tudo", "um", "uma", "vai", "vamos", "voce", "você",
    "vocês", "à", "às", "é",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Language) {
        assert_eq!(Language::of(text), expected, "{text}");
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(ENGLISH.is_sorted() && PORTUGUESE.is_sorted() && BOTH.is_sorted());
        assert!(ENGLISH.iter().all(|word| PORTUGUESE.binary_search(word).is_err()));
    }

    #[test]
    fn questions_are_told_apart() {
        for text in [
            "Quando é o prazo do projeto?",
            "quando e o prazo do projeto",
            "Qual foi a decisão?",
            "o que falamos sobre o cache do sqlite",
            "Onde guardei a chave?",
            "reunião amanhã",
        ] {
            check(text, Language::Portuguese);
        }
        for text in [
            "When is the project deadline?",
            "what did we decide about the cache",
            "summarise this",
            "fix build",
            "",
            "Who is João?",
            "where is the café",
            "kubectl get pods -n prod",
        ] {
            check(text, Language::English);
        }
    }
}
