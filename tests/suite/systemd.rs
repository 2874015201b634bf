//! The units: what systemd thinks of them, and how the daemon lives under a real `systemd --user`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::user_systemd::{PROGRAM, UserSystemd};
use crate::support::{skipped, wait_for};

/// What `systemd-analyze security` may find at most, of 100: a fence against losing a line, not a target. Rows about
/// capabilities count, although a user service has none.
const MOST_EXPOSURE: &str = "65";

/// Copies of the units with a program that exists, beside the other files of the folder.
fn units() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let copies = ["nosso.service", "nosso.socket"].map(|name| {
        let text = std::fs::read_to_string(source.join(name)).unwrap();
        let copy = folder.path().join(name);
        std::fs::write(&copy, text.replace("/usr/bin/nosso", "/bin/true")).unwrap();
        copy
    });
    let drop_ins = folder.path().join("nosso.service.d");
    std::fs::create_dir(&drop_ins).unwrap();
    std::fs::copy(source.join("nosso.service.d/hardened.conf.example"), drop_ins.join("hardened.conf"))
        .unwrap();
    (folder, copies.into())
}

fn analyze(args: &[&str], units: &[PathBuf], runtime: &Path) -> Option<std::process::Output> {
    let output =
        Command::new("systemd-analyze").args(args).args(units).env("XDG_RUNTIME_DIR", runtime).output();
    output.map_err(|error| skipped(&format!("the check of the units: systemd-analyze: {error}"))).ok()
}

#[test]
fn systemd_finds_no_mistake_in_the_units() {
    let (folder, units) = units();
    let args = ["verify", "--user", "--man=no", "--recursive-errors=no"];
    let Some(output) = analyze(&args, &units, folder.path()) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");

    // the check is worth something only if it finds a mistake
    let text = std::fs::read_to_string(&units[0]).unwrap();
    std::fs::write(&units[0], text.replace("TimeoutStopSec=15s", "TimeoutStopSec=soon")).unwrap();
    let Some(output) = analyze(&args, &units, folder.path()) else { return };
    assert!(!output.status.success() || !output.stderr.is_empty());
}

#[test]
fn the_service_is_not_less_protected_than_it_was() {
    let (folder, units) = units();
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    let args = ["--user", "security", "--offline=yes", "--no-pager", &threshold];
    let Some(output) = analyze(&args, &units[..1], folder.path()) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_units_avoid_what_is_known_to_go_wrong() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nosso.service");
    let text = std::fs::read_to_string(source).unwrap();
    let set = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}=")));
    assert!(!set("RuntimeDirectory"), "stopping the service would delete the socket of the socket unit");
    assert!(!set("StateDirectory"), "systemd 252 puts it among the settings");
    assert!(!set("LoadCredential"), "a missing file would keep the service from starting");
    assert!(!text.contains("~@resources"), "embedding threads set their cores");
}

/// The daemon under a real manager, one thing after the other, as a day brings them.
#[test]
fn the_units_work_under_a_real_systemd() {
    let Some(systemd) = UserSystemd::start() else { return };
    // as installed, but for waiting times
    systemd.drop_in("quick", "[Service]\nRestartSec=100ms\nTimeoutAbortSec=3s\n");
    systemd.systemctl(&["enable", "--now", "nosso.socket"]);
    assert_eq!(systemd.property("ActiveState"), "inactive", "nothing runs before it is needed");

    let first = connecting_starts_it(&systemd);
    let second = killing_it_loses_no_call(&systemd, first);
    reloading_takes_over_new_settings(&systemd, second);
    stopping_keeps_the_socket(&systemd);
    a_hang_is_ended_by_the_watchdog(&systemd);
    it_logs_to_the_journal(&systemd);
    it_works_with_stricter_protection(&systemd);
    wrong_settings_do_not_start_it_again_and_again(&systemd);
}

fn connecting_starts_it(systemd: &UserSystemd) -> u64 {
    let pid = pid(systemd);
    assert_eq!(systemd.property("MainPID"), pid.to_string());
    assert_eq!(systemd.property("ActiveState"), "active");
    assert!(!systemd.property("StatusText").is_empty(), "the status line is told");
    pid
}

fn killing_it_loses_no_call(systemd: &UserSystemd, first: u64) -> u64 {
    systemd.systemctl(&["kill", "--signal=KILL", "--kill-who=main", "nosso.service"]);
    // a call now waits in the socket until the next daemon is there
    let second = wait_for("a new daemon", || Some(pid(systemd)).filter(|pid| *pid != first));
    assert_eq!(systemd.property("NRestarts"), "1");
    second
}

fn reloading_takes_over_new_settings(systemd: &UserSystemd, pid_before: u64) {
    let model = || status(systemd)["chat"]["model"].clone();
    systemd.write(".config/nosso/config.toml", "[chat]\nmodel = \"under-systemd\"\n");
    systemd.systemctl(&["reload", "nosso.service"]);
    wait_for("the new setting", || (model() == "under-systemd").then_some(()));

    systemd.write(".config/nosso/config.toml", "[chat]\nmodl = \"x\"\n");
    systemd.systemctl(&["reload", "nosso.service"]);
    let text = wait_for("a status that says why", || {
        Some(systemd.property("StatusText")).filter(|text| text.contains("old settings kept"))
    });
    assert!(text.contains("chat.modl"), "{text}");
    assert_eq!(model(), "under-systemd");

    systemd.write(".config/nosso/config.toml", "");
    systemd.systemctl(&["reload", "nosso.service"]);
    wait_for("the defaults", || (model() == Value::Null).then_some(()));
    wait_for("a good status", || (!systemd.property("StatusText").contains("kept")).then_some(()));
    assert_eq!((pid(systemd), systemd.property("ActiveState")), (pid_before, "active".into()));
}

fn stopping_keeps_the_socket(systemd: &UserSystemd) {
    let before = pid(systemd);
    systemd.systemctl(&["stop", "nosso.service"]);
    assert_eq!(systemd.property("ActiveState"), "inactive");
    assert_eq!(systemd.property("Result"), "success", "{}", systemd.logs());
    assert_ne!(pid(systemd), before, "the next call starts it again");
}

fn a_hang_is_ended_by_the_watchdog(systemd: &UserSystemd) {
    systemd.drop_in(
        "watchdog",
        "[Service]\nWatchdogSec=2s\nExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT >>%h/results'\n",
    );
    systemd.systemctl(&["restart", "nosso.service"]);
    let (before, restarts) = (pid(systemd), systemd.property("NRestarts"));
    systemd.systemctl(&["kill", "--signal=STOP", "--kill-who=main", "nosso.service"]);
    wait_for("the watchdog", || (systemd.property("NRestarts") != restarts).then_some(()));
    assert_ne!(pid(systemd), before);
    let results = std::fs::read_to_string(systemd.home().join("results")).unwrap();
    assert_eq!(results.lines().last(), Some("watchdog"), "{}", systemd.logs());
}

fn it_logs_to_the_journal(systemd: &UserSystemd) {
    let ready = wait_for("an entry of the daemon", || {
        systemd.journal().into_iter().find(|entry| entry["MESSAGE"] == "ready")
    });
    // a field of its own, which only the journal's protocol carries
    assert_eq!((&ready["ACTIVATED"], &ready["PRIORITY"]), (&"true".into(), &"5".into()), "{ready}");
}

fn it_works_with_stricter_protection(systemd: &UserSystemd) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nosso.service.d/hardened.conf.example");
    systemd.drop_in("hardened", &std::fs::read_to_string(example).unwrap());
    systemd.systemctl(&["restart", "nosso.service"]);
    let pid = pid(systemd);
    let mounts = systemd.as_user("cat", &[&format!("/proc/{pid}/mountinfo")]);
    let read_only =
        |path: &str| mounts.lines().any(|line| line.split(' ').nth(4) == Some(path) && line.contains(" ro,"));
    assert!(read_only("/"), "the system should be read-only for it:\n{mounts}");
    std::fs::remove_file(systemd.home().join(".config/systemd/user/nosso.service.d/hardened.conf")).unwrap();
    systemd.systemctl(&["daemon-reload"]);
}

fn wrong_settings_do_not_start_it_again_and_again(systemd: &UserSystemd) {
    systemd.write(".config/nosso/config.toml", "[nonsense]\n");
    systemd.systemctl(&["reset-failed"]);
    let output = systemd.try_as_user("systemctl", &["--user", "restart", "nosso.service"]);
    assert!(!output.status.success());
    let states = ["ExecMainStatus", "NRestarts", "ActiveState"].map(|name| systemd.property(name));
    assert_eq!(states, ["78", "0", "failed"], "{}", systemd.logs());
}

/// What the daemon says of itself, asked by its own client as the user.
fn status(systemd: &UserSystemd) -> Value {
    // the daemon's config file is wrong on purpose at times; the client shall not mind
    let text = systemd.as_user(PROGRAM, &["--config", "/dev/null", "status", "--json"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn pid(systemd: &UserSystemd) -> u64 {
    status(systemd)["pid"].as_u64().unwrap()
}
