//! Where the socket is: made by us in a folder of ours, or handed over by systemd.

use std::fs::{DirBuilder, Permissions, symlink_metadata};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use crate::error::{Doing, Error, Kind, Result};
use crate::store::Lock;

/// What `sockaddr_un` has room for, without the final zero.
const MAX_PATH_BYTES: usize = 107;
/// Clients that wait in the kernel until they are let in; with less, a burst of them is told to try again.
const BACKLOG: i32 = 1024;

/// A socket that listens.
#[derive(Debug)]
pub struct BoundSocket {
    /// Takes clients.
    pub listener: UnixListener,
    /// Whether systemd made it; it then stays when this process ends.
    pub activated: bool,
    /// Where it is.
    pub path: PathBuf,
    /// Removes the socket and gives its lock back when dropped; None for one of systemd's.
    pub place: Option<Place>,
}

/// A socket's place in the file system, for as long as it is ours.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    inode: (u64, u64),
    _lock: Lock,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Another daemon may have put its own there, if someone has removed ours.
        if symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes the socket at `path` (0600, in a folder that is 0700 and ours), for this process only. Must be called
/// within a tokio runtime.
///
/// Errors: `Conflict` where a daemon runs already, or something that is no socket is in the way; `Config` where the
/// path is too long or its folder is open to others; `Storage` where it cannot be made.
pub fn bind(path: &Path) -> Result<BoundSocket> {
    let doing = || format!("make the socket {}", path.display());
    check_length(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).ok_or_else(|| {
        Error::new(Kind::Config, format!("{}: the path names no folder", doing())).hint("give the whole path")
    })?;
    make_private(folder)?;
    let lock = Lock::acquire(&folder.join("lock"))?;
    remove_stale(path)?;

    // The mode is set before there is a name, so that nobody ever finds it open; unlike the umask, that touches
    // nothing else in this process.
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).doing(Kind::Storage, doing())?;
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600)).doing(Kind::Storage, doing())?;
    let address = SockAddr::unix(path).doing(Kind::Storage, doing())?;
    socket.bind(&address).doing(Kind::Storage, doing())?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).doing(Kind::Storage, doing())?;
    socket.listen(BACKLOG).doing(Kind::Storage, doing())?;
    let listener = StdListener::from(OwnedFd::from(socket));
    let found = symlink_metadata(path).doing(Kind::Storage, doing())?;
    let place = Place { path: path.to_owned(), inode: (found.dev(), found.ino()), _lock: lock };
    Ok(BoundSocket {
        listener: into_tokio(listener).doing(Kind::Storage, doing())?,
        activated: false,
        path: path.to_owned(),
        place: Some(place),
    })
}

/// The socket that systemd has handed over; None where it has not. Its mode and its place are systemd's. Later
/// calls answer None: a file descriptor has one owner.
///
/// Errors: `Config` where what was handed over is no Unix stream socket that listens.
pub fn adopt_activated() -> Result<Option<BoundSocket>> {
    static ADOPTED: AtomicBool = AtomicBool::new(false);
    let doing = "take over systemd's socket";
    let handed_over: Vec<_> = sd_notify::listen_fds_with_names().doing(Kind::Config, doing)?.collect();
    if handed_over.is_empty() || ADOPTED.swap(true, Ordering::SeqCst) {
        return Ok(None);
    }
    if handed_over.len() > 1 {
        tracing::warn!(
            sockets = handed_over.len(),
            "systemd has handed over several sockets; the first is used"
        );
    }
    let (fd, name) = &handed_over[0];
    // SAFETY: systemd has opened this descriptor for this process (LISTEN_PID is checked), and the flag above lets
    // it be taken once only.
    let fd = unsafe { OwnedFd::from_raw_fd(*fd) };
    from_fd(fd, name).map(Some)
}

fn from_fd(fd: OwnedFd, name: &str) -> Result<BoundSocket> {
    let doing = format!("take over systemd's socket `{name}`");
    let socket = socket2::SockRef::from(&fd);
    let fits = socket.domain().is_ok_and(|domain| domain == Domain::UNIX)
        && socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
        && socket.is_listener().unwrap_or(false);
    if !fits {
        let message = format!("{doing}: it is no Unix stream socket that listens");
        return Err(Error::new(Kind::Config, message).hint("use `ListenStream=` with a path in nosso.socket"));
    }
    let listener = StdListener::from(fd);
    let path = listener
        .local_addr()
        .ok()
        .and_then(|address| address.as_pathname().map(Path::to_owned))
        .unwrap_or_default();
    let listener = into_tokio(listener).doing(Kind::Storage, doing)?;
    Ok(BoundSocket { listener, activated: true, path, place: None })
}

fn into_tokio(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Errors: `Config` where no socket can have this path.
pub fn check_length(path: &Path) -> Result<()> {
    let length = path.as_os_str().len();
    if length <= MAX_PATH_BYTES {
        return Ok(());
    }
    Err(Error::new(
        Kind::Config,
        format!(
            "the socket's path {} has {length} bytes; the system allows {MAX_PATH_BYTES}",
            path.display()
        ),
    )
    .hint("set a shorter one with `[socket] path` in the config file, or NOSSO_SOCKET"))
}

fn make_private(folder: &Path) -> Result<()> {
    let doing = || format!("make the socket's folder {}", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(Kind::Storage, doing())?;
    let found = symlink_metadata(folder).doing(Kind::Storage, doing())?;
    let us = rustix::process::geteuid().as_raw();
    let problem = if !found.is_dir() {
        "it is no folder".to_owned()
    } else if found.uid() != us {
        format!("it belongs to user {}, not to user {us}", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!("others may enter it (mode {:o})", found.mode() & 0o777)
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::Config, format!("use the socket's folder {}: {problem}", folder.display()))
        .hint(format!("run `chmod 700 {}` if it is only nosso's, or choose another path", folder.display())))
}

/// Removes a socket that nobody listens on any more: the daemon that made it was killed.
fn remove_stale(path: &Path) -> Result<()> {
    let doing = || format!("make the socket {}", path.display());
    let found = match symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).doing(Kind::Storage, doing()),
    };
    if !found.file_type().is_socket() {
        let message = format!("{}: something that is no socket is there", doing());
        return Err(Error::new(Kind::Conflict, message).hint("move it away, or choose another path"));
    }
    match try_connect(path) {
        // A full queue belongs to a daemon that lives.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            std::fs::remove_file(path).doing(Kind::Storage, doing())
        }
        Ok(_) | Err(_) => {
            let message = format!("{}: a daemon answers there", doing());
            Err(Error::new(Kind::Conflict, message)
                .hint("use the running one, or stop it with `systemctl --user stop nosso`"))
        }
    }
}

/// Does not wait: where the daemon's queue is full, a connection that waits would wait with it.
fn try_connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}
