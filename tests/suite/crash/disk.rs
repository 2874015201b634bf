//! The disk is full: a small file system of the daemon's own, in a mount namespace that lives as long as the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::audit::{audit, index_equals_store};
use super::ledger::{Ledger, equal};
use super::world::{STOP, World, found};
use crate::support::daemon::{Daemon, get};
use crate::support::wire::Client;
use crate::support::{binary, skipped, wait_for};

/// Enough for the daemon to start, and soon full.
const SMALL: &str = "size=6m";
const MIDDLE: &str = "size=9m";
const LARGE: &str = "size=200m";

/// A process whose only work is to hold the mount.
struct Small {
    holder: Child,
    data: PathBuf,
}

impl Small {
    /// None, said loudly, where nobody may mount.
    fn mount(world: &World) -> Option<Self> {
        let data = world.data();
        std::fs::create_dir_all(&data).unwrap();
        let script = format!(
            "mount -t tmpfs -o {SMALL} none '{}' && touch '{0}/here' && exec sleep 600",
            data.display()
        );
        let unshare = Command::new("unshare").args(["-m", "sh", "-c", &script]).stderr(Stdio::null()).spawn();
        let Ok(mut holder) = unshare else {
            skipped("a full disk: unshare is missing");
            return None;
        };
        let seen = |holder: &Child| PathBuf::from(format!("/proc/{}/root{}", holder.id(), data.display()));
        let is_mounted = wait_for("the mount", || {
            let ended = holder.try_wait().unwrap().is_some();
            // nobody else sees it
            let mounted = seen(&holder).join("here").exists();
            (ended || mounted).then_some(mounted)
        });
        if !is_mounted {
            let _ = holder.wait();
            skipped("a full disk: this user may not mount (needs root)");
            return None;
        }
        let data = seen(&holder);
        std::fs::remove_file(data.join("here")).unwrap();
        Some(Self { holder, data })
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string()]);
        command
    }

    fn grow(&self, world: &World, size: &str) {
        let mut command = self.enter();
        command.args(["mount", "-o", &format!("remount,{size}")]).arg(world.data());
        assert!(command.status().unwrap().success());
    }

    fn serve(&self, world: &World) -> Command {
        let mut command = self.enter();
        world.home.place(&mut command);
        command.arg(binary()).arg("serve");
        command
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_is_told() {
    let Some(world) = World::new("a full disk") else { return };
    let Some(small) = Small::mount(&world) else { return };
    let socket = world.home.socket();
    let mut daemon = Daemon::spawn(small.serve(&world));
    daemon.wait_for_log("ready");
    let mut ledger = Ledger::new(&socket, 9, 600);
    let mut client = Client::connect(&socket).unwrap();
    let first = ledger.append(&mut client, "first of all, a jaguarundi").unwrap().unwrap();
    world.wait_for_meaning();

    fill(&mut ledger, &mut client);
    // it lives, says how it is, reads and finds
    let (status, warnings) = health(&world);
    assert!(status == "degraded" && warnings.contains("disk"), "{status}: {warnings}");
    ledger.check(&socket);
    assert!(found(&world.search("jaguarundi", "lexical"), &first));
    assert!(found(&world.search("jaguarundi", "hybrid"), &first));

    // space returns: so does everything else
    small.grow(&world, MIDDLE);
    let after = ledger.append(&mut client, "written after all").unwrap().unwrap();
    world.wait_for_meaning();
    world.drain();
    assert!(found(&world.search("written after all", "semantic"), &after));
    ledger.check(&socket);

    // a start on a full disk works, or says what to do
    fill(&mut ledger, &mut client);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended(STOP).code(), Some(0));
    let mut daemon = Daemon::spawn(small.serve(&world));
    let line = daemon.wait_for_log_of(&["ready", "hint: "]);
    if line.contains("ready") {
        ledger.check(&socket);
        assert!(found(&world.search("jaguarundi", "hybrid"), &first));
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ended(STOP).code(), Some(0));
    } else {
        assert!(line.contains("free some space on the disk"), "{line}");
        assert_ne!(daemon.ended(STOP).code(), Some(0));
    }
    small.grow(&world, LARGE);
    let mut daemon = Daemon::spawn(small.serve(&world));
    daemon.wait_for_log("ready");
    ledger.check(&socket);
    world.wait_for_meaning();
    world.drain();
    assert_eq!(health(&world), ("ok".to_owned(), "[]".to_owned()));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended(STOP).code(), Some(0));
    equal("messages", &ledger.messages, &audit(&small.data).messages);
    // LMDB follows links to a name that only the namespace knows
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(small.data.join(".")).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    index_equals_store(copy.path(), &world.library, &world.model("tiny"));
}

/// Big ones until nothing fits, then small ones, so that it is full to the last page.
fn fill(ledger: &mut Ledger, client: &mut Client) {
    let mut refused = 0;
    for size in [300_000, 10_000, 100] {
        let text = "lorem ipsum ".repeat(size / 12);
        while let Ok(_stored) = ledger.append(client, &text).unwrap().inspect_err(check_refusal) {}
        refused += 1;
    }
    for _ in 0..20 {
        refused +=
            usize::from(ledger.append(client, "one more").unwrap().inspect_err(check_refusal).is_err());
    }
    assert!(refused > 3, "{refused} calls were refused");
}

/// What the health page says, whose code is 200: a word, and the warnings.
fn health(world: &World) -> (String, String) {
    let (code, page) = get(&world.home.socket(), "/health");
    assert_eq!(code, 200, "{page}");
    let page: Value = serde_json::from_str(&page).unwrap();
    (page["status"].as_str().unwrap().to_owned(), page["warnings"].to_string())
}

fn check_refusal(error: &Value) {
    assert_eq!(error["data"]["kind"], "storage_full", "{error}");
    assert!(error["data"]["hint"].as_str().is_some_and(|hint| hint.contains("free")), "{error}");
}
