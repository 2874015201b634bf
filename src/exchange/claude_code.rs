//! Claude Code: a session is a file of JSON lines, most of which are messages. The format is not promised by its
//! makers and changes often, so that lines of unknown kinds are counted and left aside.

use std::collections::HashMap;
use std::io::BufRead;

use serde_json::{Map, Value};

use super::lines::{Line, lines};
use super::told::{Ignored, Parent, Said, Told, count};
use super::{Readout, blocks, convert, json};
use crate::api::data::{ImportFormat, Refused};
use crate::error::Result;
use crate::model::{Role, Timestamp};

/// A line may hold pictures, but not more.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;

/// Reads a session, or several that stand in one file; each is one conversation.
pub(super) fn read_from(
    reader: &mut dyn BufRead,
    name: Option<&str>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut sessions = Sessions::default();
    lines(reader, MAX_LINE_BYTES, |number, line| {
        sessions.line(number, line, name);
        Ok(())
    })?;
    for session in sessions.finished() {
        each(session(now))?;
    }
    Ok(())
}

#[derive(Default)]
struct Sessions {
    all: Vec<Session>,
    by_id: HashMap<String, usize>,
    /// What came before the first line that names a session.
    refused: Vec<Refused>,
    ignored: Ignored,
    titles: Vec<(Rank, String)>,
    mended: u64,
}

struct Session {
    told: Told,
    title: Option<(Rank, String)>,
    /// Whether any line names a parent: in files of old versions none does.
    is_linked: bool,
    /// What the model thought since it last spoke: thoughts have lines of their own.
    thinking: String,
}

/// How good a title is; the better is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    FirstQuestion,
    Summary,
    ByModel,
    ByPerson,
}

impl Sessions {
    fn line(&mut self, number: u64, line: Line<'_>, name: Option<&str>) {
        let place = format!("line {number}");
        let Line::Whole(line) = line else {
            return self.refuse(place, format!("takes more than {MAX_LINE_BYTES} bytes"));
        };
        let members = match json::parse(line) {
            Ok((Value::Object(members), is_mended)) => {
                self.mended += u64::from(is_mended);
                members
            }
            Ok(_) => return self.refuse(place, "is no object".into()),
            Err(reason) => return self.refuse(place, reason),
        };
        let kind = json::text(&members, &["type"]).unwrap_or_default().to_owned();
        match kind.as_str() {
            "user" | "assistant" => self.message(place, &kind, members, name),
            "summary" => self.title(Rank::Summary, &members, "summary"),
            "ai-title" => self.title(Rank::ByModel, &members, "aiTitle"),
            "custom-title" => self.title(Rank::ByPerson, &members, "customTitle"),
            "" => self.refuse(place, "has no type".into()),
            // system notes, snapshots of files, progress, and whatever the next version writes; those that have an
            // id may be what the next message answers
            other => {
                count(&mut self.ignored, other);
                if let Some(id) = json::id(&members, &["uuid"]) {
                    let parent = parent(&members);
                    let session = self.session(&members, name);
                    session.told.messages.push(Said::of(Vec::new()).named(Some(id)).after(parent));
                }
            }
        }
    }

    fn refuse(&mut self, place: String, reason: String) {
        self.refused.push(Refused { place, reason });
    }

    /// A title belongs to the session that is being read; a summary at the beginning of a file to the one that comes.
    fn title(&mut self, rank: Rank, members: &Map<String, Value>, member: &str) {
        let Some(title) = json::name(members, &[member, "title"]) else { return };
        let named = json::id(members, &["sessionId"]).and_then(|id| self.by_id.get(&id).copied());
        match named.or(self.all.len().checked_sub(1)) {
            Some(at) => self.all[at].offer(rank, title),
            None => self.titles.push((rank, title)),
        }
    }

    fn session(&mut self, members: &Map<String, Value>, name: Option<&str>) -> &mut Session {
        let session = json::id(members, &["sessionId", "session_id"]).or(name.map(str::to_owned));
        // an agent of its own writes a file of its own, under the session that called it
        let agent = json::id(members, &["agentId"]).filter(|_| json::is_set(members, "isSidechain"));
        let id = match (session, agent) {
            (Some(session), Some(agent)) => Some(format!("{session}/{agent}")),
            (session, agent) => session.or(agent),
        };
        let key = id.clone().unwrap_or_default();
        let at = *self.by_id.entry(key).or_insert_with(|| {
            let mut told = Told::new(ImportFormat::ClaudeCode, id);
            told.project = json::name(members, &["cwd"]);
            told.version = json::name(members, &["version"]);
            if let Some(branch) = json::name(members, &["gitBranch"]) {
                told.metadata.insert("gitBranch".into(), branch.into());
            }
            let mut session = Session { told, title: None, is_linked: false, thinking: String::new() };
            for (rank, title) in self.titles.drain(..) {
                session.offer(rank, title);
            }
            self.all.push(session);
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    fn message(&mut self, place: String, kind: &str, members: Map<String, Value>, name: Option<&str>) {
        let id = json::id(&members, &["uuid"]);
        let parent = parent(&members);
        let is_linked = matches!(parent, Parent::Of(_));
        let role = if kind == "user" { Role::User } else { Role::Assistant };
        let message = match members.get("message") {
            Some(Value::Object(message)) => Some(message),
            _ => None,
        };
        let content =
            message.map(|message| blocks::read(role, message.get("content").unwrap_or(&Value::Null)));
        let is_aside = json::is_set(&members, "isSidechain") && json::id(&members, &["agentId"]).is_none();
        // what the program wrote in the person's name
        let is_written = ["isMeta", "isCompactSummary", "isVisibleInTranscriptOnly"]
            .iter()
            .any(|name| json::is_set(&members, name));
        let session = self.session(&members, name);
        session.is_linked |= is_linked;
        let Some(mut content) = content else {
            session.told.messages.push(Said::of(Vec::new()).named(id).after(parent));
            return self.refuse(place, "has no message".into());
        };
        content.unknown.iter().for_each(|kind| session.told.ignore(kind));
        for part in &mut content.parts {
            if role == Role::User && part.role == Role::User && (is_written || is_from_program(&part.text)) {
                part.role = Role::System;
                part.is_noise = true;
            }
        }
        let mut said =
            Said::of(content.parts).named(id).after(parent).at(json::time(&members, &["timestamp"]));
        said.model = message
            .and_then(|message| json::name(message, &["model"]))
            // answers that the program made up
            .filter(|model| model != "<synthetic>");
        said.usage = message.and_then(|message| {
            json::usage(message.get("usage")?.as_object()?, "input_tokens", "output_tokens")
        });
        said.is_aside = is_aside;
        session.think(&mut said, &content.thinking);
        if !is_aside && let Some(question) = said.parts.iter().find(|part| part.role == Role::User) {
            let title = json::title_from(&question.text);
            title.into_iter().for_each(|title| session.offer(Rank::FirstQuestion, title));
        }
        session.told.messages.push(said);
    }

    /// What makes the records of each session, so that only one session's records are there at a time.
    fn finished(self) -> impl Iterator<Item = impl FnOnce(Timestamp) -> Readout> {
        let Self { all, refused, ignored, mended, .. } = self;
        let mut rest = Some((refused, ignored, mended));
        let n = all.len();
        let mut all = all.into_iter();
        // at least one, for what belongs to no session
        (0..n.max(1)).map(move |_| {
            let session = all.next();
            let rest = rest.take();
            move |now: Timestamp| {
                let mut readout = session.map(|session| session.records(now)).unwrap_or_default();
                if let Some((refused, ignored, mended)) = rest {
                    readout.refused.extend(refused);
                    readout.append(Readout { ignored, mended, ..Readout::default() });
                }
                readout
            }
        })
    }
}

impl Session {
    /// Among titles of one rank the last counts; among questions the first.
    fn offer(&mut self, rank: Rank, title: String) {
        let is_better = match &self.title {
            Some((known, _)) => rank > *known || (rank == *known && rank != Rank::FirstQuestion),
            None => true,
        };
        if is_better {
            self.title = Some((rank, title));
        }
    }

    /// Thoughts belong to what is said or done next.
    fn think(&mut self, said: &mut Said, thought: &str) {
        if !thought.is_empty() {
            self.thinking.push_str(if self.thinking.is_empty() { "" } else { "\n\n" });
            self.thinking.push_str(thought);
        }
        if said.model.is_some() && !said.parts.is_empty() {
            said.thinking(&std::mem::take(&mut self.thinking));
        }
    }

    fn records(self, now: Timestamp) -> Readout {
        let Self { mut told, title, is_linked, .. } = self;
        told.title = title.map(|(_, title)| title);
        if !is_linked {
            // nothing is linked: then the order of the lines is all there is
            told.messages.iter_mut().for_each(|said| said.parent = Parent::Previous);
        }
        convert::records(told, "", now)
    }
}

fn parent(members: &Map<String, Value>) -> Parent {
    // after the history was summed up, the first message names what it follows in another member
    match json::id(members, &["parentUuid"]).or_else(|| json::id(members, &["logicalParentUuid"])) {
        Some(parent) => Parent::Of(parent),
        None => Parent::Nobody,
    }
}

/// Whether a text in the person's name is the program's: commands typed and what they printed, reminders.
fn is_from_program(text: &str) -> bool {
    const MARKS: &[&str] = &[
        "<command-name>",
        "<command-message>",
        "<local-command-stdout>",
        "<local-command-stderr>",
        "<system-reminder>",
        "<bash-stdout>",
        "<bash-stderr>",
        "Caveat: The messages below were generated by the user while running local commands",
    ];
    json::begins_with_any(text, MARKS)
}
