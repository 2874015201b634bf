//! Of removed vectors and tokens nothing is left in any file, neither the numbers nor a part of them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Index, Options, Passage, QueryToken, sample, tokens};

fn open(folder: &Path, dimension: usize) -> Index {
    Index::open(Options { folder: folder.to_owned(), dimension, stamp: "test".to_owned() }).unwrap()
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(std::fs::read(path).unwrap()),
        }
    }
    found
}

/// Of how many of the vectors a piece of four numbers stands somewhere.
fn left(folder: &Path, vectors: &[Vec<f32>]) -> usize {
    let files = files(folder);
    // arroy stores rows behind a head of a few bytes, so that numbers may begin anywhere
    let there: HashSet<&[u8]> = files.iter().flat_map(|file| file.windows(16)).collect();
    let piece = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let is_left = |vector: &&Vec<f32>| {
        vector.as_chunks::<4>().0.iter().any(|numbers| there.contains(piece(numbers).as_slice()))
    };
    vectors.iter().filter(is_left).count()
}

fn check(dimension: usize) {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), dimension);
    let vectors = sample::off_centre(900, dimension, 3);
    let rows: Vec<(u32, Vec<f32>)> = (0..).zip(vectors.clone()).collect();
    // merged in two parts, one more that waits, and in each part some that go
    index.put(&rows[..400]).unwrap();
    index.merge().unwrap();
    index.put(&rows[400..700]).unwrap();
    index.merge().unwrap();
    index.put(&rows[700..]).unwrap();
    assert!(!index.erase_removed().unwrap(), "nothing was removed");
    let (gone, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(id, _)| id % 5 == 2 || *id > 800);
    let ids: Vec<u32> = gone.iter().map(|(id, _)| *id).collect();
    for some in ids.chunks(37) {
        index.remove(some).unwrap();
    }
    let vectors_of =
        |rows: &[(u32, Vec<f32>)]| rows.iter().map(|(_, vector)| vector.clone()).collect::<Vec<_>>();
    assert!(left(folder.path(), &vectors_of(&gone)) > 100, "removing alone leaves them");
    // the fresh part rounds otherwise than the exact one
    let found = || index.search(&vectors[11], 20, None).unwrap().iter().map(|one| one.id).collect::<Vec<_>>();
    let before = found();

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(found(), before);
            }
        });
        assert!(index.erase_removed().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(left(folder.path(), &vectors_of(&gone)), 0);
    assert_eq!(left(folder.path(), &vectors_of(&kept)), kept.len());
    assert!(!index.erase_removed().unwrap(), "done once");
    assert_eq!(index.ids().unwrap().len(), kept.len());

    // it goes on working, and is whole for the next run
    assert!(index.is_intact());
    index.put(&[(5000, vectors[0].clone())]).unwrap();
    index.merge().unwrap();
    index.close().unwrap();
    let again = open(folder.path(), dimension);
    assert!(!again.opened().fresh, "{:?}", again.opened());
    assert_eq!(again.ids().unwrap().len(), kept.len() + 1);
    let ids: Vec<u32> = kept.iter().map(|(id, _)| *id).collect();
    let stored: Vec<Vec<f32>> = again.vectors(&ids).unwrap().into_iter().flatten().collect();
    assert_eq!(stored, vectors_of(&kept));
}

#[test]
fn nothing_of_a_removed_vector_is_left() {
    // rows that share a page, rows of a page each, and rows beside pages
    for dimension in [8, 100, 384, 700] {
        check(dimension);
    }
}

/// In how many of the texts some token's code stands somewhere, by its first 16 bytes.
fn tokens_left(folder: &Path, mean: &[f32], texts: &[Vec<Vec<f32>>]) -> usize {
    let files = files(folder);
    let there: HashSet<&[u8]> = files.iter().flat_map(|file| file.windows(16)).collect();
    let is_left =
        |text: &&Vec<Vec<f32>>| text.iter().any(|token| there.contains(&tokens::code(token, mean)[..16]));
    texts.iter().filter(is_left).count()
}

#[test]
fn nothing_of_removed_and_replaced_tokens_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 128);
    let text = |id: u32| sample::off_centre(40, 128, u64::from(id));
    let passage = |id: u32, of: u32| Passage { id, vector: text(of).remove(0), tokens: text(of) };
    // so many that they are coded; the first ones were numbers before
    index.put_passages((0..300).map(|id| passage(id, id)).collect()).unwrap();
    index.merge().unwrap();
    let mean = index.inner.tokens.mean().values().unwrap().to_vec();
    let texts = |ids: std::ops::Range<u32>| ids.map(text).collect::<Vec<_>>();
    let numbers = |ids: std::ops::Range<u32>| ids.flat_map(text).collect::<Vec<_>>();
    assert_eq!(tokens_left(folder.path(), &mean, &texts(0..300)), 300);
    assert!(left(folder.path(), &numbers(0..80)) > 1000, "coding them alone leaves the numbers");
    assert!(!index.erase_removed().unwrap(), "nothing was removed");

    index.remove(&(0..80).collect::<Vec<_>>()).unwrap();
    index.put_passages((80..100).map(|id| passage(id, id + 1000)).collect()).unwrap();
    assert!(tokens_left(folder.path(), &mean, &texts(0..100)) > 50, "removing alone leaves them");
    assert!(index.erase_removed().unwrap());
    assert_eq!(tokens_left(folder.path(), &mean, &texts(0..100)), 0);
    assert_eq!(left(folder.path(), &numbers(0..100)), 0);
    assert_eq!(tokens_left(folder.path(), &mean, &texts(100..300)), 200);
    assert_eq!(tokens_left(folder.path(), &mean, &texts(1080..1100)), 20);
    assert!(!index.erase_removed().unwrap(), "done once");

    // what was replaced alone is noticed, too, before and after a merge
    for id in [150, 151] {
        index.put_passages(vec![passage(id, id + 1000)]).unwrap();
        assert!(index.erase_removed().unwrap());
        assert_eq!(tokens_left(folder.path(), &mean, &texts(id..id + 1)), 0);
        assert_eq!(left(folder.path(), &numbers(id..id + 1)), 0);
    }
    index.close().unwrap();
    let again = open(folder.path(), 128);
    assert!(!again.opened().fresh, "{:?}", again.opened());
    assert_eq!(again.inner.tokens.len().unwrap(), 220);
    let query = [QueryToken { vector: text(1150).remove(3), weight: 1.0 }];
    let found = again.late(&query, &[149, 150, 0]).unwrap();
    assert!(found[1] > found[0] && found[2].is_none(), "{found:?}");
}

#[test]
fn the_last_vector_can_be_erased() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 64);
    let vectors = sample::off_centre(1, 64, 5);
    index.put(&[(1, vectors[0].clone())]).unwrap();
    index.merge().unwrap();
    index.remove(&[1]).unwrap();
    assert!(index.erase_removed().unwrap());
    assert_eq!((left(folder.path(), &vectors), index.ids().unwrap().len()), (0, 0));
}

#[test]
fn what_a_crash_left_of_it_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), 4);
    let vectors = sample::off_centre(40, 4, 6);
    index.put(&(0..).zip(vectors.clone()).collect::<Vec<_>>()).unwrap();
    index.remove(&[3]).unwrap();
    index.close().unwrap();
    for part in ["exact", "fresh", "tokens"] {
        let half = folder.path().join(part).with_extension("new");
        std::fs::create_dir(&half).unwrap();
        std::fs::copy(folder.path().join(part).join("data.mdb"), half.join("data.mdb")).unwrap();
    }
    let index = open(folder.path(), 4);
    assert!(index.erase_removed().unwrap(), "it is still to be done");
    assert_eq!(left(folder.path(), &vectors[3..4]), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}
