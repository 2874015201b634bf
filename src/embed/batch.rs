//! Which texts share a batch. Padding is work for nothing: texts of mixed lengths in one batch cost five to ten times
//! what they cost one by one, so texts are sorted by length and a batch is capped by its padded tokens.

/// More rows gain nothing on the processors of desktops.
pub const MOST_ROWS: usize = 8;

/// Tokens of a batch, padding included. It bounds the memory of a run, and the time until the thread looks up again.
pub const MOST_PADDED_TOKENS: usize = 512;

/// Groups texts of those lengths: the indexes of each batch, shortest texts first. A text longer than the cap is a
/// batch of its own.
pub fn plan(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| lengths[*index]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        // Sorted, so this text is the longest of the batch it joins.
        match batches.last_mut() {
            Some(batch)
                if batch.len() < MOST_ROWS && (batch.len() + 1) * lengths[index] <= MOST_PADDED_TOKENS =>
            {
                batch.push(index);
            }
            _ => batches.push(vec![index]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_share_and_long_ones_do_not() {
        assert_eq!(plan(&[500, 3, 600, 4]), [vec![1, 3], vec![0], vec![2]]);
        assert_eq!(plan(&[10; 9]).iter().map(Vec::len).collect::<Vec<_>>(), [8, 1]);
        assert!(plan(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_within_the_caps(lengths in prop::collection::vec(1_usize..700, 0..80)) {
            let batches = plan(&lengths);
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in batches {
                let longest = batch.iter().map(|index| lengths[*index]).max().unwrap_or_default();
                prop_assert!(batch.len() <= MOST_ROWS);
                prop_assert!(batch.len() == 1 || batch.len() * longest <= MOST_PADDED_TOKENS);
            }
        }
    }
}
