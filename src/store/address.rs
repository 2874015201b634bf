//! Where a text stands among all texts, as one number: the rowid under which full text knows it.
//!
//! `(conversation << 29) | (seq << 5) | length class`. A conversation is a range of numbers, its messages follow each
//! other in their order, and how long a text is needs no look-up. Memories are conversation 0.

/// Bits of a place within a conversation.
const SEQ_BITS: u32 = 24;
/// Bits of a length class.
const LENGTH_BITS: u32 = 5;
/// Places that a conversation has, and memories that can be told apart.
pub(super) const MAX_SEQ: i64 = (1 << SEQ_BITS) - 1;
/// The conversation of what belongs to none.
pub(super) const MEMORIES: i64 = 0;

/// The address of a text with so many stems; none where the numbers do not fit.
pub(super) fn address(conversation: i64, seq: i64, n_stems: usize) -> Option<i64> {
    let fits =
        (0..1 << (63 - SEQ_BITS - LENGTH_BITS)).contains(&conversation) && (0..=MAX_SEQ).contains(&seq);
    fits.then(|| (key(conversation, seq) << LENGTH_BITS) | length_class(n_stems))
}

/// An address without its length: one for each text.
pub(super) fn key(conversation: i64, seq: i64) -> i64 {
    (conversation << SEQ_BITS) | seq
}

/// The key of an address.
pub(super) fn key_of(address: i64) -> i64 {
    address >> LENGTH_BITS
}

/// The conversation of a key.
pub(super) fn conversation_of(key: i64) -> i64 {
    key >> SEQ_BITS
}

/// The place of a key within its conversation; a memory's own number.
pub(super) fn seq_of(key: i64) -> i64 {
    key & MAX_SEQ
}

/// All addresses of a conversation.
pub(super) fn range_of(conversation: i64) -> std::ops::RangeInclusive<i64> {
    let bits = SEQ_BITS + LENGTH_BITS;
    conversation << bits..=((conversation + 1) << bits) - 1
}

/// Twice the logarithm, so that a length is known to a fifth.
fn length_class(n_stems: usize) -> i64 {
    ((2.0 * (n_stems.max(1) as f64).log2()).round() as i64).min((1 << LENGTH_BITS) - 1)
}

/// About how many stems the text has.
pub(super) fn length_of(address: i64) -> f64 {
    ((address & ((1 << LENGTH_BITS) - 1)) as f64 / 2.0).exp2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_tells_what_it_was_made_of(
            conversation in 0i64..1 << 34, seq in 0..=MAX_SEQ, n_stems in 1usize..40_000,
        ) {
            let address = address(conversation, seq, n_stems).unwrap();
            let key = key_of(address);
            prop_assert_eq!((conversation_of(key), seq_of(key)), (conversation, seq));
            prop_assert!(range_of(conversation).contains(&address));
            let ratio = length_of(address) / n_stems as f64;
            prop_assert!((0.83..1.2).contains(&ratio), "{} of {}", length_of(address), n_stems);
        }
    }

    #[test]
    fn what_does_not_fit_has_none() {
        assert_eq!(address(1, MAX_SEQ + 1, 1), None);
        assert_eq!(address(1, -1, 1), None);
        assert_eq!(address(1 << 34, 1, 1), None);
        assert_eq!(address(0, 0, 0), Some(0));
        assert!(address((1 << 34) - 1, MAX_SEQ, usize::MAX).is_some_and(|address| address > 0));
    }
}
