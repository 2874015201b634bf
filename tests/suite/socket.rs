//! The socket's place: who may be there, what is left of the last one, and systemd's.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use nosso::error::{Error, Kind};
use nosso::rpc::socket;
use nosso::store::Lock;

fn private_folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn refused(path: &Path, kind: Kind, words: &str) -> Error {
    let error = socket::bind(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.hint_text().is_some(), "{error}");
    error
}

#[tokio::test]
async fn the_socket_and_its_folder_are_for_us_only_and_go_with_us() {
    let folder = private_folder();
    let path = folder.path().join("deep/run/nosso.sock");
    let bound = socket::bind(&path).unwrap();
    assert!(!bound.activated);
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    UnixStream::connect(&path).unwrap();
    drop(bound);
    assert!(!path.exists(), "the socket is removed");
    assert!(path.parent().unwrap().join("lock").exists(), "the lock's file stays");
    socket::bind(&path).unwrap();
}

#[tokio::test]
async fn a_second_daemon_is_told_who_runs() {
    let folder = private_folder();
    let path = folder.path().join("run/nosso.sock");
    let bound = socket::bind(&path).unwrap();
    let error = refused(&path, Kind::Conflict, &format!("process {}", std::process::id()));
    assert!(error.hint_text().unwrap().contains("systemctl --user stop nosso"), "{error:?}");
    UnixStream::connect(&path).unwrap();
    drop(bound);
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let folder = private_folder();
    let path = folder.path().join("nosso.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let bound = socket::bind(&path).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(bound);
}

#[tokio::test]
async fn a_socket_that_answers_is_left_alone_even_without_a_lock() {
    let folder = private_folder();
    let path = folder.path().join("nosso.sock");
    let other = UnixListener::bind(&path).unwrap();
    refused(&path, Kind::Conflict, "a daemon answers there");
    // A daemon whose queue is full lives as well.
    rustix::net::listen(&other, 1).unwrap();
    let mut waiting = Vec::new();
    while let Some(stream) = connect_without_waiting(&path) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue is never full");
    }
    refused(&path, Kind::Conflict, "a daemon answers there");
    assert!(path.exists());
}

fn connect_without_waiting(path: &Path) -> Option<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.connect(&socket2::SockAddr::unix(path).unwrap()).ok().map(|()| socket)
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = private_folder();
    let path = folder.path().join("nosso.sock");
    std::fs::write(&path, "precious").unwrap();
    refused(&path, Kind::Conflict, "no socket");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    refused(&path, Kind::Conflict, "no socket");
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_is_refused() {
    let folder = private_folder();
    for open in [0o755, 0o770, 0o701] {
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(open)).unwrap();
        let error = refused(&folder.path().join("nosso.sock"), Kind::Config, "others may enter");
        assert!(error.hint_text().unwrap().contains("chmod 700"), "{error:?}");
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let other = folder.path().join("other");
    std::os::unix::fs::symlink(folder.path(), &other).unwrap();
    refused(&other.join("nosso.sock"), Kind::Config, "no folder");
}

#[tokio::test]
async fn a_path_that_no_socket_can_have_is_named() {
    let folder = private_folder();
    let path = folder.path().join("x".repeat(120));
    let error = refused(&path, Kind::Config, "the system allows 107");
    assert!(error.hint_text().unwrap().contains("NOSSO_SOCKET"));
    let length = 107 - folder.path().as_os_str().len() - 1;
    socket::bind(&folder.path().join("x".repeat(length))).unwrap();
}

#[tokio::test]
async fn a_socket_that_took_our_place_is_not_removed() {
    let folder = private_folder();
    let path = folder.path().join("nosso.sock");
    let bound = socket::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(bound);
    assert!(path.exists());
}

#[test]
fn a_lock_ends_with_its_process() {
    let folder = private_folder();
    let path = folder.path().join("lock");
    if Command::new("flock").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: there is no flock program here");
        return;
    }
    // One process only, which is killed: a child of it would inherit the lock.
    let mut child = Command::new("sh")
        .args(["-c", r#"exec 9>"$0"; flock -n 9 && echo held; exec sleep 60"#])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    if std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut held).is_err() {
        child.wait().unwrap();
        crate::support::skipped("there is no flock program here");
        return;
    }
    assert_eq!(Lock::acquire(&path).unwrap_err().kind(), Kind::Conflict);
    child.kill().unwrap();
    child.wait().unwrap();
    Lock::acquire(&path).unwrap();
}

/// The process that systemd starts.
#[tokio::test]
#[ignore = "is started by the test of activation"]
async fn adopts_a_socket() {
    let bound = socket::adopt_activated().unwrap().expect("a socket was handed over");
    assert!(bound.activated && bound.place.is_none());
    println!("ADOPTED {}", bound.path.display());
    assert!(socket::adopt_activated().unwrap().is_none(), "it has one owner");
    let (stream, _) = bound.listener.accept().await.unwrap();
    stream.writable().await.unwrap();
    stream.try_write(b"hello").unwrap();
}

/// Starts `adopts_a_socket` as systemd would: the descriptor is number 3, the variables name it.
fn activate(fd: OwnedFd) -> std::process::Child {
    let script =
        r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=nosso.socket exec "$0" "$@""#;
    Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "socket::adopts_a_socket", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::from(fd))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn systemds_socket_is_taken_over_and_left_as_it_is() {
    use std::io::Read;
    let folder = private_folder();
    let path = folder.path().join("systemd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let child = activate(listener.into());
    let mut stream = UnixStream::connect(&path).unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(&format!("ADOPTED {}", path.display())), "{said}");
    assert_eq!(mode(&path), 0o640, "its mode and its place are systemd's");
}

#[test]
fn what_is_no_listening_unix_socket_is_refused() {
    let (one, _other) = UnixStream::pair().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for fd in [OwnedFd::from(one), OwnedFd::from(tcp)] {
        let output = activate(fd).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("no Unix stream socket that listens"), "{said}");
    }
}

#[tokio::test]
async fn without_systemd_there_is_nothing_to_take_over() {
    assert!(socket::adopt_activated().unwrap().is_none());
}
