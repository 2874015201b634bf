//! Search by words in large stores of a made-up language, against plain full text over the same texts.
//!
//! `NOSSO_BENCH_LARGE=1` measures a store of 1,000,000 messages too, which takes minutes to make. Stores are kept beside
//! the build.

use std::ops::Range;
use std::path::{Path, PathBuf};

use nosso::config::Durability;
use nosso::model::{ChunkRange, ConversationId, Role, Timestamp};
use nosso::store::{Append, LexicalQuery, NewConversation, NewMessage, Options, Store};
use rusqlite::Connection;

use crate::support::figures::{Dice, millis, quantile, timed};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, cached};

/// Messages of a conversation.
const TURNS: usize = 40;
/// Messages of one transaction while a store is made.
const BATCH: usize = 2_000;
/// Different words of each language that tell something.
const VOCABULARY: usize = 40_000;
/// Questions of each kind.
const QUESTIONS: usize = 150;
/// Hits asked for, as the daemon asks.
const LIMIT: usize = 200;
/// Kinds of questions, by how common their words are.
const KINDS: [(&str, Option<Range<usize>>); 4] = [
    ("rare words", Some(2_000..VOCABULARY)),
    ("middling words", Some(100..2_000)),
    ("common words", Some(0..40)),
    ("words as they come", None),
];
/// Goes up when the texts change.
const VERSION: u32 = 1;

pub fn run(table: &mut Table) -> Outcome {
    at_size(table, 100_000, 10.0)?;
    if std::env::var_os("NOSSO_BENCH_LARGE").is_some() {
        at_size(table, 1_000_000, 50.0)?;
    }
    Ok(())
}

fn at_size(table: &mut Table, n_messages: usize, at_most: f64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let languages = [Language::new("portuguese"), Language::new("english")];
    let name = format!("search-{VERSION}-{}-{n_messages}", nosso::text::ANALYSIS_VERSION);
    let folder = cached(&name, |making| {
        let bytes = runtime.block_on(make(making, &languages, n_messages))?;
        Ok(std::fs::write(making.join("whole"), bytes.to_string())?)
    })?;
    let bytes: f64 = std::fs::read_to_string(folder.join("whole"))?.parse()?;
    let store = runtime.block_on(Store::open(options(&folder)))?;
    let plain = Connection::open(folder.join("plain.db"))?;
    let mut all = Vec::new();
    for (kind, ranks) in KINDS {
        let mut dice = Dice::new(7);
        let (mut times, mut floors) = (Vec::new(), Vec::new());
        for n in 0..QUESTIONS {
            let (text, words) = languages[n % 2].question(&mut dice, ranks.clone());
            let query = LexicalQuery { text, limit: LIMIT, ..LexicalQuery::default() };
            let (found, time) = timed(|| runtime.block_on(store.lexical(query)));
            found?;
            times.push(millis(time));
            let (found, time) = timed(|| full_text(&plain, &words));
            found?;
            floors.push(millis(time));
        }
        let (p50, p95) = (quantile(&times, 0.5), quantile(&times, 0.95));
        let by = format!(
            "p50 {p50:.2} ms; plain full text {:.2}, p95 {:.2}",
            quantile(&floors, 0.5),
            quantile(&floors, 0.95)
        );
        table.row(&format!("{n_messages} messages, {kind}, p95"), p95, " ms", Target::None, &by);
        all.extend(times);
    }
    let by = format!("{} questions, {LIMIT} hits", all.len());
    let p95 = quantile(&all, 0.95);
    table.row(&format!("{n_messages} messages, all of these, p95"), p95, " ms", Target::AtMost(at_most), &by);
    let (database, log) = store.sizes();
    let by = format!("{:.0} MB of text, no vectors", bytes / 1e6);
    let ratio = (database + log) as f64 / bytes;
    table.row(&format!("{n_messages} messages, database / text"), ratio, "", Target::AtMost(4.0), &by);
    Ok(runtime.block_on(store.close())?)
}

fn options(folder: &Path) -> Options {
    Options {
        database: PathBuf::from(folder).join("nosso.db"),
        backups: folder.join("backups"),
        durability: Durability::Normal,
    }
}

/// Makes both databases; answers how many bytes of text they hold.
async fn make(folder: &Path, languages: &[Language; 2], n_messages: usize) -> Outcome<usize> {
    let store = Store::open(options(folder)).await?;
    let plain = Connection::open(folder.join("plain.db"))?;
    plain.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE VIRTUAL TABLE message_fts USING fts5(content, content='', tokenize='unicode61 remove_diacritics 2')",
    )?;
    let mut dice = Dice::new(1);
    let mut bytes = 0;
    let mut conversations: Vec<ConversationId> = Vec::new();
    for batch in 0..n_messages / BATCH {
        plain.execute_batch("BEGIN")?;
        for _ in 0..BATCH / TURNS {
            let language = &languages[dice.below(2)];
            let texts: Vec<String> = (0..TURNS).map(|_| language.text(&mut dice)).collect();
            for text in &texts {
                bytes += text.len();
                plain.prepare_cached("INSERT INTO message_fts(content) VALUES(?1)")?.execute([text])?;
            }
            let conversation = ConversationId::new();
            conversations.push(conversation);
            store.append(append(conversation, texts)).await?;
        }
        plain.execute_batch("COMMIT")?;
        if batch % 100 == 99 {
            store.maintain().await?;
        }
    }
    store.close().await?;
    Ok(bytes)
}

fn append(conversation: ConversationId, texts: Vec<String>) -> Append {
    let created_at = Timestamp::now();
    let new = NewConversation {
        id: conversation,
        title: None,
        project: None,
        model: None,
        folder: None,
        tags: Vec::new(),
        private: false,
        created_at,
        metadata: None,
    };
    let messages = texts.into_iter().map(|content| {
        let chunks = vec![ChunkRange { view: 0, start: 0, end: content.len() as u32 }];
        NewMessage { created_at, ..NewMessage::new(Role::User, content, chunks) }
    });
    Append { conversation, create: Some(new), messages: messages.collect(), client: None }
}

/// What full text alone does with a question: any of its words, the best by its own ranking.
fn full_text(db: &Connection, words: &[String]) -> Outcome<usize> {
    let query = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
    let sql = "SELECT rowid FROM message_fts WHERE message_fts MATCH ?1 ORDER BY rank LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map((query, LIMIT as i64), |row| row.get::<_, i64>(0))?;
    Ok(found.collect::<rusqlite::Result<Vec<_>>>()?.len())
}

/// Words as often as those of a natural language: the n-th is n times as rare as the first.
struct Language {
    words: Vec<String>,
    function_words: Vec<&'static str>,
    /// Sums of 1/n, to throw dice against.
    sums: Vec<f64>,
}

impl Language {
    fn new(name: &str) -> Self {
        let (list, syllables, endings): (&str, &[&str], &[&str]) = match name {
            "portuguese" => (
                include_str!("../src/text/stopwords-pt.txt"),
                &[
                    "ca", "pra", "lei", "mo", "ção", "re", "ver", "ti", "lho", "san", "gua", "fe", "ri",
                    "do", "nhe",
                ],
                &["", "s", "ção", "mente", "ar", "ado", "ões"],
            ),
            _ => (
                include_str!("../src/text/stopwords-en.txt"),
                &[
                    "con", "ter", "pla", "sh", "ock", "mer", "tion", "bri", "ful", "ren", "stu", "ght",
                    "low", "car", "ide",
                ],
                &["", "s", "ed", "ing", "ly", "er", "ness"],
            ),
        };
        let mut dice = Dice::new(name.len() as u64);
        let words = (0..VOCABULARY).map(|n| {
            let stem: String =
                (0..2 + dice.below(3)).map(|_| syllables[dice.below(syllables.len())]).collect();
            // the number keeps words apart, in letters
            let apart: String =
                [n / 676, n / 26 % 26, n % 26].iter().map(|d| char::from(b'a' + (d % 26) as u8)).collect();
            stem + &apart + endings[dice.below(endings.len())]
        });
        let mut sum = 0.0;
        let sums = (1..=VOCABULARY).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self {
            words: words.collect(),
            sums: sums.collect(),
            function_words: list.split_whitespace().take(60).collect(),
        }
    }

    fn word(&self, dice: &mut Dice) -> &str {
        let thrown = dice.share() * self.sums[VOCABULARY - 1];
        let n = self.sums.partition_point(|sum| *sum < thrown);
        &self.words[n.min(VOCABULARY - 1)]
    }

    /// As long as messages are: most are short, some are long.
    fn text(&self, dice: &mut Dice) -> String {
        let n_words = (3.4 + dice.normal()).exp().clamp(2.0, 2_000.0) as usize;
        let mut text = String::new();
        for n in 0..n_words {
            let word = match dice.share() < 0.45 {
                true => self.function_words[dice.below(self.function_words.len())],
                false => self.word(dice),
            };
            text += if n == 0 { "" } else { " " };
            text += word;
        }
        text
    }

    /// A question with some words of these ranks, or as they come; and those words.
    fn question(&self, dice: &mut Dice, ranks: Option<Range<usize>>) -> (String, Vec<String>) {
        let words: Vec<String> = (0..4)
            .map(|_| match &ranks {
                Some(ranks) => self.words[ranks.start + dice.below(ranks.len())].clone(),
                None => self.word(dice).to_owned(),
            })
            .collect();
        let with_function_words = words.iter().map(|word| {
            let function_word = self.function_words[dice.below(self.function_words.len())];
            format!("{function_word} {word}")
        });
        (with_function_words.collect::<Vec<_>>().join(" ") + "?", words)
    }
}
