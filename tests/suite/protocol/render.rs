//! The protocol as a Markdown document: made from the OpenRPC document, the examples and the opening chapters.

use std::fmt::Write;

use nosso::api::limits::Limits;
use nosso::error::Kind;
use serde_json::{Map, Value, json};

use super::examples::{Call, Example};
use super::pattern::show;

const OPENING: &str = include_str!("opening.md");
/// What each namespace is about, in the order of the document.
const NAMESPACES: &[(&str, &str)] = &[
    ("system", "The daemon itself, and how the client introduces itself."),
    ("rpc", "The protocol about itself."),
    ("conversation", "Conversations: a title, a project, and a tree of messages."),
    ("folder", "Folders of conversations, nested: each is named by its path."),
    ("tag", "Tags of conversations. One that no conversation has is gone."),
    (
        "message",
        "What was said. A message keeps its bytes, but for secrets, which are masked; it is found by its words at once.",
    ),
    ("memory", "Standing facts that all tools share, searched like messages."),
    ("search", "Finding what was said."),
    ("chat", "Answers that rest on what was said before."),
    ("stats", "How much was said."),
    ("model", "The language models."),
    ("event", "What other clients change."),
    ("data", "Everything out, and in again."),
    ("trash", "What was deleted, and bringing it back."),
    ("forget", "Taking something out of every file for good, with a receipt."),
    ("backup", "Copies of the database."),
    ("watch", "Folders whose files are captured while they change; none that was not added."),
    ("job", "The queue of texts that wait to be embedded."),
    ("index", "The vector index. It is derived: it can always be made anew."),
];

/// The whole document.
pub fn document(openrpc: &Value, examples: &[Example]) -> String {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let mut text = OPENING
        .replace("{{limits}}", &limits_table(&openrpc["components"]["schemas"]["Limits"], &limits))
        .replace("{{errors}}", &errors_table());
    let methods = openrpc["methods"].as_array().unwrap();
    let namespace = |method: &Value| method["name"].as_str().unwrap().split('.').next().unwrap().to_owned();
    for method in methods {
        assert!(NAMESPACES.iter().any(|(name, _)| *name == namespace(method)), "what is {method} about?");
    }
    for (name, about) in NAMESPACES {
        write!(text, "\n## Methods: {name}\n\n{about}\n").unwrap();
        for method in methods.iter().filter(|method| namespace(method) == *name) {
            text.push_str(&section(method, examples));
        }
    }
    text.push_str("\n## Types\n\nA member marked *optional* may be absent, or `null`.\n");
    let schemas = openrpc["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(name, _)| !is_parameters(name, openrpc)) {
        text.push_str(&type_section(name, schema));
    }
    text
}

/// Types that are only the parameters of a method stand there already.
fn is_parameters(name: &str, openrpc: &Value) -> bool {
    !openrpc.to_string().contains(&format!("\"#/components/schemas/{name}\""))
}

fn section(method: &Value, examples: &[Example]) -> String {
    let name = method["name"].as_str().unwrap();
    let mut text = format!("\n### {name}\n\n{}\n", method["description"].as_str().unwrap());
    let stream = &method["x-stream"];
    if let Some(event) = stream["event"].as_str() {
        let unsubscribe = stream["unsubscribe"].as_str().unwrap();
        write!(text, "\nA subscription: its items come as `{event}`, `{unsubscribe}` ends it.\n").unwrap();
    }
    let params: Vec<_> = method["params"].as_array().unwrap().iter().map(Member::of_parameter).collect();
    match params.is_empty() {
        true => text.push_str("\nNo parameters.\n"),
        false => write!(text, "\n{}", table("parameter", &params)).unwrap(),
    }
    let (what, output) = match &stream["item"] {
        Value::Null => ("Result", &method["result"]["schema"]),
        item => ("Items", item),
    };
    write!(text, "\n{what}: {}\n", type_name(output)).unwrap();
    for example in examples.iter().filter(|example| example.method == name) {
        text.push_str(&example_text(example, stream));
    }
    text
}

fn example_text(example: &Example, stream: &Value) -> String {
    let mut lines = vec![];
    let request = |method: &str, params: &Map<String, Value>| {
        let params = show(&json!(params));
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    };
    lines.push(format!("→ {}", pretty(&request(&example.method, &example.params))));
    let answer = |name: &str, value: &Value| json!({"jsonrpc": "2.0", "id": 1, name: show(value)});
    if let Some(result) = &example.result {
        lines.push(format!("← {}", pretty(&answer("result", result))));
    }
    if let Some(error) = &example.error {
        lines.push(format!("← {}", pretty(&answer("error", error))));
    }
    if !example.items.is_empty() {
        let id = json!("Vh5sYqzXo0aT2bKd");
        lines.push(format!("← {}", pretty(&answer("result", &id))));
        if let Some(Call { method, params }) = &example.meanwhile {
            lines.push(format!("(another client) → {}", pretty(&request(method, params))));
        }
        for item in &example.items {
            let params = json!({"subscription": id, "result": show(item)});
            lines.push(format!(
                "← {}",
                pretty(&json!({"jsonrpc": "2.0", "method": stream["event"], "params": params}))
            ));
        }
    }
    let say = example.say.as_ref().map(|say| format!("\n{say}\n")).unwrap_or_default();
    format!("{say}\n```text\n{}\n```\n", lines.join("\n"))
}

/// JSON with its outer members on lines of their own where one line would be too long.
fn pretty(value: &Value) -> String {
    lay_out(value, 2, 0)
}

fn lay_out(value: &Value, indent: usize, taken: usize) -> String {
    const WIDTH: usize = 112;
    let line = value.to_string();
    if line.chars().count() + indent + taken <= WIDTH {
        return spaced(value);
    }
    let inner = indent + 2;
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let name = json!(name).to_string();
                let value = lay_out(value, inner, name.len() + 2);
                format!("{name}: {value}")
            };
            ("{", "}", members.iter().map(member).collect())
        }
        Value::Array(items) => ("[", "]", items.iter().map(|item| lay_out(item, inner, 0)).collect()),
        _ => return line,
    };
    let pad = " ".repeat(inner);
    format!("{open}\n{pad}{}\n{}{close}", parts.join(&format!(",\n{pad}")), " ".repeat(indent))
}

/// One line, with a space behind each colon and comma.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}: {}", json!(name), spaced(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A parameter, or a member of a type.
struct Member {
    name: String,
    type_name: String,
    is_required: bool,
    description: String,
}

impl Member {
    fn of_parameter(parameter: &Value) -> Self {
        Self::new(
            parameter["name"].as_str().unwrap(),
            &parameter["schema"],
            parameter["required"].as_bool().unwrap(),
        )
    }

    fn new(name: &str, schema: &Value, is_required: bool) -> Self {
        let description = schema["description"].as_str().unwrap_or_default();
        Self {
            name: name.to_owned(),
            type_name: type_name(schema),
            is_required: is_required && !is_nullable(schema),
            description: description.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|"),
        }
    }
}

fn table(what: &str, members: &[Member]) -> String {
    let mut text = format!("| {what} | type | | |\n|---|---|---|---|\n");
    for Member { name, type_name, is_required, description } in members {
        let required = if *is_required { "" } else { "*optional*" };
        writeln!(text, "| `{name}` | {type_name} | {required} | {description} |").unwrap();
    }
    text
}

fn members(schema: &Value) -> Vec<Member> {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| Member::new(name, schema, required(name))).collect()
}

fn type_section(name: &str, schema: &Value) -> String {
    let mut text = format!("\n### {name}\n\n{}\n", schema["description"].as_str().unwrap_or_default());
    if schema["enum"].is_array() {
        write!(text, "\n{}", values(schema)).unwrap();
        return text;
    }
    let Some(variants) = schema["oneOf"].as_array() else {
        let members = members(schema);
        match members.is_empty() {
            true => write!(text, "\nOn the wire: {}.\n", type_name(schema)).unwrap(),
            false => write!(text, "\n{}", table("member", &members)).unwrap(),
        }
        return text;
    };
    if variants.iter().all(|variant| variant["type"] == "string") {
        text.push('\n');
        text.extend(variants.iter().map(values));
        return text;
    }
    for variant in variants {
        let tag = &variant["properties"]["type"]["const"];
        write!(text, "\n`\"type\": {tag}`: {}", variant["description"].as_str().unwrap_or_default()).unwrap();
        let others = variant["allOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(variant.get("$ref").is_some().then_some(variant));
        for other in others {
            write!(text, " With the members of {}.", type_name(other)).unwrap();
        }
        let members: Vec<Member> =
            members(variant).into_iter().filter(|member| member.name != "type").collect();
        text.push('\n');
        if !members.is_empty() {
            write!(text, "\n{}", table("member", &members)).unwrap();
        }
    }
    text
}

/// The values of an enumeration, or of a part of one.
fn values(schema: &Value) -> String {
    let about = match schema["description"].as_str() {
        Some(about) if schema["const"].is_string() => format!(": {about}"),
        _ => String::new(),
    };
    let values = schema["enum"].as_array().map_or(std::slice::from_ref(&schema["const"]), Vec::as_slice);
    values.iter().map(|value| format!("- `{value}`{about}\n")).collect()
}

fn is_nullable(schema: &Value) -> bool {
    let is_null = |schema: &Value| schema["type"] == "null";
    schema["anyOf"].as_array().is_some_and(|all| all.iter().any(is_null))
        || schema["type"].as_array().is_some_and(|all| all.iter().any(|it| it == "null"))
}

/// What a value is called in tables, with a link to where its type is described.
fn type_name(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for group in ["anyOf", "allOf"] {
        if let Some(all) = schema[group].as_array() {
            let names: Vec<_> = all.iter().filter(|it| it["type"] != "null").map(type_name).collect();
            return names.join(" or ");
        }
    }
    let is_null = |name: &&Value| **name == "null";
    let name = match &schema["type"] {
        Value::Array(all) => all.iter().find(|name| !is_null(name)).cloned().unwrap_or_default(),
        name => name.clone(),
    };
    match (name.as_str(), schema["format"].as_str()) {
        (Some("array"), _) => format!("{}[]", type_name(&schema["items"])),
        (Some("string"), Some("date-time")) => "time".into(),
        (Some("string"), Some("uuid")) => "id".into(),
        (Some("string"), _) => "text".into(),
        (Some(name), _) => name.to_owned(),
        (None, _) => "any JSON".into(),
    }
}

fn limits_table(schema: &Value, limits: &Value) -> String {
    let mut text = String::from("| limit | is | of |\n|---|---|---|\n");
    for member in members(schema) {
        writeln!(text, "| `{}` | {} | {} |", member.name, limits[&member.name], member.description).unwrap();
    }
    text.trim_end().to_owned()
}

fn errors_table() -> String {
    let mut text = String::from("| kind | code | retryable | when |\n|---|---|---|---|\n");
    for kind in Kind::ALL {
        let retryable = if kind.is_retryable() { "yes" } else { "" };
        writeln!(text, "| `{}` | {} | {retryable} | {} |", kind.name(), kind.code(), when(*kind)).unwrap();
    }
    text.trim_end().to_owned()
}

/// When an error of that kind is answered, for people who write a client.
fn when(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "a parameter is missing, malformed, or contradicts another",
        Kind::NotFound => "what was named does not exist",
        Kind::Conflict => "it exists already with other content, or changed meanwhile",
        Kind::TooLarge => "more than a limit allows",
        Kind::Unsupported => "it cannot work over this framing, or in this state of the daemon",
        Kind::Cancelled => "the caller took the request back",
        Kind::Busy => "the daemon has too much to do, or is stopping",
        Kind::Unreachable => "the daemon cannot be reached (clients say this, the daemon never does)",
        Kind::ModelUnavailable => "no embedding model, no runtime library, or no language model of that name",
        Kind::Upstream => "the model server cannot be reached, or answered with an error",
        Kind::UpstreamTimeout => "the model server took longer than the settings allow",
        Kind::UpstreamCut => "the model server cut its answer off",
        Kind::StorageFull => "the disk or a quota is full",
        Kind::Storage => "reading or writing the database or a file failed",
        Kind::Corrupt => "a file does not hold what its name or its checksum promises",
        Kind::Config => "the settings are wrong",
        Kind::Internal => "a fault of nosso; its log says more",
    }
}
