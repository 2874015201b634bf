//! `nosso status`: how the daemon is, on one screen.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::style::{self, paint};
use super::when;
use crate::api::methods::SystemStatus;
use crate::api::system::{Empty, SystemStatus as Status};

/// `nosso status` takes the global flags only.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks the daemon how it is.
pub async fn run(Args {}: Args, context: &mut Context) -> Run {
    let status = context.client().await?.call::<SystemStatus>(&Empty {}).await?;
    match context.out.json {
        true => context.out.document(&status)?,
        false => context.out.text(&screen(&status))?,
    }
    Ok(Ended::Well)
}

fn screen(status: &Status) -> String {
    let Status { version, pid, uptime_seconds, started_at: _, counts, queue, index, .. } = status;
    let Status { embedding, chat, legs, sizes, connections, places, warnings, .. } = status;
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        text.push_str(&format!("{}  {}\n", paint(style::NAME, format!("{name:>9}")), clean::line(&value)));
    };
    row(
        "daemon",
        format!("{version}, pid {pid}, up {}, {connections} clients", when::length(*uptime_seconds)),
    );
    row(
        "stored",
        format!(
            "{} conversations, {} messages, {} memories in {}",
            counts.conversations,
            counts.messages,
            counts.memories,
            when::bytes(sizes.database_bytes + sizes.wal_bytes)
        ),
    );
    row(
        "search",
        match (legs.lexical, legs.semantic) {
            (true, true) => "by words and by meaning".into(),
            (true, false) => "by words only".into(),
            (false, true) => "by meaning only".into(),
            (false, false) => "not working".into(),
        },
    );
    row(
        "embedding",
        match (&embedding.model, &embedding.problem) {
            // why stands among the warnings
            (_, Some(_)) => "not available, see below".into(),
            (Some(model), None) => {
                let loaded = if embedding.loaded { "in memory" } else { "idle" };
                let dimension = embedding.dimension.map(|d| format!(", {d} numbers")).unwrap_or_default();
                format!("{model}{dimension}, {loaded}")
            }
            (None, None) => "no model".into(),
        },
    );
    let recall = index.recall.map(|recall| format!(", recall@10 {recall:.3}")).unwrap_or_default();
    let generation = index.generation.map_or("none".into(), |n| format!("generation {n}"));
    row(
        "index",
        format!(
            "{generation}, {} vectors, {} pending{recall}, {} on disk, {} in memory",
            index.vectors,
            index.pending,
            when::bytes(sizes.index_bytes),
            when::bytes(sizes.codes_bytes)
        ),
    );
    if let Some(building) = &index.building {
        let model = &building.model;
        row("", format!("filling generation {} ({model}): {} to go", building.generation, building.pending));
    }
    row("queue", format!("{} ready, {} running, {} given up", queue.ready, queue.leased, queue.dead));
    let asked: Vec<&str> = [Some(chat.provider.as_str()), chat.model.as_deref(), chat.url.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    row("answers", asked.join(", "));
    row("memory", when::bytes(sizes.resident_bytes));
    row("database", places.database.clone());
    row("config", places.config.clone());
    row("socket", places.socket.clone());
    for warning in warnings {
        text.push_str(&format!("{} {}\n", paint(style::WARN, "!"), clean::line(warning)));
    }
    text
}

/// A status as a daemon with a few things in it gives it, for tests.
#[cfg(test)]
pub fn example() -> Status {
    serde_json::from_value(serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "pid": 7, "uptimeSeconds": 3700, "startedAt": "2024-03-14T00:00:00Z",
        "counts": {"conversations": 2, "messages": 9, "memories": 1, "chunks": 10},
        "queue": {"ready": 0, "leased": 0, "dead": 0},
        "index": {"generation": 1, "model": "e5", "dimension": 384, "vectors": 10, "fresh": 1, "pending": 0,
                  "diskBytes": 1000, "tokensBytes": 600, "codesBytes": 480, "candidates": 20, "recall": 0.998,
                  "building": null},
        "embedding": {"available": true, "model": "e5", "dimension": 384, "loaded": true, "problem": null},
        "chat": {"provider": "ollama", "model": "llama3.2", "url": "http://127.0.0.1:11434"},
        "legs": {"lexical": true, "semantic": true},
        "sizes": {"databaseBytes": 40000, "walBytes": 2000, "indexBytes": 1000, "codesBytes": 480, "residentBytes": 31000000},
        "connections": 1,
        "places": {"database": "/d/nosso.db", "index": "/d/index", "config": "/c/config.toml", "socket": "/r/nosso.sock"},
        "warnings": ["the disk is nearly full"],
    }))
    .expect("the example has all members")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_tells_how_the_daemon_is() {
        let version = env!("CARGO_PKG_VERSION");
        let text = anstream::adapter::strip_str(&screen(&example())).to_string();
        let expected = format!(
            "   daemon  {version}, pid 7, up 1 h 1 min, 1 clients
   stored  2 conversations, 9 messages, 1 memories in 42.0 kB
   search  by words and by meaning
embedding  e5, 384 numbers, in memory
    index  generation 1, 10 vectors, 0 pending, recall@10 0.998, 1.0 kB on disk, 480 B in memory
    queue  0 ready, 0 running, 0 given up
  answers  ollama, llama3.2, http://127.0.0.1:11434
   memory  31.0 MB
 database  /d/nosso.db
   config  /c/config.toml
   socket  /r/nosso.sock
! the disk is nearly full
"
        );
        assert_eq!(text, expected);
    }
}
