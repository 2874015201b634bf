//! The index as its users see it: it behaves like a map, whatever is merged, closed or broken in between.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::dot::{dot, unit};
use super::*;
use crate::error::Kind;

pub(super) fn open(folder: &Path, dimension: usize) -> Index {
    Index::open(options(folder, dimension)).unwrap()
}

pub(super) fn options(folder: &Path, dimension: usize) -> Options {
    Options { folder: folder.to_owned(), dimension, stamp: "store 1, model a".to_owned() }
}

fn exact(vectors: &BTreeMap<u32, Vec<f32>>, query: &[f32], n: usize) -> Vec<Neighbour> {
    let query = unit(query);
    let mut all: Vec<Neighbour> =
        vectors.iter().map(|(&id, vector)| Neighbour { id, cosine: dot(&query, &unit(vector)) }).collect();
    all.sort_by(Neighbour::better);
    all.truncate(n);
    all
}

fn ids(found: &[Neighbour]) -> HashSet<u32> {
    found.iter().map(|found| found.id).collect()
}

/// The share of the true `n` nearest that the index finds.
fn recall(
    index: &Index,
    vectors: &BTreeMap<u32, Vec<f32>>,
    queries: &[Vec<f32>],
    n: usize,
    among: Option<&[u32]>,
) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for query in queries {
        let truth = ids(&exact(vectors, query, n));
        let found = index.search(query, n, among).unwrap();
        assert!(found.is_sorted_by(|a, b| a.cosine >= b.cosine));
        assert_eq!(found.len(), truth.len());
        hits += ids(&found).intersection(&truth).count();
        all += truth.len();
    }
    hits as f64 / all as f64
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<(u32, u64)>),
    Remove(Vec<u32>),
    Merge,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0u32..60;
    prop_oneof![
        6 => prop::collection::vec((id.clone(), any::<u64>()), 1..12).prop_map(Step::Put),
        3 => prop::collection::vec(id, 1..6).prop_map(Step::Remove),
        2 => Just(Step::Merge),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_a_map(steps in prop::collection::vec(step(), 1..25), asked in any::<u64>()) {
        let folder = tempfile::tempdir().unwrap();
        let mut index = open(folder.path(), 12);
        let mut model: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(some) => {
                    let some: Vec<(u32, Vec<f32>)> = some
                        .into_iter()
                        .map(|(id, seed)| (id, sample::off_centre(1, 12, seed).remove(0)))
                        .collect();
                    index.put(&some).unwrap();
                    model.extend(some);
                }
                Step::Remove(some) => {
                    index.remove(&some).unwrap();
                    model.retain(|id, _| !some.contains(id));
                }
                Step::Merge => { index.merge().unwrap(); }
                Step::Reopen => {
                    index.close().unwrap();
                    index = open(folder.path(), 12);
                    prop_assert!(!index.opened().fresh);
                }
            }
            let query = sample::off_centre(1, 12, asked).remove(0);
            let found = index.search(&query, 10, None).unwrap();
            let truth = exact(&model, &query, 10);
            prop_assert_eq!(found.len(), truth.len());
            for (found, truth) in found.iter().zip(&truth) {
                prop_assert!((found.cosine - truth.cosine).abs() < 1e-5, "{:?} {:?}", found, truth);
            }
            prop_assert_eq!(index.ids().unwrap(), model.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(index.status().vectors, model.len() as u64);
            let everywhere: Vec<u32> = (0..60).collect();
            let stored = index.vectors(&everywhere).unwrap();
            let expected: Vec<_> = everywhere.iter().map(|id| model.get(id).cloned()).collect();
            prop_assert_eq!(stored, expected);
        }
    }
}

#[test]
fn recall_is_high_at_every_selectivity() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 96);
    let vectors: BTreeMap<u32, Vec<f32>> = (0..).zip(sample::off_centre(9000, 96, 1)).collect();
    let all: Vec<(u32, Vec<f32>)> = vectors.clone().into_iter().collect();
    index.put(&all[..6000]).unwrap();
    index.merge().unwrap();
    index.put(&all[6000..8500]).unwrap();
    index.merge().unwrap();
    index.put(&all[8500..]).unwrap();
    assert!(index.self_check(20).unwrap() >= 0.99);
    assert_eq!(index.status().recall, Some(index.self_check(20).unwrap()));
    let queries = sample::off_centre(20, 96, 2);
    assert!(recall(&index, &vectors, &queries, 10, None) >= 0.99);
    assert!(recall(&index, &vectors, &queries, 100, None) >= 0.99);
    for percent in [1u32, 10, 50, 90] {
        let mut among: Vec<u32> =
            (0..12_000u32).filter(|id| id.wrapping_mul(2_654_435_761) % 100 < percent).collect();
        among.reverse();
        let inside: BTreeMap<u32, Vec<f32>> =
            among.iter().filter_map(|id| Some((*id, vectors.get(id)?.clone()))).collect();
        let reached = recall(&index, &inside, &queries, 10, Some(&among));
        assert!(reached >= 0.99, "{percent} %: {reached}");
    }
    assert!(index.search(&queries[0], 10, Some(&[])).unwrap().is_empty());
    assert!(index.search(&queries[0], 0, None).unwrap().is_empty());
}

#[test]
fn the_self_check_raises_the_candidates_and_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 8);
    // Sixteen bits cannot tell thousands of close vectors apart.
    let all: Vec<(u32, Vec<f32>)> = (0..).zip(sample::off_centre(6000, 8, 4)).collect();
    index.put(&all).unwrap();
    index.merge().unwrap();
    let reached = index.self_check(30).unwrap();
    let candidates = index.status().candidates;
    assert!(candidates > CANDIDATES, "{candidates}");
    assert!(reached >= 0.99, "{reached}");
    index.close().unwrap();
    let index = open(folder.path(), 8);
    assert_eq!(index.opened(), &Opened { fresh: false, why: None });
    assert_eq!(index.status().candidates, candidates);
}

#[test]
fn what_has_no_direction_is_refused_and_nothing_stored() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 3);
    let check = |bad: Vec<f32>| {
        let error = index.put(&[(1, vec![1.0, 0.0, 0.0]), (17, bad.clone())]).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().starts_with("vector 17 has "), "{error}");
        assert_eq!(index.search(&bad, 1, None).unwrap_err().kind(), Kind::Invalid);
    };
    check(vec![0.0; 3]);
    check(vec![1.0, f32::NAN, 0.0]);
    check(vec![1.0, 0.0]);
    assert!(index.ids().unwrap().is_empty());
}

#[test]
fn the_largest_and_the_smallest_id_are_fine() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    index.put(&[(u32::MAX, vec![1.0, 0.0]), (0, vec![0.0, 1.0])]).unwrap();
    index.merge().unwrap();
    assert_eq!(index.ids().unwrap(), [0, u32::MAX]);
    let found = index.search(&[2.0, 0.1], 2, None).unwrap();
    assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [u32::MAX, 0]);
}

#[test]
fn another_stamp_or_dimension_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    assert_eq!(index.opened(), &Opened { fresh: true, why: None });
    index.put(&[(1, vec![1.0, 0.0])]).unwrap();
    index.close().unwrap();
    let index = open(folder.path(), 2);
    assert_eq!((index.opened().fresh, index.ids().unwrap()), (false, vec![1]));
    index.close().unwrap();
    for other in [
        Options { stamp: "store 1, model b".to_owned(), ..options(folder.path(), 2) },
        Options { stamp: "store 1, model b".to_owned(), ..options(folder.path(), 5) },
    ] {
        let index = Index::open(other).unwrap();
        assert!(index.opened().fresh && index.opened().why.is_some());
        assert!(index.ids().unwrap().is_empty());
        index.close().unwrap();
    }
}

#[test]
fn broken_files_begin_anew() {
    let check = |name: &str, damage: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path(), 16);
        index.put(&(0..).zip(sample::off_centre(500, 16, 1)).collect::<Vec<_>>()).unwrap();
        index.merge().unwrap();
        index.put(&(500..).zip(sample::off_centre(50, 16, 1)).collect::<Vec<_>>()).unwrap();
        index.close().unwrap();
        damage(folder.path());
        let mut index = open(folder.path(), 16);
        if !index.opened().fresh {
            // The damage is where nobody looks before something is read from there.
            let error = index.vectors(&(0..600).collect::<Vec<_>>()).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "{name}: {error}");
            assert!(!index.is_intact(), "{name}");
            index.close().unwrap();
            index = open(folder.path(), 16);
        }
        assert!(index.opened().fresh && index.opened().why.is_some(), "{name}");
        assert!(index.ids().unwrap().is_empty(), "{name}");
        index.put(&[(3, vec![1.0; 16])]).unwrap();
        index.merge().unwrap();
        assert_eq!(index.search(&[1.0; 16], 5, None).unwrap().len(), 1, "{name}");
    };
    check("no exact part", &|folder| fs::remove_dir_all(folder.join("exact")).unwrap());
    check("no fresh part", &|folder| fs::remove_dir_all(folder.join("fresh")).unwrap());
    check("no tokens", &|folder| fs::remove_dir_all(folder.join("tokens")).unwrap());
    check("garbage", &|folder| fs::write(folder.join("exact/data.mdb"), vec![0xa5; 100_000]).unwrap());
    check("empty", &|folder| fs::write(folder.join("fresh/data.mdb"), "").unwrap());
    check("cut short", &|folder| {
        let file = fs::OpenOptions::new().write(true).open(folder.join("exact/data.mdb")).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length / 2 / 4096 * 4096).unwrap();
    });
}

#[test]
fn files_are_for_the_user_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("index");
    let index = open(&folder, 2);
    index.put(&[(1, vec![1.0, 0.0])]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for part in ["", "exact", "fresh", "tokens"] {
        assert_eq!(mode(&folder.join(part)), 0o700, "{part}");
    }
    for file in ["exact/data.mdb", "exact/lock.mdb", "fresh/data.mdb", "fresh/lock.mdb"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_second_open_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    index.put(&[(1, vec![1.0, 0.0])]).unwrap();
    let error =
        Index::open(Options { stamp: "another".to_owned(), ..options(folder.path(), 2) }).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(error.hint_text().is_some());
    assert_eq!(index.search(&[1.0, 0.0], 1, None).unwrap()[0].id, 1);
}

#[test]
fn a_leaked_clone_does_not_keep_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    let leaked = index.clone();
    index.put(&[(1, vec![1.0, 0.0])]).unwrap();
    index.close().unwrap();
    assert_eq!(leaked.search(&[1.0, 0.0], 1, None).unwrap_err().kind(), Kind::Busy);
    assert_eq!(leaked.put(&[(2, vec![1.0, 0.0])]).unwrap_err().kind(), Kind::Busy);
    assert_eq!(open(folder.path(), 2).ids().unwrap(), [1]);
    leaked.close().unwrap();
}

#[test]
fn a_deleted_folder_is_noticed_and_can_be_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    index.put(&[(1, vec![1.0, 0.0])]).unwrap();
    index.merge().unwrap();
    assert!(index.is_intact());
    fs::remove_dir_all(folder.path().join("exact")).unwrap();
    assert!(!index.is_intact());
    assert_eq!(index.search(&[1.0, 0.0], 1, None).unwrap()[0].id, 1, "searches go on");
    fs::remove_dir_all(folder.path()).unwrap();
    let error = index.put(&[(2, vec![1.0, 0.0])]).unwrap_err();
    assert_eq!(error.kind(), Kind::Storage);
    assert!(error.to_string().contains("deleted"), "{error}");
    index.close().unwrap();
    let index = open(folder.path(), 2);
    assert!(index.opened().fresh && index.is_intact());
}

#[test]
fn puts_merge_by_themselves_before_the_fresh_part_grows_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 2);
    let vector = |id: u32| (id, vec![1.0 + id as f32, 7.0]);
    assert!(!index.wants_merge());
    index.put(&(0..MERGE_FROM as u32).map(vector).collect::<Vec<_>>()).unwrap();
    assert!(index.wants_merge());
    index.put(&(0..2 * FRESH_MAX as u32).map(vector).collect::<Vec<_>>()).unwrap();
    let Status { vectors, fresh, .. } = index.status();
    assert_eq!(vectors, 2 * FRESH_MAX as u64);
    assert!(fresh <= FRESH_MAX as u64, "{fresh}");
}

#[test]
fn searches_see_every_vector_once_while_it_is_put_merged_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 8);
    let vectors = sample::off_centre(400, 8, 9);
    let keep = vectors[0].clone();
    index.put(&[(0, keep.clone())]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let searchers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut n = 0;
                    while !done.load(Ordering::Acquire) {
                        let found = index.search(&keep, 500, None).unwrap();
                        assert_eq!(found[0].id, 0, "a stored vector was missing");
                        assert_eq!(ids(&found).len(), found.len(), "an id was found twice");
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        let merger = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                index.merge().unwrap();
            }
        });
        for (id, vector) in (1u32..).zip(&vectors[1..]) {
            index.put(&[(id, vector.clone()), (0, keep.clone())]).unwrap();
            let nearest = index.search(vector, 1, None).unwrap()[0];
            assert!(nearest.id == id || nearest.cosine > 0.99999, "{id}: {nearest:?}");
            if id % 3 == 0 {
                index.remove(&[id - 1]).unwrap();
                assert!(!ids(&index.search(vector, 500, None).unwrap()).contains(&(id - 1)), "{id}");
            }
        }
        done.store(true, Ordering::Release);
        merger.join().unwrap();
        assert!(searchers.into_iter().all(|searcher| searcher.join().unwrap() > 0));
    });
    index.merge().unwrap();
    assert_eq!(index.status().vectors, 400 - 133);
}

fn passage(id: u32, tokens: Vec<Vec<f32>>) -> Passage {
    Passage { id, vector: sample::off_centre(1, 16, u64::from(id)).remove(0), tokens }
}

#[test]
fn tokens_come_and_go_with_their_vector() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = open(folder.path(), 16);
    let tokens = |id: u32, n: usize| sample::off_centre(n, 16, 1000 + u64::from(id));
    let query: Vec<QueryToken> =
        sample::off_centre(5, 16, 77).into_iter().map(|vector| QueryToken { vector, weight: 0.5 }).collect();
    let scores = |index: &Index| index.late(&query, &[1, 2, 3, 9]).unwrap();
    index.put_passages(vec![passage(1, tokens(1, 10))]).unwrap();
    assert_eq!(scores(&index), [None; 4], "too few to know what they share");
    index.put_passages((2..60).map(|id| passage(id, tokens(id, 100))).collect()).unwrap();
    let before = scores(&index);
    assert!(before.iter().all(|score| score.is_some_and(|score| (-1.0..=1.0).contains(&score))));
    assert!(index.status().tokens_bytes > 0 && index.status().tokens_bytes < index.status().disk_bytes);

    index.merge().unwrap();
    index.close().unwrap();
    index = open(folder.path(), 16);
    assert_eq!(scores(&index), before, "they stay");

    index.remove(&[1]).unwrap();
    index.put(&[(2, vec![1.0; 16])]).unwrap();
    index.put_passages(vec![passage(3, vec![]), passage(9, tokens(1, 10))]).unwrap();
    let after = scores(&index);
    assert_eq!(after[..3], [None; 3], "removed, replaced without tokens in two ways");
    assert_eq!(after[3], before[0], "the same tokens under another id");
}

#[test]
fn tokens_that_do_not_fit_are_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 16);
    for bad in [vec![0.0; 15], [vec![0.0; 15], vec![f32::NAN]].concat()] {
        let some = vec![passage(1, vec![vec![1.0; 16]]), passage(2, vec![vec![1.0; 16], bad])];
        let error = index.put_passages(some).unwrap_err();
        assert!(error.to_string().contains("token 1 of vector 2"), "{error}");
    }
    assert!(index.ids().unwrap().is_empty());
    let token = |vector: Vec<f32>, weight| [QueryToken { vector, weight }];
    for bad in [token(vec![1.0; 15], 1.0), token(vec![1.0; 16], -1.0), token(vec![1.0; 16], f32::NAN)] {
        assert_eq!(index.late(&bad, &[]).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn an_index_of_an_earlier_version_serves_on_without_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 16);
    index.put_passages(vec![passage(1, vec![vec![1.0; 16]; 70])]).unwrap();
    index.merge().unwrap();
    index.inner.exact.forget_tokens().unwrap();
    index.close().unwrap();
    fs::remove_dir_all(folder.path().join("tokens")).unwrap();
    for _ in 0..2 {
        let index = open(folder.path(), 16);
        assert_eq!(index.opened(), &Opened { fresh: false, why: None });
        assert_eq!(index.ids().unwrap(), [1]);
        index.close().unwrap();
    }
}
