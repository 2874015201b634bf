//! Whatever a crash or a full disk interrupts, nothing stored is lost and nothing removed comes back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::tests::{open, options};
use super::*;
use crate::error::Kind;

const DIMENSION: usize = 16;

/// The vector that `id` has in its `round`: what a child writes, its parent knows.
fn vector(id: u32, round: u64) -> Vec<f32> {
    sample::off_centre(1, DIMENSION, u64::from(id) << 20 | round).remove(0)
}

fn copy(from: &Path, to: &Path) {
    for part in ["exact", "fresh", "tokens"] {
        fs::create_dir_all(to.join(part)).unwrap();
        fs::copy(from.join(part).join("data.mdb"), to.join(part).join("data.mdb")).unwrap();
    }
}

fn check(folder: &Path, expected: &BTreeMap<u32, Vec<f32>>) {
    let index = open(folder, DIMENSION);
    assert_eq!(index.opened(), &Opened { fresh: false, why: None });
    for merged in [false, true] {
        if merged {
            index.merge().unwrap();
        }
        let ids: Vec<u32> = expected.keys().copied().collect();
        assert_eq!(index.ids().unwrap(), ids);
        let stored: Vec<Vec<f32>> = index.vectors(&ids).unwrap().into_iter().map(Option::unwrap).collect();
        assert!(stored.iter().eq(expected.values()));
        for (id, vector) in expected.iter().take(20) {
            assert_eq!(index.search(vector, 1, None).unwrap()[0].id, *id);
        }
    }
}

#[test]
fn a_merge_cut_short_at_any_step_loses_nothing_and_revives_nothing() {
    let root = tempfile::tempdir().unwrap();
    let index = open(&root.path().join("live"), DIMENSION);
    let mut expected = BTreeMap::new();
    let mut put = |index: &Index, ids: std::ops::Range<u32>, round: u64| {
        let some: Vec<_> = ids.map(|id| (id, vector(id, round))).collect();
        index.put(&some).unwrap();
        expected.extend(some);
    };
    put(&index, 0..300, 0);
    index.merge().unwrap();
    put(&index, 250..400, 1);
    index.remove(&(0..20).chain(390..395).collect::<Vec<_>>()).unwrap();
    expected.retain(|id, _| *id >= 20 && !(390..395).contains(id));

    let at = |step: &str| {
        let copied = root.path().join(step);
        copy(&root.path().join("live"), &copied);
        check(&copied, &expected);
    };
    at("before");
    // The steps of a merge by hand.
    let fresh = index.inner.fresh.state();
    let applied = index.inner.exact.apply(&fresh.changes()).unwrap();
    at("committed, not forgotten");
    index.inner.exact.apply(&fresh.changes()).unwrap();
    at("committed twice");
    index.inner.exact.publish(applied.codes);
    index.inner.fresh.forget(&fresh).unwrap();
    at("forgotten");
}

#[test]
fn a_crash_between_tokens_and_vectors_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("live");
    let index = open(&live, DIMENSION);
    let tokens = |id: u32| sample::off_centre(40, DIMENSION, u64::from(id));
    let passage = |id| Passage { id, vector: vector(id, 0), tokens: tokens(id) };
    index.put_passages(vec![passage(1), passage(2)]).unwrap();
    // the first half of a put, and the first half of a removal
    index.inner.tokens.put(&[(3, tokens(3).concat())]).unwrap();
    index.put_vectors(&[(3, vector(3, 0))]).unwrap();
    index.inner.tokens.put(&[(4, tokens(4).concat())]).unwrap();
    index.inner.fresh.store("test", &[(2, None)], |_| false).unwrap();
    let copied = root.path().join("copied");
    copy(&live, &copied);

    let index = open(&copied, DIMENSION);
    assert_eq!(index.opened(), &Opened { fresh: false, why: None });
    assert_eq!(index.ids().unwrap(), [1, 3]);
    assert_eq!(index.inner.tokens.ids().unwrap(), [1, 3], "tokens without a vector are gone");
    let query = [QueryToken { vector: tokens(1).remove(0), weight: 1.0 }];
    let scores = index.late(&query, &[4, 1, 2, 3]).unwrap();
    let is_there: Vec<bool> = scores.iter().map(Option::is_some).collect();
    assert_eq!(is_there, [false, true, false, true]);
    assert!(scores[1] >= scores[3], "nothing is more like a token than itself: {scores:?}");
}

/// Not a test of its own: the process that [`killed_at_any_moment_it_keeps_what_was_acknowledged`] kills. It puts,
/// removes and merges without end, and says on its output what has returned.
#[test]
#[ignore = "is run, and killed, by another test"]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os("NOSSO_CRASH_FOLDER") else { return };
    let index = open(Path::new(&folder), DIMENSION);
    let merging = index.clone();
    std::thread::spawn(move || {
        loop {
            merging.merge().unwrap();
        }
    });
    let from: u64 = std::env::var("NOSSO_CRASH_ROUND").unwrap().parse().unwrap();
    let mut out = std::io::stdout();
    for round in from.. {
        let first = (round % 40) as u32 * 10;
        let some: Vec<_> = (first..first + 10).map(|id| (id, vector(id, round))).collect();
        writeln!(out, "try put {first} {round}").unwrap();
        index.put(&some).unwrap();
        writeln!(out, "put {first} {round}").unwrap();
        let gone = ((round * 7) % 400) as u32;
        writeln!(out, "try remove {gone} {round}").unwrap();
        index.remove(&[gone]).unwrap();
        writeln!(out, "remove {gone} {round}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_keeps_what_was_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("index");
    let mut acknowledged: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    let mut round = 0u64;
    for kill in 0..6usize {
        let mut child = this_test("child_that_is_killed")
            .env("NOSSO_CRASH_FOLDER", &folder)
            .env("NOSSO_CRASH_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Lines that were written before the kill are in the pipe and are read to its end after it.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut pending: Option<(String, u32, u64)> = None;
        let mut seen = 0;
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (what, rest) = match words[..] {
                ["try", what, id, at] => (what, (id, at, true)),
                [what @ ("put" | "remove"), id, at] => (what, (id, at, false)),
                _ => continue,
            };
            let (Ok(id), Ok(at)) = (rest.0.parse::<u32>(), rest.1.parse::<u64>()) else { continue };
            round = at + 1;
            if rest.2 {
                pending = Some((what.to_owned(), id, at));
                continue;
            }
            pending = None;
            carry_out(&mut acknowledged, what, id, at);
            seen += 1;
            if seen == 40 + kill * 13 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 40, "the child ended by itself after {seen} changes");

        let index = open(&folder, DIMENSION);
        assert_eq!(index.opened().why, None);
        let everything: Vec<u32> = (0..400).collect();
        let stored = index.vectors(&everything).unwrap();
        let holds = |expected: &BTreeMap<u32, Vec<f32>>| {
            everything.iter().zip(&stored).all(|(id, stored)| stored.as_ref() == expected.get(id))
        };
        let mut or_this = acknowledged.clone();
        if let Some((what, id, at)) = &pending {
            // It may have been stored without the child living to say so.
            carry_out(&mut or_this, what, *id, *at);
        }
        assert!(holds(&acknowledged) || holds(&or_this), "after kill {kill}, in {pending:?}");
        acknowledged = if holds(&acknowledged) { acknowledged } else { or_this };
        index.close().unwrap();
        check(&folder, &acknowledged);
    }
}

fn carry_out(vectors: &mut BTreeMap<u32, Vec<f32>>, what: &str, id: u32, round: u64) {
    match what {
        "put" => vectors.extend((id..id + 10).map(|id| (id, vector(id, round)))),
        _ => {
            vectors.remove(&id);
        }
    }
}

/// This test program again, running one ignored test.
fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let path = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    command.args([&path, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).stdin(Stdio::null());
    command
}

/// Not a test of its own: runs where `NOSSO_FULL_FOLDER` is a file system of a few megabytes.
#[test]
#[ignore = "is run by another test, in a small file system"]
fn child_with_a_full_disk() {
    let Some(folder) = std::env::var_os("NOSSO_FULL_FOLDER") else { return };
    let folder = Path::new(&folder);
    let index = open(&folder.join("index"), 384);
    let put = |from: u32| -> Result<()> {
        let some: Vec<_> = (from..).zip(sample::off_centre(200, 384, u64::from(from))).collect();
        index.put(&some)?;
        index.merge()?;
        Ok(())
    };
    // A third of the room is in use by something else, which will go.
    fs::write(folder.join("ballast"), vec![1u8; 3 << 20]).unwrap();
    let mut stored = 0;
    let error = loop {
        match put(stored * 200) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "the disk never was full");
    };
    assert_eq!(error.kind(), Kind::StorageFull, "{error}");
    assert!(error.hint_text().is_some());
    let all = index.ids().unwrap();
    assert!(all.len() >= stored as usize * 200, "{} of {stored} puts", all.len());
    assert!(index.vectors(&all).unwrap().iter().all(Option::is_some));
    assert_eq!(index.search(&sample::off_centre(1, 384, 0)[0], 10, None).unwrap().len(), 10);
    fs::remove_file(folder.join("ballast")).unwrap();
    let index = if index.is_intact() {
        index
    } else {
        index.close().unwrap();
        open(&folder.join("index"), 384)
    };
    assert!(index.opened().why.is_none());
    index.put(&[(1_000_000, vec![1.0; 384])]).unwrap();
    index.merge().unwrap();
    let mut expected = all;
    expected.push(1_000_000);
    assert_eq!(index.ids().unwrap(), expected);
    index.close().unwrap();
    assert_eq!(open(&folder.join("index"), 384).ids().unwrap(), expected);
    println!("the disk was full and is not any more");
}

#[test]
fn a_full_disk_is_told_and_got_over() {
    let root = tempfile::tempdir().unwrap();
    let child = this_test("child_with_a_full_disk");
    let script = r#"mount -t tmpfs -o size=10m tmpfs "$NOSSO_FULL_FOLDER" || exit 77; exec "$0" "$@""#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(child.get_program())
        .args(child.get_args())
        .env("NOSSO_FULL_FOLDER", root.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(told.contains("the disk was full and is not any more"), "{told}");
        }
        Ok(output) if output.status.code() == Some(101) => {
            panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        }
        other => eprintln!("SKIPPED: a full disk; no small file system can be mounted here: {other:?}"),
    }
}

/// Not a test of its own: runs with little address space.
#[test]
#[ignore = "is run by another test, under a limit"]
fn child_with_little_address_space() {
    let Some(folder) = std::env::var_os("NOSSO_SMALL_FOLDER") else { return };
    let index = Index::open(options(Path::new(&folder), DIMENSION)).unwrap();
    index.put(&(0..3000).map(|id| (id, vector(id, 0))).collect::<Vec<_>>()).unwrap();
    index.merge().unwrap();
    assert_eq!(index.search(&vector(7, 0), 1, None).unwrap()[0].id, 7);
    println!("it worked in little address space");
}

#[test]
fn little_address_space_is_enough() {
    let root = tempfile::tempdir().unwrap();
    let child = this_test("child_with_little_address_space");
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -v 4000000 || exit 77; exec "$0" "$@""#])
        .arg(child.get_program())
        .args(child.get_args())
        .env("NOSSO_SMALL_FOLDER", root.path())
        .output()
        .unwrap();
    if output.status.code() == Some(77) {
        eprintln!("SKIPPED: little address space; the limit cannot be set here");
        return;
    }
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("it worked in little address space"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
