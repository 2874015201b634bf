//! From where a chat recalls.

use super::Actor;
use super::prompt::Passage;
use crate::api::chat::{ChatParams, Scope};
use crate::api::search::SearchFilter;
use crate::error::{Error, Result};
use crate::model::Conversation;

/// What a question may recall; none: nothing, because there is nothing yet to recall from. What was said in private is
/// recalled in its own conversation only.
pub(super) fn recalled_from(
    params: &ChatParams,
    conversation: Option<&Conversation>,
    actor: &Actor,
) -> Result<Option<SearchFilter>> {
    let memory = &params.memory;
    let scope = memory.scope.unwrap_or(match memory.project {
        Some(_) => Scope::Project,
        None => Scope::Global,
    });
    let mut filter =
        SearchFilter { seen_from: conversation.map(|found| found.id), ..SearchFilter::default() };
    match scope {
        Scope::Global => {}
        Scope::Project => {
            let of_conversation = conversation.and_then(|found| found.project.clone());
            let project = memory.project.clone().or(of_conversation).or(params.project.clone());
            filter.project = Some(project.ok_or_else(|| {
                Error::invalid("recall from the project: neither the question nor its conversation has one")
                    .hint("name it in `memory.project`, or recall from everywhere with scope `global`")
            })?);
        }
        Scope::Client => {
            let client = actor.client.as_ref().map(|client| client.name.clone());
            filter.client = Some(client.ok_or_else(|| {
                Error::invalid("recall what this tool stored: it did not give its name")
                    .hint("name it with system.initialize, or recall from everywhere with scope `global`")
            })?);
        }
        Scope::Conversation => match conversation {
            Some(found) => filter.conversation_id = Some(found.id),
            None => return Ok(None),
        },
    }
    Ok(Some(filter))
}

/// Whether a fact that always holds is of the scope. What holds everywhere holds in every project.
pub(super) fn holds(fact: &Passage, scope: &SearchFilter) -> bool {
    let is_of_client = |name: &String| fact.client.as_ref().is_some_and(|client| client.name == *name);
    scope.conversation_id.is_none() && scope.client.as_ref().is_none_or(is_of_client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClientRef;

    fn check(params: serde_json::Value, client: Option<&str>, expected: Result<serde_json::Value, &str>) {
        let mut asked = serde_json::json!({"content": "x"});
        asked["memory"] = params["memory"].clone();
        asked["project"] = params["project"].clone();
        let params: ChatParams = serde_json::from_value(asked).unwrap();
        let client = client.map(|name| ClientRef { name: name.into(), version: String::new() });
        let found = recalled_from(&params, None, &Actor { client, connection: 1 });
        match expected {
            Ok(filter) => assert_eq!(serde_json::to_value(found.unwrap()).unwrap(), filter),
            Err(part) => assert!(found.unwrap_err().to_string().contains(part)),
        }
    }

    #[test]
    fn each_scope_is_a_filter() {
        use serde_json::json;
        check(json!({"memory": {}}), None, Ok(json!({})));
        check(json!({"memory": {"project": "a"}, "project": "b"}), None, Ok(json!({"project": "a"})));
        check(json!({"memory": {"project": "a", "scope": "global"}}), None, Ok(json!({})));
        check(json!({"memory": {"scope": "project"}, "project": "b"}), None, Ok(json!({"project": "b"})));
        check(json!({"memory": {"scope": "project"}}), None, Err("neither the question"));
        check(json!({"memory": {"scope": "client"}}), Some("vscode"), Ok(json!({"client": "vscode"})));
        check(json!({"memory": {"scope": "client"}}), None, Err("did not give its name"));
        check(json!({"memory": {"scope": "conversation"}}), None, Ok(json!(null)));
    }
}
