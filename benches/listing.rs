//! Lists, opened conversations, their pages, and what is found while somebody types, over a large store; beside each the
//! plain query of SQLite that reads as many rows in this process.

use std::path::{Path, PathBuf};

use nosso::config::Durability;
use nosso::model::{
    ChunkRange, ClientRef, Conversation, ConversationId, Message, MessageId, Role, Timestamp,
};
use nosso::store::{self, RestoreBatch, RestoreMessage, Store};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{Dice, median, millis, quantile, timed};
use crate::support::raw::Raw;
use crate::support::table::{Table, Target};
use crate::support::{Outcome, cached, texts};

/// Messages of the store, unless `NOSSO_BENCH_MESSAGES` says otherwise.
const MESSAGES: usize = 200_000;
const A_CONVERSATION: usize = 40;
/// One that nobody would want to load whole: 36 MB.
const LONG: usize = 10_000;
const LONG_BYTES: usize = 3_600;
/// Conversations that are stored at a time.
const BATCH: usize = 100;
const CALLS: usize = 300;
/// The first ones read from the disk, which says more about the disk.
const WARM_UP: usize = 10;
/// Part of the cache's name: another way to fill it is another store.
const RECIPE: u32 = 1;
/// What everything but typing may take, and what typing may.
const LIST: Target = Target::AtMost(5.0);
const TYPED: Target = Target::AtMost(20.0);

pub fn run(table: &mut Table) -> Outcome {
    let wanted = std::env::var("NOSSO_BENCH_MESSAGES").ok();
    let folder = filled(wanted.map_or(Ok(MESSAGES), |n| n.parse())?)?;
    let mut daemon = Daemon::start(&folder, &Embedding::Off)?;
    let mut client = daemon.client()?;
    let counts = client.call("system.status", json!({}))?["counts"].clone();
    let by = format!("{} messages, {} conversations", counts["messages"], counts["conversations"]);
    let pages = all_pages(&mut client, 40)?;
    let ids: Vec<Value> =
        pages.iter().flat_map(|page| page["items"].as_array()).flatten().map(|it| it["id"].clone()).collect();
    let cursors: Vec<Value> =
        pages.iter().map(|page| page["nextCursor"].clone()).filter(|it| !it.is_null()).collect();
    let long = client.call("conversation.list", json!({"tags": ["long"]}))?["items"][0]["id"].clone();
    let deep = deep_cursors(&mut client, &long)?;
    let mut measuring =
        Measuring { table, client, plain: plain(&folder)?, dice: Dice::new(11), by: by.as_str() };

    let list = "SELECT * FROM conversation WHERE archived = 0 ORDER BY updated_at DESC, id DESC LIMIT 50";
    let page = "SELECT * FROM message WHERE conversation_id = ?1 ORDER BY seq DESC LIMIT 50";
    let number = |dice: &mut Dice| dice.below(100) as i64 + 1;
    let floor = measuring.floor(list, |_| None)?;
    let mut row = |what, call: &mut dyn FnMut(&mut Dice) -> Value| {
        measuring.row(what, LIST, floor, "conversation.list", call)
    };
    row("list conversations", &mut |_| json!({}))?;
    row("list, a page further on", &mut |dice| json!({"cursor": one(dice, &cursors)}))?;
    row("list by a rare tag", &mut |dice| json!({"query": format!("tag:rare{}", dice.below(200))}))?;
    row("list by a common tag", &mut |_| json!({"query": "tag:common"}))?;
    row("list by folder", &mut |dice| json!({"folder": format!("Work/{}", dice.below(50))}))?;
    row("list by project", &mut |dice| json!({"project": format!("/src/{}", dice.below(30))}))?;

    let floor = measuring.floor(page, |dice| Some(number(dice).into()))?;
    measuring.row(
        "open: the newest page of a branch",
        LIST,
        floor,
        "message.list",
        &mut |dice| json!({"conversationId": one(dice, &ids), "path": "head"}),
    )?;
    let last = measuring.plain.query_row("SELECT max(id) FROM conversation", [], |row| row.get(0))?;
    let floor = measuring.floor(page, |_| Some(SqlValue::Integer(last)))?;
    measuring.row(
        "open one of 10,000 messages and 36 MB",
        LIST,
        floor,
        "message.list",
        &mut |_| json!({"conversationId": long, "path": "head"}),
    )?;
    measuring.row(
        "its further pages",
        LIST,
        floor,
        "message.list",
        &mut |dice| json!({"conversationId": long, "path": "head", "cursor": one(dice, &deep)}),
    )?;
    measuring.append(&long, &ids[0])?;
    for letters in [2, 3, 5] {
        let beginnings = beginnings(letters)?;
        let typed = "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT 20";
        let floor = measuring.floor(typed, |dice| {
            let beginning = &beginnings[dice.below(beginnings.len())];
            Some(SqlValue::Text(format!("\"{}\"*", beginning.to_lowercase())))
        })?;
        let what = format!("type {letters} letters");
        measuring.row(
            &what,
            TYPED,
            floor,
            "conversation.search",
            &mut |dice| json!({"query": beginnings[dice.below(beginnings.len())]}),
        )?;
    }
    Ok(())
}

/// Many calls of one kind, each timed.
struct Measuring<'a> {
    table: &'a mut Table,
    client: Raw,
    plain: Connection,
    dice: Dice,
    by: &'a str,
}

impl Measuring<'_> {
    fn row(
        &mut self,
        what: &str,
        target: Target,
        floor: f64,
        method: &'static str,
        params: &mut dyn FnMut(&mut Dice) -> Value,
    ) -> Outcome {
        let mut times = Vec::with_capacity(CALLS);
        for round in 0..CALLS + WARM_UP {
            let params = params(&mut self.dice);
            let (answer, took) = timed(|| self.client.call(method, params));
            answer?;
            if round >= WARM_UP {
                times.push(millis(took));
            }
        }
        let by = format!(
            "p95, median {:.2} ms, plain query {floor:.2} ms p95, {}",
            quantile(&times, 0.5),
            self.by
        );
        self.table.row(what, quantile(&times, 0.95), " ms", target, &by);
        Ok(())
    }

    /// An append to a long conversation, against one to a short one; both are taken back.
    fn append(&mut self, long: &Value, short: &Value) -> Outcome {
        let (mut to_long, mut to_short) = (Vec::new(), Vec::new());
        for round in 0..CALLS / 3 + WARM_UP {
            for (id, times) in [(long, &mut to_long), (short, &mut to_short)] {
                let message = json!({"role": "user", "content": "Quanto demora juntar uma mensagem a isto?"});
                let append = json!({"conversationId": id, "messages": [message]});
                let (appended, took) = timed(|| self.client.call("message.append", append));
                self.client.call("message.delete", json!({"id": appended?["messages"][0]["id"]}))?;
                if round >= WARM_UP {
                    times.push(millis(took));
                }
            }
        }
        let by = format!(
            "medians {:.2} and {:.2} ms, p95 {:.2} and {:.2} ms",
            median(&to_long),
            median(&to_short),
            quantile(&to_long, 0.95),
            quantile(&to_short, 0.95)
        );
        let ratio = median(&to_long) / median(&to_short);
        self.table.row("append to the long / to a short one", ratio, "", Target::AtMost(1.5), &by);
        Ok(())
    }

    /// What the plain query takes, every row read: milliseconds, the 95th percentile.
    fn floor(&mut self, sql: &str, mut value: impl FnMut(&mut Dice) -> Option<SqlValue>) -> Outcome<f64> {
        let mut statement = self.plain.prepare(sql)?;
        let mut times = Vec::with_capacity(CALLS);
        for round in 0..CALLS + WARM_UP {
            let value = value(&mut self.dice);
            let (read, took) = timed(|| -> rusqlite::Result<()> {
                let mut rows = statement.query(rusqlite::params_from_iter(value))?;
                while let Some(row) = rows.next()? {
                    for place in 0..row.as_ref().column_count() {
                        std::hint::black_box(row.get_ref(place)?);
                    }
                }
                Ok(())
            });
            read?;
            if round >= WARM_UP {
                times.push(millis(took));
            }
        }
        Ok(quantile(&times, 0.95))
    }
}

/// A reader beside the daemon, with settings like its own.
fn plain(folder: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let plain = Connection::open_with_flags(folder.join("data/nosso/nosso.db"), flags)?;
    plain.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;")?;
    Ok(plain)
}

fn one(dice: &mut Dice, of: &[Value]) -> Value {
    of[dice.below(of.len())].clone()
}

fn all_pages(client: &mut Raw, n: usize) -> Outcome<Vec<Value>> {
    let mut pages = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..n {
        let page = client.call("conversation.list", json!({"cursor": cursor, "limit": 200}))?;
        cursor = page["nextCursor"].clone();
        pages.push(page);
        if cursor.is_null() {
            break;
        }
    }
    Ok(pages)
}

/// Cursors into the pages of a conversation's branch.
fn deep_cursors(client: &mut Raw, conversation: &Value) -> Outcome<Vec<Value>> {
    let mut cursors = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let list = json!({"conversationId": conversation, "path": "head", "limit": 50, "cursor": cursor});
        cursor = client.call("message.list", list)?["nextCursor"].clone();
        if cursor.is_null() {
            return Ok(cursors);
        }
        cursors.push(cursor.clone());
    }
}

/// The beginnings of the words that people write.
fn beginnings(letters: usize) -> Outcome<Vec<String>> {
    let sentences = texts::sentences()?;
    let words = sentences.iter().flat_map(|sentence| sentence.split(|c: char| !c.is_alphanumeric()));
    let long = words.filter(|word| word.chars().count() >= letters);
    Ok(long.map(|word| word.chars().take(letters).collect()).take(20_000).collect())
}

/// The folder of a daemon with that many messages, made at the first run.
fn filled(n_messages: usize) -> Outcome<PathBuf> {
    let name = format!("listing-{RECIPE}-{n_messages}");
    cached(&name, |making| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(fill(&making.join("data/nosso"), n_messages))
    })
}

async fn fill(data: &Path, n_messages: usize) -> Outcome {
    let options = store::Options {
        database: data.join("nosso.db"),
        backups: data.join("backups"),
        durability: Durability::Normal,
    };
    let store = Store::open(options).await?;
    let sentences = texts::sentences()?;
    let mut dice = Dice::new(3);
    let n_conversations = n_messages / A_CONVERSATION;
    for first in (0..n_conversations).step_by(BATCH) {
        let mut batch = RestoreBatch::default();
        for n in first..(first + BATCH).min(n_conversations) {
            let conversation = conversation(n, &sentences, &mut dice);
            for place in 0..A_CONVERSATION {
                // two sentences at random: about as many different messages as there are
                let [one, other] = [(); 2].map(|()| &sentences[dice.below(sentences.len())]);
                batch.messages.push(message(conversation.id, place, &format!("{one} {other}")));
            }
            batch.conversations.push(conversation);
        }
        store.restore(batch).await?;
    }
    let mut long = conversation(n_conversations, &sentences, &mut dice);
    (long.tags, long.archived) = (vec!["long".into()], false);
    let id = long.id;
    let text: String = sentences.iter().flat_map(|sentence| [sentence, " "]).collect();
    let text: String = text.chars().take(LONG_BYTES).collect();
    store.restore(RestoreBatch { conversations: vec![long], ..RestoreBatch::default() }).await?;
    for first in (0..LONG).step_by(500) {
        let messages = (first..first + 500).map(|place| message(id, place, &text)).collect();
        store.restore(RestoreBatch { messages, ..RestoreBatch::default() }).await?;
    }
    Ok(store.close().await?)
}

fn conversation(n: usize, sentences: &[String], dice: &mut Dice) -> Conversation {
    let time = Timestamp::from_millis(1_700_000_000_000 + n as i64 * 60_000);
    let title: String = sentences[dice.below(sentences.len())].chars().take(50).collect();
    let mut tags = vec![format!("rare{}", dice.below(200))];
    if dice.share() < 0.3 {
        tags.push("common".into());
    }
    Conversation {
        id: ConversationId::derived("listing", &n.to_string()),
        title: Some(title),
        project: Some(format!("/src/{}", dice.below(30))),
        model: None,
        client: Some(ClientRef { name: format!("tool{}", dice.below(5)), version: "1".into() }),
        folder: (dice.share() < 0.5).then(|| format!("Work/{}", dice.below(50))),
        tags,
        pinned: dice.share() < 0.001,
        archived: dice.share() < 0.2,
        private: false,
        copied_from: None,
        head_message_id: None,
        message_count: 0,
        created_at: time,
        updated_at: time,
        metadata: None,
    }
}

fn message(conversation: ConversationId, place: usize, text: &str) -> RestoreMessage {
    let id = |place: usize| MessageId::derived("listing", &format!("{conversation}/{place}"));
    RestoreMessage {
        chunks: vec![ChunkRange { view: 0, start: 0, end: text.len() as u32 }],
        message: Message {
            id: id(place),
            conversation_id: conversation,
            parent_id: place.checked_sub(1).map(id),
            seq: place as u64 + 1,
            role: if place.is_multiple_of(2) { Role::User } else { Role::Assistant },
            author: None,
            content: text.to_owned(),
            model: None,
            client: None,
            status: None,
            sources: Vec::new(),
            usage: None,
            searchable: true,
            created_at: Timestamp::from_millis(1_700_000_000_000 + place as i64),
            edited_at: None,
            metadata: None,
        },
    }
}
