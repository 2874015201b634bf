//! Search among 100,000 vectors of the default model, against a flat scan; and how soon a new one is found meanwhile.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nosso::embed::{Embedder, Passage};
use nosso::index::{Index, Options};

use crate::support::figures::{Dice, median, millis, quantile, timed};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, cache, model, scratch, texts};

const VECTORS: usize = 100_000;
const DIMENSION: usize = 384;
/// Texts whose vectors lie in one file: half a minute of work.
const PART: usize = 512;
const QUERIES: usize = 400;
const NEAREST: usize = 10;
/// How far a made vector lies from a real one, on the way that two other real ones are apart.
const STEPS: std::ops::Range<f64> = 0.25..0.6;
const INSERTS: usize = 300;
/// Between two inserts: a lively conversation of several tools.
const PAUSE: Duration = Duration::from_millis(10);

pub fn run(table: &mut Table) -> Outcome {
    let Real { passages, questions } = real()?;
    let vectors = filled_up(&passages);
    let folder = scratch()?;
    let index = Index::open(Options {
        folder: folder.path().join("index"),
        dimension: DIMENSION,
        stamp: "bench".into(),
    })?;
    for (part, some) in vectors.chunks_exact(DIMENSION * 4000).enumerate() {
        let numbered = (part as u32 * 4000..).zip(some.chunks_exact(DIMENSION).map(<[f32]>::to_vec));
        index.put(&numbered.collect::<Vec<_>>())?;
    }
    index.merge()?;
    search(table, &index, &vectors, &questions)?;
    insert(table, &index, &vectors, &questions)?;
    Ok(index.close()?)
}

fn search(table: &mut Table, index: &Index, vectors: &[f32], questions: &[Vec<f32>]) -> Outcome {
    let (mut flat_times, mut times, mut hits) = (Vec::new(), Vec::new(), 0);
    for query in questions.iter().cycle().take(20) {
        index.search(query, NEAREST, None)?;
    }
    let step = (questions.len() / QUERIES).max(1);
    let queries: Vec<_> = questions.iter().step_by(step).take(QUERIES).collect();
    for query in &queries {
        let (truth, time) = timed(|| flat(vectors, query));
        flat_times.push(millis(time));
        let (found, time) = timed(|| index.search(query, NEAREST, None));
        times.push(millis(time));
        let found = found?;
        hits += truth.iter().filter(|truth| found.iter().any(|found| found.id == **truth)).count();
    }
    let recall = hits as f64 / (queries.len() * NEAREST) as f64;
    let by = format!("{} real questions, {VECTORS} vectors", queries.len());
    table.row("recall@10", recall, "", Target::AtLeast(0.99), &by);
    let (p50, floor) = (median(&times), median(&flat_times));
    let by = format!("p50 {p50:.2} ms, p99 {:.2} ms, flat scan {floor:.2} ms", quantile(&times, 0.99));
    table.row("search p50 / flat f32 scan", p50 / floor, "", Target::AtMost(0.2), &by);
    Ok(())
}

/// Puts vectors while another thread searches without a pause and a third merges, as the daemon's worker does.
fn insert(table: &mut Table, index: &Index, vectors: &[f32], questions: &[Vec<f32>]) -> Outcome {
    let (done, searches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut visible = Vec::new();
    std::thread::scope(|scope| -> Outcome {
        scope.spawn(|| {
            for query in questions.iter().cycle() {
                if done.load(Ordering::Acquire) || index.search(query, NEAREST, None).is_err() {
                    return;
                }
                searches.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                // a merge for so few is more than the worker does
                if index.status().fresh >= 100 && index.merge().is_err() {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        });
        let inserted = insert_each(index, vectors, &mut visible);
        done.store(true, Ordering::Release);
        inserted
    })?;
    let by = format!(
        "p99 {:.1} ms; {} searches meanwhile",
        quantile(&visible, 0.99),
        searches.load(Ordering::Relaxed)
    );
    table.row("insert to found, p50, while searches run", median(&visible), " ms", Target::AtMost(25.0), &by);
    Ok(())
}

fn insert_each(index: &Index, vectors: &[f32], visible: &mut Vec<f64>) -> Outcome {
    for (at, old) in vectors.chunks_exact(DIMENSION).step_by(331).take(INSERTS).enumerate() {
        let id = (VECTORS + at) as u32;
        // like none that is there
        let vector: Vec<f32> = old.iter().rev().copied().collect();
        let begun = Instant::now();
        index.put(&[(id, vector.clone())])?;
        let found = index.search(&vector, NEAREST, None)?;
        visible.push(millis(begun.elapsed()));
        if !found.iter().any(|found| found.id == id) {
            return Err(format!("vector {id} was put and is not found").into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The ids of the nearest, by looking at all.
fn flat(vectors: &[f32], query: &[f32]) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(NEAREST + 1);
    for (id, vector) in (0..).zip(vectors.chunks_exact(DIMENSION)) {
        let score = dot(query, vector);
        if best.len() < NEAREST || best.last().is_some_and(|worst| score > worst.0) {
            let place = best.partition_point(|better| better.0 >= score);
            best.insert(place, (score, id));
            best.truncate(NEAREST);
        }
    }
    best.into_iter().map(|(_, id)| id).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: AVX2 and FMA were just detected.
        return unsafe { dot_avx2(a, b) };
    }
    dot_in_lanes(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    dot_in_lanes(a, b)
}

/// Written so that the compiler makes vector instructions of it.
#[inline(always)]
fn dot_in_lanes(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 32];
    for (x, y) in a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0) {
        for lane in 0..32 {
            sums[lane] = x[lane].mul_add(y[lane], sums[lane]);
        }
    }
    sums.iter().sum()
}

struct Real {
    passages: Vec<Vec<f32>>,
    questions: Vec<Vec<f32>>,
}

/// The passages, their sentences, and the questions as the default model sees them; computed once for each model.
fn real() -> Outcome<Real> {
    let brought = model::brought()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let embedder = runtime.block_on(Embedder::start(brought.options()))?;
    let folder = cache().join(format!("vectors-{}", &embedder.model().fingerprint));
    fs::create_dir_all(&folder)?;
    let all = texts::all()?;
    let passages = vectors_of(&[all.passages, texts::sentences()?].concat(), &folder, "passages", |some| {
        let some = some.into_iter().map(Passage::from).collect();
        let embedded = runtime.block_on(embedder.embed_passages(some))?;
        Ok(embedded.into_iter().map(|one| one.map(|one| one.vector)).collect::<Result<_, _>>()?)
    })?;
    let questions = vectors_of(&all.questions, &folder, "questions", |some| {
        some.into_iter()
            .map(|question| Ok(runtime.block_on(embedder.embed_query(question))?.vector))
            .collect()
    })?;
    runtime.block_on(embedder.stop());
    Ok(Real { passages, questions })
}

/// The vectors of texts, with a file for each part of them, so that a run that is cut off goes on where it was.
fn vectors_of(
    texts: &[String],
    folder: &Path,
    name: &str,
    embed: impl Fn(Vec<String>) -> Outcome<Vec<Vec<f32>>>,
) -> Outcome<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for (part, some) in texts.chunks(PART).enumerate() {
        let file = folder.join(format!("{name}-{part:03}.f32"));
        if !file.is_file() {
            write(&file, &embed(some.to_vec())?.concat())?;
        }
        vectors.extend(read(&file)?);
    }
    Ok(vectors)
}

fn write(file: &Path, numbers: &[f32]) -> Outcome {
    let unfinished = file.with_extension("making");
    fs::write(&unfinished, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(fs::rename(unfinished, file)?)
}

fn read(file: &Path) -> Outcome<Vec<Vec<f32>>> {
    let bytes = fs::read(file)?;
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect();
    Ok(numbers.chunks_exact(DIMENSION).map(<[f32]>::to_vec).collect())
}

/// The real vectors, then mixtures of them (a real one, moved by a part of what two others are apart), each one long.
fn filled_up(real: &[Vec<f32>]) -> Vec<f32> {
    let mut dice = Dice::new(1);
    let mut vectors: Vec<f32> = real.iter().flatten().copied().collect();
    vectors.truncate(VECTORS * DIMENSION);
    while vectors.len() < VECTORS * DIMENSION {
        let [base, from, to] = [(); 3].map(|()| &real[dice.below(real.len())]);
        let step = (STEPS.start + dice.share() * (STEPS.end - STEPS.start)) as f32;
        let made = base.iter().zip(from).zip(to).map(|((base, from), to)| base + step * (to - from));
        let made: Vec<f32> = made.collect();
        let inverse = dot(&made, &made).sqrt().recip();
        vectors.extend(made.iter().map(|x| x * inverse));
    }
    vectors
}
