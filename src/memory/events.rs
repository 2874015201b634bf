//! Tells subscribers what clients change.

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::api::event::{Action, Change};
use crate::api::trash::TrashKind;
use crate::model::{ClientRef, ConversationId, MemoryId, MessageId, Timestamp};

/// Changes that wait for a slow subscriber; who falls further behind is told how many it missed.
const MAX_WAITING_CHANGES: usize = 1024;

/// Where changes are told. A cheap clone.
#[derive(Clone)]
pub struct Events(broadcast::Sender<Told>);

/// A change, and the connection that made it.
#[derive(Debug, Clone)]
pub struct Told {
    /// What changed.
    pub change: Change,
    /// The connection whose call changed it, so that a subscriber can leave its own changes out.
    pub connection: u64,
}

/// Who does something: the tool, and the connection it calls on.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// The tool, if it gave its name.
    pub client: Option<ClientRef>,
    /// The connection's number; 0: the daemon itself.
    pub connection: u64,
}

impl Events {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(MAX_WAITING_CHANGES))
    }

    /// Every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    pub(super) fn conversation(&self, actor: &Actor, action: Action, id: ConversationId) {
        self.tell(actor, Change { conversation_id: Some(id), ..change(actor, action) });
    }

    pub(super) fn messages(
        &self,
        actor: &Actor,
        action: Action,
        conversation: ConversationId,
        ids: Vec<MessageId>,
    ) {
        self.tell(
            actor,
            Change { conversation_id: Some(conversation), message_ids: ids, ..change(actor, action) },
        );
    }

    pub(super) fn memory(&self, actor: &Actor, action: Action, id: MemoryId) {
        self.tell(actor, Change { memory_id: Some(id), ..change(actor, action) });
    }

    pub(super) fn in_general(&self, actor: &Actor, action: Action) {
        self.tell(actor, change(actor, action));
    }

    pub(super) fn restored(&self, actor: &Actor, kind: TrashKind, id: Uuid) {
        let mut told = change(actor, Action::Restored);
        let bytes = *id.as_bytes();
        match kind {
            TrashKind::Conversation => told.conversation_id = Some(ConversationId::from_bytes(bytes)),
            TrashKind::Message => told.message_ids = vec![MessageId::from_bytes(bytes)],
            TrashKind::Memory => told.memory_id = Some(MemoryId::from_bytes(bytes)),
        }
        self.tell(actor, told);
    }

    pub(super) fn everything_restored(&self, actor: &Actor) {
        self.tell(actor, change(actor, Action::Restored));
    }

    pub(super) fn forgotten(&self, actor: &Actor) {
        self.tell(actor, change(actor, Action::Forgotten));
    }

    fn tell(&self, actor: &Actor, change: Change) {
        // an error says that nobody listens, which is fine
        let _ = self.0.send(Told { change, connection: actor.connection });
    }
}

fn change(actor: &Actor, action: Action) -> Change {
    Change {
        action,
        conversation_id: None,
        message_ids: Vec::new(),
        memory_id: None,
        client: actor.client.clone(),
        at: Timestamp::now(),
    }
}
