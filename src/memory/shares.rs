//! How the tokens of a prompt are shared: what a part does not use goes on to those after it.

/// The tokens that are left, and how they are to be shared. The parts take theirs in this order: what always holds,
/// the recent turns, what was recalled, then older turns, and then what always holds and did not fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shares {
    left: u32,
    standing: u32,
    recent_part: f64,
}

impl Shares {
    /// `standing` is a share of all of it; `recent` and `recalled` share what that leaves, in their proportion.
    pub(super) fn new(total: u32, standing: f32, recent: f32, recalled: f32) -> Self {
        let (recent, recalled) = (f64::from(recent.max(0.0)), f64::from(recalled.max(0.0)));
        let recent_part = if recent + recalled > 0.0 { recent / (recent + recalled) } else { 0.5 };
        Self { left: total, standing: share(total, f64::from(standing.max(0.0))), recent_part }
    }

    /// What always holds may take so much; `before` was taken for it already.
    pub(super) fn standing(&self, before: u32) -> u32 {
        self.standing.saturating_sub(before).min(self.left)
    }

    /// The recent turns may take so much of what is left now.
    pub(super) fn recent(&self) -> u32 {
        share(self.left, self.recent_part)
    }

    /// All that is left.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Takes what a part used.
    pub(super) fn take(&mut self, used: u32) {
        self.left = self.left.saturating_sub(used);
    }
}

/// That part of `tokens`, rounded down.
pub(super) fn share(tokens: u32, part: f64) -> u32 {
    // a float cast saturates, so a share beyond all sense is at most everything
    ((f64::from(tokens) * part) as u32).min(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each part wants, and what it gets of 3,000 tokens: standing, recent, recalled, older, standing again.
    fn check(wanted: [u32; 5], expected: [u32; 5]) {
        let mut shares = Shares::new(3000, 0.125, 0.6, 0.2);
        let mut got = [0; 5];
        for part in 0..5 {
            let limit = match part {
                0 => shares.standing(0),
                1 => shares.recent(),
                _ => shares.left(),
            };
            got[part] = wanted[part].min(limit);
            shares.take(got[part]);
        }
        assert_eq!(got, expected, "{wanted:?}");
        assert_eq!(shares.left(), 3000 - expected.iter().sum::<u32>());
    }

    #[test]
    fn what_a_part_leaves_goes_on_to_the_next() {
        // all want everything: an eighth, three quarters of the rest, and the rest of it
        check([9999; 5], [375, 1968, 657, 0, 0]);
        // nothing always holds: its eighth is shared
        check([0, 9999, 9999, 9999, 0], [0, 2250, 750, 0, 0]);
        // short turns leave theirs to recall
        check([100, 400, 9999, 0, 0], [100, 400, 2500, 0, 0]);
        // little was recalled: older turns, and then what had not fitted of what always holds
        check([9999, 9999, 57, 200, 9999], [375, 1968, 57, 200, 400]);
        check([0; 5], [0; 5]);
    }

    #[test]
    fn shares_without_sense_never_give_more_than_there_is() {
        let shares = Shares::new(100, 7.0, 0.0, -1.0);
        assert_eq!((shares.standing(0), shares.standing(30), shares.recent()), (100, 70, 50));
        assert_eq!(Shares::new(100, f32::NAN, f32::NAN, 1.0).recent(), 0);
    }
}
