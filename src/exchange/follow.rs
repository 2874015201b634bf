//! Reads a session while it is still being written: what was read before is not read again, and gives no records
//! twice.

use super::claude_code::{MAX_LINE_BYTES, Sessions};
use super::lines::lines;
use super::{Readout, codex};
use crate::api::data::ImportFormat;
use crate::error::Result;
use crate::model::{ConversationId, Timestamp};

/// What was read of a session file so far. It holds how its messages are linked, not what they say.
pub struct Follower {
    session: Session,
    name: Option<String>,
    n_lines: u64,
}

enum Session {
    ClaudeCode(Sessions),
    Codex(Box<codex::Session>),
}

/// A conversation whose title became a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retitled {
    /// Which one.
    pub conversation: ConversationId,
    /// Its title now.
    pub title: String,
    /// Titles that it had before.
    pub former: Vec<String>,
}

impl Follower {
    /// Follows a file of this name from its beginning; none for formats whose files change elsewhere than at their end.
    pub fn new(format: ImportFormat, name: Option<&str>) -> Option<Self> {
        let session = match format {
            ImportFormat::ClaudeCode => Session::ClaudeCode(Sessions::default()),
            ImportFormat::Codex => Session::Codex(Box::default()),
            _ => return None,
        };
        Some(Self { session, name: name.map(str::to_owned), n_lines: 0 })
    }

    /// Reads the lines that came, all of them whole, and gives their records: those that [`super::read`] of the whole
    /// file gives, a conversation each time that it has new messages.
    ///
    /// Errors: none, as nothing is read from outside.
    pub fn read(&mut self, bytes: &[u8], now: Timestamp) -> Result<Readout> {
        let (before, name) = (self.n_lines, self.name.as_deref());
        self.n_lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let session = &mut self.session;
        lines(&mut &bytes[..], MAX_LINE_BYTES, |number, line| {
            match session {
                Session::ClaudeCode(sessions) => sessions.line(before + number, line, name),
                Session::Codex(session) => session.line(before + number, line),
            }
            Ok(())
        })?;
        Ok(match session {
            Session::ClaudeCode(sessions) => sessions.records(now),
            Session::Codex(session) => session.records(name, now),
        })
    }

    /// The titles that became better ones.
    pub fn retitled(&self) -> Vec<Retitled> {
        match &self.session {
            Session::ClaudeCode(sessions) => sessions.titles().collect(),
            Session::Codex(_) => Vec::new(),
        }
    }
}
