//! What the exact part relies on in arroy, and that its codes stay with its vectors.

use super::super::sample;
use super::*;

const PURPOSE: fn(usize) -> Purpose = |dimension| Purpose { stamp: "test".to_owned(), dimension };

fn changes(vectors: &[Vec<f32>], from: u32) -> Vec<Change> {
    (from..).zip(vectors.iter().map(|vector| Some(Arc::from(&vector[..])))).collect()
}

fn open(folder: &Path, dimension: usize) -> ExactPart {
    ExactPart::open(folder, &PURPOSE(dimension)).unwrap().unwrap()
}

fn apply(part: &ExactPart, changes: &[Change]) -> bool {
    let applied = part.apply(changes).unwrap();
    part.publish(applied.codes);
    applied.recoded
}

#[test]
fn arroy_keeps_one_node_and_scores_all_candidates_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let part = open(folder.path(), 24);
    let vectors = sample::off_centre(3000, 24, 5);
    for (step, some) in vectors.chunks(1000).enumerate() {
        apply(&part, &changes(some, step as u32 * 1000));
    }
    let stats = part
        .environment
        .read("test", |txn, tables| Ok(Reader::<Cosine>::open(txn, INDEX, tables.vectors)?.stats(txn)?))
        .unwrap();
    assert_eq!((stats.leaf, stats.tree_stats.len()), (3000, 1));
    let tree = &stats.tree_stats[0];
    assert_eq!((tree.depth, tree.split_nodes, tree.descendants), (1, 0, 1));

    // Below and above half of the items arroy takes different ways; both must look at every candidate.
    let query = unit(&sample::off_centre(1, 24, 99)[0]);
    for share in [1usize, 10, 49, 51, 90, 100] {
        let candidates: RoaringBitmap = (0..3000u32).filter(|id| (*id as usize * 37) % 100 < share).collect();
        let mut expected: Vec<Neighbour> = candidates
            .iter()
            .map(|id| Neighbour { id, cosine: dot(&query, &unit(&vectors[id as usize])) })
            .collect();
        expected.sort_by(Neighbour::better);
        let found = part.score(&query, 10, &candidates).unwrap();
        let ids = |all: &[Neighbour]| all[..10].iter().map(|n| n.id).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&expected), "{share} %");
        assert!((found[0].cosine - expected[0].cosine).abs() < 1e-5);
    }
}

#[test]
fn codes_are_stored_with_the_vectors_and_follow_the_mean() {
    let folder = tempfile::tempdir().unwrap();
    let part = open(folder.path(), 32);
    let vectors = sample::off_centre(3000, 32, 6);
    assert!(apply(&part, &changes(&vectors[..2000], 0)), "the first vectors make the first mean");
    assert!(!apply(&part, &changes(&vectors[2000..], 2000)), "more of the same do not move it");
    let other: Vec<Vec<f32>> = vectors.iter().map(|v| v.iter().rev().copied().collect()).collect();
    assert!(apply(&part, &changes(&other, 10_000)), "others do");
    apply(&part, &[(5, None), (7, Some(Arc::from(&vectors[8][..]))), (77_777, None)]);

    let before = part.codes();
    assert_eq!(before.ids().len(), 5999);
    part.environment.close().unwrap();
    let after = open(folder.path(), 32).codes();
    let query = unit(&vectors[8]);
    assert_eq!(after.ids(), before.ids());
    assert_eq!(after.nearest(&query, 30, |_| true), before.nearest(&query, 30, |_| true));
    let found: Vec<u32> = after.nearest(&query, 2, |_| true).iter().map(|found| found.id).collect();
    assert_eq!(BTreeSet::from_iter(found), BTreeSet::from([7, 8]));
}

#[test]
fn emptied_and_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let part = open(folder.path(), 4);
    let vectors = sample::off_centre(20, 4, 6);
    apply(&part, &changes(&vectors, 0));
    apply(&part, &(0..20).map(|id| (id, None)).collect::<Vec<_>>());
    assert!(part.codes().ids().is_empty());
    assert!(part.score(&[1.0, 0.0, 0.0, 0.0], 5, &RoaringBitmap::from_iter([1])).unwrap().is_empty());
    apply(&part, &changes(&vectors, 0));
    assert_eq!(part.score(&unit(&vectors[3]), 1, part.codes().ids()).unwrap()[0].id, 3);
}

#[test]
fn a_map_that_is_too_small_grows() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::open_sized(folder.path(), 1 << 20).unwrap();
    let part = ExactPart::open_in(environment, folder.path(), &PURPOSE(64)).unwrap().unwrap();
    let vectors = sample::off_centre(6000, 64, 1);
    for (step, some) in vectors.chunks(2000).enumerate() {
        apply(&part, &changes(some, step as u32 * 2000));
    }
    assert_eq!(part.codes().ids().len(), 6000);
    assert_eq!(part.score(&unit(&vectors[5999]), 1, part.codes().ids()).unwrap()[0].id, 5999);
}

#[test]
fn another_purpose_is_told() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), 4).environment.close().unwrap();
    let check = |stamp: &str, dimension, found: &str| {
        let purpose = Purpose { stamp: stamp.to_owned(), dimension };
        let other = ExactPart::open(folder.path(), &purpose).unwrap().unwrap_err();
        assert!(other.contains(found), "{other}");
    };
    check("test", 5, "5 numbers");
    check("other", 4, "of test and not of other");
    open(folder.path(), 4);
}
