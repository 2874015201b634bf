//! Which recalled passages a prompt quotes, and how.

use std::collections::HashSet;

use uuid::Uuid;

use super::fence::{Fence, one_line};
use super::prompt::{LEAST_QUOTE_TOKENS, Passage, shorten};
use super::tokens;
use super::wording::Wording;
use crate::model::{Source, SourceKind};

/// A title or a name in front of a quote, in characters.
const TITLE_CHARS: usize = 60;

/// The quotes that fit.
pub(super) struct Notes<'a> {
    fence: &'a Fence,
    wording: &'a Wording,
    /// What is in the prompt already.
    used: HashSet<Uuid>,
    chosen: Vec<Note>,
    left_out: HashSet<Uuid>,
}

struct Note {
    passage: Passage,
    /// The text as it is quoted, before it is fenced.
    kept: String,
}

impl<'a> Notes<'a> {
    /// No quotes yet; what is `shown` otherwise is never quoted.
    pub(super) fn new(fence: &'a Fence, wording: &'a Wording, shown: HashSet<Uuid>) -> Self {
        Self { fence, wording, used: shown, chosen: Vec::new(), left_out: HashSet::new() }
    }

    /// Messages that are shown otherwise, and so are not quoted.
    pub(super) fn leave_out(&mut self, ids: impl Iterator<Item = Uuid>) {
        self.used.extend(ids);
    }

    /// The messages and memories that are quoted.
    pub(super) fn quoted(&self) -> HashSet<Uuid> {
        self.chosen.iter().map(|note| note.passage.id).collect()
    }

    /// Takes `passages` in their order as long as they fit into `limit` tokens; gives what they took. One passage
    /// takes at most half of what is left while others wait, so that one long text does not push all others out.
    pub(super) fn add(&mut self, passages: &[Passage], limit: u32) -> u32 {
        let mut left = limit;
        for (at, passage) in passages.iter().enumerate() {
            let is_known = self.used.contains(&passage.id)
                || self.chosen.iter().any(|note| note.passage.text.trim() == passage.text.trim());
            if is_known || passage.text.trim().is_empty() {
                continue;
            }
            let is_last = at + 1 == passages.len();
            let allowed = if is_last { left } else { (left / 2).max(3 * LEAST_QUOTE_TOKENS).min(left) };
            let Some((note, cost)) = self.fit(passage, allowed) else {
                self.left_out.insert(passage.id);
                continue;
            };
            self.used.insert(passage.id);
            self.left_out.remove(&passage.id);
            self.chosen.push(note);
            left -= cost;
        }
        limit - left
    }

    /// The note of `passage`, cut to `limit` tokens, and what it takes; None where too little would be left.
    fn fit(&self, passage: &Passage, limit: u32) -> Option<(Note, u32)> {
        // the number is not known yet; a long one stands for it
        let cost_of = |kept: &str| tokens::estimate(&self.text(999, passage, kept)) + 2;
        let text = passage.text.trim();
        let whole = cost_of(text);
        if whole <= limit {
            return Some((Note { passage: passage.clone(), kept: text.to_owned() }, whole));
        }
        // the marks of the quotation cost something for each line, so the text must shrink until it fits
        let mut room = limit.checked_sub(cost_of(self.wording.cut))?;
        while room >= LEAST_QUOTE_TOKENS {
            let kept = shorten(text, room, self.wording);
            let cost = cost_of(&kept);
            if cost <= limit {
                return Some((Note { passage: passage.clone(), kept }, cost));
            }
            room = room * 3 / 4;
        }
        None
    }

    /// `[n] <date> · <title> · <role>` and the quote.
    fn text(&self, n: u32, passage: &Passage, kept: &str) -> String {
        let date = passage.created_at.day();
        let title = match (passage.kind, &passage.title) {
            (_, Some(title)) => one_line(title, TITLE_CHARS),
            (SourceKind::Memory, None) => self.wording.memory.to_owned(),
            (SourceKind::Message, None) => self.wording.untitled.to_owned(),
        };
        let role = passage.role.map(|role| self.wording.speaker(role).to_owned());
        let author = passage.author.as_deref().map(|author| one_line(author, TITLE_CHARS));
        let speaker = author.filter(|author| !author.is_empty()).or(role);
        let speaker = speaker.map(|speaker| format!(" · {speaker}")).unwrap_or_default();
        format!("[{n}] {date} · {title}{speaker}\n{}", self.fence.quote(kept))
    }

    /// What was left out or cut, in a sentence.
    pub(super) fn notice(&self, context_tokens: u32) -> Option<String> {
        let n_cut = self.chosen.iter().filter(|note| note.kept != note.passage.text.trim()).count();
        let lost = match (self.left_out.len(), n_cut) {
            (0, 0) => return None,
            (left_out, 0) => format!("{left_out} recalled passages were left out"),
            (0, cut) => format!("{cut} recalled passages were cut"),
            (left_out, cut) => format!("{left_out} recalled passages were left out and {cut} were cut"),
        };
        Some(format!("{lost} to fit the model's context of {context_tokens} tokens"))
    }

    /// The block of notes, numbered in order of time, and their sources.
    pub(super) fn finish(mut self, is_wanted: bool) -> (String, Vec<Source>) {
        if self.chosen.is_empty() {
            let block = if is_wanted { self.wording.no_notes } else { "" };
            return (block.to_owned(), Vec::new());
        }
        self.chosen.sort_by_key(|note| (note.passage.created_at, note.passage.id));
        let numbered = (1..).zip(&self.chosen);
        let texts: Vec<String> = numbered.map(|(n, note)| self.text(n, &note.passage, &note.kept)).collect();
        let (open, close) = (self.fence.open("notes"), self.fence.close("notes"));
        let block = format!("{}\n{open}\n{}\n{close}", self.wording.notes, texts.join("\n\n"));
        let sources = (1..).zip(self.chosen).map(|(n, note)| note.into_source(n)).collect();
        (block, sources)
    }
}

impl Note {
    fn into_source(self, n: u32) -> Source {
        let Passage { kind, id, conversation_id, title, role, author: _, created_at, client, text: _, score } =
            self.passage;
        Source {
            n,
            kind,
            id,
            conversation_id,
            title,
            role,
            created_at,
            client,
            text: self.kept,
            score,
            cited: false,
        }
    }
}
