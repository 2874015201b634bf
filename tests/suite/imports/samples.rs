//! What is read from a sample of each format, compared to what is written beside it.

use nosso::exchange;

use super::{SAMPLES, check_promises, outline, path, read, sample};

#[test]
fn every_sample_is_recognised_and_read_as_expected() {
    for (name, format) in SAMPLES {
        let text = sample(name);
        assert_eq!(exchange::recognise(&text), Some(*format), "{name}");
        let readout = read(*format, text.as_bytes());
        check_promises(&readout);
        is_expected(name, &outline(&readout));
    }
}

/// Compares with the file of that name; `NOSSO_WRITE_EXPECTED=1` writes it.
pub fn is_expected(name: &str, found: &str) {
    let file = path("expected").join(format!("{name}.txt"));
    if std::env::var_os("NOSSO_WRITE_EXPECTED").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{name} is read otherwise than expected:\n{found}\nexpected:\n{expected}");
}

#[test]
fn reading_again_gives_the_same_and_a_name_alone_changes_nothing_but_sessions() {
    for (name, format) in SAMPLES {
        let text = sample(name);
        assert_eq!(read(*format, text.as_bytes()), read(*format, text.as_bytes()), "{name}");
    }
}

#[test]
fn a_list_is_read_as_its_conversations_line_by_line() {
    for (name, format) in SAMPLES.iter().filter(|(name, _)| name.ends_with(".json")) {
        let text = sample(name);
        let Ok(serde_json::Value::Array(all)) = serde_json::from_str(&text) else { continue };
        let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
        let from_lines = read(*format, (lines.join("\n") + "\n").as_bytes());
        assert_eq!(from_lines.records, read(*format, text.as_bytes()).records, "{name}");
        let wrapped = serde_json::json!({"version": 1, "conversations": all}).to_string();
        assert_eq!(read(*format, wrapped.as_bytes()).records, from_lines.records, "{name}");
    }
}

#[test]
fn a_file_that_grew_brings_what_is_new_and_keeps_its_ids() {
    for (name, format) in SAMPLES.iter().filter(|(name, _)| name.ends_with(".jsonl")) {
        let text = sample(name);
        let lines: Vec<&str> = text.lines().collect();
        let whole = read(*format, text.as_bytes());
        let ids: Vec<_> = super::messages(&whole).iter().map(|message| message.id).collect();
        for n in 1..lines.len() {
            let earlier = read(*format, lines[..n].join("\n").as_bytes());
            // what was taken back, or written anew under its id, is not part of this
            for message in super::messages(&earlier).iter().filter(|message| !message.content.is_empty()) {
                assert!(ids.contains(&message.id), "{name}: line {n}: {message:?}");
            }
        }
    }
}
