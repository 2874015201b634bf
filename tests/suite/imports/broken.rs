//! Each format, broken by hand in the ways that files break: what is read all the same, and what is said of the rest.

use nosso::api::data::ImportFormat::{self, *};
use serde_json::{Value, json};

use super::{SAMPLES, check_promises, messages, outline, read, sample};

/// The texts that are read, with the number of the message that each answers, and what is refused.
fn check(format: ImportFormat, bytes: &[u8], said: &[(&str, usize)], refused: &[&str]) {
    let readout = read(format, bytes);
    check_promises(&readout);
    let all = messages(&readout);
    let number = |id| all.iter().position(|message| Some(message.id) == id).map_or(0, |at| at + 1);
    let found: Vec<(&str, usize)> =
        all.iter().map(|message| (message.content.as_str(), number(message.parent_id))).collect();
    assert_eq!(found, said, "{}", outline(&readout));
    let reasons: Vec<String> =
        readout.refused.iter().map(|it| format!("{} {}", it.place, it.reason)).collect();
    assert_eq!(reasons.len(), refused.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(refused) {
        assert!(reason.starts_with(expected), "{reason} does not begin with {expected}");
    }
}

fn webui(messages: Value, current: &str) -> Vec<u8> {
    json!([{"id": "c", "title": "t", "chat": {"history": {"currentId": current, "messages": messages}}}])
        .to_string()
        .into_bytes()
}

fn said(id: &str, parent: Value, text: Value) -> Value {
    json!({"id": id, "parentId": parent, "childrenIds": [], "role": "user", "content": text})
}

#[test]
fn open_webui() {
    let null = Value::Null;
    let cycle = json!({"a": said("a", json!("b"), json!("A")), "b": said("b", json!("a"), json!("B"))});
    check(OpenWebui, &webui(cycle, "b"), &[("A", 0), ("B", 1)], &[]);
    let orphan = json!({"a": said("a", null.clone(), json!("A")), "b": said("b", json!("gone"), json!("B"))});
    check(OpenWebui, &webui(orphan, "zzz"), &[("A", 0), ("B", 1)], &[]);
    let types = json!({"a": 7, "b": said("b", json!("a"), json!(7)), "c": said("c", json!("b"), json!("C")),
        "d": {"id": "d", "parentId": "c", "role": "alien", "content": "x"},
        "e": said("e", json!("d"), json!(["E", {"text": "F"}]))});
    check(
        OpenWebui,
        &webui(types, "e"),
        &[("C", 0), ("E\nF", 1)],
        &[
            "conversation 1, message 1 is no object",
            "conversation 1, message 2 has a content that is a number",
            "conversation 1, message 4 has the unknown role 'alien'",
        ],
    );
    check(
        OpenWebui,
        br#"[{"id":1,"chat":7},7,{"chat":{"title":"x"}}]"#,
        &[],
        &[
            "conversation 1 has a 'chat' that is no object",
            "conversation 2 is no object",
            "conversation 3 has neither",
        ],
    );
    let lines = [
        webui(json!({"a": said("a", null.clone(), json!("A"))}), "a"),
        webui(json!({"b": said("b", null, json!("B"))}), "b"),
    ];
    let line = |bytes: &[u8]| String::from_utf8_lossy(&bytes[1..bytes.len() - 1]).into_owned();
    let text = format!("{}\n{{\"id\": \"cut off \n{}\n", line(&lines[0]), line(&lines[1]));
    check(OpenWebui, text.as_bytes(), &[("A", 0), ("B", 0)], &["line 2 is no JSON"]);
}

#[test]
fn chatgpt() {
    let node = |id: &str, parent: Value, text: &str| {
        json!({"id": id, "parent": parent, "children": [], "message": {"author": {"role": "user"},
            "content": {"content_type": "text", "parts": [text]}}})
    };
    let of = |mapping: Value| {
        json!([{"id": "c", "current_node": "b", "mapping": mapping}]).to_string().into_bytes()
    };
    let cycle = json!({"a": node("a", json!("b"), "A"), "b": node("b", json!("a"), "B")});
    check(ChatGpt, &of(cycle), &[("A", 0), ("B", 1)], &[]);
    let orphan = json!({"a": node("a", Value::Null, "A"), "b": node("b", json!("gone"), "B")});
    check(ChatGpt, &of(orphan), &[("A", 0), ("B", 1)], &[]);
    let types =
        json!({"a": [], "b": {"parent": "a", "message": {"author": 3}}, "c": node("c", json!("b"), "C")});
    check(
        ChatGpt,
        &of(types),
        &[("C", 0)],
        &["conversation 1, message 1 is no object", "conversation 1, message 2 has no author"],
    );
    check(
        ChatGpt,
        br#"[{"title":"Corrupted entry"},{"mapping":{}}]"#,
        &[],
        &["conversation 1 has no object"],
    );
}

#[test]
fn claude() {
    let of = |said: Value| json!([{"uuid": "c", "chat_messages": said}]).to_string().into_bytes();
    let one = |id: &str, parent: Value, text: &str| json!({"uuid": id, "sender": "human", "text": text, "parent_message_uuid": parent});
    check(
        Claude,
        &of(json!([one("a", json!("b"), "A"), one("b", json!("a"), "B")])),
        &[("A", 0), ("B", 1)],
        &[],
    );
    check(
        Claude,
        &of(json!([
            one("a", json!("gone"), "A"),
            one("a", Value::Null, "A"),
            one("a", Value::Null, "again")
        ])),
        &[("A", 0), ("again", 1)],
        &[],
    );
    check(
        Claude,
        &of(
            json!([7, {"uuid": "b", "sender": 3}, {"uuid": "c", "sender": "human", "content": 5, "text": "C"}]),
        ),
        &[("C", 0)],
        &["conversation 1, message 1 is no object", "conversation 1, message 2 has the unknown sender"],
    );
    check(Claude, br#"[{"uuid":"x","chat_messages":[]},{"uuid":"y"}]"#, &[], &["conversation 2 has no list"]);
}

#[test]
fn librechat() {
    let of = |said: Value| json!({"conversationId": "c", "messages": said}).to_string().into_bytes();
    let one = |id: &str, parent: &str, text: &str| json!({"messageId": id, "parentMessageId": parent, "isCreatedByUser": true, "text": text});
    check(LibreChat, &of(json!([one("a", "b", "A"), one("b", "a", "B")])), &[("A", 0), ("B", 1)], &[]);
    check(
        LibreChat,
        &of(
            json!([{"isCreatedByUser": true, "text": "no id", "children": [{"sender": "GPT", "text": "B"}]}, {"x": 1}]),
        ),
        &[("no id", 0), ("B", 1)],
        &["conversation 1, message 3 says not who"],
    );
    check(LibreChat, br#"{"conversationId":"c","messages":{"a":1}}"#, &[], &["conversation 1 has no list"]);
}

#[test]
fn sessions_of_agents() {
    let line = |uuid: &str, parent: Value, text: Value| json!({"type": "user", "sessionId": "s", "uuid": uuid, "parentUuid": parent, "message": {"content": text}});
    let lines = |all: &[Value]| all.iter().map(|it| format!("{it}\n")).collect::<String>().into_bytes();
    let cycle = lines(&[line("a", json!("b"), json!("A")), line("b", json!("a"), json!("B"))]);
    check(ClaudeCode, &cycle, &[("A", 0), ("B", 1)], &[]);
    let twice = lines(&[line("a", json!("gone"), json!("A")), line("a", Value::Null, json!("A"))]);
    check(ClaudeCode, &twice, &[("A", 0)], &[]);
    let mut broken = lines(&[line("a", Value::Null, json!("A"))]);
    broken.extend_from_slice(
        b"{\"type\":\"user\",\"sessionId\":\"s\",\"message\":\"error\"}\nnonsense\n[1]\n\n",
    );
    broken.extend_from_slice(b"{\"no\":1}\n{\"type\":\"of the future\",\"sessionId\":\"s\"}\n");
    broken.extend(lines(&[line(
        "b",
        json!("a"),
        json!([{"type": "text", "text": "B"}, {"type": "hologram"}, 7]),
    )]));
    broken.extend_from_slice(b"{\"type\":\"user\",\"sess");
    check(
        ClaudeCode,
        &broken,
        &[("A", 0), ("B", 1)],
        &[
            "line 2 has no message",
            "line 3 is no JSON",
            "line 4 is no object",
            "line 6 has no type",
            "line 9 is no JSON",
        ],
    );

    let codex = b"{\"type\":\"session_meta\",\"payload\":{\"id\":7}}\n{\"type\":\"response_item\",\"payload\":{\"type\":\
\"message\",\"role\":\"user\",\"content\":\"A\"}}\n{\"type\":\"response_item\",\"payload\":{\"type\":\"message\"}}\n\
{\"type\":\"response_item\",\"payload\":[]}\n{\"payload\":1}\nx";
    check(Codex, codex, &[("A", 0)], &["line 3 has no role", "line 5 has no type", "line 6 is no JSON"]);

    let gemini = b"{\"sessionId\":\"s\",\"projectHash\":\"p\"}\n{\"id\":\"a\",\"type\":\"user\",\"content\":\"A\"}\n\
{\"$rewindTo\":\"gone\"}\n{\"id\":\"b\",\"type\":\"user\",\"content\":\"B\"}\n{\"id\":\"c\"}\n7\n{\"$set\":3}\n{";
    check(
        Gemini,
        gemini,
        &[("A", 0), ("B", 0)],
        &["line 5 has no type", "line 6 is no object", "line 7 has no type", "line 8 is no JSON"],
    );
}

#[test]
fn aichat() {
    check(
        Aichat,
        b"messages:\n- role: user\n  content: A\n- 7\n- role: alien\n  content: B\n",
        &[("A", 0)],
        &["message 2 is no object", "message 3 has the unknown role"],
    );
    check(Aichat, b"messages: [", &[], &["the file is no YAML"]);
    check(Aichat, b"a: &a [x, x]\nb: &b [*a, *a]\nmessages: 7", &[], &["the file has no list"]);
}

#[test]
fn every_sample_is_read_up_to_where_it_is_cut_off() {
    for (name, format) in SAMPLES {
        let text = sample(name);
        let n_whole = messages(&read(*format, text.as_bytes())).len();
        for tenth in 1..10 {
            let mut at = text.len() * tenth / 10;
            while !text.is_char_boundary(at) {
                at += 1;
            }
            let readout = read(*format, &text.as_bytes()[..at]);
            check_promises(&readout);
            let n_read = messages(&readout).len();
            assert!(n_read <= n_whole, "{name} at {tenth}/10");
            // a list that ends too early is told; a session is cut off between two lines without a trace
            let is_told = !readout.refused.is_empty() || text[..at].ends_with('\n') || *format == Aichat;
            assert!(is_told || name.ends_with(".jsonl"), "{name} at {tenth}/10 is cut off in silence");
        }
    }
}

#[test]
fn invalid_characters_are_replaced_and_counted() {
    for (name, format) in SAMPLES {
        let text = sample(name);
        let bytes = text.as_bytes();
        let whole = read(*format, bytes);
        let last = messages(&whole).iter().rev().find(|it| it.content.len() > 4).unwrap().content.clone();
        let word: String = last.chars().take_while(|c| c.is_alphanumeric()).collect();
        let at = text.rfind(&word).unwrap();
        let broken = [&bytes[..at], b"\xff\xfe", &bytes[at..]].concat();
        let readout = read(*format, &broken);
        assert_eq!(messages(&readout).len(), messages(&whole).len(), "{name}: {}", outline(&readout));
        assert!(readout.mended > 0, "{name}");
    }
}

#[test]
fn huge_texts_become_several_messages_and_huge_lines_are_passed_over() {
    let huge = "é".repeat(1_300_000);
    let line = |text: &str| {
        json!({"type": "user", "sessionId": "s", "uuid": text.len().to_string(), "parentUuid": null,
            "message": {"content": [{"type": "tool_result", "content": text}]}})
    };
    let readout = read(ClaudeCode, format!("{}\n{}\n", line(&huge), line("small")).as_bytes());
    check_promises(&readout);
    let all = messages(&readout);
    assert_eq!(all.iter().map(|it| it.content.len()).sum::<usize>(), huge.len() + 5);
    assert!(all.len() == 4 && all.iter().all(|it| !it.searchable));

    let text = format!("{}\n{{\"x\":\"{}\"}}\n{}\n", line("a"), "x".repeat(65 << 20), line("bc"));
    let readout = read(ClaudeCode, text.as_bytes());
    assert_eq!(messages(&readout).len(), 2);
    assert_eq!(readout.refused.len(), 1);
    assert!(readout.refused[0].place == "line 2" && readout.refused[0].reason.contains("bytes"));
}
