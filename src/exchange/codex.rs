//! Codex: a session is a file of JSON lines. What was said stands in it twice, as items of the model's interface and
//! as events for the screen; the items are read, and the events only where there are no items.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::claude_code::MAX_LINE_BYTES;
use super::convert::Growing;
use super::lines::{Line, lines};
use super::told::{Part, Said, Told};
use super::{Readout, blocks, json};
use crate::api::data::{ImportFormat, Refused};
use crate::error::Result;
use crate::model::{Role, Timestamp};

/// Reads a session.
pub(super) fn read_from(
    reader: &mut dyn BufRead,
    name: Option<&str>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut session = Session::default();
    lines(reader, MAX_LINE_BYTES, |number, line| {
        session.line(number, line);
        Ok(())
    })?;
    each(session.whole(name, now))
}

/// A session, read line by line.
pub(super) struct Session {
    growing: Growing,
    /// What the events say.
    events: Vec<Said>,
    /// What the model thought since it last spoke.
    thinking: String,
    /// The model of the turn.
    model: Option<String>,
    mended: u64,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            growing: Growing::new(Told::new(ImportFormat::Codex, None)),
            events: Vec::new(),
            thinking: String::new(),
            model: None,
            mended: 0,
        }
    }
}

impl Session {
    pub fn line(&mut self, number: u64, line: Line<'_>) {
        let read = match line {
            Line::Whole(line) => json::parse(line),
            Line::TooLong => Err(format!("takes more than {MAX_LINE_BYTES} bytes")),
        };
        let refused = match read {
            Ok((Value::Object(members), is_mended)) => {
                self.mended += u64::from(is_mended);
                self.record(members)
            }
            Ok(_) => Err("is no object".into()),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = refused {
            self.growing.told.refused.push(Refused { place: format!("line {number}"), reason });
        }
    }

    /// The records of what was read since the last time. Events are left aside: the items that they repeat may come
    /// after them.
    pub fn records(&mut self, name: Option<&str>, now: Timestamp) -> Readout {
        self.make(name, now, Growing::records)
    }

    fn whole(mut self, name: Option<&str>, now: Timestamp) -> Readout {
        let told = &mut self.growing.told;
        if told.messages.iter().all(|said| said.parts.is_empty()) {
            told.messages = std::mem::take(&mut self.events);
        } else if !self.events.is_empty() {
            *told.ignored.entry("event that repeats a message".into()).or_default() +=
                self.events.len() as u64;
        }
        self.make(name, now, Growing::whole)
    }

    fn make(
        &mut self,
        name: Option<&str>,
        now: Timestamp,
        make: impl FnOnce(&mut Growing, &str, Timestamp) -> Readout,
    ) -> Readout {
        let told = &mut self.growing.told;
        if !told.messages.is_empty() {
            // the line that names the session comes before all messages
            told.id = told.id.take().or(name.map(str::to_owned));
        }
        if told.title.is_none() {
            let first =
                told.messages.iter().flat_map(|said| &said.parts).find(|part| part.role == Role::User);
            told.title = first.and_then(|question| json::title_from(&question.text));
        }
        let mut readout = make(&mut self.growing, "", now);
        readout.mended += std::mem::take(&mut self.mended);
        readout
    }

    fn record(&mut self, mut members: Map<String, Value>) -> Result<(), String> {
        let time = json::time(&members, &["timestamp"]);
        let kind = json::text(&members, &["type"]).unwrap_or_default().to_owned();
        let payload = json::take_object(&mut members, "payload");
        match (kind.as_str(), payload) {
            ("session_meta", Some(payload)) => self.meta(&payload, time),
            ("turn_context", Some(payload)) => {
                self.model = json::name(&payload, &["model"]).or(self.model.take())
            }
            ("response_item", Some(payload)) => return self.item(payload, time),
            ("event_msg", Some(payload)) => self.event(&payload, time),
            ("compacted", Some(payload)) => {
                let summary = json::text(&payload, &["message"]).unwrap_or_default();
                self.growing.told.messages.push(Said::of(vec![Part::noise(Role::Note, summary)]).at(time));
            }
            // files of the first versions have no envelope: the first line is the session, the others are items
            ("", None) if members.contains_key("id") && members.contains_key("timestamp") => {
                self.meta(&members, time)
            }
            ("", None) if members.contains_key("record_type") => self.growing.told.ignore("state"),
            ("", _) => return Err("has no type".into()),
            (
                "message" | "reasoning" | "function_call" | "function_call_output" | "local_shell_call",
                None,
            ) => {
                return self.item(members, time);
            }
            (other, _) => self.growing.told.ignore(other),
        }
        Ok(())
    }

    fn meta(&mut self, meta: &Map<String, Value>, time: Option<Timestamp>) {
        if self.growing.told.id.is_some() {
            // a session that goes on from another holds that one's lines too
            return self.growing.told.ignore("session_meta");
        }
        self.growing.told.id = json::id(meta, &["id", "session_id"]);
        self.growing.told.created = json::time(meta, &["timestamp"]).or(time);
        self.growing.told.project = json::name(meta, &["cwd"]);
        self.growing.told.version = json::name(meta, &["cli_version"]);
        let branch = meta.get("git").and_then(|git| git.get("branch")?.as_str());
        if let Some(branch) = branch {
            self.growing.told.metadata.insert("gitBranch".into(), branch.into());
        }
    }

    fn item(&mut self, item: Map<String, Value>, time: Option<Timestamp>) -> Result<(), String> {
        let kind = json::text(&item, &["type"]).unwrap_or_default();
        let parts = match kind {
            "message" => {
                let named = json::text(&item, &["role"]).ok_or("has no role")?;
                let role = json::role_named(named)
                    .ok_or_else(|| format!("has the unknown role '{}'", json::shortened(named, 40)))?;
                let content = item.get("content").ok_or("has no content")?;
                message(role, content)
            }
            "reasoning" => {
                let thought = ["summary", "content"].iter().find_map(|name| json::text_of(item.get(*name)?));
                if let Some(thought) = thought {
                    self.thinking.push_str(if self.thinking.is_empty() { "" } else { "\n\n" });
                    self.thinking.push_str(&thought);
                }
                return Ok(());
            }
            "function_call" | "custom_tool_call" => {
                let name = json::text(&item, &["name"]).unwrap_or("tool");
                let arguments = item.get("arguments").or(item.get("input")).unwrap_or(&Value::Null);
                vec![Part::call(name, arguments)]
            }
            "local_shell_call" => {
                let command = item.get("action").and_then(|action| action.get("command"));
                vec![Part::call("shell", command.unwrap_or(&Value::Null))]
            }
            "function_call_output" | "custom_tool_call_output" => {
                let output = item.get("output").unwrap_or(&Value::Null);
                let output = output.get("content").unwrap_or(output);
                vec![Part::noise(Role::Tool, blocks::result_text(output))]
            }
            "" => return Err("is an item without a type".into()),
            other => {
                let other = other.to_owned();
                self.growing.told.ignore(&other);
                return Ok(());
            }
        };
        let mut said = Said::of(parts).at(time);
        let is_answer = said.parts.iter().any(|part| part.role == Role::Assistant);
        if is_answer {
            said.model = self.model.clone();
            said.thinking(&std::mem::take(&mut self.thinking));
        }
        self.growing.told.messages.push(said);
        Ok(())
    }

    fn event(&mut self, event: &Map<String, Value>, time: Option<Timestamp>) {
        let kind = json::text(event, &["type"]).unwrap_or("event_msg");
        let role = match kind {
            "user_message" => Role::User,
            "agent_message" => Role::Assistant,
            other => return self.growing.told.ignore(other),
        };
        let text = json::text(event, &["message"]).unwrap_or_default();
        self.events.push(Said::of(vec![Part::said(role, text)]).at(time));
    }
}

fn message(role: Role, content: &Value) -> Vec<Part> {
    let text = |block: &Value| match block.get("type").and_then(Value::as_str) {
        Some("input_image") => "[image]".to_owned(),
        _ => json::text_of(block).unwrap_or_default(),
    };
    let texts = match content {
        Value::Array(blocks) => blocks.iter().map(text).collect(),
        other => vec![text(other)],
    };
    let part = |text: String| match role {
        Role::System => Part::noise(Role::System, text),
        Role::User if is_from_program(&text) => Part::noise(Role::System, text),
        role => Part::said(role, text),
    };
    texts.into_iter().map(part).collect()
}

/// Whether a text in the person's name is the program's: what it found around it, and standing instructions.
fn is_from_program(text: &str) -> bool {
    const MARKS: &[&str] = &[
        "<environment_context>",
        "<user_instructions>",
        "<turn_aborted>",
        "<skill>",
        "<INSTRUCTIONS>",
        "# AGENTS.md instructions for ",
    ];
    json::begins_with_any(text, MARKS)
}
