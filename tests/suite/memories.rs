//! Memories and secrets over the socket and in the terminal, without a language model.

use std::path::Path;

use serde_json::{Value, json};

use crate::brought::brought;
use crate::support::daemon::{self, Daemon, Home};

/// No model takes part: what they say differs from machine to machine.
const SETTINGS: &str = "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n";

fn house(more: &str) -> (Home, Daemon) {
    let home = Home::new();
    home.configure(&format!("{SETTINGS}{more}"));
    let daemon = Daemon::start(&home);
    (home, daemon)
}

/// The result of a call.
fn call(socket: &Path, method: &str, params: Value) -> Value {
    let answer = daemon::call(socket, method, params);
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

/// A key in pieces, or this file would look like a leak.
fn key() -> String {
    format!("ghp_{}", "a1B2c3D4e5".repeat(4))
}

#[test]
fn what_says_nearly_the_same_is_named_suggested_or_replaced() {
    let (home, _daemon) = house("");
    let add = |content: &str, how: Value| {
        let mut params = json!({"content": content, "project": "quay"});
        params.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        call(&home.socket(), "memory.add", params)
    };
    let first = add("The quay service listens on port 7100.", json!({}));
    assert_eq!((&first["stored"], &first["similar"]), (&json!(true), &Value::Null));
    add("Ana walks her dog at six.", json!({"project": "elsewhere"}));
    let second = add("The quay service listens on port 7200.", json!({}));
    assert_eq!((&second["stored"], &second["similar"][0]["memory"]["id"]), (&json!(true), &first["id"]));

    let asked = add("the quay service listens on port 7300", json!({"onDuplicate": "suggest"}));
    assert_eq!((&asked["stored"], asked["similar"].as_array().unwrap().len()), (&json!(false), 2));
    let elsewhere = add("Ana walks her dog at seven.", json!({"onDuplicate": "suggest"}));
    assert_eq!(elsewhere["stored"], true, "another project's memories hold for that project only");

    let replaced = add("The quay service listens on PORT 7200!", json!({"onDuplicate": "replace"}));
    assert_eq!((&replaced["stored"], &replaced["replaced"]), (&json!(true), &second["id"]));
    let history = call(&home.socket(), "memory.history", json!({"id": second["id"]}));
    let told: Vec<&Value> = history["versions"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(told, [&replaced["id"], &second["id"]]);
    let same = add(" The quay service listens on port 7100.", json!({}));
    assert_eq!((&same["id"], &same["stored"]), (&first["id"], &json!(true)), "the very same is stored once");
    let retry =
        add("The quay service listens on port 7100.", json!({"id": first["id"], "onDuplicate": "suggest"}));
    assert_eq!(
        (&retry["id"], &retry["stored"], &retry["similar"]),
        (&first["id"], &json!(true), &Value::Null)
    );
}

#[test]
fn the_terminal_suggests_before_it_stores_twice() {
    let (home, _daemon) = house("");
    let run = |args: &[&str]| {
        let output = home.nosso(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, id, _) =
        run(&["remember", "--project", "none", "--path", "work/db", "the staging database is on db2"]);
    assert_eq!(code, 0);
    let (code, out, told) = run(&["remember", "--project", "none", "the staging database is on db3"]);
    assert_eq!((code, out.as_str()), (1, ""), "{told}");
    assert!(told.contains("the staging database is on db2") && told.contains("--anyway"), "{told}");
    let (code, now, _) =
        run(&["remember", "--project", "none", "--replace", "--pin", "the staging database is on db3"]);
    assert_eq!(code, 0);
    let (_, history, _) = run(&["memories", "history", id.trim()]);
    assert!(
        history.starts_with("the staging database is on db3\n")
            && history.contains("the staging database is on db2\n"),
        "{history}"
    );
    let (_, listed, _) = run(&["memories", "--pinned"]);
    assert!(listed.contains("work/db · pinned") && !listed.contains("db2"), "it keeps the path: {listed}");
    let same =
        ["remember", "--project", "none", "--path", "work/db", "--pin", "the staging database is on db3"];
    assert_eq!(run(&same), (0, now.clone(), "remembered: the staging database is on db3\n".into()));
    run(&["memories", "unpin", now.trim()]);
    let (code, out, told) = run(&["memories", "--pinned"]);
    assert_eq!((code, out.as_str(), told.as_str()), (1, "", "nothing found\n"));
    let change =
        ["memories", "change", now.trim(), "--kind", "context", "--no-path", "--expires", "2199-01-01"];
    let (_, changed, _) = run(&change);
    assert!(changed.contains(" · context · ") && changed.contains("until 2199"), "{changed}");
    let (code, _, told) = run(&["remember", "--expires", "2020-01-01", "x"]);
    assert!(code == 2 && told.contains("it is past"), "{told}");
    run(&["remember", "--project", "none", "--path", "work/mail", "mail goes through mx1"]);
    assert_eq!(run(&["memories", "paths"]).1, "work/mail  1\n");
    assert_eq!(run(&["memories", "move", "work", "office"]).0, 0);
    assert!(run(&["memories", "--path", "office"]).1.contains("mx1"));
    let (code, out, told) = run(&["memories", "review"]);
    assert_eq!((code, out.as_str()), (1, ""));
    // what is told to be done can be done
    let hint = told.split('`').nth(1).unwrap();
    assert_eq!(run(&hint.split(' ').skip(1).collect::<Vec<_>>()).0, 0, "{told}");
    let settings = std::fs::read_to_string(home.path(".config/nosso/config.toml")).unwrap();
    assert!(settings.contains("[memory.extract]\nenabled = true"), "{settings}");
    let (code, _, told) = run(&["remember", "--project", "none", "password = correct-horse"]);
    assert!(code == 0 && told.contains("password, line 1") && !told.contains("correct-horse"), "{told}");
}

#[test]
fn secrets_are_masked_on_every_way_in_and_a_retry_is_the_same() {
    let (home, mut daemon) = house("");
    let socket = home.socket();
    let key = key();
    let id = "019a2f4e-8a20-7e42-8c63-1d9a2f7b5e11";
    let conversation = call(&socket, "conversation.create", json!({}))["id"].clone();
    let text = format!("line one\nuse {key} and\tnothing\u{0}else ");
    let plain = "naïve \u{0} bytes\r\n stay  ";
    let messages = json!([{"id": id, "role": "user", "content": text}, {"role": "user", "content": plain}]);
    let append = json!({"conversationId": conversation, "messages": messages});
    let appended = call(&socket, "message.append", append);
    let stored = "line one\nuse [masked:github-token] and\tnothing\u{0}else ";
    assert_eq!(appended["messages"][0]["content"], stored);
    assert_eq!(appended["messages"][1]["content"], plain, "what holds no secret comes back byte for byte");
    let place = json!({"messageId": id, "kind": "github-token", "offset": 13, "line": 2, "masked": true});
    assert_eq!(appended["secrets"], json!([place]));
    let again =
        json!({"conversationId": conversation, "messages": [{"id": id, "role": "user", "content": text}]});
    assert_eq!(call(&socket, "message.append", again)["messages"][0]["seq"], 1);
    let edited = json!({"id": id, "content": format!("now {key}")});
    let edited = call(&socket, "message.update", edited);
    let place = json!({"kind": "github-token", "offset": 4, "line": 1, "masked": true});
    assert_eq!(
        (&edited["content"], &edited["secrets"]),
        (&json!("now [masked:github-token]"), &json!([place]))
    );
    let named = json!({"id": conversation, "title": format!("Key {key}"), "metadata": {"env": {"key": key}}});
    let named = call(&socket, "conversation.update", named);
    assert_eq!(named["title"], "Key [masked:github-token]");
    assert_eq!(named["metadata"], json!({"env": {"key": "[masked:github-token]"}}));
    let fields: Vec<&Value> = named["secrets"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["title", "metadata"]);
    let created = call(&socket, "conversation.create", json!({"title": key}));
    assert_eq!(
        (&created["title"], &created["secrets"][0]["field"]),
        (&json!("[masked:github-token]"), &json!("title"))
    );
    let said =
        json!({"role": "user", "author": key, "content": "x", "metadata": {"apiKey": "a1B2c3D4e5F6g7"}});
    let said = call(&socket, "message.append", json!({"conversationId": conversation, "messages": [said]}));
    assert_eq!(said["messages"][0]["author"], "[masked:github-token]");
    assert_eq!(said["messages"][0]["metadata"], json!({"apiKey": "[masked:secret]"}));

    let memory = call(&socket, "memory.add", json!({"content": format!("the key is {key}")}));
    assert_eq!(
        (&memory["content"], &memory["secrets"][0]["line"]),
        (&json!("the key is [masked:github-token]"), &json!(1))
    );
    let changed = json!({"id": memory["id"], "content": format!("it is {key}"), "metadata": {"was": key}});
    let changed = call(&socket, "memory.update", changed);
    assert_eq!((changed["secrets"].as_array().unwrap().len(), &changed["kind"]), (2, &json!("fact")));
    let record = json!([{"messages": [{"role": "user", "content": format!("{key} {key}")}]}]).to_string();
    let imported = call(&socket, "data.import", json!({"data": record}));
    assert_eq!(imported["secrets"], json!({"github-token": 2}));
    let asked = json!({"content": format!("Why does {key} fail?"), "attachment": format!("TOKEN={key}")});
    let answer = call(&socket, "chat.complete", asked);
    assert!(
        answer["notices"].to_string().contains("in the question a secret was masked: github-token"),
        "{answer}"
    );

    daemon.signal(rustix::process::Signal::TERM);
    daemon.ended(crate::support::PATIENCE);
    let log = daemon.whole_log();
    assert!(!log.contains(&key), "{log}");
    assert_eq!(home.files_that_hold(&key), Vec::<std::path::PathBuf>::new());
}

#[test]
fn projects_have_modes_of_their_own_and_a_changed_mode_breaks_no_retry() {
    let (home, _daemon) = house("[secrets.projects]\nopen = \"report\"\nblind = \"off\"\n");
    let socket = home.socket();
    let text = format!("it is {}", key());
    let append = |project: Value| {
        let new = json!({"project": project});
        let conversation = call(&socket, "conversation.create", new)["id"].clone();
        let messages = json!([{"role": "user", "content": text}]);
        call(&socket, "message.append", json!({"conversationId": conversation, "messages": messages}))
    };
    let masked = append(Value::Null);
    assert_eq!(
        (&masked["messages"][0]["content"], &masked["secrets"][0]["masked"]),
        (&json!("it is [masked:github-token]"), &json!(true))
    );
    let reported = append(json!("open"));
    assert_eq!(
        (&reported["messages"][0]["content"], &reported["secrets"][0]["masked"]),
        (&json!(text), &json!(false))
    );
    let blind = append(json!("blind"));
    assert_eq!((&blind["messages"][0]["content"], &blind["secrets"]), (&json!(text), &Value::Null));

    // stored as it came; now its project's mode masks
    let message = &blind["messages"][0];
    let moved = json!({"id": message["conversationId"], "project": null});
    call(&socket, "conversation.update", moved);
    let retry = json!([{"id": message["id"], "role": "user", "content": text}]);
    let again = call(
        &socket,
        "message.append",
        json!({"conversationId": message["conversationId"], "messages": retry}),
    );
    assert_eq!(again["messages"][0]["content"], json!(text));
}

/// What the default model says about sentences that mean the same, and about others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_model_tells_the_same_from_the_similar() {
    let Some(brought) = brought("similar memories by meaning") else { return };
    let (home, _daemon) = {
        let home = Home::new();
        let library = brought.library.iter().find(|file| file.is_file()).unwrap().display().to_string();
        home.configure(&format!(
            "[chat]\nprovider = \"extractive\"\n[embed]\nmodel = \"{}\"\nlibrary = \"{library}\"\n",
            brought.model.display()
        ));
        let daemon = Daemon::start(&home);
        (home, daemon)
    };
    let socket = home.socket();
    crate::support::wait_for("the model", || {
        let status = call(&socket, "system.status", json!({}));
        (status["legs"]["semantic"] == true).then_some(())
    });
    let nearness = |one: &str, other: &str| {
        let first = call(&socket, "memory.add", json!({"content": one}));
        crate::support::wait_for("the vector", || {
            (call(&socket, "system.status", json!({}))["queue"]["ready"] == 0).then_some(())
        });
        let asked = call(&socket, "memory.add", json!({"content": other, "onDuplicate": "suggest"}));
        call(&socket, "memory.delete", json!({"id": first["id"]}));
        if asked["stored"] == true {
            call(&socket, "memory.delete", json!({"id": asked["id"]}));
        }
        asked["similar"][0].clone()
    };
    for (one, other) in SAME {
        let similar = nearness(one, other);
        assert!(similar["meaning"].as_f64().is_some(), "not found: {one} / {other}");
    }
    for (one, other) in DIFFERENT {
        assert_eq!(nearness(one, other), Value::Null, "{one} / {other}");
    }
}

/// The same fact in other words, in either language.
const SAME: &[(&str, &str)] = &[
    ("I prefer short answers.", "Keep your replies brief, I like them short."),
    ("Prefiro respostas curtas.", "Gosto de respostas breves e curtas."),
    ("The staging database runs on host db2.", "Our staging DB is hosted on the machine db2."),
];

/// Facts about the same matter that both hold.
const DIFFERENT: &[(&str, &str)] = &[
    ("The staging database runs on host db2.", "The office closes at six on Fridays."),
    ("I prefer short answers.", "My dog is called Rex."),
    ("Prefiro respostas curtas.", "A reunião com o cliente foi adiada para maio."),
    ("Ana works in Lisbon.", "The build uses the Rust nightly compiler."),
];
