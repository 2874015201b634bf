//! A home with an embedding model in it, a client of its daemon, and chance that comes out the same in every run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nosso::embed::{self, Naming};
use serde_json::{Value, json};

use crate::brought::brought;
use crate::support::daemon::{Daemon, Home, call};
use crate::support::wait_for;
use crate::tiny_model;

/// How long the queue may take to run empty.
const DRAIN: Duration = Duration::from_secs(120);
/// What a stop may take.
pub const STOP: Duration = Duration::from_secs(8);

/// The folders of one user, with a model that embeds in no time.
pub struct World {
    pub home: Home,
    /// The runtime library.
    pub library: PathBuf,
}

impl World {
    /// With the tiny model configured; none where there is no runtime library, said loudly.
    pub fn new(test: &str) -> Option<Self> {
        let world = Self::without_model(test)?;
        world.make_model("tiny", tiny_model::WIDTH);
        world.configure("tiny", "");
        Some(world)
    }

    /// The same before there is a model.
    pub fn without_model(test: &str) -> Option<Self> {
        let brought = brought(test)?;
        let library = brought.library.into_iter().find(|file| file.is_file())?;
        Some(Self { home: Home::new(), library })
    }

    /// Makes a model of so many numbers a vector.
    pub fn make_model(&self, name: &str, width: usize) {
        let naming = Naming { name: name.into(), golden: Vec::new() };
        let folder = self.model(name);
        std::fs::create_dir_all(&folder).unwrap();
        embed::convert(&tiny_model::weight_file_of(width), naming, &folder).unwrap();
    }

    /// The folder of a model.
    pub fn model(&self, name: &str) -> PathBuf {
        self.home.path("models").join(name)
    }

    /// Configures a model, and more.
    pub fn configure(&self, model: &str, more: &str) {
        self.home.configure(&self.settings(&self.model(model), more));
    }

    /// A config file that names this model.
    pub fn settings(&self, model: &Path, more: &str) -> String {
        let (model, library) = (model.display(), self.library.display());
        let chat = if more.contains("[chat]") { "" } else { "[chat]\nprovider = \"extractive\"\n" };
        format!("[embed]\nmodel = \"{model}\"\nlibrary = \"{library}\"\nthreads = 1\n{chat}{more}")
    }

    /// Its data.
    pub fn data(&self) -> PathBuf {
        self.home.path(".local/share/nosso")
    }

    pub fn start(&self) -> Daemon {
        Daemon::start(&self.home)
    }

    /// The result of a call, which must not fail.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        let mut answer = call(&self.home.socket(), method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// A search, which must not fail.
    pub fn search(&self, query: &str, mode: &str) -> Value {
        self.ask("search.query", json!({"query": query, "mode": mode, "limit": 20}))
    }

    /// Waits until a search by meaning takes part.
    pub fn wait_for_meaning(&self) {
        wait_for("the model", || {
            (self.search("anything", "hybrid")["served"]["semantic"] == json!(true)).then_some(())
        });
    }

    /// Waits until nothing is left to embed or to remove.
    pub fn drain(&self) {
        let deadline = Instant::now() + DRAIN;
        loop {
            let status = self.ask("system.status", json!({}));
            let left = [&status["queue"]["ready"], &status["queue"]["leased"], &status["index"]["pending"]];
            assert_eq!(status["queue"]["dead"], 0, "{status}");
            if left.iter().all(|left| **left == json!(0)) {
                return;
            }
            if Instant::now() > deadline {
                panic!(
                    "the queue does not run empty: {status}\n{}",
                    self.ask("job.list", json!({"limit": 3}))
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops a daemon in order.
    pub fn stop(&self, mut daemon: Daemon) {
        daemon.signal(rustix::process::Signal::TERM);
        assert_eq!(daemon.ended(STOP).code(), Some(0));
    }
}

/// Like [`wait_for`], with a deadline of its own.
pub fn wait_until<T>(what: &str, deadline: Instant, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: it did not come to this");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a hit with this id is among the hits.
pub fn found(searched: &Value, id: &str) -> bool {
    searched["hits"].as_array().unwrap().iter().any(|hit| hit["id"] == id)
}

/// Chance: a linear congruential generator.
pub struct Random(pub u64);

impl Random {
    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// An id that no other generator makes.
    pub fn id(&mut self) -> String {
        uuid::Uuid::now_v7().to_string()
    }

    /// A text of mostly a few words, sometimes of many passages, `longest` at most, with all that a text may hold.
    pub fn text(&mut self, longest: u64) -> String {
        const PIECES: [&str; 12] = [
            "amanhã",
            "reunião",
            "the deadline",
            "\n",
            "\"quoted\"",
            "\u{0}",
            "日本語",
            "🦀",
            "\\u0041",
            "e\u{301}",
            "ok.",
            "<script>",
        ];
        let n = match self.below(100) {
            0 => 12_000,
            1..=9 => 600,
            _ => 3 + self.below(30),
        };
        let mut text = format!("w{} ", self.below(1_000_000));
        for _ in 0..n.min(longest) {
            text.push_str(PIECES[self.below(PIECES.len() as u64) as usize]);
            text.push(' ');
        }
        text
    }
}
