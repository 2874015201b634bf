//! Figures, printed when asked for: `cargo test --release store::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use crate::config::Durability;
use crate::model::ConversationId;
use crate::store::testing::{append, options, said};
use crate::store::{LexicalQuery, Options, Store, append as appending, open};

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
        created_at: crate::model::Timestamp::now(),
        metadata: None,
    };
    store.create_conversation(new, None).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn appends_through_the_writer_against_a_plain_loop() {
    const N: usize = 2000;
    for _ in 0..3 {
        let folder = tempfile::tempdir_in("target").unwrap();
        let (db, _) = open::open(&full(folder.path())).unwrap();
        let id = ConversationId::new();
        let mut n = 0;
        let mut plain = |count: usize| {
            let begun = Instant::now();
            for _ in 0..count {
                n += 1;
                db.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
                let create = (n == 1).then(|| crate::store::NewConversation {
                    id,
                    title: None,
                    project: None,
                    model: None,
                    created_at: crate::model::Timestamp::now(),
                    metadata: None,
                });
                let call = crate::store::Append { create, ..append(id, vec![said(&text(n))]) };
                appending::run(&db, call).unwrap();
                db.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
            }
            count as f64 / begun.elapsed().as_secs_f64()
        };
        plain(200);
        let plain = plain(N);

        let other = tempfile::tempdir_in("target").unwrap();
        let store = Store::open(full(other.path())).await.unwrap();
        let id = begin(&store).await;
        let mut rates = Vec::new();
        for clients in [1, 16, 64] {
            let begun = Instant::now();
            let mut tasks = Vec::new();
            for client in 0..clients {
                let store = store.clone();
                tasks.push(tokio::spawn(async move {
                    for n in 0..N / clients {
                        store.append(append(id, vec![said(&text(n * clients + client))])).await.unwrap();
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            rates.push((N / clients * clients) as f64 / begun.elapsed().as_secs_f64());
        }
        println!(
            "appends/s: plain loop {plain:.0}; 1 client {:.0} ({:.2} x), 16 {:.0} ({:.2} x), 64 {:.0} ({:.2} x)",
            rates[0],
            rates[0] / plain,
            rates[1],
            rates[1] / plain,
            rates[2],
            rates[2] / plain
        );
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
            let query = LexicalQuery { text: words.into(), filter: Default::default(), limit: 50 };
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
