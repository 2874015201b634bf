//! How sure a figure is: 95 % intervals by drawing the questions again and again.

use serde::Serialize;

use super::metrics::{Figures, N_FIGURES};
use super::random::Random;

/// How often the questions are drawn.
const N_DRAWS: usize = 1000;

/// A figure and the interval in which 95 % of its draws lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure of the questions as they are.
    pub value: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

/// The means of each figure over questions; zeros for none.
pub fn means(rows: &[Figures]) -> [Estimate; N_FIGURES] {
    estimates(rows.len(), |places| {
        let mut sums = [0.0; N_FIGURES];
        for place in places {
            for (sum, figure) in sums.iter_mut().zip(&rows[*place]) {
                *sum += figure;
            }
        }
        sums.map(|sum| sum / places.len() as f64)
    })
}

/// The values below which 50, 95 and 99 of 100 lie.
pub fn percentiles(values: &[f64]) -> [Estimate; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut drawn = vec![];
    estimates(values.len(), |places| {
        // places in the sorted list order the values, and are quicker to sort
        drawn.clear();
        drawn.extend_from_slice(places);
        drawn.sort_unstable();
        [0.50, 0.95, 0.99].map(|share| sorted[drawn[nearest_rank(drawn.len(), share)]])
    })
}

/// The place of the smallest value that so large a share of `n` does not exceed.
fn nearest_rank(n: usize, share: f64) -> usize {
    ((share * n as f64).ceil() as usize).clamp(1, n) - 1
}

fn estimates<const N: usize>(n: usize, mut figures: impl FnMut(&[usize]) -> [f64; N]) -> [Estimate; N] {
    if n == 0 {
        return [Estimate::default(); N];
    }
    let mut places: Vec<usize> = (0..n).collect();
    let values = figures(&places);
    let mut random = Random::new();
    let mut draws: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(N_DRAWS));
    for _ in 0..N_DRAWS {
        places.iter_mut().for_each(|place| *place = random.below(n));
        for (drawn, value) in draws.iter_mut().zip(figures(&places)) {
            drawn.push(value);
        }
    }
    std::array::from_fn(|figure| {
        draws[figure].sort_by(f64::total_cmp);
        let at = |share| draws[figure][nearest_rank(N_DRAWS, share)];
        Estimate { value: values[figure], low: at(0.025), high: at(0.975) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f64]) -> Vec<Figures> {
        values.iter().map(|value| [*value; N_FIGURES]).collect()
    }

    #[test]
    fn an_interval_is_as_wide_as_theory_says() {
        // 100 questions, half of them right: the mean's deviation is .05, so the interval is .5 ± 1.96 × .05
        let values: Vec<f64> = (0..100).map(|n| f64::from(n % 2)).collect();
        let Estimate { value, low, high } = means(&rows(&values))[3];
        assert_eq!(value, 0.5);
        assert!((low - 0.402).abs() < 0.012 && (high - 0.598).abs() < 0.012, "{low} {high}");
    }

    #[test]
    fn it_is_the_same_every_time() {
        let values = rows(&[0.0, 0.3, 1.0, 0.7, 0.2]);
        assert_eq!(means(&values), means(&values));
    }

    #[test]
    fn certainty_has_no_width_and_nothing_is_nothing() {
        assert_eq!(means(&rows(&[1.0; 9]))[0], Estimate { value: 1.0, low: 1.0, high: 1.0 });
        assert_eq!(means(&[])[0], Estimate::default());
        assert_eq!(percentiles(&[])[0], Estimate::default());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let [p50, p95, p99] = percentiles(&values);
        assert_eq!((p50.value, p95.value, p99.value), (50.0, 95.0, 99.0));
        assert!(p50.low < 50.0 && p50.high > 50.0 && p50.low > 35.0 && p50.high < 65.0, "{p50:?}");
        assert!(p99.high <= 100.0);
        assert_eq!(percentiles(&[7.0]).map(|it| it.value), [7.0; 3]);
    }
}
