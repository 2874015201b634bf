//! The protocol as an OpenRPC 1.3 document, made from the table of methods and the types' schemas.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Described, PROTOCOL_VERSION, methods};
use crate::error::Kind;

/// The document that `rpc.discover` answers.
pub fn document() -> Value {
    let mut schemas = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let described: Vec<Value> = methods::ALL.iter().map(|method| describe(method, &mut schemas)).collect();
    let definitions = schemas.take_definitions(true);
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "nosso",
            "version": PROTOCOL_VERSION,
            "description": "The memory that all local tools of a person share.",
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "methods": described,
        "components": {"schemas": definitions, "errors": errors()},
    })
}

fn describe(method: &Described, schemas: &mut schemars::SchemaGenerator) -> Value {
    let params = (method.params)(schemas);
    let output = (method.output)(schemas);
    let resolved = resolve(&params, schemas);
    let required: Vec<&str> =
        resolved["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let empty = Map::new();
    let members = resolved["properties"].as_object().unwrap_or(&empty);
    let params: Vec<Value> = members
        .iter()
        .map(|(name, schema)| json!({"name": name, "required": required.contains(&name.as_str()), "schema": schema}))
        .collect();
    let doc = method.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut described = json!({
        "name": method.name,
        "description": doc,
        "paramStructure": "by-name",
        "params": params,
    });
    match method.stream {
        None => described["result"] = json!({"name": "result", "schema": output}),
        Some((event, unsubscribe)) => {
            described["result"] = json!({"name": "subscription", "schema": {"type": "string"}});
            described["x-stream"] = json!({"event": event, "unsubscribe": unsubscribe, "item": output});
        }
    }
    described
}

/// The object's schema that a `$ref` leads to.
fn resolve(schema: &schemars::Schema, schemas: &schemars::SchemaGenerator) -> Value {
    let value = schema.as_value();
    match value["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        Some(name) => schemas.definitions().get(name).cloned().unwrap_or_default(),
        None => value.clone(),
    }
}

fn errors() -> Value {
    let errors = Kind::ALL.iter().map(|kind| {
        let error = json!({
            "code": kind.code(),
            "message": kind.name(),
            "data": {"kind": kind.name(), "retryable": kind.is_retryable()},
        });
        (kind.name().to_owned(), error)
    });
    Value::Object(errors.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let path = reference.split('"').next().unwrap();
            assert!(document.pointer(path).is_some(), "{path} leads nowhere");
        }
    }

    #[test]
    fn parameters_are_named_and_said_to_be_required() {
        let document = document();
        let append =
            document["methods"].as_array().unwrap().iter().find(|m| m["name"] == "message.append").unwrap();
        let names: Vec<_> = append["params"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
        assert_eq!(names, ["conversationId", "messages"]);
        assert!(append["params"].as_array().unwrap().iter().all(|p| p["required"] == true));
    }
}
