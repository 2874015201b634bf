//! Puts all evidence for a candidate into one score: a weighted sum of numbers from 0 to 1.
//!
//! Sums of scores were measured better than fusion by rank on every set tried, most of all at the first place.
//! `docs/RETRIEVAL.md` tells how the weights were chosen and what was tried and left out.

use crate::store::LegWeights;

/// Candidates whose tokens are compared with the question's. What matters is among them nearly always (.95 of it on
/// long conversations), and each costs some microseconds.
pub const LATE_CANDIDATES: usize = 100;

/// Of so many cosines the least counts 0 and the best counts 1: cosines lie in a narrow band.
const BAND: usize = 100;

/// What counts of the evidence of words where a text is in another language than the question: names and numbers
/// that both share are all that can match, and texts in the question's language must not win by words alone.
const FOREIGN_WORDS: f64 = 0.15;

/// What brings candidates by words before there is anything else to go by, and orders them where nothing else comes.
/// Chosen on development data as the weights of [`Term`]s were, for what is among the first hundreds.
pub const POOL_LEGS: LegWeights = LegWeights { session: 0.4, pairs: 0.4, surface: 0.3 };

/// One kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The words of the question in the text and, less, in its neighbours.
    Near,
    /// The words of the question in the conversation around the text.
    Session,
    /// Words that stand together as they do in the question.
    Pairs,
    /// Words in the very form that was asked for.
    Surface,
    /// The direction of the text's vector.
    Cosine,
    /// The directions of its tokens' vectors, one by one.
    Late,
    /// Somebody whom the question names says it.
    Speaker,
    /// It was said when the question says.
    Date,
    /// What the user's cross-encoder says of the first of all.
    Rerank,
}

/// Every term, in the order of the numbers below.
pub const TERMS: [Term; 9] = [
    Term::Near,
    Term::Session,
    Term::Pairs,
    Term::Surface,
    Term::Cosine,
    Term::Late,
    Term::Speaker,
    Term::Date,
    Term::Rerank,
];

impl Term {
    /// Its name in an explanation.
    pub fn name(self) -> &'static str {
        match self {
            Term::Near => "words",
            Term::Session => "conversation",
            Term::Pairs => "pairs",
            Term::Surface => "forms",
            Term::Cosine => "meaning",
            Term::Late => "tokens",
            Term::Speaker => "speaker",
            Term::Date => "date",
            Term::Rerank => "reranker",
        }
    }

    /// How much it counts. The one place of all weights; chosen on development data alone.
    fn weight(self) -> f64 {
        match self {
            Term::Near => 0.5,
            Term::Session => 0.05,
            Term::Pairs => 0.1,
            Term::Surface => 0.05,
            Term::Cosine => 0.4,
            Term::Late => 1.4,
            Term::Speaker => 0.6,
            Term::Date => 1.3,
            // whoever brings a cross-encoder wants its order; the rest only parts what it finds alike
            Term::Rerank => 10.0,
        }
    }

    fn scale(self) -> Scale {
        match self {
            Term::Near | Term::Session | Term::Pairs | Term::Surface => Scale::OfBest,
            Term::Cosine | Term::Late | Term::Rerank => Scale::WithinBand,
            Term::Speaker | Term::Date => Scale::AsIs,
        }
    }

    fn is_of_words(self) -> bool {
        self.scale() == Scale::OfBest
    }
}

/// How a term's numbers become comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Divided by the best: for scores that begin at 0, as BM25 does.
    OfBest,
    /// Stretched between the hundredth best and the best.
    WithinBand,
    /// From 0 to 1 already.
    AsIs,
}

/// What is known of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<K> {
    /// What it is.
    pub key: K,
    /// By term: its own number; none where that kind of evidence does not know it.
    pub evidence: [Option<f64>; TERMS.len()],
    /// It is in another language than the question.
    pub foreign: bool,
    /// By term: what it adds to the score.
    pub contributions: [f64; TERMS.len()],
}

impl<K> Candidate<K> {
    /// A candidate of which nothing is known yet.
    pub fn new(key: K) -> Self {
        Self { key, evidence: [None; TERMS.len()], foreign: false, contributions: [0.0; TERMS.len()] }
    }

    /// Notes evidence. Of two numbers of one term the larger counts.
    pub fn note(&mut self, term: Term, number: f64) {
        let place = &mut self.evidence[term as usize];
        *place = Some(place.map_or(number, |known| known.max(number)));
    }

    /// Its number of one term.
    pub fn of(&self, term: Term) -> Option<f64> {
        self.evidence[term as usize]
    }

    /// The sum of all contributions.
    pub fn score(&self) -> f64 {
        self.contributions.iter().sum()
    }
}

/// Works out what the terms that are known add, and brings the best candidates to the front; equals keep their order.
pub fn rank<K>(candidates: &mut [Candidate<K>]) {
    for term in TERMS {
        let scale = Band::of(term, candidates);
        for candidate in candidates.iter_mut() {
            let known = candidate.evidence[term as usize].filter(|number| number.is_finite());
            let share = known.map_or(0.0, |number| scale.apply(number));
            let foreign = if candidate.foreign && term.is_of_words() { FOREIGN_WORDS } else { 1.0 };
            candidate.contributions[term as usize] = term.weight() * foreign * share;
        }
    }
    candidates.sort_by(|a, b| b.score().total_cmp(&a.score()));
}

/// The numbers that count 0 and 1.
struct Band {
    low: f64,
    high: f64,
}

impl Band {
    fn of<K>(term: Term, candidates: &[Candidate<K>]) -> Self {
        if term.scale() == Scale::AsIs {
            return Self { low: 0.0, high: 1.0 };
        }
        let mut numbers: Vec<f64> = candidates
            .iter()
            .filter_map(|candidate| candidate.evidence[term as usize])
            .filter(|number| number.is_finite())
            .collect();
        numbers.sort_unstable_by(|a, b| b.total_cmp(a));
        let high = numbers.first().copied().unwrap_or(0.0);
        let low = match term.scale() {
            Scale::WithinBand => numbers.get(BAND - 1).or(numbers.last()).copied().unwrap_or(0.0),
            Scale::OfBest | Scale::AsIs => 0.0,
        };
        Self { low, high }
    }

    fn apply(&self, number: f64) -> f64 {
        let range = self.high - self.low;
        // a list of one, or of equals: all are the best; where the best is nothing, nothing is
        if range <= f64::EPSILON {
            return if self.high != 0.0 { 1.0 } else { 0.0 };
        }
        ((number - self.low) / range).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(key: u8, evidence: &[(Term, f64)]) -> Candidate<u8> {
        let mut candidate = Candidate::new(key);
        for (term, number) in evidence {
            candidate.note(*term, *number);
        }
        candidate
    }

    fn order(mut candidates: Vec<Candidate<u8>>) -> Vec<u8> {
        rank(&mut candidates);
        candidates.iter().map(|candidate| candidate.key).collect()
    }

    #[test]
    fn what_words_and_meaning_find_comes_first() {
        use Term::{Cosine, Near};
        let both = vec![
            candidate(1, &[(Near, 9.0)]),
            candidate(2, &[(Near, 8.0), (Cosine, 0.89)]),
            candidate(3, &[(Cosine, 0.9)]),
            candidate(4, &[(Cosine, 0.7)]),
        ];
        assert_eq!(order(both), [2, 1, 3, 4]);
    }

    #[test]
    fn one_kind_of_evidence_alone_keeps_its_order() {
        let of = |term| {
            vec![candidate(5, &[(term, 0.8)]), candidate(4, &[(term, 0.9)]), candidate(3, &[(term, 0.1)])]
        };
        for term in TERMS {
            assert_eq!(order(of(term)), [4, 5, 3], "{term:?}");
        }
    }

    #[test]
    fn words_of_another_language_count_little() {
        let mut foreign = candidate(1, &[(Term::Near, 9.0)]);
        foreign.foreign = true;
        let mut candidates = vec![foreign, candidate(2, &[(Term::Near, 3.0)])];
        rank(&mut candidates);
        assert_eq!(candidates[0].key, 2);
        assert!(candidates[1].score() > 0.0);
    }

    #[test]
    fn the_hundredth_cosine_counts_nothing() {
        let many: Vec<Candidate<u8>> =
            (0..150).map(|n| candidate(n, &[(Term::Cosine, f64::from(n))])).collect();
        let mut ranked = many;
        rank(&mut ranked);
        assert_eq!(ranked[0].key, 149);
        assert!(ranked[98].score() > 0.0 && ranked[99].score() == 0.0 && ranked[149].score() == 0.0);
    }

    proptest! {
        #[test]
        fn scores_fall_and_are_never_negative(
            evidence in prop::collection::vec((0usize..TERMS.len(), 0.0..50.0f64), 0..60),
        ) {
            let mut candidates: Vec<Candidate<usize>> = Vec::new();
            for (place, (term, number)) in evidence.into_iter().enumerate() {
                let mut candidate = Candidate::new(place);
                let number = if TERMS[term].scale() == Scale::AsIs { number / 50.0 } else { number };
                candidate.note(TERMS[term], number);
                candidates.push(candidate);
            }
            rank(&mut candidates);
            prop_assert!(candidates.windows(2).all(|pair| pair[0].score() >= pair[1].score()));
            prop_assert!(candidates.iter().all(|candidate| candidate.score() >= 0.0));
        }
    }
}
