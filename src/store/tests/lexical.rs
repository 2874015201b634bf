//! Finding by words.

use proptest::prelude::*;

use crate::api::Patch;
use crate::api::message::MessageUpdate;
use crate::api::search::SearchFilter;
use crate::model::{ConversationId, Role, SourceKind, Timestamp};
use crate::store::testing::{Temporary, append, client, fact, said, store, whole};
use crate::store::{Append, Item, LexicalQuery, NewMemory, NewMessage};

fn query(text: &str) -> LexicalQuery {
    LexicalQuery { text: text.into(), limit: 10, ..LexicalQuery::default() }
}

/// The texts that hold words of a question, best first, without their neighbours that hold none.
async fn texts(store: &Temporary, text: &str, filter: SearchFilter) -> Vec<String> {
    let hits = store.lexical(LexicalQuery { filter, ..query(text) }).await.unwrap().hits;
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score), "{hits:?}");
    assert!(hits.iter().all(|hit| hit.score.is_finite()), "{hits:?}");
    let items = hits.into_iter().filter(|hit| hit.turn > 0.0).map(|hit| hit.item).collect();
    store.passages(items, 0).await.unwrap().into_iter().map(|passage| passage.content).collect()
}

/// The same for a word that is taken to be too common to be read.
async fn without_reading(store: &Temporary, text: &str, filter: &SearchFilter) -> Vec<String> {
    let query = LexicalQuery { filter: filter.clone(), ..query(text) };
    let hits = store.lexical_of_common_words(query).await.unwrap().hits;
    let items = hits.into_iter().filter(|hit| hit.turn > 0.0).map(|hit| hit.item).collect();
    store.passages(items, 0).await.unwrap().into_iter().map(|passage| passage.content).collect()
}

async fn check(store: &Temporary, text: &str, expected: &[&str]) {
    assert_eq!(texts(store, text, SearchFilter::default()).await, expected, "{text:?}");
}

async fn filled(texts: &[&str]) -> (Temporary, ConversationId) {
    let store = store().await;
    let c = store.conversation_of("c", Some("casa")).await;
    for text in texts {
        store.say(c, text).await;
    }
    (store, c)
}

#[tokio::test]
async fn words_are_found_without_their_accents_and_case() {
    let (store, _) = filled(&["A AÇÃO começou", "nada aqui", "coração partido", "Straße über"]).await;
    check(&store, "acao", &["A AÇÃO começou"]).await;
    check(&store, "Comecou?", &["A AÇÃO começou"]).await;
    check(&store, "corac\u{327}a\u{303}o", &["coração partido"]).await;
    check(&store, "UBER", &["Straße über"]).await;
    check(&store, "missing", &[]).await;
    check(&store, "", &[]).await;
}

#[tokio::test]
async fn words_are_found_in_their_other_forms() {
    let (store, _) = filled(&[
        "As reuniões foram canceladas",
        "we deployed it yesterday",
        "call fooBar(x) or snake_case_name in src/main.rs",
        "error E0382 in v1.2.3",
    ])
    .await;
    check(&store, "reunião", &["As reuniões foram canceladas"]).await;
    check(&store, "reuniao cancelada", &["As reuniões foram canceladas"]).await;
    check(&store, "deploy", &["we deployed it yesterday"]).await;
    check(&store, "deploying", &["we deployed it yesterday"]).await;
    for words in ["bar", "foobar", "fooBar", "snake", "snake_case_name", "main.rs", "snakecasename"] {
        check(&store, words, &["call fooBar(x) or snake_case_name in src/main.rs"]).await;
    }
    check(&store, "e0382", &["error E0382 in v1.2.3"]).await;
    check(&store, "v1.2.3", &["error E0382 in v1.2.3"]).await;
}

#[tokio::test]
async fn neighbours_of_what_is_found_are_found_behind_it() {
    let (store, _) = filled(&["one", "where is the capybara?", "in the garden", "two", "three"]).await;
    let hits = store.lexical(query("capybara")).await.unwrap().hits;
    let order: Vec<Item> = hits.iter().map(|hit| hit.item).collect();
    // of equals the newer first
    assert_eq!(order, [2, 3, 1, 4].map(Item::Message));
    assert!(hits[1].turn == 0.0 && hits[1].near * 2.0 == hits[0].near && hits[3].near * 4.0 == hits[0].near);
}

#[tokio::test]
async fn of_a_long_text_the_part_that_fits_is_told() {
    let filling = "casa verde longe do rio ".repeat(400);
    let text = format!("{filling} o segredo do cofre é 4711 {filling}");
    let (store, _) = filled(&[&text, "outro segredo"]).await;
    let hits = store.lexical(query("segredo cofre")).await.unwrap().hits;
    assert_eq!(hits[0].item, Item::Message(1));
    let range = crate::text::block_range(&text, hits[0].block.clone().unwrap()).unwrap();
    let part = &text[range];
    assert!(part.contains("segredo do cofre é 4711") && part.len() < 1000, "{part}");
    assert_eq!(hits[1].block, None);
}

#[tokio::test]
async fn words_count_what_the_caller_says() {
    let (store, _) = filled(&["ana ana ana", "x", "x", "x", "the garden is wet"]).await;
    let weigh =
        |weight: f64| LexicalQuery { weights: [("ana".to_owned(), weight)].into(), ..query("Ana garden") };
    let first = |found: crate::store::LexicalResult| found.hits[0].item;
    assert_eq!(first(store.lexical(weigh(5.0)).await.unwrap()), Item::Message(1));
    let found = store.lexical(weigh(0.0)).await.unwrap();
    assert_eq!(found.terms, ["garden"]);
    assert_eq!(first(found), Item::Message(5));
    let alone = LexicalQuery { text: "Ana".into(), ..weigh(0.0) };
    assert_eq!(first(store.lexical(alone).await.unwrap()), Item::Message(1));
}

#[tokio::test]
async fn common_words_do_not_decide_and_the_best_comes_first() {
    let (store, _) = filled(&[
        "qual é a cor do céu e do mar",
        "o prazo da entrega é sexta-feira",
        "o prazo mudou, e o prazo é o que importa",
        "entrega",
    ])
    .await;
    let found = store.lexical(query("qual é o prazo da entrega?")).await.unwrap();
    assert_eq!(found.terms.len(), 2, "{found:?}");
    assert_eq!(found.pruned, ["qual", "é", "o", "da"]);
    assert_eq!(found.hits.iter().filter(|hit| hit.turn > 0.0).count(), 3);
    let best = texts(&store, "qual é o prazo da entrega?", SearchFilter::default()).await;
    assert_eq!(best[0], "o prazo da entrega é sexta-feira");
    // words that tell nothing are all there is to find some texts by
    store.remember("O que é que foi?").await;
    check(&store, "o que", &["O que é que foi?"]).await;
}

#[tokio::test]
async fn messages_and_memories_compare() {
    let (store, c) = filled(&["the garage code is in the drawer", "the door is green"]).await;
    store.remember("garage code: 4711").await;
    store.remember("the garden needs water").await;
    check(&store, "garage code 4711", &["garage code: 4711", "the garage code is in the drawer"]).await;
    check(&store, "garage drawer", &["the garage code is in the drawer", "garage code: 4711"]).await;
    for n in 0..50 {
        store.say(c, &format!("noise {n} about the garden")).await;
    }
    let best = texts(&store, "garden water", SearchFilter::default()).await;
    assert_eq!(best[0], "the garden needs water");
}

#[tokio::test]
async fn memories_that_no_longer_hold_are_not_found() {
    let store = store().await;
    let expired = NewMemory { expires_at: Some(Timestamp::from_millis(1)), ..fact("xyzzy old") };
    store.add_memory(expired, None).await.unwrap();
    store.remember("xyzzy superseded").await;
    store.sql().execute("UPDATE memory SET superseded_by = zeroblob(16) WHERE id = 2", []).unwrap();
    let future = NewMemory { expires_at: Some(Timestamp::now().plus_millis(60_000)), ..fact("xyzzy now") };
    store.add_memory(future, None).await.unwrap();
    check(&store, "xyzzy", &["xyzzy now"]).await;
    let items = store.chunk_items(vec![3, 2, 1, 99], &SearchFilter::default()).await.unwrap();
    assert_eq!(items.iter().map(|item| item.chunk).collect::<Vec<_>>(), [3]);
    let all = vec![Item::Memory(1), Item::Memory(2), Item::Memory(3)];
    assert_eq!(store.passages(all, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn filters_restrict_words_and_chunks_alike() {
    let (store, c) = filled(&["term by the user"]).await;
    let other = store.conversation_of("d", None).await;
    let early = NewMessage {
        role: Role::Assistant,
        created_at: Timestamp::from_millis(1_000),
        ..said("term by the model")
    };
    let call = Append { client: Some(client("vscode")), ..append(other, vec![early]) };
    store.append(call).await.unwrap();
    store
        .add_memory(NewMemory { project: Some("casa".into()), ..fact("term of memory") }, None)
        .await
        .unwrap();
    let user = "term by the user";
    let model = "term by the model";
    let memory = "term of memory";
    let none = SearchFilter::default;
    let cases = [
        (none(), vec![model, user, memory]),
        (SearchFilter { conversation_id: Some(c), ..none() }, vec![user]),
        (SearchFilter { project: Some("casa".into()), ..none() }, vec![user, memory]),
        (SearchFilter { project: Some("unknown".into()), ..none() }, vec![]),
        (SearchFilter { client: Some("vscode".into()), ..none() }, vec![model]),
        (SearchFilter { role: Some(Role::User), ..none() }, vec![user]),
        (SearchFilter { kind: Some(SourceKind::Memory), ..none() }, vec![memory]),
        (SearchFilter { kind: Some(SourceKind::Message), ..none() }, vec![model, user]),
        (SearchFilter { since: Some(Timestamp::from_millis(1_001)), ..none() }, vec![user, memory]),
        (SearchFilter { until: Some(Timestamp::from_millis(1_001)), ..none() }, vec![model]),
        (SearchFilter { until: Some(Timestamp::from_millis(1_000)), ..none() }, vec![]),
    ];
    for (filter, mut expected) in cases {
        expected.sort_unstable();
        let mut found = texts(&store, "term", filter.clone()).await;
        found.sort();
        assert_eq!(found, expected, "{filter:?}");
        // words that are too common to be read take another way, with the same filter
        let mut found = without_reading(&store, "term", &filter).await;
        found.sort();
        assert_eq!(found, expected, "{filter:?}");
        let chunks = store.chunks_matching(&filter).await.unwrap();
        if filter == none() {
            assert_eq!(chunks, None);
        } else {
            let items = store.chunk_items(chunks.unwrap(), &SearchFilter::default()).await.unwrap();
            let passages =
                store.passages(items.into_iter().map(|item| item.item).collect(), 0).await.unwrap();
            let mut found: Vec<_> = passages.into_iter().map(|passage| passage.content).collect();
            found.sort();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn scripts_without_spaces_and_signs_are_found() {
    let (store, _) = filled(&["日本語のテキスト", "party 🎉 time", "東京に行く", "a ~~> b"]).await;
    store.remember("好きな色は青").await;
    check(&store, "日本語", &["日本語のテキスト"]).await;
    check(&store, "東京", &["東京に行く"]).await;
    check(&store, "好きな色", &["好きな色は青"]).await;
    check(&store, "🎉", &["party 🎉 time"]).await;
    check(&store, "~~>", &["a ~~> b"]).await;
    check(&store, "語", &["日本語のテキスト"]).await;
    check(&store, "本", &["日本語のテキスト"]).await;
    let both = texts(&store, "party 日本", SearchFilter::default()).await;
    assert_eq!(both.len(), 2, "{both:?}");
}

#[tokio::test]
async fn a_word_that_is_everywhere_is_answered_newest_first() {
    let store = store().await;
    let c = store.conversation_of("c", Some("p")).await;
    store.say(c, "projeto").await;
    // more rows than the budget, put in directly because only their words matter here
    store
        .sql()
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
             INSERT INTO message(uid, conversation_id, seq, role, created_at, content)
               SELECT randomblob(16), 1, i, 1, i, 'projeto comum' || CASE i WHEN 9 THEN ' raridade' ELSE '' END FROM n",
        )
        .unwrap();
    let newest = |found: &crate::store::LexicalResult| {
        found.hits.iter().all(|hit| matches!(hit.item, Item::Message(number) if number > 10_500 - 1_000))
    };
    let found = store.lexical(LexicalQuery { limit: 2, ..query("projeto") }).await.unwrap();
    assert_eq!((found.terms.as_slice(), found.pruned.len()), (&["projeto".to_owned()][..], 0));
    assert!(found.hits.len() == 2 && newest(&found), "{found:?}");
    let found = store.lexical(LexicalQuery { limit: 2, ..query("raridade do projeto comum") }).await.unwrap();
    assert_eq!(found.terms, ["raridade"]);
    assert_eq!(found.pruned, ["do", "projeto", "comum"]);
    assert_eq!(found.hits[0].item, Item::Message(9));
    // within a conversation common words are searched, and not only where they are new
    let filter = SearchFilter { project: Some("p".into()), ..SearchFilter::default() };
    let found = store.lexical(LexicalQuery { limit: 1_500, filter, ..query("comum projeto") }).await.unwrap();
    assert_eq!((found.hits.len(), found.terms.len()), (1_500, 2));
    let filter = SearchFilter { until: Some(Timestamp::from_millis(5)), ..SearchFilter::default() };
    let found = store.lexical(LexicalQuery { filter, ..query("comum projeto") }).await.unwrap();
    assert_eq!(found.hits.len(), 3, "the filter leads the search to what is old");
}

#[tokio::test]
async fn passages_come_in_the_order_asked_with_their_neighbours() {
    let (store, c) = filled(&["one", "two", "three", "four"]).await;
    store.say(c, &"é".repeat(3000)).await;
    store.remember("fact").await;
    let asked = vec![Item::Memory(1), Item::Message(99), Item::Message(3), Item::Message(1)];
    let found = store.passages(asked, 2).await.unwrap();
    assert_eq!(found.iter().map(|p| p.content.as_str()).collect::<Vec<_>>(), ["fact", "three", "one"]);
    let texts =
        |list: &[crate::api::search::Neighbour]| list.iter().map(|n| n.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&found[1].before), ["one", "two"]);
    let after = texts(&found[1].after);
    assert_eq!((after[0].as_str(), after[1].len()), ("four", 2000));
    assert_eq!((found[1].seq, found[1].project.as_deref()), (Some(3), Some("casa")));
    assert_eq!((found[1].conversation_id, found[1].conversation_title.as_deref()), (Some(c), Some("c")));
    assert_eq!((found[2].before.len(), found[2].after.len()), (0, 2));
    assert_eq!((found[0].client.clone(), found[0].role), (Some(client("test")), None));
}

#[test]
fn any_text_can_be_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (store, _) = runtime.block_on(filled(&["some text", "\"quotes\" AND operators", "日本 🎉"]));
    let ask = |text: &str| {
        runtime.block_on(store.lexical(query(text))).unwrap();
    };
    for text in
        ["\"", "\"\"\"", "NOT AND OR NEAR(", "*", "-a", "a*", "^a", "content:a", "{a b}:c", "a\0b", "'; --"]
    {
        ask(text);
    }
    ask(&"\"".repeat(100_000));
    ask(&"palavra nova ".repeat(20_000));
    ask(&"語".repeat(50_000));
    proptest!(ProptestConfig::with_cases(400), |(text in "\\PC{0,60}|[a-z\"*():^{}+ -]{0,40}|.{0,40}")| ask(&text));
    runtime.block_on(async { store.close().await.unwrap() });
}

#[tokio::test]
async fn quotes_of_what_is_stored_are_not_found_again() {
    let store = store().await;
    let conversation = store.conversation_of("talk", None).await;
    let quoting = NewMessage {
        role: Role::Assistant,
        model: Some(crate::model::EXTRACTIVE.into()),
        ..said("said before: capybara")
    };
    let by_model =
        NewMessage { role: Role::Assistant, model: Some("m".into()), ..said("a capybara is large") };
    let id = quoting.id;
    store.append(append(conversation, vec![said("what is a capybara"), quoting, by_model])).await.unwrap();
    let found = |word: &str| store.holding(word);
    assert_eq!(found("capybara"), 2);
    assert_eq!(store.counts().await.unwrap().chunks, 2);
    let update = MessageUpdate {
        id,
        content: Some("edited tapir".into()),
        author: Patch::Keep,
        metadata: Patch::Keep,
    };
    store.update_message(update, Some(whole("edited tapir"))).await.unwrap();
    assert_eq!((found("tapir"), store.counts().await.unwrap().chunks), (0, 2));
    store.check_words();
    // its neighbour is found, but not it itself
    let hits = store.lexical(query("capybara")).await.unwrap().hits;
    assert_eq!(hits.len(), 2, "{hits:?}");
    assert!(store.delete_message(id).await.unwrap().deleted);
    store.check_words();
    assert_eq!(found("capybara"), 2);
}
