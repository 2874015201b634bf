//! aichat: a session file, which is YAML.

use serde_json::{Map, Value};

use super::blocks::result_text;
use super::json;
use super::told::{Part, Said, Told};
use crate::api::data::ImportFormat;
use crate::model::Role;

/// A session, named by its file, and whether its bytes had to be mended. Errors: why it is none.
pub(super) fn told(bytes: &[u8], name: Option<&str>) -> Result<(Told, bool), String> {
    let text = String::from_utf8_lossy(bytes);
    let is_mended = matches!(text, std::borrow::Cow::Owned(_));
    let session: Value = serde_yaml_ng::from_str(super::without_mark(&text))
        .map_err(|error| format!("is no YAML: {error}"))?;
    let Value::Object(mut session) = session else { return Err("is no session of aichat".into()) };
    let recent = json::take_list(&mut session, "messages").ok_or("has no list 'messages'")?;
    let mut told = Told::new(ImportFormat::Aichat, name.map(str::to_owned));
    told.title = name.map(|name| json::shortened(name, crate::api::limits::MAX_NAME_BYTES));
    told.model = json::name(&session, &["model"]);
    if let Some(role) = json::text(&session, &["role_name"]) {
        told.metadata.insert("role".into(), role.into());
    }
    // what was summed up to save tokens comes before what is still sent
    let summed_up = json::take_list(&mut session, "compressed_messages").unwrap_or_default();
    for (at, value) in summed_up.into_iter().chain(recent).enumerate() {
        let said = match value {
            Value::Object(message) => said(&message).map_err(|reason| told.refuse(at + 1, reason)).ok(),
            _ => {
                told.refuse(at + 1, "is no object");
                None
            }
        };
        told.messages.push(said.unwrap_or_else(|| Said::of(Vec::new())));
    }
    Ok((told, is_mended))
}

fn said(message: &Map<String, Value>) -> Result<Said, String> {
    let named = json::text(message, &["role"]).ok_or("has no role")?;
    let role = json::role_named(named)
        .ok_or_else(|| format!("has the unknown role '{}'", json::shortened(named, 40)))?;
    let parts = match message.get("content") {
        Some(Value::Array(parts)) => parts.iter().map(|part| Part::said(role, part_text(part))).collect(),
        // what the model said with its calls of tools, and what these answered
        Some(Value::Object(calls)) => {
            let mut parts =
                vec![Part::said(Role::Assistant, json::text(calls, &["text"]).unwrap_or_default())];
            for result in calls.get("tool_results").and_then(Value::as_array).into_iter().flatten() {
                let call = result.get("call").and_then(Value::as_object);
                let name = call.and_then(|call| json::text(call, &["name"])).unwrap_or("tool");
                let arguments = call.and_then(|call| call.get("arguments")).unwrap_or(&Value::Null);
                parts.push(Part::call(name, arguments));
                parts
                    .push(Part::noise(Role::Tool, result.get("output").map(result_text).unwrap_or_default()));
            }
            parts
        }
        Some(content) => vec![Part::said(role, json::text_of(content).ok_or("has no text")?)],
        None => return Err("has no text".into()),
    };
    Ok(Said::of(parts))
}

fn part_text(part: &Value) -> String {
    match part.get("type").and_then(Value::as_str) {
        Some("image_url") => "[image]".into(),
        _ => json::text_of(part).unwrap_or_default(),
    }
}
