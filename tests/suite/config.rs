//! Settings from all four layers, and what is said about mistakes in each.

use std::path::PathBuf;

use nosso::config::{ChatProvider, Config, Durability, Flags, Loaded, LogFormat, Origin, SecretMode, load};
use nosso::error::{Error, Kind, Result};
use nosso::paths::Paths;

/// Loads `text` as the config file below a folder of its own, with these variables and flags.
fn loaded(text: Option<&str>, env: &[(&str, &str)], flags: Flags) -> (tempfile::TempDir, Result<Loaded>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    if let Some(text) = text {
        std::fs::create_dir_all(&paths.config).unwrap();
        std::fs::write(paths.config_file(), text).unwrap();
    }
    let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let loaded = load(&paths, env, &flags);
    (folder, loaded)
}

fn good(text: &str, env: &[(&str, &str)], flags: Flags) -> Loaded {
    loaded(Some(text), env, flags).1.unwrap_or_else(|e| panic!("{}", e.full_text()))
}

fn refused(text: &str, env: &[(&str, &str)], flags: Flags) -> Error {
    let error = loaded(Some(text), env, flags).1.expect_err(text);
    assert_eq!(error.kind(), Kind::Config, "{error}");
    error
}

#[test]
fn nothing_said_means_defaults() {
    let (_folder, found) = loaded(None, &[("PATH", "/bin"), ("NOSSO_LOG", "")], Flags::default());
    let found = found.unwrap();
    assert_eq!(found.config, Config::default());
    assert!(!found.file_exists && found.origins.is_empty());
    assert_eq!(found.origin("embed.threads"), &Origin::Default);
}

#[test]
fn each_layer_is_over_the_one_before() {
    let text =
        "[log]\nfilter = \"warn\"\n[embed]\nthreads = 3\nniceness = 5\n[chat]\nprovider = \"extractive\"\n";
    let env = [
        ("NOSSO_EMBED__THREADS", "4"),
        ("NOSSO_EMBED__NICENESS", "6"),
        ("NOSSO_STORE__DURABILITY", "normal"),
    ];
    let found = good(text, &env, Flags::default().with("--niceness", "embed.niceness", "7"));
    let Config { log, embed, chat, store, .. } = &found.config;
    assert_eq!((log.filter.as_str(), embed.threads, embed.niceness), ("warn", 4, 7));
    assert_eq!((chat.provider, store.durability), (ChatProvider::Extractive, Durability::Normal));

    assert_eq!(found.origin("log.filter"), &Origin::File { file: found.file.clone(), line: 2 });
    assert_eq!(found.origin("chat.provider"), &Origin::File { file: found.file.clone(), line: 7 });
    assert_eq!(found.origin("embed.threads").to_string(), "NOSSO_EMBED__THREADS");
    assert_eq!(found.origin("embed.niceness").to_string(), "--niceness");
}

#[test]
fn short_variables_are_settings_and_foreign_ones_are_not() {
    let env =
        [("NOSSO_LOG", "debug"), ("NOSSO_SOCKET", "/tmp/s"), ("NOSSO_CONFIG", "/x"), ("NOSSO_JSON", "1")];
    let found = good("", &env, Flags::default());
    assert_eq!(found.config.log.filter, "debug");
    assert_eq!(found.config.socket.path, Some("/tmp/s".into()));
    assert_eq!(found.origins.len(), 2);
}

#[test]
fn mistakes_name_their_place_and_what_is_expected() {
    let check = |text: &str, message: &str, hint: &str| {
        let error = refused(text, &[], Flags::default());
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint_text());
    };
    check("[embed]\nthread = 2", "config.toml:2: there is no setting embed.thread", "embed.threads");
    check(
        "[embedding]\nthreads = 2",
        "config.toml:2: there is no setting embedding.threads",
        "embed.threads",
    );
    check("threads = 2", "config.toml:1: there is no setting threads", "embed.threads");
    check("[nonsense]", "config.toml:1: there is no setting nonsense", "nosso config show");
    check("\n[embed]\nthreads = \"two\"", "config.toml:3: embed.threads is \"two\", but must be a whole", "");
    check("[embed]\nthreads = 0", "embed.threads is 0, but must be a whole number from 1 to 256", "");
    check("[embed]\nniceness = -3", "embed.niceness is -3, but must be a whole number from 0 to 19", "");
    check("[embed]\nenabled = 1", "embed.enabled is 1, but must be true or false", "");
    check("[embed]\nmodel = [\"a\"]", "embed.model is a list, but must be a path", "");
    check("[chat.model]\nname = 1", "chat.model is a table, but must be a text", "");
    check("[chat]\nprovider = \"gpt\"", "one of \"auto\", \"ollama\", \"openai\", \"extractive\"", "");
    check("[chat]\nollama_url = \"localhost\"", "must be an http:// or https:// address", "");
    check("[log]\nfilter = \"a\"\nfilter = \"b\"", "config.toml:3:", "TOML");
    check("[log\n", "config.toml:1:", "TOML");
    check("[chat]\nprovider = \"openai\"", "without a server", "chat.openai_url");
    check(
        "[memory.extrac]\nenabled = true",
        "config.toml:2: there is no setting memory.extrac.enabled",
        "memory.extract.enabled",
    );
    check("[secrets]\nmode = \"hide\"", "secrets.mode is \"hide\", but must be one of", "");
    check(
        "[secrets.projects]\nsite = \"hide\"",
        "secrets.projects is a table, but must be a table of names",
        "",
    );
    check(
        "[prompts.en]\nanswer = \"It is {tody}.\"",
        "config.toml:2: prompts.en.answer has the placeholder {tody}",
        "did you mean {today}?",
    );
    check("[recall]\nrecent_share = 0.9", "together more than 1", "shares");
}

#[test]
fn mistakes_in_variables_and_flags_are_named_too() {
    let error = refused("", &[("NOSSO_EMBED__THREADS", "many")], Flags::default());
    assert!(error.to_string().starts_with("NOSSO_EMBED__THREADS: embed.threads is \"many\""), "{error}");
    let error = refused("", &[("NOSSO_EMBED__THREDS", "1")], Flags::default());
    assert_eq!(error.hint_text(), Some("did you mean embed.threads?"));
    let error = refused("", &[], Flags::default().with("--log", "log.format", "xml"));
    assert!(error.to_string().starts_with("--log: log.format is \"xml\""), "{error}");
}

#[test]
fn paths_become_absolute() {
    let text = "[embed]\nmodel = \"~/models/e5\"\nlibrary = \"lib/onnx.so\"\n[socket]\npath = \"/s.sock\"\n";
    let found = good(text, &[("HOME", "/home/ana")], Flags::default());
    assert_eq!(found.config.embed.model, Some("/home/ana/models/e5".into()));
    assert_eq!(found.config.embed.library, Some(found.file.parent().unwrap().join("lib/onnx.so")));
    assert_eq!(found.config.socket.path, Some("/s.sock".into()));

    let found = good("", &[], Flags::default().with("--socket", "socket.path", "here.sock"));
    assert!(found.config.socket.path.unwrap().is_absolute());
}

#[test]
fn sections_lie_in_sections_and_projects_have_modes_of_their_own() {
    let text = "[memory.extract]\nenabled = true\n[secrets]\nmode = \"report\"\n[secrets.projects]\n\"/home/ana/site\" = \"off\"\nquay = \"mask\"\n[prompts.pt]\nanswer = \"Hoje é {today}.\"\n";
    let found = good(text, &[("NOSSO_MEMORY__EXTRACT__TOKENS_PER_DAY", "5")], Flags::default());
    assert!(found.config.memory.extract.enabled && found.config.memory.extract.tokens_per_day == 5);
    let modes = ["/home/ana/site", "quay", "else"].map(|project| found.config.secrets.of(Some(project)));
    assert_eq!(modes, [SecretMode::Off, SecretMode::Mask, SecretMode::Report]);
    assert_eq!(found.config.prompts.pt.answer.as_deref(), Some("Hoje é {today}."));
    assert_eq!(good(&found.to_toml(), &[], Flags::default()).config, found.config, "{}", found.to_toml());
}

#[test]
fn a_file_that_was_named_must_exist() {
    let missing = Flags::default().with_file("/nowhere/config.toml");
    let error = refused("", &[], missing);
    assert!(error.to_string().contains("/nowhere/config.toml does not exist"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    std::fs::write(&file, "[log]\nformat = \"json\"\n").unwrap();
    let found = good("[log]\nformat = \"text\"\n", &[], Flags::default().with_file(file));
    assert_eq!(found.config.log.format, LogFormat::Json);
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let text = "[embed]\nmodel = \"/m \\\"x\\\"\"\nthreads = 7\n[chat]\ntemperature = 0.3\n[recall]\nrecent_share = 0.25\n";
    let found = good(text, &[], Flags::default());
    for shown in [found.to_toml(), found.to_toml_with_origins()] {
        assert_eq!(good(&shown, &[], Flags::default()).config, found.config, "{shown}");
    }
    let shown = found.to_toml_with_origins();
    assert!(shown.contains(&format!("threads = 7  # {}:3\n", found.file.display())), "{shown}");
    assert!(shown.contains("niceness = 10  # default\n"), "{shown}");
    assert!(shown.contains("temperature = 0.3 "), "{shown}");
    assert!(shown.contains("# library is not set"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn no_file_makes_loading_panic(text in "[\\[\\]a-z.=\"0-9 \n#{}-]{0,80}") {
        let (_folder, found) = loaded(Some(&text), &[], Flags::default());
        if let Err(error) = found {
            proptest::prop_assert_eq!(error.kind(), Kind::Config);
        }
    }

    #[test]
    fn a_whole_number_is_taken_exactly_in_its_range(threads in -10i64..600) {
        let (_folder, found) = loaded(Some(&format!("[embed]\nthreads = {threads}\n")), &[], Flags::default());
        proptest::prop_assert_eq!(found.is_ok(), (1..=256).contains(&threads));
    }
}

#[test]
fn setting_a_key_is_seen_by_loading() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let file: PathBuf = paths.config_file();
    nosso::config::set_key(&file, "embed.model", "/m").unwrap();
    nosso::config::set_key(&file, "recall.recent_share", "0.5").unwrap();
    let found = load(&paths, [], &Flags::default()).unwrap();
    assert_eq!((found.config.embed.model, found.config.recall.recent_share), (Some("/m".into()), 0.5));
}
