//! Claude Code: a session is a file of JSON lines, most of which are messages. The format is not promised by its
//! makers and changes often, so that lines of unknown kinds are counted and left aside.

use std::collections::HashMap;
use std::io::BufRead;

use serde_json::{Map, Value};

use super::convert::Growing;
use super::follow::Retitled;
use super::lines::{Line, lines};
use super::told::{Parent, Said, Told, count};
use super::{Readout, blocks, json};
use crate::api::data::ImportFormat;
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
    for session in &mut sessions.all {
        let mut readout = session.records(now, Growing::whole);
        // only one session's records are there at a time
        readout.append(std::mem::take(&mut sessions.rest));
        each(readout)?;
    }
    // where no line is of any session
    each(sessions.rest)
}

/// The sessions of a file, read line by line.
#[derive(Default)]
pub(super) struct Sessions {
    all: Vec<Session>,
    by_id: HashMap<String, usize>,
    /// Titles that came before the first line that names a session.
    titles: Vec<(Rank, String)>,
    /// What is to be told of lines that are of no session.
    rest: Readout,
}

struct Session {
    growing: Growing,
    title: Option<(Rank, String)>,
    /// Those that it had before.
    former_titles: Vec<String>,
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
    /// The records of what was read since the last time.
    pub fn records(&mut self, now: Timestamp) -> Readout {
        let mut readout = std::mem::take(&mut self.rest);
        for session in &mut self.all {
            readout.append(session.records(now, Growing::records));
        }
        readout
    }

    /// Titles of a session that grew better while it was read, each with the ones before.
    pub fn titles(&self) -> impl Iterator<Item = Retitled> {
        self.all.iter().filter_map(|session| {
            let conversation = session.growing.id()?;
            let (_, title) = session.title.clone()?;
            let former = session.former_titles.clone();
            (!former.is_empty()).then_some(Retitled { conversation, title, former })
        })
    }

    pub fn line(&mut self, number: u64, line: Line<'_>, name: Option<&str>) {
        let place = format!("line {number}");
        let Line::Whole(line) = line else {
            return self.refuse(place, format!("takes more than {MAX_LINE_BYTES} bytes"));
        };
        let members = match json::parse(line) {
            Ok((Value::Object(members), is_mended)) => {
                self.rest.mended += u64::from(is_mended);
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
                count(&mut self.rest.ignored, other);
                if let Some(id) = json::id(&members, &["uuid"]) {
                    let parent = parent(&members);
                    let session = self.session(&members, name);
                    session.growing.told.messages.push(Said::of(Vec::new()).named(Some(id)).after(parent));
                }
            }
        }
    }

    fn refuse(&mut self, place: String, reason: String) {
        self.rest.refuse(place, reason);
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
            let mut session = Session::new(told);
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
            session.growing.told.messages.push(Said::of(Vec::new()).named(id).after(parent));
            return self.refuse(place, "has no message".into());
        };
        content.unknown.iter().for_each(|kind| session.growing.told.ignore(kind));
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
        session.growing.told.messages.push(said);
    }
}

impl Session {
    fn new(told: Told) -> Self {
        Self {
            growing: Growing::new(told),
            title: None,
            former_titles: Vec::new(),
            is_linked: false,
            thinking: String::new(),
        }
    }

    /// Among titles of one rank the last counts; among questions the first.
    fn offer(&mut self, rank: Rank, title: String) {
        let is_better = match &self.title {
            Some((known, _)) => rank > *known || (rank == *known && rank != Rank::FirstQuestion),
            None => true,
        };
        if is_better && let Some((_, former)) = self.title.replace((rank, title)) {
            self.former_titles.push(former);
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

    fn records(
        &mut self,
        now: Timestamp,
        make: impl FnOnce(&mut Growing, &str, Timestamp) -> Readout,
    ) -> Readout {
        let told = &mut self.growing.told;
        told.title = self.title.as_ref().map(|(_, title)| title.clone());
        if !self.is_linked {
            // nothing is linked: then the order of the lines is all there is
            told.messages.iter_mut().for_each(|said| said.parent = Parent::Previous);
        }
        make(&mut self.growing, "", now)
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
