//! Plain JSON histories: what is read from them.

use nosso::exchange::{Readout, Record, history};
use nosso::model::{Conversation, Message, Role, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn read(value: &Value) -> Readout {
    history::read(&value.to_string(), now()).unwrap()
}

fn conversations<'a>(readout: &'a Readout) -> Vec<&'a Conversation> {
    let conversation = |record: &'a Record| match record {
        Record::Conversation(conversation) => Some(conversation),
        _ => None,
    };
    readout.records.iter().filter_map(conversation).collect()
}

fn messages<'a>(readout: &'a Readout) -> Vec<&'a Message> {
    let message = |record: &'a Record| match record {
        Record::Message(message) => Some(message),
        _ => None,
    };
    readout.records.iter().filter_map(message).collect()
}

fn refusals(readout: &Readout) -> Vec<String> {
    readout.refused.iter().map(|refused| format!("{} {}", refused.place, refused.reason)).collect()
}

#[test]
fn a_conversation_becomes_a_line_of_messages() {
    let readout = read(&json!([{
        "title": "Plano", "created_at": "2024-03-14T09:26:53Z", "metadata": {"k": 1},
        "messages": [
            {"role": "human", "content": "Olá", "author": "Ana", "timestamp": 1_710_408_500},
            {"role": "AI", "content": [{"type": "text", "text": "Oi"}, {"type": "image", "url": "x"}, "!"], "model": "m"},
            {"role": "tool", "content": {"text": "42"}, "createdAt": 1_710_408_600_123_i64, "metadata": {"a": [1]}},
        ],
    }]));
    assert!(readout.refused.is_empty(), "{:?}", readout.refused);
    let [conversation] = conversations(&readout)[..] else { panic!() };
    let [first, second, third] = messages(&readout)[..] else { panic!() };
    assert_eq!(conversation.title.as_deref(), Some("Plano"));
    assert_eq!(conversation.created_at.to_string(), "2024-03-14T09:26:53.000Z");
    assert_eq!(conversation.updated_at, third.created_at);
    assert_eq!((conversation.message_count, conversation.head_message_id), (3, Some(third.id)));
    assert_eq!((first.role, second.role, third.role), (Role::User, Role::Assistant, Role::Tool));
    assert_eq!(
        (first.content.as_str(), second.content.as_str(), third.content.as_str()),
        ("Olá", "Oi\n!", "42")
    );
    assert_eq!((first.parent_id, second.parent_id, third.parent_id), (None, Some(first.id), Some(second.id)));
    assert_eq!((first.seq, third.seq), (1, 3));
    assert_eq!(first.author.as_deref(), Some("Ana"));
    assert_eq!(second.model.as_deref(), Some("m"));
    assert_eq!(second.created_at, first.created_at, "without a time of its own it has the time before");
    assert_eq!(third.created_at.as_millis(), 1_710_408_600_123);
    assert_eq!(third.metadata.as_ref().unwrap()["a"], json!([1]));
    assert!(messages(&readout).iter().all(|message| message.conversation_id == conversation.id));
}

#[test]
fn all_outer_forms_are_read() {
    let one = json!({"messages": [{"role": "user", "content": "x"}]});
    let count = |value: Value| {
        let readout = read(&value);
        (conversations(&readout).len(), messages(&readout).len(), readout.refused.len())
    };
    assert_eq!(count(json!([one, one.clone()])), (2, 2, 0));
    assert_eq!(count(json!({"version": 1, "conversations": [one]})), (1, 1, 0));
    assert_eq!(count(json!({"conversations": {"a": one, "b": one}})), (2, 2, 0));
    assert_eq!(count(json!({"a": one, "b": one, "version": 2})), (2, 2, 0));
    assert_eq!(count(one.clone()), (1, 1, 0));
    assert_eq!(count(json!([{"role": "user", "content": "x"}, {"role": "bot", "content": "y"}])), (1, 2, 0));
    assert_eq!(count(json!([])), (0, 0, 0));
    for wrong in ["[1", "7", "\"x\"", "{\"conversations\": 3}", "[{\"messages\": ["] {
        let readout = history::read(wrong, now()).unwrap();
        assert!(readout.records.is_empty() && !readout.refused.is_empty(), "{wrong}");
    }
}

#[test]
fn times_of_all_shapes_are_read() {
    let check = |time: Value, expected: &str| {
        let readout = read(&json!([{"messages": [{"role": "user", "content": "x", "date": time}]}]));
        assert_eq!(messages(&readout)[0].created_at.to_string(), expected, "{time}");
    };
    check(json!("2024-03-14T09:26:53-03:00"), "2024-03-14T12:26:53.000Z");
    check(json!("2024-03-14 09:26:53"), "2024-03-14T09:26:53.000Z");
    check(json!("2024-03-14T09:26:53.123456"), "2024-03-14T09:26:53.123Z");
    check(json!("2024-03-14"), "2024-03-14T00:00:00.000Z");
    check(json!(1_710_408_413), "2024-03-14T09:26:53.000Z");
    check(json!(1_710_408_413.5), "2024-03-14T09:26:53.500Z");
    check(json!(1_710_408_413_000_i64), "2024-03-14T09:26:53.000Z");
    check(json!("1710408413"), "2024-03-14T09:26:53.000Z");
    check(json!("soon"), &now().to_string());
    check(json!(0), &now().to_string());
    check(json!(1e300), "9999-12-30T22:00:00.000Z");
}

#[test]
fn ids_of_the_file_are_kept_and_others_are_derived_again() {
    let id = "0192d3c4-0000-7000-8000-000000000001";
    let text = json!([
        {"id": id, "messages": [{"id": id, "role": "user", "content": "a"}, {"id": id, "role": "user", "content": "b"}]},
        {"id": 17, "messages": [{"id": "m1", "role": "user", "content": "a"}]},
        {"title": "t", "messages": [{"role": "user", "content": "a"}]},
        {"title": "u", "messages": [{"role": "user", "content": "a"}]},
    ]);
    let readout = read(&text);
    assert_eq!(readout, read(&text), "the same text gave other ids");
    assert_eq!(conversations(&readout)[0].id.to_string(), id);
    assert_eq!(messages(&readout)[0].id.to_string(), id);
    let mut ids: Vec<String> = messages(&readout).iter().map(|message| message.id.to_string()).collect();
    ids.extend(conversations(&readout).iter().skip(1).map(|conversation| conversation.id.to_string()));
    let n_ids = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), n_ids, "two things have one id");

    let longer = json!([{"title": "t", "messages": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}]);
    let longer = read(&longer);
    assert_eq!(
        conversations(&longer)[0].id,
        conversations(&readout)[2].id,
        "a conversation that grew is another"
    );
    assert_eq!(messages(&longer)[0].id, messages(&readout)[3].id);
    let keyed = read(&json!({"17": {"messages": [{"id": "m1", "role": "user", "content": "a"}]}}));
    assert_eq!(messages(&keyed)[0].id, messages(&readout)[2].id, "the key is the id");
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_read() {
    let readout = read(&json!([
        7,
        {"title": "no messages"},
        {"messages": [
            {"role": "alien", "content": "x"},
            {"content": "x"},
            {"role": "user"},
            {"role": "user", "content": " "},
            {"role": "user", "content": [{"type": "image"}]},
            "text",
            {"role": "user", "content": "x".repeat((1 << 20) + 1)},
            {"role": "user", "content": "good"},
        ]},
    ]));
    assert_eq!(
        refusals(&readout)[..6],
        [
            "conversation 1 is no object",
            "conversation 2 has no array 'messages'",
            "conversation 3, message 1 has the unknown role 'alien'",
            "conversation 3, message 2 has no role",
            "conversation 3, message 3 has no text",
            "conversation 3, message 4 has an empty text",
        ]
    );
    assert_eq!(readout.refused.len(), 9);
    let [good] = messages(&readout)[..] else { panic!() };
    assert_eq!((good.content.as_str(), good.parent_id, good.seq), ("good", None, 1));
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "messages",
        "role",
        "content",
        "id",
        "title",
        "timestamp",
        "conversations",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["user", "ai", "", "2024-01-01", "texto"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_stops_the_reader(value in any_json()) {
        let readout = read(&value);
        prop_assert_eq!(&readout, &read(&value));
        for message in messages(&readout) {
            prop_assert!(conversations(&readout).iter().any(|conversation| conversation.id == message.conversation_id));
        }
    }
}
