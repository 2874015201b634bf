//! Which turns of the conversation a prompt shows: the newest that fit.

use std::collections::HashSet;

use uuid::Uuid;

use super::prompt::{LEAST_QUOTE_TOKENS, shorten};
use super::tokens;
use super::wording::Wording;
use crate::model::{Message, Role};

/// The newest turns that fit.
pub(super) struct Window<'a> {
    turns: &'a [Message],
    wording: &'a Wording,
    /// The turns from here on are in the window.
    first: usize,
    /// The text of the oldest turn of the window where it did not fit whole.
    cut: Option<String>,
}

/// What a prompt shows of the conversation.
pub(super) struct Turns {
    /// Who said what; only the person and the model.
    pub(super) said: Vec<(Role, String)>,
    /// Whether older turns were left out.
    pub(super) is_cut_off: bool,
}

impl<'a> Window<'a> {
    /// An empty window on `turns`, the oldest first.
    pub(super) fn new(turns: &'a [Message], wording: &'a Wording) -> Self {
        Self { turns, wording, first: turns.len(), cut: None }
    }

    /// Takes older turns as long as they fit into `limit` tokens and are not `quoted`; gives what they took. The
    /// newest of all is cut where it alone is too long; older ones are left out instead.
    pub(super) fn extend(&mut self, limit: u32, quoted: &HashSet<Uuid>) -> u32 {
        let mut used = 0;
        if self.cut.is_some() {
            return used;
        }
        while let Some(turn) = self.first.checked_sub(1).map(|before| &self.turns[before]) {
            if quoted.contains(&uuid_of(turn)) {
                break;
            }
            let cost =
                tokens::estimate(&said(turn, &turn.content, self.wording)) + tokens::MESSAGE_TOKENS + 2;
            if used + cost > limit {
                if self.first == self.turns.len() {
                    used += self.cut_newest(limit);
                }
                break;
            }
            used += cost;
            self.first -= 1;
        }
        used
    }

    fn cut_newest(&mut self, limit: u32) -> u32 {
        let Some(turn) = self.turns.last() else { return 0 };
        let around =
            tokens::estimate(&said(turn, self.wording.cut, self.wording)) + tokens::MESSAGE_TOKENS + 4;
        let Some(room) = limit.checked_sub(around).filter(|room| *room >= LEAST_QUOTE_TOKENS) else {
            return 0;
        };
        let kept = shorten(&turn.content, room, self.wording);
        self.first -= 1;
        let used = tokens::estimate(&said(turn, &kept, self.wording)) + tokens::MESSAGE_TOKENS + 2;
        self.cut = Some(kept);
        used.min(limit)
    }

    /// The messages in the window.
    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.turns[self.first..].iter().map(uuid_of)
    }

    /// What the window shows, the oldest first.
    pub(super) fn into_turns(self) -> Turns {
        let mut cut = self.cut;
        let say = |turn: &Message| {
            let role = if turn.role == Role::Assistant { Role::Assistant } else { Role::User };
            let text = cut.take().unwrap_or_else(|| turn.content.clone());
            (role, said(turn, &text, self.wording))
        };
        let said: Vec<_> = self.turns[self.first..].iter().map(say).collect();
        Turns { is_cut_off: self.first > 0 && !said.is_empty(), said }
    }

    /// Turns that are not in the window.
    pub(super) fn n_left_out(&self) -> usize {
        self.first
    }

    /// What was left out or cut, in a sentence.
    pub(super) fn notice(&self) -> Option<String> {
        let cut = self.cut.as_ref().map(|_| "the last turn of the conversation was cut");
        match (self.first, cut) {
            (0, None) => None,
            (0, Some(cut)) => Some(cut.to_owned()),
            (n, cut) => {
                let left_out = format!("{n} earlier turns of the conversation did not fit into the prompt");
                Some(cut.map_or(left_out.clone(), |cut| format!("{left_out}, and {cut}")))
            }
        }
    }
}

fn uuid_of(message: &Message) -> Uuid {
    Uuid::from_bytes(*message.id.as_bytes())
}

/// A turn's text; one that neither the person nor the model said is labelled, for models know only these two.
fn said(turn: &Message, text: &str, wording: &Wording) -> String {
    match turn.role {
        Role::User | Role::Assistant => text.to_owned(),
        other => format!("({}) {text}", wording.speaker(other)),
    }
}
