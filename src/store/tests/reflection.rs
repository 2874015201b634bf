//! Proposals, the cost of making them, and summaries.

use crate::api::Patch;
use crate::api::memory::ProposalList;
use crate::api::message::MessageUpdate;
use crate::api::organise::Change;
use crate::error::Kind;
use crate::model::{ConversationId, Message, MessageId, Proposal, ProposalId, Summary, SummaryId, Timestamp};
use crate::store::testing::{Temporary, fact, store, whole};
use crate::store::{Accepted, NewProposal, NewSummary};

fn proposal(source: MessageId, text: &str, digest: u8) -> NewProposal {
    let proposal = Proposal {
        id: ProposalId::new(),
        kind: "user".into(),
        content: text.into(),
        path: Some("a/b".into()),
        project: Some("quay".into()),
        source_message_id: source,
        similar_to: None,
        model: "tiny".into(),
        created_at: Timestamp::from_millis(7),
    };
    NewProposal { proposal, digest: vec![digest] }
}

#[tokio::test]
async fn a_proposal_is_decided_once_and_its_words_are_not_kept() {
    let store = store().await;
    let conversation = store.conversation_of("c", Some("quay")).await;
    let source = store.say(conversation, "I am Ana").await.id;
    let (one, two) = (proposal(source, "The person is Ana.", 1), proposal(source, "Ana likes tea.", 2));
    let (first, second) = (one.proposal.clone(), two.proposal.clone());
    let orphan = proposal(MessageId::new(), "nobody said this", 3);
    assert_eq!(store.propose(vec![one, two, orphan]).await.unwrap(), 2);
    assert_eq!(store.propose(vec![proposal(source, "Ana is the person.", 1)]).await.unwrap(), 0);
    let list = async || store.proposals(ProposalList::default()).await.unwrap().items;
    assert_eq!(list().await, [first.clone(), second.clone()]);

    let Accepted::Memory(created) = store.accept(first.id, fact("The person is Ana."), None).await.unwrap()
    else {
        panic!("it became no memory")
    };
    assert!(created.fresh);
    let again = store.accept(first.id, fact("another"), None).await.unwrap();
    assert!(matches!(again, Accepted::Memory(again) if again.record == created.record && !again.fresh));
    assert_eq!(store.counts().await.unwrap().memories, 1);

    assert!(store.reject(second.id).await.unwrap());
    assert!(!store.reject(second.id).await.unwrap());
    assert_eq!(store.accept(second.id, fact("x"), None).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.counts().await.unwrap().memories, 1, "what could not be accepted was not stored");
    assert_eq!(list().await, []);
    assert_eq!(store.number("SELECT count(*) FROM memory_proposal WHERE content <> ''"), 0);
    assert_eq!(store.propose(vec![proposal(source, "tea is what Ana likes", 2)]).await.unwrap(), 0);

    store.delete_memory(created.record.id).await.unwrap();
    assert!(matches!(store.accepted(first.id).await.unwrap(), Some(Accepted::Deleted(_))));
    store.delete_conversation(conversation).await.unwrap();
    assert_eq!(
        store.number("SELECT count(*) FROM memory_proposal"),
        0,
        "they go with what they were taken from"
    );
}

#[tokio::test]
async fn the_days_tokens_are_spent_once_even_over_a_restart() {
    let store = store().await;
    let monday = Timestamp::from_millis(86_400_000 * 100 + 5);
    let tuesday = monday.plus_millis(86_400_000);
    assert!(store.spend(monday, 600, 1000).await.unwrap());
    assert!(!store.spend(monday, 600, 1000).await.unwrap());
    let store = store.reopen().await;
    assert!(!store.spend(monday, 600, 1000).await.unwrap(), "a restart gives nothing back");
    assert!(store.spend(tuesday, 600, 1000).await.unwrap());
    store.correct_spending(monday, 600, 150).await.unwrap();
    assert_eq!((store.spent(monday).await.unwrap(), store.spent(tuesday).await.unwrap()), (150, 600));
    assert!(store.spend(monday, 850, 1000).await.unwrap());
}

#[tokio::test]
async fn a_conversation_comes_back_until_all_of_it_was_read() {
    let store = store().await;
    let conversation = store.conversation_of("c", None).await;
    let first = store.say(conversation, "a").await;
    store.want_extraction(conversation).await.unwrap();
    let next = store.next_extraction().await.unwrap().unwrap();
    assert_eq!((next.conversation, next.read_seq), (conversation, 0));
    let second = store.say(conversation, "b").await;
    store.extracted(conversation, first.seq).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap().unwrap().read_seq, first.seq, "more came meanwhile");
    store.extracted(conversation, second.seq).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap(), None);
    store.want_extraction(conversation).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap().unwrap().read_seq, second.seq);

    let private = |private| Change { private: Some(private), ..Change::default() };
    store.organise(vec![conversation], private(true)).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap(), None, "what was said in private is not read");
    let secret = store.conversation_of("s", None).await;
    store.organise(vec![secret], private(true)).await.unwrap();
    store.want_extraction(secret).await.unwrap();
    store.organise(vec![secret, conversation], private(false)).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap().unwrap().conversation, conversation);
    store.delete_conversation(conversation).await.unwrap();
    assert_eq!(store.next_extraction().await.unwrap(), None);
    store.want_extraction(ConversationId::new()).await.unwrap();
}

async fn sum_up(store: &Temporary, covered: &[Message], previous: Option<SummaryId>) -> SummaryId {
    let last = covered.last().unwrap();
    let summary = Summary {
        id: SummaryId::new(),
        conversation_id: last.conversation_id,
        last_message_id: last.id,
        messages: covered.len() as u64,
        content: format!("up to {}", last.content),
        model: "tiny".into(),
        created_at: Timestamp::from_millis(7),
    };
    let covered = covered.iter().map(|message| (message.id, message.content.clone())).collect();
    store.add_summary(NewSummary { summary, previous, covered }).await.unwrap().id
}

#[tokio::test]
async fn a_branch_has_the_newest_summary_on_its_way() {
    let store = store().await;
    let conversation = store.conversation_of("c", None).await;
    let mut said = vec![];
    for text in ["a", "b", "c", "d"] {
        said.push(store.say(conversation, text).await);
    }
    assert_eq!(store.summary_of_branch(said[3].id).await.unwrap(), None);
    let first = sum_up(&store, &said[..2], None).await;
    let second = sum_up(&store, &said[2..3], Some(first)).await;
    let of = async |at: usize| store.summary_of_branch(said[at].id).await.unwrap().map(|summary| summary.id);
    assert_eq!(
        [of(0).await, of(1).await, of(2).await, of(3).await],
        [None, Some(first), Some(second), Some(second)]
    );
    let listed: Vec<_> = store.summaries(conversation).await.unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(listed, [second, first]);
}

#[tokio::test]
async fn a_summary_goes_when_a_message_it_covers_is_changed_or_deleted() {
    let store = store().await;
    let conversation = store.conversation_of("c", None).await;
    let mut said = vec![];
    for text in ["a", "b", "c", "d", "e"] {
        said.push(store.say(conversation, text).await);
    }
    let n = async || store.summaries(conversation).await.unwrap().len();
    let first = sum_up(&store, &said[..2], None).await;
    let second = sum_up(&store, &said[2..3], Some(first)).await;
    sum_up(&store, &said[3..4], Some(second)).await;
    let edit = |at: usize, content: Option<&str>| MessageUpdate {
        id: said[at].id,
        content: content.map(Into::into),
        author: Patch::Set("Ana".into()),
        metadata: Patch::Keep,
    };
    store.update_message(edit(4, Some("x")), Some(whole("x"))).await.unwrap();
    store.update_message(edit(0, None), None).await.unwrap();
    assert_eq!(n().await, 3, "neither a later message nor another member is summed up");
    store.update_message(edit(3, Some("y")), Some(whole("y"))).await.unwrap();
    assert_eq!(n().await, 2);
    store.delete_message(said[0].id).await.unwrap();
    assert_eq!(n().await, 0, "those that go on from it say the same thing");
    assert_eq!(store.number("SELECT count(*) FROM summary_message"), 0);

    let again = sum_up(&store, &said[1..3], None).await;
    let stale = NewSummary {
        summary: store.summary_of_branch(said[2].id).await.unwrap().unwrap(),
        previous: Some(again),
        covered: vec![(said[3].id, "d".into())],
    };
    assert_eq!(
        store.add_summary(stale).await.unwrap_err().kind(),
        Kind::Conflict,
        "it was changed meanwhile"
    );
    store.delete_conversation(conversation).await.unwrap();
    assert_eq!(
        store.number("SELECT count(*) FROM summary") + store.number("SELECT count(*) FROM summary_message"),
        0
    );
}
