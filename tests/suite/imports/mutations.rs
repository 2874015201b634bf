//! Samples, broken in every way that chance finds: nothing panics, and nothing is lost without a word.

use proptest::prelude::*;
use serde_json::Value;

use super::{SAMPLES, check_promises, messages, read, sample};

/// A change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
    Put(usize, Vec<u8>),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0usize..1_000_000;
    let some = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"}".to_vec()),
        Just(b"[".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\\ud800".to_vec()),
        Just(b"null".to_vec()),
        Just(vec![0xff, 0xfe]),
        Just(vec![0]),
        prop::collection::vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        at().prop_map(Change::Cut),
        (at(), 1usize..400).prop_map(|(at, n)| Change::Remove(at, n)),
        (at(), 1usize..400).prop_map(|(at, n)| Change::Repeat(at, n)),
        (at(), some).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        match change {
            Change::Cut(at) => bytes.truncate(at % len),
            Change::Remove(at, n) => drop(bytes.drain(at % len..(at % len + n).min(len))),
            Change::Repeat(at, n) => {
                let part = bytes[at % len..(at % len + n).min(len)].to_vec();
                let place = at % len;
                bytes.splice(place..place, part);
            }
            Change::Put(at, put) => drop(bytes.splice(at % len..at % len, put.iter().copied())),
            Change::Swap(a, b) => bytes.swap(a % len, b % len),
        }
    }
    bytes
}

/// Puts something else in place of one value of a document, wherever it lies.
fn replaced(value: &mut Value, path: &[usize], with: &Value) {
    let Some((step, rest)) = path.split_first() else {
        *value = with.clone();
        return;
    };
    match value {
        Value::Array(all) if !all.is_empty() => {
            let n = all.len();
            replaced(&mut all[step % n], rest, with);
        }
        Value::Object(members) if !members.is_empty() => {
            let key = members.keys().nth(step % members.len()).cloned().unwrap();
            match with {
                // a member that is missing
                Value::Null if rest.is_empty() => drop(members.remove(&key)),
                _ => replaced(&mut members[&key], rest, with),
            }
        }
        other => *other = with.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_stop_a_reader(
        which in 0..SAMPLES.len(),
        reads_as in prop::option::of(0..SAMPLES.len()),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let (name, format) = SAMPLES[which];
        // now and then a file is taken for what it is not
        let format = reads_as.filter(|other| other % 4 == 0).map_or(format, |other| SAMPLES[other].1);
        let bytes = changed(sample(name).into_bytes(), &changes);
        let readout = read(format, &bytes);
        check_promises(&readout);
        prop_assert_eq!(readout, read(format, &bytes));
    }

    #[test]
    fn every_conversation_of_a_list_is_read_refused_or_ignored(
        which in 0..SAMPLES.len(),
        path in prop::collection::vec(0usize..50, 1..9),
        with in prop::sample::select(vec![
            Value::Null, Value::from(7), Value::from("x"), Value::from(true),
            serde_json::json!([]), serde_json::json!({}), serde_json::json!([[1], {"a": null}]),
            Value::from(-1e300),
        ]),
    ) {
        let (name, format) = SAMPLES[which];
        let Ok(Value::Array(list)) = serde_json::from_str(&sample(name)) else { return Ok(()) };
        let mut list = Value::Array(list);
        let first = path[0];
        if let Value::Array(all) = &mut list {
            let n = all.len();
            replaced(&mut all[first % n], &path[1..], &with);
        }
        let n = list.as_array().map_or(0, Vec::len);
        let readout = read(format, list.to_string().as_bytes());
        check_promises(&readout);
        let n_read = readout.records.len() - messages(&readout).len();
        let n_refused = readout.refused.iter().filter(|it| !it.place.contains(',')).count();
        let n_ignored = readout.ignored.get("conversation without messages").copied().unwrap_or_default();
        prop_assert_eq!(n_read + n_refused + n_ignored as usize, n, "{:?} {:?}", readout.refused, readout.ignored);
    }
}
