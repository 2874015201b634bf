//! A real `systemd --user` of an unprivileged user, with the nosso units in it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::{binary, skipped};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/systemd-user.sh");
const USER: &str = "1500";
const HOME: &str = "/home/tester";
/// The program, as the user runs it.
pub const PROGRAM: &str = "/home/tester/nosso";

/// The manager; ends with all its units when dropped.
pub struct UserSystemd {
    namespace: Child,
    folder: tempfile::TempDir,
}

impl UserSystemd {
    /// Starts the manager and puts the units of this project into it. None, said loudly, where this machine does not
    /// allow it.
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "bash", SCRIPT])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut namespace = match started {
            Ok(child) => child,
            Err(error) => {
                skipped(&format!("the units under a real systemd: unshare: {error}"));
                return None;
            }
        };
        let mut line = String::new();
        BufReader::new(namespace.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            let _ = namespace.wait();
            skipped(&format!("the units under a real systemd: {}", line.trim()));
            return None;
        }
        let manager = Self { namespace, folder };
        manager.install();
        Some(manager)
    }

    /// The user's home folder, as it is reached from outside.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file below the home folder that belongs to the user.
    pub fn write(&self, path: &str, text: &str) {
        let inside = Path::new(HOME).join(path);
        self.as_user("mkdir", &["-p", inside.parent().unwrap().to_str().unwrap()]);
        let file = self.home().join(path);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    }

    /// Overrides settings of the service, then lets the manager read its units again.
    pub fn drop_in(&self, name: &str, text: &str) {
        self.write(&format!(".config/systemd/user/nosso.service.d/{name}.conf"), text);
        self.systemctl(&["daemon-reload"]);
    }

    /// Runs `systemctl --user`, which must succeed.
    pub fn systemctl(&self, args: &[&str]) -> String {
        let output = self.try_as_user("systemctl", &[&["--user"], args].concat());
        assert!(output.status.success(), "systemctl {args:?}: {}\n{}", text(&output), self.logs());
        text(&output)
    }

    /// One property of the service.
    pub fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "nosso.service", "--value", "--property", name]).trim().to_owned()
    }

    /// Runs a program as the user; it must succeed.
    pub fn as_user(&self, program: &str, args: &[&str]) -> String {
        let output = self.try_as_user(program, args);
        assert!(output.status.success(), "{program} {args:?}: {}\n{}", text(&output), self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a program as the user.
    pub fn try_as_user(&self, program: &str, args: &[&str]) -> Output {
        let home = format!("HOME={HOME}");
        self.inside()
            .args(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"])
            .args(["env", "-i", "PATH=/usr/bin:/bin", "USER=tester", "LANG=C.UTF-8", &home])
            .args([&format!("XDG_RUNTIME_DIR=/run/user/{USER}"), program])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What the daemon logged to the journal, an object to each entry.
    pub fn journal(&self) -> Vec<serde_json::Value> {
        let output = self
            .inside()
            .args(["journalctl", "-D", "/run/log/journal", "-t", "nosso", "-o", "json", "--no-pager", "-q"])
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the manager and the daemon said, for a test that failed.
    pub fn logs(&self) -> String {
        let manager = std::fs::read_to_string(self.folder.path().join("log/manager")).unwrap_or_default();
        let output = self
            .inside()
            .args([
                "journalctl",
                "-D",
                "/run/log/journal",
                "-o",
                "cat",
                "--no-pager",
                "-q",
                "-n",
                "60",
                "_UID=1500",
            ])
            .output()
            .unwrap();
        format!("--- manager\n{manager}--- journal\n{}", text(&output))
    }

    fn inside(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.namespace.id())).arg("--");
        command
    }

    fn install(&self) {
        // the build folder may be closed to other users
        std::fs::copy(binary(), self.home().join("nosso")).unwrap();
        for unit in ["nosso.service", "nosso.socket"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(unit);
            let unit_text = std::fs::read_to_string(file).unwrap();
            let unit_text = unit_text.replace("/usr/bin/nosso", PROGRAM);
            self.write(&format!(".config/systemd/user/{unit}"), &unit_text);
        }
        self.systemctl(&["daemon-reload"]);
    }
}

impl Drop for UserSystemd {
    fn drop(&mut self) {
        // the end of its input tells the script to stop everything
        drop(self.namespace.stdin.take());
        let _ = self.namespace.wait();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
