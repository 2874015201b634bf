//! `nosso import` of a history of another tool, against the same messages in a plain loop over SQLite.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::append::Plain;
use crate::support::daemon::{Daemon, Embedding};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, scratch, texts};

/// Messages of the file, unless `NOSSO_BENCH_MESSAGES` says otherwise.
const MESSAGES: usize = 50_000;
const OF_ONE_CONVERSATION: usize = 40;
/// Messages that the plain loop commits together, as the import does.
const OF_ONE_COMMIT: usize = 200;

pub fn run(table: &mut Table) -> Outcome {
    let wanted = std::env::var("NOSSO_BENCH_MESSAGES").ok();
    let n = wanted.map_or(Ok(MESSAGES), |n| n.parse())?;
    let folder = scratch()?;
    let file = folder.path().join("conversations.json");
    let sentences = texts::sentences()?;
    write(&file, &sentences, n)?;

    let plain = Plain::open(&folder.path().join("plain.db"))?;
    let begun = Instant::now();
    let all: Vec<String> = sentences.iter().cycle().take(n).cloned().collect();
    for some in all.chunks(OF_ONE_COMMIT) {
        plain.append_together(some)?;
    }
    let floor = n as f64 / begun.elapsed().as_secs_f64();
    drop(all);

    let mut daemon = Daemon::start(&folder.path().join("home"), &Embedding::Off)?;
    let first = import(&daemon, &file)?;
    let stored = daemon.client()?.call("system.status", json!({}))?["counts"]["messages"].clone();
    if stored != n {
        return Err(format!("{stored} of {n} messages are stored").into());
    }
    let again = import(&daemon, &file)?;
    let rate = |import: &Import| n as f64 / import.time.as_secs_f64();
    let by = format!("{n} messages, {:.0}/s, plain loop {floor:.0}/s", rate(&first));
    table.row("messages a second, found by word", rate(&first), "", Target::AtLeast(5000.0), &by);
    table.row("import / plain SQLite loop", rate(&first) / floor, "", Target::AtLeast(0.5), &by);
    let by = format!("first {:.1} s, again {:.1} s", first.time.as_secs_f64(), again.time.as_secs_f64());
    let share = again.time.as_secs_f64() / first.time.as_secs_f64();
    table.row("the same file again / the first time", share, "", Target::AtMost(1.0 / 3.0), &by);
    let most = |import: &Import| import.daemon_megabytes.max(import.client_megabytes);
    let by = format!("client {:.0} MB, daemon {:.0} MB", first.client_megabytes, first.daemon_megabytes);
    table.row("resident at most", most(&first).max(most(&again)), " MB", Target::AtMost(300.0), &by);
    Ok(())
}

/// A history as another tool exports it, written as it is made: it may be large.
fn write(file: &Path, sentences: &[String], n: usize) -> Outcome {
    let mut out = BufWriter::new(std::fs::File::create(file)?);
    let mut sentences = sentences.iter().cycle();
    out.write_all(b"[")?;
    for conversation in 0..n.div_ceil(OF_ONE_CONVERSATION) {
        let first = conversation * OF_ONE_CONVERSATION;
        let messages: Vec<_> = (first..n.min(first + OF_ONE_CONVERSATION))
            .map(|message| {
                json!({"uuid": format!("m{message}"), "sender": if message % 2 == 0 { "human" } else { "assistant" },
                    "created_at": "2025-01-01T00:00:00Z", "text": sentences.next(), "content": [], "files": []})
            })
            .collect();
        let separator = if conversation > 0 { ",\n" } else { "" };
        let conversation = json!({"uuid": format!("c{conversation}"), "name": format!("Conversa {conversation}"),
            "created_at": "2025-01-01T00:00:00Z", "chat_messages": messages});
        write!(out, "{separator}{conversation}")?;
    }
    out.write_all(b"]")?;
    Ok(out.flush()?)
}

struct Import {
    time: Duration,
    client_megabytes: f64,
    daemon_megabytes: f64,
}

/// Runs the program to its end, and watches what both sides hold meanwhile.
fn import(daemon: &Daemon, file: &Path) -> Outcome<Import> {
    let begun = Instant::now();
    let mut client = Command::new(env!("CARGO_BIN_EXE_nosso"))
        .arg("--socket")
        .arg(daemon.socket())
        .arg("import")
        .arg(file)
        .stdout(Stdio::null())
        .spawn()?;
    let (mut client_megabytes, mut daemon_megabytes) = (0.0f64, 0.0f64);
    let status = loop {
        if let Some(status) = client.try_wait()? {
            break status;
        }
        if let Ok(resident) = crate::support::daemon::resident(client.id()) {
            client_megabytes = client_megabytes.max(resident.all);
        }
        daemon_megabytes = daemon_megabytes.max(daemon.resident()?.all);
        std::thread::sleep(Duration::from_millis(20));
    };
    match status.success() {
        true => Ok(Import { time: begun.elapsed(), client_megabytes, daemon_megabytes }),
        false => Err(format!("nosso import ended with {status}").into()),
    }
}
