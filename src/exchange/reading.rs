//! Reads a file of any format, one conversation after the other.

use std::io::{BufRead, Read};

use serde_json::Value;

use super::lines::{Line, lines};
use super::scan::{self, Found, Shape, scan};
use super::told::Told;
use super::{
    Readout, aichat, chatgpt, claude, claude_code, codex, convert, gemini, history, json, librechat,
    open_webui, record,
};
use crate::api::data::ImportFormat;
use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;

/// What is known about a file besides what stands in it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The format.
    pub format: ImportFormat,
    /// Its name without its folder and its ending, where it has one: some tools name sessions by it.
    pub name: Option<&'a str>,
    /// The time of what has none.
    pub now: Timestamp,
}

/// What a session file may take that has no parts which could be read one by one.
const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// Reads a whole text.
///
/// Errors: `Unsupported` for formats that are databases, and where a newer nosso wrote the text.
pub fn read(text: &str, source: Source<'_>) -> Result<Readout> {
    let mut all = Readout::default();
    read_from(&mut text.as_bytes(), source, &mut |part| {
        all.append(part);
        Ok(())
    })?;
    Ok(all)
}

/// Reads a file and gives `each` what it holds, a conversation at a time; no more than that is in memory.
///
/// Errors: like [`read`]; `Storage` where reading fails; what `each` answers.
pub fn read_from(
    reader: &mut dyn BufRead,
    source: Source<'_>,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let Source { format, name, now } = source;
    const LIST: Shape = Shape { containers: &["conversations", "chats", "data"], is_keyed: false };
    match format {
        ImportFormat::Nosso => record::read_from(reader, each),
        ImportFormat::History => history::read_from(reader, now, each),
        ImportFormat::OpenWebui => documents(reader, LIST, now, each, &mut from_value(open_webui::told)),
        ImportFormat::ChatGpt => documents(reader, LIST, now, each, &mut from_value(chatgpt::told)),
        ImportFormat::Claude => documents(reader, LIST, now, each, &mut from_value(claude::told)),
        ImportFormat::LibreChat => documents(reader, LIST, now, each, &mut librechat::told),
        ImportFormat::Aichat => document(reader, now, each, |text| aichat::told(text, name)),
        ImportFormat::ClaudeCode => claude_code::read_from(reader, name, now, each),
        ImportFormat::Codex => codex::read_from(reader, name, now, each),
        ImportFormat::Gemini => gemini::read_from(reader, name, now, each),
        ImportFormat::Llm | ImportFormat::Ollama => Err(Error::new(
            Kind::Unsupported,
            format!("the format '{format}' is a database, and this is a text"),
        )
        .hint("`nosso import FILE` reads databases")),
    }
}

/// A conversation from the bytes of its JSON, and whether they had to be mended. Errors: why it is none.
type FromBytes<'a> = dyn FnMut(&[u8]) -> Result<(Told, bool), String> + 'a;

fn from_value(
    told: impl Fn(Value) -> Result<Told, String>,
) -> impl FnMut(&[u8]) -> Result<(Told, bool), String> {
    move |bytes| {
        let (value, is_mended) = json::parse(bytes)?;
        Ok((told(value)?, is_mended))
    }
}

/// Reads conversations that are values of a JSON document, or lines.
fn documents(
    reader: &mut dyn BufRead,
    shape: Shape,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
    told: &mut FromBytes<'_>,
) -> Result<()> {
    let mut give = |place: String, found: Result<(Told, bool), String>| {
        let readout = match found {
            Ok((told, is_mended)) => {
                let mut readout = convert::records(told, &place, now);
                readout.mended += u64::from(is_mended);
                readout
            }
            Err(reason) => {
                let mut readout = Readout::default();
                readout.refuse(place, reason);
                readout
            }
        };
        each(readout)
    };
    let (first, is_lines) = first_line(reader)?;
    let mut whole = first.as_slice().chain(reader);
    if is_lines {
        return lines(&mut whole, scan::MAX_ELEMENT_BYTES, |number, line| {
            let found = match line {
                Line::Whole(line) => told(line),
                Line::TooLong => Err(format!("takes more than {} bytes", scan::MAX_ELEMENT_BYTES)),
            };
            give(format!("line {number}"), found)
        });
    }
    let mut number = 0;
    scan(&mut whole, shape, &mut |found| {
        number += 1;
        let place = format!("conversation {number}");
        match found {
            Found::Value { json, .. } => give(place, told(json)),
            Found::Broken(reason) => give(place, Err(reason)),
            Found::End => {
                number -= 1;
                Ok(())
            }
        }
    })
}

/// The first line, or its beginning, and whether it is a document of its own: then every line is one, and a broken
/// line is no reason to give up the next.
pub(super) fn first_line(reader: &mut dyn BufRead) -> Result<(Vec<u8>, bool)> {
    const MOST: u64 = 1 << 20;
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        let read = (&mut *reader).take(MOST).read_until(b'\n', &mut line).map_err(scan::unreadable)?;
        if read == 0 {
            break;
        }
    }
    let text = line.trim_ascii();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_object = line.ends_with(b"\n") && text.starts_with(b"{") && text.ends_with(b"}");
    // a list of many conversations on one line is none of many lines
    let is_lines = is_object && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    Ok((line, is_lines))
}

/// Reads a file that is one conversation.
pub(super) fn document(
    reader: &mut dyn BufRead,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
    told: impl FnOnce(&[u8]) -> Result<(Told, bool), String>,
) -> Result<()> {
    let mut bytes = Vec::new();
    let read = (&mut *reader).take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(scan::unreadable)?;
    let found = match bytes.len() > MAX_DOCUMENT_BYTES {
        true => Err(format!("takes more than {MAX_DOCUMENT_BYTES} bytes")),
        false => told(&bytes),
    };
    each(match found {
        Ok((told, is_mended)) => {
            let mut readout = convert::records(told, "", now);
            readout.mended += u64::from(is_mended);
            readout
        }
        Err(reason) => {
            let mut readout = Readout::default();
            readout.refuse("the file", reason);
            readout
        }
    })
}
