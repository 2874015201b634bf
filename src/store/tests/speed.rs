//! Figures, printed when asked for: `cargo test --release store::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use crate::config::Durability;
use crate::model::ConversationId;
use crate::store::testing::{append, options, recorded, said};
use crate::store::{LexicalQuery, Options, RestoreBatch, Store, append as appending, open};

fn text(n: usize) -> String {
    // a small vocabulary with a long tail, about 600 bytes
    (0..90).map(|i| format!("w{} ", (n * 7919 + i * 104_729) % (i * i + 11))).collect()
}

fn full(folder: &std::path::Path) -> Options {
    Options { durability: Durability::Full, ..options(folder) }
}

async fn begin(store: &Store) -> ConversationId {
    let id = ConversationId::new();
    let new = crate::store::NewConversation {
        id,
        title: None,
        project: None,
        model: None,
        folder: None,
        tags: Vec::new(),
        private: false,
        created_at: crate::model::Timestamp::now(),
        metadata: None,
    };
    store.create_conversation(new, None).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn appends_through_the_writer_against_a_plain_loop() {
    const ROUND: usize = 192;
    let (folder, other) = (tempfile::tempdir_in("target").unwrap(), tempfile::tempdir_in("target").unwrap());
    let plain = Store::open(full(folder.path())).await.unwrap();
    let plain_id = begin(&plain).await;
    plain.close().await.unwrap();
    let (db, _) = open::open(&full(folder.path())).unwrap();
    let store = Store::open(full(other.path())).await.unwrap();
    let id = begin(&store).await;
    let mut times = [0.0; 4];
    // turn by turn, because a shared machine is never the same for long
    for round in 0..15 {
        let begun = Instant::now();
        for n in 0..ROUND {
            db.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
            appending::run(&db, append(plain_id, vec![said(&text(round * ROUND + n))])).unwrap();
            db.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        }
        times[0] += begun.elapsed().as_secs_f64();
        for (time, clients) in times[1..].iter_mut().zip([1, 16, 64]) {
            let begun = Instant::now();
            let tasks = (0..clients).map(|client| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..ROUND / clients {
                        let text = text(round * ROUND + n * clients + client);
                        store.append(append(id, vec![said(&text)])).await.unwrap();
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
            *time += begun.elapsed().as_secs_f64();
        }
    }
    let n = (15 * ROUND) as f64;
    println!("plain loop: {:.0} appends/s", n / times[0]);
    for (time, clients) in times[1..].iter().zip([1, 16, 64]) {
        println!("{clients} clients: {:.0} appends/s, {:.2} of the plain loop", n / time, times[0] / time);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn deletes_that_leave_no_trace() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let store = Store::open(full(folder.path())).await.unwrap();
    let mut ids = Vec::new();
    let begun = Instant::now();
    for part in 0..20 {
        let id = begin(&store).await;
        let messages = (0..1000).map(|n| said(&text(part * 1000 + n))).collect();
        ids.extend(store.append(append(id, messages)).await.unwrap().messages.into_iter().map(|m| m.id));
    }
    println!("append 20,000 in calls of 1,000: {:?}", begun.elapsed());
    let id = begin(&store).await;
    let begun = Instant::now();
    for n in 0..1000 {
        store.append(append(id, vec![said(&text(n))])).await.unwrap();
    }
    println!("append one: {:?}", begun.elapsed() / 1000);
    let begun = Instant::now();
    for id in ids.iter().step_by(40) {
        store.delete_message(*id).await.unwrap();
    }
    println!("delete one: {:?}", begun.elapsed() / 500);
    let begun = Instant::now();
    store.delete_conversation(id).await.unwrap();
    println!("delete a conversation of 1,000: {:?}", begun.elapsed());
    let begun = Instant::now();
    store.maintain().await.unwrap();
    println!("forget what was deleted: {:?}", begun.elapsed());
    let begun = Instant::now();
    store.maintain().await.unwrap();
    println!("nothing to forget: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn a_large_store() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let store = Store::open(full(folder.path())).await.unwrap();
    let id = begin(&store).await;
    let begun = Instant::now();
    for part in 0..100 {
        let messages = (0..1000).map(|n| said(&text(part * 1000 + n))).collect();
        store.append(append(id, messages)).await.unwrap();
    }
    println!("append 100,000 in calls of 1,000: {:?}; {:?} bytes", begun.elapsed(), store.sizes());
    let timed = async |what: &str, work: &dyn Fn() -> futures_util::future::BoxFuture<'static, ()>| {
        let begun = Instant::now();
        work().await;
        println!("{what}: {:?}", begun.elapsed());
    };
    macro_rules! time {
        ($what:literal, |$store:ident| $work:expr) => {{
            let store = store.clone();
            timed($what, &move || {
                let $store = store.clone();
                Box::pin(async move {
                    let _ = $work;
                })
            })
            .await
        }};
    }
    time!("adopt the first model", |store| store.ensure_space("a", "a", 3, 1).await.unwrap());
    time!("queue 100,000 for another", |store| store.ensure_space("b", "b", 3, 1).await.unwrap());
    time!("lease 32", |store| store.lease(2, 32, std::time::Duration::from_secs(9)).await.unwrap());
    time!("queue counts", |store| store.queue_counts().await.unwrap());
    time!("promote it", |store| store.promote_space(2).await.unwrap());
    time!("counts", |store| store.counts().await.unwrap());
    for words in ["w7", "w1", "w1000 w4000", "w900 w1 w2 w3 w77 w4005", "what is w901 about"] {
        let begun = Instant::now();
        let mut runs = 0;
        while runs < 20 {
            let query = LexicalQuery { text: words.into(), limit: 50, ..LexicalQuery::default() };
            store.lexical(query).await.unwrap();
            runs += 1;
        }
        println!("search '{words}': {:?}", begun.elapsed() / runs);
    }
    time!("passages", |store| store
        .passages((1..50).map(crate::store::Item::Message).collect(), 2)
        .await
        .unwrap());
    time!("delete the conversation", |store| store.delete_conversation(id).await.unwrap());
    let begun = Instant::now();
    store.close().await.unwrap();
    println!("close: {:?}", begun.elapsed());
    let begun = Instant::now();
    Store::open(full(folder.path())).await.unwrap();
    println!("open: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn records_that_come_in() {
    for n in [1_000, 2_000, 4_000, 8_000] {
        let folder = tempfile::tempdir_in("target").unwrap();
        let store = Store::open(full(folder.path())).await.unwrap();
        let id = begin(&store).await;
        let mut parent = None;
        let messages = (0..n).map(|at| {
            let message = recorded(id, parent, at as u64 + 1, text(at));
            parent = Some(message.message.id);
            message
        });
        let batch = RestoreBatch { messages: messages.collect(), ..RestoreBatch::default() };
        let begun = Instant::now();
        let restored = store.restore(batch).await.unwrap();
        assert_eq!(restored.added.messages, n as u64);
        println!("{n} messages in one batch: {:.0}/s", n as f64 / begun.elapsed().as_secs_f64());
    }
}
