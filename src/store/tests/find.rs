//! Conversations while somebody types.

use crate::api::Patch;
use crate::api::conversation::ConversationUpdate;
use crate::api::forget::ForgetParams;
use crate::api::organise::{Archived, Change, ConversationFilter};
use crate::store::LexicalQuery;
use crate::store::testing::{Temporary, forget, store};

async fn found(store: &Temporary, typed: &str) -> Vec<(String, Option<String>)> {
    let filter = ConversationFilter { query: Some(typed.into()), ..ConversationFilter::default() };
    let found = store.find_conversations(filter, 9).await.unwrap();
    found
        .into_iter()
        .map(|one| (one.conversation.title.unwrap_or_default(), one.message.map(|(_, _, text)| text)))
        .collect()
}

fn titles(found: &[(String, Option<String>)]) -> Vec<&str> {
    found.iter().map(|(title, _)| title.as_str()).collect()
}

#[tokio::test]
async fn beginnings_of_words_find_titles_and_then_messages() {
    let store = store().await;
    let one = store.conversation_of("Deploy of the site", None).await;
    let two = store.conversation_of("Notes", None).await;
    store.say(two, "how to deploy").await;
    store.say(two, "the deployment of Ação takes an hour").await;
    store.say(one, "depart").await;

    let all = found(&store, "dep").await;
    assert_eq!(titles(&all), ["Deploy of the site", "Notes"]);
    assert_eq!(all[0].1.as_deref(), Some("depart"));
    assert_eq!(all[1].1.as_deref(), Some("the deployment of Ação takes an hour"), "the newest that fits");
    assert_eq!(titles(&found(&store, "deployment aca").await), ["Notes"]);
    assert_eq!(titles(&found(&store, "DEPLOYM").await), ["Notes"]);
    assert_eq!(titles(&found(&store, "deploy the si").await), ["Deploy of the site"]);
    assert_eq!(titles(&found(&store, "dep unheard").await), Vec::<&str>::new());
    // nothing to look for: all of them
    assert_eq!(found(&store, " -- ").await.len(), 2);
    // a word of another script, and signs of the query language
    for odd in ["日本", "\"dep* OR", "NEAR(", "title:dep"] {
        found(&store, odd).await;
    }

    let archive = Change { archived: Some(true), ..Change::default() };
    store.organise(vec![two], archive).await.unwrap();
    assert_eq!(titles(&found(&store, "dep").await), ["Deploy of the site"]);
    let filter = ConversationFilter {
        query: Some("dep".into()),
        archived: Some(Archived::Only),
        ..ConversationFilter::default()
    };
    assert_eq!(store.find_conversations(filter, 9).await.unwrap().len(), 1);
    // the archive is searched as before
    let query = LexicalQuery { text: "hour".into(), limit: 9, ..LexicalQuery::default() };
    let hits = store.lexical(query).await.unwrap().hits;
    assert_eq!(hits.iter().filter(|hit| hit.turn > 0.0).count(), 1);
}

#[tokio::test]
async fn titles_follow_their_changes_and_leave_no_trace() {
    let store = store().await;
    let id = store.conversation_of("zanzibar", None).await;
    let rename = |title| ConversationUpdate {
        id,
        title,
        project: Patch::Keep,
        model: Patch::Keep,
        head_message_id: Patch::Keep,
        metadata: Patch::Keep,
    };
    store.update_conversation(rename(Patch::Set("quixote".into()))).await.unwrap();
    assert_eq!((found(&store, "zan").await.len(), found(&store, "qui").await.len()), (0, 1));
    store.update_conversation(rename(Patch::Clear)).await.unwrap();
    assert_eq!(found(&store, "qui").await.len(), 0);
    store.update_conversation(rename(Patch::Set("xylophone".into()))).await.unwrap();
    forget(&store, ForgetParams { conversation_ids: vec![id], ..Default::default() }).await;
    let check = "INSERT INTO titles(titles, rank) VALUES('integrity-check', 1)";
    store.sql().execute(check, []).unwrap();
    let file = std::fs::read(store.folder.path().join("nosso.db")).unwrap();
    for word in ["zanzibar", "quixote", "xylophone"] {
        assert!(memchr::memmem::find(&file, word.as_bytes()).is_none(), "{word} is still in the file");
    }
}
