//! Deleting, undoing and forgetting in the terminal: what is asked, sent and said.

use serde_json::{Value, json};

use crate::cli::{ID, ended_with, run, stderr, stdout};
use crate::scripted::{Reply, Scripted};

fn tea() -> Value {
    json!({"id": ID, "kind": "fact", "content": "tea", "project": null, "createdAt": "2024-03-14T09:00:00Z",
        "updatedAt": "2024-03-14T09:00:00Z"})
}

fn receipt(finished: bool) -> Value {
    json!({
        "id": ID, "requestedAt": "2024-03-14T09:00:00Z",
        "finishedAt": finished.then_some("2024-03-14T09:00:01Z"),
        "removed": {"conversations": 0, "messages": 0, "memories": 1, "trash": 2, "fullText": 1, "chunks": 1,
            "jobs": 0, "vectors": 1, "quotations": 3},
        "pending": if finished { json!([]) } else { json!(["vectors", "log"]) },
        "backups": ["nosso-2024.db"], "backupsReplaced": false,
    })
}

#[test]
fn forgetting_asks_first_and_waits_for_the_end() {
    let daemon = Scripted::new(|method, _| match method {
        "memory.get" => Reply::Is(tea()),
        "forget.run" => Reply::Is(receipt(false)),
        "forget.status" => Reply::Is(receipt(true)),
        _ => Reply::Fails("not_found", ""),
    });
    let output = run(&daemon, &["forget", ID]);
    ended_with(&output, 2);
    assert!(stderr(&output).contains("--yes") && daemon.calls("forget.run").is_empty());
    let output = run(&daemon, &["forget", "-y", ID]);
    ended_with(&output, 0);
    assert_eq!(
        stdout(&output),
        "forgotten: 0 conversations, 0 messages, 1 memories, 2 records in the trash\n\
         removed: the words of 1 texts, 1 passages, 0 jobs, 1 vectors, 3 quotations elsewhere\n"
    );
    assert!(stderr(&output).contains("nosso-2024.db"), "{}", stderr(&output));
    assert_eq!(
        daemon.calls("forget.run"),
        [json!({"memoryIds": [ID], "backups": "keep", "waitSeconds": 30})]
    );
    assert_eq!(daemon.calls("forget.status"), [json!({"id": ID, "waitSeconds": 30})]);
    ended_with(&run(&daemon, &["forget", "-y", "--project", "site", "--client", "x", "--backups"]), 0);
    let asked = json!({"project": "site", "client": "x", "backups": "replace", "waitSeconds": 30});
    assert_eq!(daemon.calls("forget.run")[1], asked);
}

#[test]
fn what_is_forgotten_in_part_says_what_is_left() {
    let daemon = Scripted::new(|method, _| match method {
        "memory.get" => Reply::Is(tea()),
        "forget.run" => {
            let mut receipt = receipt(false);
            receipt["problem"] = json!("the disk is full");
            Reply::Is(receipt)
        }
        _ => Reply::Fails("not_found", ""),
    });
    let output = run(&daemon, &["forget", "-y", ID]);
    ended_with(&output, 1);
    assert!(stderr(&output).contains("vectors, log the disk is full"), "{}", stderr(&output));
}

#[test]
fn deleting_can_be_undone() {
    let trashed = json!({"id": "0192d3a4-0000-7000-8000-00000000000a", "kind": "memory", "itemId": ID, "title": "tea",
        "project": null, "messages": 0, "deletedAt": "2024-03-14T09:00:00Z", "keptUntil": "2024-04-13T09:00:00Z"});
    let daemon = Scripted::new(move |method, _| match method {
        "memory.get" => Reply::Is(tea()),
        "memory.delete" => Reply::Is(json!({"deleted": true, "messages": 0, "trashId": ID})),
        "trash.list" => Reply::Is(json!({"items": [trashed], "nextCursor": null})),
        "trash.restore" => Reply::Is(json!({"kind": "memory", "itemId": ID, "messages": 0})),
        _ => Reply::Fails("not_found", ""),
    });
    let output = run(&daemon, &["delete", ID]);
    ended_with(&output, 0);
    assert_eq!(stderr(&output), "deleted: memory: tea; nosso undo brings it back\n");
    let output = run(&daemon, &["trash"]);
    assert_eq!(stdout(&output), format!("{ID}  2024-03-14 09:00  memory: tea  until 2024-04-13\n"));
    for line in [&["undo"][..], &["undo", ID]] {
        let output = run(&daemon, line);
        ended_with(&output, 0);
        assert_eq!(stderr(&output), "brought back: 2024-03-14 09:00  memory: tea\n");
    }
    assert_eq!(daemon.calls("trash.restore")[1], json!({"id": "0192d3a4-0000-7000-8000-00000000000a"}));
    ended_with(&run(&daemon, &["undo", "0192d3a4-0000-7000-8000-00000000ffff"]), 1);
}
