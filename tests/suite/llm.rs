//! The models that answer, against scripted servers: every way in which an answer comes or fails.

use std::io::Write;
use std::time::Duration;

use nosso::api::chat::PromptMessage;
use nosso::config::{Chat, ChatProvider};
use nosso::error::{Error, Kind, Result};
use nosso::llm::{Choice, Llm, ModelChoice, Piece, Provider};
use nosso::model::{Role, Usage};

use super::support::scripted::{Script, Scripted};
use super::support::{ollama, openai};

/// Both servers behave alike, so most tests run against both.
struct Case {
    server: Scripted,
    llm: Llm,
    model: ModelChoice,
}

async fn cases(change: impl Fn(&mut Chat)) -> Vec<Case> {
    let mut cases = Vec::new();
    for provider in [ChatProvider::Ollama, ChatProvider::Openai] {
        let server = match provider {
            ChatProvider::Ollama => ollama::start(&[("tiny:latest", 2048)]).await,
            _ => openai::start(&["tiny"], Some(2048)).await,
        };
        let mut settings = settings(&server, provider);
        change(&mut settings);
        let llm = Llm::new(&settings).unwrap();
        let model = model(llm.choose(None).await.unwrap());
        cases.push(Case { server, llm, model });
    }
    cases
}

fn settings(server: &Scripted, provider: ChatProvider) -> Chat {
    let mut settings = Chat { provider, ..Chat::default() };
    match provider {
        ChatProvider::Openai => settings.openai_url = Some(format!("{}/v1", server.url)),
        _ => settings.ollama_url = server.url.clone(),
    }
    settings
}

fn model(choice: Choice) -> ModelChoice {
    match choice {
        Choice::Model(model) => model,
        Choice::Extractive { notice } => panic!("no model was chosen: {notice}"),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Case {
    /// Plays `script`: the text that came, and how it ended.
    async fn ask(&self, script: Script) -> (String, Result<Usage>) {
        self.server.script(script);
        let prompt = vec![
            PromptMessage { role: Role::System, content: "be brief".into() },
            PromptMessage { role: Role::User, content: "olá".into() },
        ];
        let mut text = String::new();
        let mut answer = match self.llm.answer(&self.model, prompt).await {
            Ok(answer) => answer,
            Err(error) => return (text, Err(error)),
        };
        let mut end = None;
        while let Some(piece) = answer.next().await {
            assert!(end.is_none(), "something came after the end");
            match piece {
                Ok(Piece::Text(more)) => text.push_str(&more),
                Ok(Piece::End(usage)) => end = Some(Ok(usage)),
                Err(error) => end = Some(Err(error)),
            }
        }
        assert!(answer.next().await.is_none());
        (text, end.expect("the answer had no last item"))
    }

    async fn check_failure(&self, script: Script, text: &str, kind: Kind, message: &str, hint: &str) {
        let (came, end) = self.ask(script.clone()).await;
        assert_eq!(came, text, "{script:?}");
        check_error(&end.unwrap_err(), kind, message, hint);
    }
}

fn check_error(error: &Error, kind: Kind, message: &str, hint: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "'{error}' does not say '{message}'");
    let told = error.hint_text().unwrap_or_default();
    assert!(told.contains(hint), "the hint '{told}' does not say '{hint}'");
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece_with_its_cost() {
    let usage = Usage { prompt_tokens: Some(7), completion_tokens: Some(3) };
    let tokens = words(&["Não", " há ", "🦀!"]);
    for case in cases(|_| ()).await {
        let (text, end) = case.ask(Script::Stream(tokens.clone())).await;
        assert_eq!((text.as_str(), end.unwrap()), ("Não há 🦀!", usage));
        for size in [1, 2, 3, 7, 64] {
            let (text, end) = case.ask(Script::Split(tokens.clone(), size)).await;
            assert_eq!((text.as_str(), end.unwrap()), ("Não há 🦀!", usage), "split every {size} bytes");
        }
    }
}

#[tokio::test]
async fn the_request_carries_the_prompt_and_the_limits() {
    for case in cases(|settings| settings.temperature = Some(0.5)).await {
        case.ask(Script::Stream(words(&["ok"]))).await.1.unwrap();
        let body = case.server.last_chat().body;
        assert_eq!(body["model"], case.model.name.as_str());
        assert_eq!(body["stream"], true);
        assert_eq!(body["messages"][0]["role"], "system");
        assert_eq!(body["messages"][1]["content"], "olá");
        match case.model.provider {
            Provider::Ollama => {
                assert_eq!(body["options"]["num_ctx"], 2048);
                assert_eq!(body["options"]["num_predict"], 1024);
                assert_eq!(body["options"]["temperature"], 0.5);
            }
            Provider::Openai => {
                assert_eq!(body["max_tokens"], 1024);
                assert_eq!(body["temperature"], 0.5);
                assert_eq!(body["stream_options"]["include_usage"], true);
            }
        }
    }
}

#[tokio::test]
async fn a_cut_stream_keeps_what_came_and_says_so() {
    let came = words(&["half ", "an"]);
    for case in cases(|_| ()).await {
        for script in [Script::CutAfter(came.clone()), Script::CutInside(came.clone())] {
            case.check_failure(script, "half an", Kind::UpstreamCut, "cut its answer off", "ask again").await;
        }
        case.check_failure(Script::CutAfter(vec![]), "", Kind::UpstreamCut, "cut", "ask again").await;
    }
}

#[tokio::test]
async fn slow_models_run_into_the_configured_patience() {
    let first = "chat.first_token_timeout_seconds";
    for case in cases(|settings| settings.first_token_timeout_seconds = 1).await {
        for script in [Script::HangBeforeHead, Script::HangBeforeFirst] {
            case.check_failure(script, "", Kind::UpstreamTimeout, "said nothing within 1 s", first).await;
        }
        case.server.clients_closed(2).await;
    }
    for case in cases(|settings| settings.token_timeout_seconds = 1).await {
        let script = Script::HangAfter(words(&["a", "b"]));
        let hint = "chat.token_timeout_seconds";
        case.check_failure(script, "ab", Kind::UpstreamTimeout, "stopped in the middle", hint).await;
        case.server.clients_closed(1).await;
    }
}

#[tokio::test]
async fn a_slow_drip_is_no_timeout() {
    let patience = |settings: &mut Chat| {
        settings.token_timeout_seconds = 1;
        settings.first_token_timeout_seconds = 1;
    };
    for case in cases(patience).await {
        let drip = Script::Drip(words(&["a", "b", "c", "d"]), Duration::from_millis(400));
        let (text, end) = case.ask(drip).await;
        assert_eq!((text.as_str(), end.is_ok()), ("abcd", true));
    }
}

#[tokio::test]
async fn errors_of_the_server_are_told_in_its_words() {
    for case in cases(|_| ()).await {
        let script = Script::ErrorAfter(words(&["so "]), "out of memory".into());
        case.check_failure(script, "so ", Kind::Upstream, "out of memory", "log").await;
        let script = Script::Http(500, r#"{"error":"the runner died"}"#.into());
        case.check_failure(script, "", Kind::Upstream, "the runner died", "log").await;
        let script = Script::Http(404, r#"{"error":{"message":"model \"tiny\" not found"}}"#.into());
        case.check_failure(script, "", Kind::ModelUnavailable, "not found", "").await;
        let script = Script::Raw("data: <html>\n\n".into());
        case.check_failure(script, "", Kind::Upstream, "no answer", "chat.").await;
        let redirect = Script::Http(302, String::new());
        case.check_failure(redirect, "", Kind::Upstream, "302", "").await;
    }
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection() {
    for case in cases(|_| ()).await {
        case.server.script(Script::HangAfter(words(&["first"])));
        let mut answer = case.llm.answer(&case.model, vec![]).await.unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), Piece::Text("first".into()));
        drop(answer);
        case.server.clients_closed(1).await;
    }
}

#[tokio::test]
async fn a_next_that_is_given_up_loses_nothing() {
    for case in cases(|_| ()).await {
        case.server.script(Script::Drip(words(&["a", "b", "c"]), Duration::from_millis(50)));
        let mut answer = case.llm.answer(&case.model, vec![]).await.unwrap();
        let mut text = String::new();
        loop {
            let next = tokio::time::timeout(Duration::from_millis(5), answer.next()).await;
            match next {
                Err(_) => continue,
                Ok(Some(Ok(Piece::Text(more)))) => text.push_str(&more),
                Ok(Some(Ok(Piece::End(_)))) => break,
                Ok(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(text, "abc");
    }
}

#[tokio::test]
async fn the_model_is_the_named_one_then_the_configured_then_the_first() {
    let server = ollama::start(&[("big:latest", 131_072), ("small:1b", 2048), ("small:latest", 4096)]).await;
    let mut settings = settings(&server, ChatProvider::Ollama);
    let llm = Llm::new(&settings).unwrap();
    let chosen = model(llm.choose(None).await.unwrap());
    assert_eq!((chosen.name.as_str(), chosen.context_tokens), ("big:latest", 8192));
    settings.model = Some("small:1b".into());
    settings.context_tokens = Some(1000);
    let llm = Llm::new(&settings).unwrap();
    let chosen = model(llm.choose(None).await.unwrap());
    assert_eq!((chosen.name.as_str(), chosen.context_tokens), ("small:1b", 1000));
    assert_eq!(model(llm.choose(Some("small")).await.unwrap()).name, "small:latest");
    let error = llm.choose(Some("gone")).await.unwrap_err();
    check_error(&error, Kind::ModelUnavailable, "big:latest, small:1b, small:latest", "ollama pull gone");
    let listed = llm.models().await.unwrap();
    assert_eq!(listed.default.as_deref(), Some("small:1b"));
    assert_eq!(listed.models[0].context_tokens, Some(131_072));
    assert_eq!(llm.status().provider, "ollama");
}

#[tokio::test]
async fn an_openai_server_tells_its_models_and_context() {
    let server = openai::start(&["one", "two"], Some(3072)).await;
    let llm = Llm::new(&settings(&server, ChatProvider::Openai)).unwrap();
    let chosen = model(llm.choose(Some("two")).await.unwrap());
    assert_eq!((chosen.name.as_str(), chosen.context_tokens), ("two", 3072));
    let error = llm.choose(Some("three")).await.unwrap_err();
    check_error(&error, Kind::ModelUnavailable, "it has: one, two", "chat.model");
    assert_eq!(llm.models().await.unwrap().models.len(), 2);
    let silent = openai::start(&["one"], None).await;
    let llm = Llm::new(&settings(&silent, ChatProvider::Openai)).unwrap();
    assert_eq!(model(llm.choose(None).await.unwrap()).context_tokens, 4096);
}

#[tokio::test]
async fn the_api_key_is_read_when_it_is_needed() {
    let server = openai::start(&["one"], None).await;
    let mut key = tempfile::NamedTempFile::new().unwrap();
    writeln!(key, "sk-secret").unwrap();
    let mut settings = settings(&server, ChatProvider::Openai);
    settings.openai_key_file = Some(key.path().to_owned());
    let llm = Llm::new(&settings).unwrap();
    llm.choose(None).await.unwrap();
    assert!(server.requests()[0].head.contains("authorization: bearer sk-secret"));
    drop(key);
    let error = llm.choose(None).await.unwrap_err();
    check_error(&error, Kind::Config, "read the API key", "chat.openai_key_file");
}

#[tokio::test]
async fn a_configured_server_that_is_not_there_is_an_error() {
    let nowhere = closed_port();
    let llm =
        Llm::new(&Chat { provider: ChatProvider::Ollama, ollama_url: nowhere.clone(), ..Chat::default() });
    let error = llm.unwrap().choose(None).await.unwrap_err();
    check_error(&error, Kind::Upstream, "cannot reach the model server", "`ollama serve`");
    check_error(&error, Kind::Upstream, &nowhere, "chat.ollama_url");
    let llm = Llm::new(&Chat { openai_url: Some(nowhere), ..Chat::default() });
    let error = llm.unwrap().choose(None).await.unwrap_err();
    check_error(&error, Kind::Upstream, "cannot reach the model server", "chat.openai_url");
}

#[tokio::test]
async fn auto_takes_what_there_is() {
    let nowhere = Chat { ollama_url: closed_port(), ..Chat::default() };
    let llm = Llm::new(&nowhere).unwrap();
    let Choice::Extractive { notice } = llm.choose(None).await.unwrap() else {
        panic!("a model out of nowhere")
    };
    assert!(
        notice.contains("no language model is configured") && notice.contains("ollama serve"),
        "{notice}"
    );
    assert_eq!(llm.choose(Some("x")).await.unwrap_err().kind(), Kind::Upstream);
    assert!(llm.models().await.unwrap().models.is_empty());
    assert_eq!(llm.status().provider, "extractive");

    let empty = ollama::start(&[]).await;
    let llm = Llm::new(&settings(&empty, ChatProvider::Auto)).unwrap();
    let Choice::Extractive { notice } = llm.choose(None).await.unwrap() else {
        panic!("a model out of nothing")
    };
    assert!(notice.contains("ollama pull"), "{notice}");

    let there = ollama::start(&[("tiny:latest", 2048)]).await;
    let llm = Llm::new(&settings(&there, ChatProvider::Auto)).unwrap();
    assert_eq!(model(llm.choose(None).await.unwrap()).provider, Provider::Ollama);
    assert_eq!(llm.status().provider, "ollama");

    let both = openai::start(&["one"], None).await;
    let settings = Chat { openai_url: Some(format!("{}/v1/", both.url)), ..Chat::default() };
    assert_eq!(model(Llm::new(&settings).unwrap().choose(None).await.unwrap()).provider, Provider::Openai);
}

/// An address of this machine at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A real OpenAI-compatible server, where `NOSSO_TEST_OPENAI_URL` names one: the whole way from the prompt that
/// quotes a passage to an answer, and what happens when the prompt is larger than the server's context.
#[tokio::test]
async fn a_real_server_answers_from_what_was_recalled() {
    let Ok(url) = std::env::var("NOSSO_TEST_OPENAI_URL") else {
        eprintln!("SKIPPED: a_real_server_answers_from_what_was_recalled: NOSSO_TEST_OPENAI_URL is not set");
        return;
    };
    let settings =
        Chat { openai_url: Some(url), temperature: Some(0.0), max_answer_tokens: 64, ..Chat::default() };
    let llm = Llm::new(&settings).unwrap();
    let model = model(llm.choose(None).await.unwrap());
    assert!(model.context_tokens >= 512, "{model:?}");
    let passage = super::prompt::passage(1, "The project deadline is 14 March.");
    let mut input = super::prompt::input("When is the project deadline?", &[], vec![passage]);
    input.budget.context_tokens = model.context_tokens;
    let prompt = nosso::memory::prompt::make(input).unwrap();
    let estimated = u64::from(prompt.prompt_tokens);
    let mut answer = llm.answer(&model, prompt.messages).await.unwrap();
    let (mut text, mut usage) = (String::new(), None);
    while let Some(piece) = answer.next().await {
        match piece.unwrap() {
            Piece::Text(more) => text.push_str(&more),
            Piece::End(end) => usage = Some(end),
        }
    }
    let counted = usage.unwrap().prompt_tokens.unwrap();
    eprintln!("{} answered {text:?}; {counted} tokens of prompt, estimated {estimated}", model.name);
    assert!(text.contains("14 March"), "{text}");
    assert!(estimated >= counted && estimated < counted * 3, "{estimated} were estimated, {counted} counted");

    let flood = PromptMessage { role: Role::User, content: "word and word ".repeat(20_000) };
    let error = llm.answer(&model, vec![flood]).await.unwrap_err();
    check_error(&error, Kind::Upstream, "context", "chat.context_tokens");
}
