//! The order of what was found: by score; and of texts that say the same the first said before those that repeat it.

use std::collections::HashMap;

use crate::model::Timestamp;

/// Of texts that say the same the lesser is as good as the better where its score is so much of the better's: what
/// stands around them parts them by chance.
const AS_GOOD: f64 = 0.9;

/// Times apart by less, in milliseconds, do not tell which text is the current one.
const A_DAY: u64 = 24 * 3_600_000;

/// What is known of a text that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranked {
    pub(super) score: f64,
    pub(super) created_at: Timestamp,
    /// Its words, by which it is told from other texts.
    pub(super) words: String,
}

/// The numbers of the texts in the order in which they are shown. Of equally good ones the newer comes first; but of
/// those with the same words that were said within a day the first said does: the others are copies of it.
pub(super) fn order(found: &[Ranked]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&found[*a], &found[*b]);
        b.score.total_cmp(&a.score).then(b.created_at.cmp(&a.created_at))
    });
    // by words: the places of the best such text and of its copies
    let mut alike: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, number) in order.iter().enumerate() {
        let places = alike.entry(&found[*number].words).or_default();
        if places.first().is_none_or(|best| is_copy(&found[*number], &found[order[*best]])) {
            places.push(place);
        }
    }
    for places in alike.into_values().filter(|places| places.len() > 1) {
        let mut copies: Vec<usize> = places.iter().map(|place| order[*place]).collect();
        copies.sort_by_key(|number| found[*number].created_at);
        for (place, number) in places.into_iter().zip(copies) {
            order[place] = number;
        }
    }
    order
}

fn is_copy(of: &Ranked, best: &Ranked) -> bool {
    let apart = of.created_at.as_millis().abs_diff(best.created_at.as_millis());
    of.score >= best.score * AS_GOOD && apart < A_DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn check(found: &[(f64, i64, &str)], expected: &[usize]) {
        let found: Vec<Ranked> = found
            .iter()
            .map(|(score, hour, words)| Ranked {
                score: *score,
                created_at: Timestamp::from_millis(hour * HOUR),
                words: (*words).to_owned(),
            })
            .collect();
        assert_eq!(order(&found), expected);
    }

    #[test]
    fn the_better_and_then_the_newer_comes_first() {
        check(&[(1.0, 5, "a"), (2.0, 1, "b"), (1.0, 6, "c")], &[1, 2, 0]);
        check(&[], &[]);
    }

    #[test]
    fn a_copy_stands_behind_what_it_copies() {
        check(&[(2.0, 9, "a"), (1.95, 7, "b"), (1.9, 8, "a"), (1.89, 6, "a")], &[3, 1, 2, 0]);
    }

    #[test]
    fn what_was_said_again_on_another_day_is_the_current_one() {
        check(&[(1.0, 0, "a"), (1.0, 30, "a")], &[1, 0]);
    }

    #[test]
    fn who_fits_much_better_is_no_copy() {
        check(&[(2.0, 9, "a"), (1.0, 8, "a")], &[0, 1]);
    }
}
