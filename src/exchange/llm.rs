//! The program `llm`: its `logs.db`, in the tables of both its ages. Those of the first hold prompts with their
//! responses, those of the second threads of messages that are named by their hashes.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::tables::{Row, Rows, Select};
use super::told::{Parent, Part, Said, Told, count};
use super::{Readout, convert, json};
use crate::api::data::ImportFormat;
use crate::error::Result;
use crate::model::{Role, Timestamp};

/// Reads a database.
pub(super) fn read_tables(
    rows: &Rows<'_>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut in_threads = HashSet::new();
    let mut number = 0u64;
    threads(rows, &mut |told| {
        number += 1;
        in_threads.extend(told.id.clone());
        each(convert::records(told, &format!("thread {number}"), now))
    })?;
    let mut number = 0u64;
    responses(rows, &mut |told| {
        number += 1;
        if told.id.as_ref().is_some_and(|id| in_threads.contains(id)) {
            let mut readout = Readout::default();
            count(&mut readout.ignored, "conversation that is there in both forms");
            return each(readout);
        }
        each(convert::records(told, &format!("conversation {number}"), now))
    })
}

/// The tables of the first age. Responses come sorted by their conversations.
fn responses(rows: &Rows<'_>, each: &mut dyn FnMut(Told) -> Result<()>) -> Result<()> {
    const COLUMNS: &[&str] = &[
        "id",
        "model",
        "resolved_model",
        "prompt",
        "system",
        "response",
        "reasoning",
        "conversation_id",
        "datetime_utc",
        "input_tokens",
        "output_tokens",
    ];
    let calls = by_response(rows, "tool_calls")?;
    let results = by_response(rows, "tool_results")?;
    let mut open: Option<(Told, String)> = None;
    rows(&Select::all("responses", COLUMNS).sorted(&["conversation_id", "id"]), &mut |row| {
        // a response without a conversation is one of its own
        let id = json::id(&row, &["conversation_id"]).or(json::id(&row, &["id"]));
        if open.as_ref().is_none_or(|(told, _)| told.id != id) {
            if let Some((told, _)) = open.take() {
                each(told)?;
            }
            open = Some((conversation(rows, id)?, String::new()));
        }
        let Some((told, system)) = &mut open else { return Ok(()) };
        response(rows, told, system, row, &calls, &results)
    })?;
    open.map_or(Ok(()), |(told, _)| each(told))
}

fn conversation(rows: &Rows<'_>, id: Option<String>) -> Result<Told> {
    let mut told = Told::new(ImportFormat::Llm, id.clone());
    let Some(id) = id else { return Ok(told) };
    rows(&Select::all("conversations", &["name", "model"]).only("id", id), &mut |row| {
        told.title = json::name(&row, &["name"]);
        told.model = json::name(&row, &["model"]);
        Ok(())
    })?;
    Ok(told)
}

/// The rows of a table by their responses; there is no index for that.
type ByResponse = HashMap<String, Vec<Value>>;

fn by_response(rows: &Rows<'_>, table: &str) -> Result<ByResponse> {
    let mut all = ByResponse::new();
    rows(&Select::all(table, &["id", "response_id"]), &mut |row| {
        if let (Some(response), Some(id)) = (json::id(&row, &["response_id"]), row.get("id")) {
            all.entry(response).or_default().push(id.clone());
        }
        Ok(())
    })?;
    Ok(all)
}

/// A prompt and its response, with the tools that were used between them.
fn response(
    rows: &Rows<'_>,
    told: &mut Told,
    system: &mut String,
    row: Row,
    calls: &ByResponse,
    results: &ByResponse,
) -> Result<()> {
    let id = json::id(&row, &["id"]).unwrap_or_default();
    let time = json::time(&row, &["datetime_utc"]);
    let of = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let own = |what: &str| (!id.is_empty()).then(|| format!("{id}/{what}"));
    let mut asked = Vec::new();
    if of("system") != system {
        *system = of("system").to_owned();
        let instructions = Said::of(vec![Part::noise(Role::System, of("system"))]);
        told.messages.push(instructions.named(own("system")).at(time));
    }
    for result in results.get(&id).into_iter().flatten() {
        rows(&Select::all("tool_results", &["output"]).only("id", result.clone()), &mut |row| {
            asked.push(Part::noise(Role::Tool, json::text(&row, &["output"]).unwrap_or_default()));
            Ok(())
        })?;
    }
    let mut fragments = Vec::new();
    let used = Select::all("prompt_fragments", &["fragment_id"]).only("response_id", id.clone());
    rows(&used.sorted(&["order"]), &mut |row| {
        fragments.extend(row.get("fragment_id").cloned());
        Ok(())
    })?;
    for fragment in fragments {
        asked.push(Part::noise(Role::User, fragment_text(rows, fragment)?));
    }
    asked.push(Part::said(Role::User, of("prompt")));
    told.messages.push(Said::of(asked).named(own("prompt")).at(time));

    let mut answered = vec![Part::said(Role::Assistant, of("response"))];
    for call in calls.get(&id).into_iter().flatten() {
        rows(&Select::all("tool_calls", &["name", "arguments"]).only("id", call.clone()), &mut |row| {
            let name = json::text(&row, &["name"]).unwrap_or("tool");
            answered.push(Part::call(name, row.get("arguments").unwrap_or(&Value::Null)));
            Ok(())
        })?;
    }
    let mut said = Said::of(answered).named((!id.is_empty()).then(|| id.clone())).at(time);
    said.model = json::name(&row, &["resolved_model", "model"]);
    said.usage = json::usage(&row, "input_tokens", "output_tokens");
    said.thinking(of("reasoning"));
    told.messages.push(said);
    Ok(())
}

fn fragment_text(rows: &Rows<'_>, id: Value) -> Result<String> {
    let mut text = String::new();
    rows(&Select::all("fragments", &["content"]).only("id", id), &mut |row| {
        text = row.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(())
    })?;
    Ok(text)
}

/// The tables of the second age. A message is named by what it says and follows, so that threads share them.
fn threads(rows: &Rows<'_>, each: &mut dyn FnMut(Told) -> Result<()>) -> Result<()> {
    const COLUMNS: &[&str] = &["id", "name", "tip_message_hash", "forked_from", "datetime_utc"];
    const TURN: &[&str] = &[
        "parent_message_hash",
        "tip_message_hash",
        "model",
        "resolved_model",
        "input_tokens",
        "output_tokens",
        "datetime_utc",
    ];
    rows(&Select::all("threads", COLUMNS), &mut |row| {
        let Some(id) = json::id(&row, &["id"]) else { return Ok(()) };
        let mut told = Told::new(ImportFormat::Llm, Some(id.clone()));
        told.title = json::name(&row, &["name"]);
        told.created = json::time(&row, &["datetime_utc"]);
        told.current = json::id(&row, &["tip_message_hash"]);
        if let Some(origin) = json::text(&row, &["forked_from"]) {
            told.metadata.insert("forkedFrom".into(), origin.into());
        }
        let mut turns = Vec::new();
        rows(&Select::all("turns", TURN).only("thread_id", id).sorted(&["id"]), &mut |row| {
            turns.push(row);
            Ok(())
        })?;
        let mut seen = HashSet::new();
        for turn in &turns {
            chain(rows, &mut told, json::id(turn, &["tip_message_hash"]), turn, &mut seen)?;
        }
        let tip = told.current.clone();
        chain(rows, &mut told, tip, &Map::new(), &mut seen)?;
        each(told)
    })
}

/// A message of a chain.
struct Link {
    hash: String,
    parent: Parent,
    role: String,
    /// Whether the turn made it; what the turn began with was there before.
    is_of_turn: bool,
}

/// The messages from `tip` up to one that was seen, in the order in which they were said.
fn chain(
    rows: &Rows<'_>,
    told: &mut Told,
    tip: Option<String>,
    turn: &Row,
    seen: &mut HashSet<String>,
) -> Result<()> {
    let begun_with = json::id(turn, &["parent_message_hash"]);
    let mut links = Vec::new();
    let mut next = tip;
    let mut is_of_turn = true;
    while let Some(hash) = next.take().filter(|hash| seen.insert(hash.clone())) {
        is_of_turn &= begun_with.as_ref() != Some(&hash);
        rows(&Select::all("messages", &["parent_hash", "role"]).only("hash", hash.clone()), &mut |row| {
            next = json::id(&row, &["parent_hash"]);
            let parent = next.clone().map_or(Parent::Nobody, Parent::Of);
            let role = json::text(&row, &["role"]).unwrap_or_default().to_owned();
            links.push(Link { hash: hash.clone(), parent, role, is_of_turn });
            Ok(())
        })?;
    }
    for Link { hash, parent, role, is_of_turn } in links.into_iter().rev() {
        let mut said = match json::role_named(&role) {
            Some(role) => message(rows, told, &hash, role)?,
            None => {
                let reason = format!("has the unknown role '{}'", json::shortened(&role, 40));
                told.refuse(told.messages.len() + 1, reason);
                Said::of(Vec::new())
            }
        };
        said.time = json::time(turn, &["datetime_utc"]);
        if is_of_turn && said.parts.iter().any(|part| part.role == Role::Assistant) {
            said.model = json::name(turn, &["resolved_model", "model"]);
            said.usage = json::usage(turn, "input_tokens", "output_tokens");
        }
        told.messages.push(said.named(Some(hash)).after(parent));
    }
    Ok(())
}

fn message(rows: &Rows<'_>, told: &mut Told, hash: &str, role: Role) -> Result<Said> {
    let mut parts = Vec::new();
    let mut thinking = String::new();
    let select = Select::all("parts", &["type", "text", "payload"]).only("message_hash", hash);
    rows(&select.sorted(&["position"]), &mut |row| {
        let payload = json::text(&row, &["payload"]).and_then(|text| json::parse(text.as_bytes()).ok());
        let payload = payload.and_then(|(value, _)| value.as_object().cloned()).unwrap_or_default();
        let text = row.get("text").and_then(Value::as_str).unwrap_or_default();
        match json::text(&row, &["type"]).unwrap_or("text") {
            "text" => parts.extend(texts(rows, role, text, &payload)?),
            "reasoning" => thinking.push_str(text),
            "tool_call" => {
                let name = json::text(&payload, &["name"]).unwrap_or("tool");
                parts.push(Part::call(name, payload.get("arguments").unwrap_or(&Value::Null)));
            }
            "tool_result" => {
                let output = payload.get("output").map(super::blocks::result_text).unwrap_or_default();
                parts.push(Part::noise(Role::Tool, output));
            }
            "attachment" => parts.push(Part::said(role, "[attachment]")),
            other => told.ignore(other),
        }
        Ok(())
    })?;
    let mut said = Said::of(parts);
    said.thinking(&thinking);
    Ok(said)
}

/// A text, or the fragments and the words between them that it consists of.
fn texts(rows: &Rows<'_>, role: Role, text: &str, payload: &Map<String, Value>) -> Result<Vec<Part>> {
    let own = |text: &str| match role {
        Role::System => Part::noise(role, text),
        role => Part::said(role, text.trim_start_matches('\n')),
    };
    if !text.is_empty() {
        return Ok(vec![own(text)]);
    }
    let mut parts = Vec::new();
    for piece in payload.get("text_ref").and_then(Value::as_array).into_iter().flatten() {
        match (piece.get("fragment"), piece.get("literal").and_then(Value::as_str)) {
            (Some(fragment), _) => parts.push(Part::noise(role, fragment_text(rows, fragment.clone())?)),
            (None, Some(literal)) => parts.push(own(literal)),
            (None, None) => {}
        }
    }
    Ok(parts)
}
