//! Measurements of the index at size, printed as ratios to a flat scan in the same process. Ignored by default:
//! `cargo test --release --lib index::measure -- --ignored --nocapture`. With `NOSSO_BENCH_VECTORS` and
//! `NOSSO_BENCH_QUERIES` naming files of raw little-endian f32 (384 a vector) these are used; otherwise vectors are
//! made up.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::best::Best;
use super::dot::{dot, unit};
use super::tests::open;
use super::*;

const DIMENSION: usize = 384;

fn from_file(variable: &str) -> Option<Vec<Vec<f32>>> {
    let path = std::env::var_os(variable)?;
    let bytes = std::fs::read(path).expect("the file of vectors can be read");
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect();
    Some(numbers.chunks_exact(DIMENSION).map(<[f32]>::to_vec).collect())
}

fn data(n: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (vectors, queries) = (from_file("NOSSO_BENCH_VECTORS"), from_file("NOSSO_BENCH_QUERIES"));
    match (vectors, queries) {
        (Some(mut vectors), Some(queries)) if vectors.len() >= n => {
            vectors.truncate(n);
            (vectors, queries)
        }
        _ => {
            eprintln!(
                "SKIPPED: real vectors; NOSSO_BENCH_VECTORS does not name {n} of them: they are made up"
            );
            (sample::off_centre(n, DIMENSION, 1), sample::off_centre(300, DIMENSION, 2))
        }
    }
}

fn percentiles(mut times: Vec<Duration>) -> (f64, f64, f64) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    (at(0.5), at(0.99), at(1.0))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

fn fill(folder: &Path, vectors: &[Vec<f32>]) -> Index {
    let index = open(folder, DIMENSION);
    let (_, took) = timed(|| {
        for (part, some) in vectors.chunks(4096).enumerate() {
            let some: Vec<(u32, Vec<f32>)> = ((part * 4096) as u32..).zip(some.iter().cloned()).collect();
            index.put(&some).unwrap();
        }
        index.merge().unwrap();
    });
    println!("filled with {} vectors in {:.2} s: {:?}", vectors.len(), took.as_secs_f64(), index.status());
    index
}

fn flat(vectors: &[f32], query: &[f32], wanted: impl Fn(u32) -> bool) -> Vec<Neighbour> {
    let mut best = Best::of(10);
    for (id, vector) in (0u32..).zip(vectors.chunks_exact(DIMENSION)) {
        if wanted(id) {
            best.offer(id, dot(query, vector));
        }
    }
    best.into_sorted()
}

fn compare(
    index: &Index,
    flat_vectors: &[f32],
    queries: &[Vec<f32>],
    among: Option<(u32, &[u32])>,
) -> (f64, f64) {
    let (mut flat_times, mut times, mut hits) = (Vec::new(), Vec::new(), 0);
    for query in queries {
        let query = unit(query);
        let chosen = |id: u32| among.is_none_or(|(percent, _)| is_chosen(id, percent));
        let (truth, took) = timed(|| flat(flat_vectors, &query, chosen));
        flat_times.push(took);
        let (found, took) = timed(|| index.search(&query, 10, among.map(|(_, ids)| ids)).unwrap());
        times.push(took);
        hits += truth.iter().filter(|truth| found.iter().any(|found| found.id == truth.id)).count();
    }
    let (flat, ..) = percentiles(flat_times);
    let (p50, p99, _) = percentiles(times);
    let recall = hits as f64 / (queries.len() * 10) as f64;
    println!(
        "{:>12}: recall@10 {recall:.4}, p50 {p50:.3} ms, p99 {p99:.3} ms; flat scan {flat:.2} ms; ratio {:.3}",
        among.map_or("all".to_owned(), |(percent, _)| format!("{percent} % filter")),
        p50 / flat
    );
    (recall, p50 / flat)
}

fn is_chosen(id: u32, percent: u32) -> bool {
    id.wrapping_mul(2_654_435_761) >> 8 & 0xffff < percent * 65_536 / 100
}

#[test]
#[ignore = "takes minutes, and only a release build's figures mean something"]
fn search_against_a_flat_scan_at_100k() {
    let (vectors, queries) = data(100_000);
    let folder = tempfile::tempdir().unwrap();
    let index = fill(folder.path(), &vectors);
    let flat_vectors: Vec<f32> = vectors.iter().flat_map(|vector| unit(vector)).collect();
    let queries = &queries[..300];
    compare(&index, &flat_vectors, &queries[..50], None);
    let (recall, ratio) = compare(&index, &flat_vectors, queries, None);
    for percent in [1, 10, 50, 90] {
        let among: Vec<u32> = (0..100_000).filter(|id| is_chosen(*id, percent)).collect();
        compare(&index, &flat_vectors, &queries[..100], Some((percent, &among)));
    }
    let codes = index.inner.exact.codes();
    for n in [20, 50, 100, 200] {
        let (mut times, mut hits) = (Vec::new(), 0);
        for query in queries.iter().map(|query| unit(query)) {
            let (found, took) = timed(|| codes.nearest(&query, n, |_| true));
            times.push(took);
            let truth = flat(&flat_vectors, &query, |_| true);
            hits += truth.iter().filter(|truth| found.iter().any(|found| found.id == truth.id)).count();
        }
        let recall = hits as f64 / (queries.len() * 10) as f64;
        println!(
            "codes alone, {n} candidates: hold {recall:.4} of the true ten, {:.3} ms",
            percentiles(times).0
        );
    }
    let (checked, took) = timed(|| index.self_check(50).unwrap());
    println!("self-check of 50: {checked:.4} in {:.2} s; {:?}", took.as_secs_f64(), index.status());
    index.put(&(0..5000).map(|id| (200_000 + id, vectors[id as usize].clone())).collect::<Vec<_>>()).unwrap();
    let times = queries.iter().map(|query| timed(|| index.search(query, 10, None).unwrap()).1).collect();
    println!("with 5,000 fresh: p50 {:.3} ms", percentiles(times).0);
    let (merged, took) = timed(|| index.merge().unwrap());
    println!("merge of them: {:.0} ms, {merged:?}", took.as_secs_f64() * 1e3);
    drop(codes);
    index.close().unwrap();
    for _ in 0..3 {
        let (index, took) = timed(|| open(folder.path(), DIMENSION));
        println!("opened in {:.0} ms", took.as_secs_f64() * 1e3);
        index.close().unwrap();
    }
    assert!(recall >= 0.99, "recall {recall}");
    assert!(ratio <= 0.2, "ratio {ratio}");
}

#[test]
#[ignore = "takes minutes, and only a release build's figures mean something"]
fn a_put_is_visible_soon_at_100k_while_searches_run() {
    let (vectors, queries) = data(100_000);
    let folder = tempfile::tempdir().unwrap();
    let index = fill(folder.path(), &vectors);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let searcher = scope.spawn(|| {
            let mut times = Vec::new();
            while !done.load(Ordering::Acquire) {
                let query = &queries[times.len() % queries.len()];
                times.push(timed(|| index.search(query, 10, None).unwrap()).1);
            }
            times
        });
        let merger = scope.spawn(|| {
            let mut times = Vec::new();
            while !done.load(Ordering::Acquire) {
                if index.inner.fresh.state().len() >= 100 {
                    times.push(timed(|| index.merge().unwrap()).1);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            times
        });
        let (mut durable, mut visible, mut first) = (Vec::new(), Vec::new(), 0);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(12) {
            let id = 300_000 + durable.len() as u32;
            let from = &vectors[durable.len() * 7 % vectors.len()];
            let vector: Vec<f32> = from.iter().rev().copied().collect();
            let begun = Instant::now();
            index.put(&[(id, vector.clone())]).unwrap();
            durable.push(begun.elapsed());
            let found = index.search(&vector, 10, None).unwrap();
            visible.push(begun.elapsed());
            first += usize::from(found.iter().any(|found| found.id == id));
            std::thread::sleep(Duration::from_millis(15));
        }
        done.store(true, Ordering::Release);
        println!("{} puts, {first} found in the first ten", visible.len());
        println!(
            "durable p50/p99/max {:.2?} ms; visible {:.2?} ms",
            percentiles(durable),
            percentiles(visible.clone())
        );
        let searches = searcher.join().unwrap();
        println!("{} searches meanwhile: {:.2?} ms", searches.len(), percentiles(searches));
        let merges = merger.join().unwrap();
        println!("{} merges: {:.1?} ms", merges.len(), percentiles(merges));
        assert_eq!(first, visible.len());
        assert!(percentiles(visible).0 <= 25.0);
    });
}

#[test]
#[ignore = "takes minutes, and only a release build's figures mean something"]
fn a_million_codes_fit_their_memory() {
    let pattern = sample::off_centre(10_000, DIMENSION, 1);
    let mean: Vec<f32> =
        (0..DIMENSION).map(|at| pattern.iter().map(|v| v[at]).sum::<f32>() / 10_000.0).collect();
    let before = resident();
    let mut codes = codes::Codes::empty(coding::Frame::around(mean));
    for part in 0..100u32 {
        // The same vectors again and again: what they are does not change the time or the memory.
        let coded = (part * 10_000..).zip(pattern.iter().map(|vector| codes.frame().code(vector))).collect();
        codes = codes.edit(&RoaringBitmap::new(), coded).0;
    }
    let bytes = codes.memory_bytes();
    println!(
        "a million codes: {:.1} MB counted, {:.1} MB more resident",
        bytes as f64 / 1e6,
        (resident() - before) / 1e6
    );
    let queries: Vec<Vec<f32>> =
        sample::off_centre(50, DIMENSION, 2).iter().map(|query| unit(query)).collect();
    let times =
        queries.iter().map(|query| timed(|| codes.nearest(query, CANDIDATES as usize, |_| true)).1).collect();
    println!("one scan of them: {:.2?} ms", percentiles(times));
    assert!(bytes <= 128_000_000);
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}
