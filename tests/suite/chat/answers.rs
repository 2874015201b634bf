//! Answers that come to their end: what was recalled, what was cited, what was stored.

use serde_json::{Value, json};

use super::{House, Stream, request, text_of, words};
use crate::conformance::wire::{self, Kind};
use crate::support::scripted::Script;

const EARLIER: &str = "The staging database is restored every Monday at 6.";
const QUESTION: &str = "When is the staging database restored?";

/// An earlier conversation and a preference.
async fn tell(house: &House) -> (Value, Value) {
    let conversation = house.call("conversation.create", json!({"title": "Operations"})).await;
    let message = json!({"role": "assistant", "content": EARLIER});
    let appended = house
        .call("message.append", json!({"conversationId": conversation["id"], "messages": [message]}))
        .await;
    let memory = json!({"kind": "preference", "content": "Prefiro respostas curtas."});
    let memory = house.call("memory.add", memory).await;
    (appended["messages"][0]["id"].clone(), memory["id"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_sources_pieces_and_one_end_over_every_open_framing() {
    let house = House::start().await;
    let (message, memory) = tell(&house).await;
    for kind in wire::OPEN {
        house.script(Script::Stream(words(&["On Mon", "days [1]", ", not [9]."])));
        let stream =
            Stream::begin(house.open(kind).await, json!({"content": QUESTION, "store": false})).await;
        let events = stream.all().await;
        let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["sources", "delta", "delta", "delta", "done"], "{kind:?}");
        let ids: Vec<&Value> = events[0]["sources"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert!(ids.contains(&&message) && ids.contains(&&memory), "{ids:?}");
        let done = &events[4];
        assert_eq!(done["content"], "On Mondays [1], not [9].");
        assert_eq!((&done["status"], &done["model"]), (&json!("complete"), &json!("tiny:latest")));
        assert_eq!(done["usage"], json!({"promptTokens": 7, "completionTokens": 3}));
        assert_eq!(done["unknownCitations"], json!([9]));
        for source in done["sources"].as_array().unwrap() {
            assert_eq!(source["cited"], json!(source["n"] == 1), "{source}");
        }
        let prompt = house.prompt();
        assert!(prompt.contains(EARLIER) && prompt.contains("Prefiro respostas curtas."), "{prompt}");
        assert!(prompt.ends_with(QUESTION), "{prompt}");
    }
    let listed = house.call("conversation.list", json!({})).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "`store: false` stores nothing: {listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_comes_over_every_framing_and_is_stored_with_its_sources() {
    let house = House::start().await;
    let (message, _) = tell(&house).await;
    for (i, kind) in wire::ALL.into_iter().enumerate() {
        house.script(Script::Stream(words(&["Mondays [1]."])));
        let mut wire = house.open(kind).await;
        let question = format!("{QUESTION} ({i})");
        let answer = wire.call("chat.complete", json!({"content": question, "project": "/p"})).await;
        assert_eq!(
            (&answer["content"], &answer["status"]),
            (&json!("Mondays [1]."), &json!("complete")),
            "{kind:?}"
        );
        let [asked, answered] = &house.messages(&answer["conversationId"]).await[..] else { panic!() };
        assert_eq!((&asked["id"], &asked["content"]), (&answer["questionId"], &json!(question)));
        assert_eq!((&answered["id"], &answered["parentId"]), (&answer["answerId"], &asked["id"]));
        for member in ["content", "model", "status", "sources", "usage"] {
            assert_eq!(answered[member], answer[member], "{member}");
        }
        assert!(
            answer["sources"].as_array().unwrap().iter().any(|source| source["id"] == message),
            "{answer}"
        );
        let conversation = house.call("conversation.get", json!({"id": answer["conversationId"]})).await;
        assert_eq!((&conversation["title"], &conversation["project"]), (&json!(question), &json!("/p")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_conversation_is_in_the_prompt_once() {
    let house = House::start().await;
    tell(&house).await;
    house.script(Script::Stream(words(&["It is the copper kettle on Mondays."])));
    let first = house.call("chat.complete", json!({"content": "What is restored, the copper kettle?"})).await;
    let more = json!({"conversationId": first["conversationId"], "content": "And is staging a copper kettle on Mondays?"});
    let second = house.call("chat.complete", more).await;
    let prompt = house.prompt();
    for live in ["What is restored, the copper kettle?", "It is the copper kettle on Mondays."] {
        assert_eq!(prompt.matches(live).count(), 1, "{live} in\n{prompt}");
    }
    assert!(prompt.contains(EARLIER), "{prompt}");
    let live = [&first["questionId"], &first["answerId"], &second["questionId"]];
    assert!(
        second["sources"].as_array().unwrap().iter().all(|source| !live.contains(&&source["id"])),
        "{second}"
    );
    assert_eq!(house.messages(&first["conversationId"]).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preview_is_what_is_sent() {
    let house = House::start().await;
    tell(&house).await;
    let params = json!({
        "content": QUESTION, "attachment": "restore: monday 06:00", "system": "Be exact.", "store": false,
    });
    let preview = house.call("chat.preview", params.clone()).await;
    assert_eq!(house.n_asked(), 0, "a preview asks no model");
    let answer = house.call("chat.complete", params).await;
    assert_eq!(text_of(&preview["messages"]), house.prompt());
    let sent = house.model.last_chat().body["messages"].as_array().unwrap().len();
    assert_eq!(preview["messages"].as_array().unwrap().len(), sent);
    let ids =
        |it: &Value| it["sources"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&preview), ids(&answer));
    assert!(preview["promptTokens"].as_u64() <= preview["budgetTokens"].as_u64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_recalled_where_that_is_switched_off() {
    let house = House::start().await;
    tell(&house).await;
    let params = json!({"content": QUESTION, "memory": {"enabled": false}, "store": false});
    let answer = house.call("chat.complete", params).await;
    assert_eq!(answer["sources"], json!([]));
    let prompt = house.prompt();
    assert!(!prompt.contains(EARLIER) && !prompt.contains("Prefiro"), "{prompt}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_answered_again_and_not_asked_again() {
    let house = House::start().await;
    let id = "019a2f4e-ac40-7064-8e85-3fbc4b9d7031";
    house.script(Script::Stream(words(&["Once."])));
    let params = json!({"messageId": id, "content": QUESTION});
    let first = house.call("chat.complete", params.clone()).await;
    assert_eq!(first["questionId"], id);

    // the client that never heard the answer does not know the conversation either
    let again = house.call("chat.complete", params).await;
    let known = json!({"messageId": id, "content": QUESTION, "conversationId": first["conversationId"]});
    let known = house.call("chat.complete", known).await;
    let streamed = json!({"messageId": id, "content": QUESTION});
    let streamed = Stream::begin(house.open(Kind::Line).await, streamed).await.all().await;
    for retry in [&again, &known, &streamed[1]] {
        for member in
            ["conversationId", "questionId", "answerId", "content", "model", "status", "sources", "usage"]
        {
            assert_eq!(retry[member], first[member], "{member} of {retry}");
        }
    }
    assert_eq!((&streamed[0]["type"], &streamed[1]["type"]), (&json!("sources"), &json!("done")));
    assert_eq!((streamed.len(), house.n_asked()), (2, 1));
    assert_eq!(house.messages(&first["conversationId"]).await.len(), 2);

    let other = house.refused("chat.complete", json!({"messageId": id, "content": "Something else?"})).await;
    assert_eq!(other["data"]["kind"], "conflict", "{other}");
    assert_eq!(house.n_asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_beside_the_first_try_does_not_ask_twice() {
    let house = House::start().await;
    let id = "019a2f4e-ac40-7064-8e85-3fbc4b9d7032";
    house.script(Script::HangAfter(words(&["One"])));
    let params = json!({"messageId": id, "content": QUESTION});
    let mut stream = Stream::begin(house.open(Kind::Line).await, params.clone()).await;
    while stream.next().await["type"] != "delta" {}
    let refused = house.refused("chat.complete", params).await;
    assert_eq!(
        (&refused["data"]["kind"], &refused["data"]["retryable"]),
        (&json!("busy"), &json!(true)),
        "{refused}"
    );
    assert_eq!(house.n_asked(), 1);
    stream.wire.send_json(request("chat.cancel", json!({"questionId": id}))).await;
    house.model.clients_closed(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotes_are_of_what_fits_and_not_of_what_always_holds() {
    let home = crate::support::daemon::Home::new();
    home.configure("[embed]\nenabled = false\n[chat]\nprovider = \"extractive\"\n");
    let _daemon = crate::support::daemon::Daemon::start(&home);
    let mut wire = crate::conformance::wire::Wire::open(&home.socket(), Kind::Line).await;
    wire.call("memory.add", json!({"kind": "preference", "content": "Prefers small pull requests."})).await;
    let nothing = wire.call("chat.complete", json!({"content": QUESTION, "store": false})).await;
    let text = nothing["content"].as_str().unwrap();
    assert!(!text.contains("pull requests") && text.contains("found nothing"), "{text}");
    wire.call("memory.add", json!({"content": EARLIER})).await;
    let answer = wire.call("chat.complete", json!({"content": QUESTION, "store": false})).await;
    let text = answer["content"].as_str().unwrap();
    assert!(!text.contains("pull requests") && text.contains(EARLIER), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_model_is_told_what_always_holds() {
    let house = House::start().await;
    let mut wire = house.open(Kind::Line).await;
    wire.call("memory.add", json!({"kind": "preference", "content": "Prefers small pull requests."})).await;
    let preview = wire.call("chat.preview", json!({"content": QUESTION})).await;
    assert!(text_of(&preview["messages"]).contains("small pull requests"), "{preview}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_asked_before_is_no_source_but_its_answer_is() {
    let house = House::start().await;
    house.script(Script::Stream(words(&[EARLIER])));
    house.call("chat.complete", json!({"content": QUESTION})).await;
    let again = format!(" {} ", QUESTION.to_uppercase());
    let preview = house.call("chat.preview", json!({"content": again})).await;
    let sources: Vec<&Value> = preview["sources"].as_array().unwrap().iter().map(|it| &it["text"]).collect();
    assert_eq!(sources, [&json!(EARLIER)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_of_other_projects_do_not_crowd_out_those_that_hold() {
    let house = House::start().await;
    tell(&house).await;
    for n in 0..210 {
        let content = format!("Elsewhere {n}");
        house
            .call("memory.add", json!({"kind": "preference", "content": content, "project": "/other"}))
            .await;
    }
    let preview = house.call("chat.preview", json!({"content": QUESTION})).await;
    let prompt = text_of(&preview["messages"]);
    assert!(prompt.contains("Prefiro respostas curtas.") && !prompt.contains("Elsewhere"), "{prompt}");
}
