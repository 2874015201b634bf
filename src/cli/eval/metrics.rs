//! How good a ranking is: the usual figures of retrieval, for one question.

/// How many figures there are.
pub const N_FIGURES: usize = 12;
/// Their names, in the order in which [`figures`] gives them. `hit` is whether any evidence is there, `session` the
/// recall of conversations.
pub const NAMES: [&str; N_FIGURES] = [
    "recall@1",
    "recall@5",
    "recall@10",
    "recall@20",
    "ndcg@10",
    "mrr",
    "hit@1",
    "hit@5",
    "hit@10",
    "hit@20",
    "sessionRecall@5",
    "sessionRecall@10",
];
/// Figures of one question; each from 0 to 1.
pub type Figures = [f64; N_FIGURES];

/// The figures of a ranking. `ranked`: units, best first, each once; `evidence`: the right ones, at least one.
///
/// Sessions are ranked by the first of their units.
pub fn figures(ranked: &[usize], evidence: &[usize], session_of: impl Fn(usize) -> usize) -> Figures {
    let [r1, r5, r10, r20] = [1, 5, 10, 20].map(|k| found(ranked, evidence, k));
    let recall = |n_found: usize| n_found as f64 / evidence.len() as f64;
    let hit = |n_found: usize| f64::from(u8::from(n_found > 0));
    let sessions = distinct(ranked.iter().map(|unit| session_of(*unit)));
    let right = distinct(evidence.iter().map(|unit| session_of(*unit)));
    let session_recall = |k| found(&sessions, &right, k) as f64 / right.len() as f64;
    [
        recall(r1),
        recall(r5),
        recall(r10),
        recall(r20),
        ndcg(ranked, evidence, 10),
        reciprocal_rank(ranked, evidence),
        hit(r1),
        hit(r5),
        hit(r10),
        hit(r20),
        session_recall(5),
        session_recall(10),
    ]
}

/// Each once, in the order in which they first come.
pub fn distinct(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    numbers.filter(|number| seen.insert(*number)).collect()
}

fn found(ranked: &[usize], evidence: &[usize], k: usize) -> usize {
    ranked.iter().take(k).filter(|unit| evidence.contains(unit)).count()
}

/// Every piece of evidence is worth the same.
fn ndcg(ranked: &[usize], evidence: &[usize], k: usize) -> f64 {
    let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let places = ranked.iter().take(k).enumerate().filter(|(_, unit)| evidence.contains(unit));
    let ideal: f64 = (0..evidence.len().min(k)).map(gain).sum();
    places.map(|(place, _)| gain(place)).sum::<f64>() / ideal
}

fn reciprocal_rank(ranked: &[usize], evidence: &[usize]) -> f64 {
    let first = ranked.iter().position(|unit| evidence.contains(unit));
    first.map_or(0.0, |place| 1.0 / (place as f64 + 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ten units a session; the expected figures by hand.
    fn check(ranked: &[usize], evidence: &[usize], expected: &[(&str, f64)]) {
        let figures = figures(ranked, evidence, |unit| unit / 10);
        for (name, value) in expected {
            let place = NAMES.iter().position(|known| known == name).unwrap();
            assert!(
                (figures[place] - value).abs() < 5e-5,
                "{name} of {ranked:?}: {} {value}",
                figures[place]
            );
        }
    }

    #[test]
    fn the_first_is_right() {
        let all = NAMES.map(|name| (name, 1.0));
        check(&[7, 1, 2], &[7], &all);
    }

    #[test]
    fn nothing_is_found() {
        let all = NAMES.map(|name| (name, 0.0));
        check(&[11, 12], &[7], &all);
        check(&[], &[7], &all);
    }

    #[test]
    fn one_of_two_at_the_third_place() {
        check(
            &[1, 2, 30, 4],
            &[30, 99],
            &[
                ("recall@1", 0.0),
                ("recall@5", 0.5),
                ("recall@20", 0.5),
                ("hit@1", 0.0),
                ("hit@5", 1.0),
                // 1/log2(4) = .5 of 1/log2(2) + 1/log2(3) = 1.63093
                ("ndcg@10", 0.5 / 1.63093),
                ("mrr", 1.0 / 3.0),
                ("sessionRecall@5", 0.5),
            ],
        );
    }

    #[test]
    fn more_evidence_than_places_can_still_be_ideal() {
        let ranked: Vec<usize> = (0..12).collect();
        check(&ranked, &ranked, &[("ndcg@10", 1.0), ("recall@10", 10.0 / 12.0), ("recall@1", 1.0 / 12.0)]);
    }

    #[test]
    fn places_are_cut_off_exactly() {
        let ranked: Vec<usize> = (0..30).map(|n| n * 10).collect();
        check(
            &ranked,
            &[40],
            &[("recall@1", 0.0), ("recall@5", 1.0), ("sessionRecall@5", 1.0), ("mrr", 0.2)],
        );
        check(&ranked, &[50], &[("recall@5", 0.0), ("recall@10", 1.0), ("sessionRecall@5", 0.0)]);
        check(
            &ranked,
            &[100],
            &[("recall@10", 0.0), ("recall@20", 1.0), ("ndcg@10", 0.0), ("sessionRecall@10", 0.0)],
        );
        check(&ranked, &[200], &[("recall@20", 0.0), ("hit@20", 0.0), ("mrr", 1.0 / 21.0)]);
    }

    #[test]
    fn a_session_counts_from_its_first_unit_and_once() {
        // six places before it, but only two sessions
        check(&[1, 2, 3, 11, 12, 13, 25], &[25], &[("recall@5", 0.0), ("sessionRecall@5", 1.0)]);
        // the right session by a wrong unit
        check(&[21, 1], &[25, 26], &[("recall@20", 0.0), ("sessionRecall@5", 1.0)]);
    }

    proptest! {
        #[test]
        fn figures_lie_between_0_and_1_and_grow_with_k(
            ranked in prop::collection::vec(0usize..60, 0..40),
            evidence in prop::collection::vec(0usize..60, 1..8),
        ) {
            let (ranked, evidence) = (distinct(ranked.into_iter()), distinct(evidence.into_iter()));
            let figures = figures(&ranked, &evidence, |unit| unit / 10);
            prop_assert!(figures.iter().all(|value| (0.0..=1.0 + 1e-12).contains(value)), "{figures:?}");
            for group in [0..4, 6..10, 10..12] {
                prop_assert!(figures[group].is_sorted());
            }
        }
    }
}
