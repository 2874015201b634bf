//! The tree of messages against a simple model of it, after any sequence of operations.

use proptest::prelude::*;

use crate::api::Patch;
use crate::api::message::{MessageList, MessagePath};
use crate::error::Kind;
use crate::model::{ConversationId, Message, MessageId};
use crate::store::NewMessage;
use crate::store::testing::{Temporary, append, said, store};

#[derive(Debug, Clone)]
enum Step {
    /// Messages one after the other behind the head.
    Say(usize),
    /// One message below another, or none: a branch, an edit, another answer.
    Branch(Option<usize>),
    Show {
        message: usize,
        to_leaf: bool,
    },
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Step::Say),
        4 => prop::option::of(0..99_usize).prop_map(Step::Branch),
        3 => (0..99_usize, any::<bool>()).prop_map(|(message, to_leaf)| Step::Show { message, to_leaf }),
        2 => (0..99_usize).prop_map(Step::Delete),
    ]
}

/// What the tree should be: each message's parent, in the order of arrival.
#[derive(Debug, Default)]
struct Model {
    messages: Vec<(MessageId, Option<MessageId>)>,
    head: Option<MessageId>,
}

impl Model {
    fn pick(&self, place: usize) -> Option<MessageId> {
        (!self.messages.is_empty()).then(|| self.messages[place % self.messages.len()].0)
    }

    fn parent(&self, id: MessageId) -> Option<MessageId> {
        self.messages.iter().find(|(message, _)| *message == id).unwrap().1
    }

    fn path(&self) -> Vec<MessageId> {
        std::iter::successors(self.head, |id| self.parent(*id)).collect()
    }

    fn children(&self, of: Option<MessageId>) -> Vec<MessageId> {
        self.messages.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id).collect()
    }

    fn is_below(&self, id: MessageId, above: MessageId) -> bool {
        std::iter::successors(Some(id), |id| self.parent(*id)).any(|id| id == above)
    }

    fn newest_below(&self, above: MessageId) -> MessageId {
        self.messages.iter().rev().find(|(id, _)| self.is_below(*id, above)).unwrap().0
    }

    fn add(&mut self, message: &Message) {
        self.messages.push((message.id, message.parent_id));
        self.head = Some(message.id);
    }

    fn delete(&mut self, id: MessageId) {
        let parent = self.parent(id);
        self.messages.retain(|(message, _)| *message != id);
        for (_, of) in self.messages.iter_mut().filter(|(_, of)| *of == Some(id)) {
            *of = parent;
        }
        if self.head == Some(id) {
            self.head = parent.or(self.messages.last().map(|(id, _)| *id));
        }
    }
}

async fn all(store: &Temporary, list: MessageList) -> Vec<MessageId> {
    let mut ids = Vec::new();
    let mut list = list;
    loop {
        let page = store.messages(list.clone()).await.unwrap();
        assert!(page.items.len() <= list.limit.unwrap() as usize);
        ids.extend(page.items.iter().map(|message| message.id));
        match page.next_cursor {
            Some(cursor) => list.cursor = Some(cursor),
            None => return ids,
        }
    }
}

fn list(conversation: ConversationId, path: MessagePath, limit: u32) -> MessageList {
    MessageList {
        conversation_id: conversation,
        path,
        parent_id: Patch::Keep,
        newest_first: false,
        limit: Some(limit),
        cursor: None,
    }
}

async fn do_step(store: &Temporary, c: ConversationId, model: &mut Model, step: Step) {
    match step {
        Step::Say(n) => {
            let new = (0..n).map(|n| said(&format!("said {n}"))).collect();
            for message in store.append(append(c, new)).await.unwrap().messages {
                assert_eq!(message.parent_id, model.head);
                model.add(&message);
            }
        }
        Step::Branch(below) => {
            let parent = below.and_then(|place| model.pick(place)).map_or(Patch::Clear, Patch::Set);
            let new = NewMessage { parent, ..said("branch") };
            let message = store.append(append(c, vec![new])).await.unwrap().messages.remove(0);
            model.add(&message);
        }
        Step::Show { message, to_leaf } => {
            let Some(id) = model.pick(message) else { return };
            let head = if to_leaf { model.newest_below(id) } else { id };
            let shown = store.set_head(id, to_leaf).await.unwrap();
            assert_eq!(shown.head_message_id, Some(head));
            model.head = Some(head);
        }
        Step::Delete(message) => {
            let Some(id) = model.pick(message) else { return };
            store.delete_message(id).await.unwrap();
            model.delete(id);
        }
    }
}

async fn check(store: &Temporary, c: ConversationId, model: &Model, limit: u32) {
    assert_eq!(store.conversation(c).await.unwrap().head_message_id, model.head);
    let arrived: Vec<MessageId> = model.messages.iter().map(|(id, _)| *id).collect();
    assert_eq!(all(store, list(c, MessagePath::All, limit)).await, arrived);
    let path = all(store, list(c, MessagePath::Head, limit)).await;
    assert_eq!(path, model.path());
    if let Some(head) = model.head {
        let mut ids = store.branch_ids(head).await.unwrap().1;
        ids.reverse();
        assert_eq!(ids, path);
    }
    for of in arrived.iter().copied().map(Some).chain([None]) {
        let mut children = MessageList {
            parent_id: of.map_or(Patch::Clear, Patch::Set),
            ..list(c, MessagePath::All, limit)
        };
        assert_eq!(all(store, children.clone()).await, model.children(of));
        children.newest_first = true;
        let mut back = all(store, children).await;
        back.reverse();
        assert_eq!(back, model.children(of));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_tree_is_what_was_done_to_it(steps in prop::collection::vec(step(), 1..24), limit in 1..5_u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            let c = store.conversation_of("tree", None).await;
            let mut model = Model::default();
            for step in steps {
                do_step(&store, c, &mut model, step).await;
            }
            check(&store, c, &model, limit).await;
        });
    }
}

#[tokio::test]
async fn a_page_goes_on_where_its_last_message_was_deleted() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let said =
        store.append(append(c, (0..6).map(|n| said(&n.to_string())).collect())).await.unwrap().messages;
    let first = store.messages(list(c, MessagePath::Head, 2)).await.unwrap();
    assert_eq!(first.items.iter().map(|m| m.seq).collect::<Vec<_>>(), [6, 5]);
    let next = MessageList { cursor: first.next_cursor, ..list(c, MessagePath::Head, 9) };
    store.delete_message(said[4].id).await.unwrap();
    let rest = store.messages(next.clone()).await.unwrap();
    assert_eq!(rest.items.iter().map(|m| m.seq).collect::<Vec<_>>(), [4, 3, 2, 1]);
    store.delete_message(said[3].id).await.unwrap();
    let error = store.messages(next).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
}

#[tokio::test]
async fn messages_of_other_conversations_are_no_branches_here() {
    let store = store().await;
    let (a, b) = (store.conversation_of("a", None).await, store.conversation_of("b", None).await);
    let elsewhere = store.say(b, "x").await.id;
    let children = MessageList { parent_id: Patch::Set(elsewhere), ..list(a, MessagePath::All, 9) };
    assert_eq!(store.messages(children).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.set_head(MessageId::new(), true).await.unwrap_err().kind(), Kind::NotFound);
    let page = store.messages(list(a, MessagePath::Head, 9)).await.unwrap();
    assert_eq!((page.items.len(), page.next_cursor), (0, None));
}
