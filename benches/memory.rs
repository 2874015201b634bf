//! The resident memory of an idle daemon: without a model, with one, and after work.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::daemon::{Daemon, Embedding, Resident};
use crate::support::raw::Raw;
use crate::support::table::{Table, Target};
use crate::support::{Outcome, model, scratch, texts};

const APPENDS: usize = 1000;
const SEARCHES: usize = 100;
/// An embedder gives its working memory back one second after its work; two are enough for this and the store.
const SETTLE: Duration = Duration::from_secs(2);

pub fn run(table: &mut Table) -> Outcome {
    let folder = scratch()?;
    let target = Target::AtMost(40.0);
    let mut daemon = Daemon::start(&folder.path().join("without"), &Embedding::Off)?;
    idle(table, "resident without a model", &daemon, target)?;
    work(&mut daemon.client()?)?;
    idle(table, "resident without a model, after work", &daemon, target)?;
    drop(daemon);
    with_model(table, &folder.path().join("with"))
}

fn with_model(table: &mut Table, folder: &Path) -> Outcome {
    let brought = model::brought()?;
    let target = Target::AtMost(200.0);
    let mut daemon = Daemon::start(folder, &Embedding::With(&brought))?;
    let mut client = daemon.client()?;
    client.wait_until("/embedding/loaded", |loaded| loaded == &json!(true))?;
    idle(table, "resident with the model loaded", &daemon, target)?;
    work(&mut client)?;
    client.wait_until("/queue/ready", |ready| ready == &json!(0))?;
    idle(table, "resident with the model, after work", &daemon, target)
}

/// What a day's use is made of.
fn work(client: &mut Raw) -> Outcome {
    let conversation = client.call("conversation.create", json!({}))?["id"].clone();
    for text in texts::sentences()?.iter().take(APPENDS) {
        let messages = json!([{"role": "user", "content": text}]);
        client.call("message.append", json!({"conversationId": conversation, "messages": messages}))?;
    }
    for question in texts::all()?.questions.iter().take(SEARCHES) {
        client.call("search.query", json!({"query": question}))?;
    }
    Ok(())
}

fn idle(table: &mut Table, what: &str, daemon: &Daemon, target: Target) -> Outcome {
    std::thread::sleep(SETTLE);
    let Resident { all, anonymous, of_files } = daemon.resident()?;
    let by = format!("{anonymous:.1} MB its own, {of_files:.1} MB pages of files");
    table.row(what, all, " MB", target, &by);
    Ok(())
}
