//! Ollama: its models, their context, and its stream of JSON lines.

use std::collections::VecDeque;

use futures_util::StreamExt;
use ollama_rs::error::OllamaError;
use ollama_rs::generation::chat::request::ChatMessageRequest;
use ollama_rs::generation::chat::{ChatMessage, MessageRole};
use ollama_rs::models::{ModelInfo, ModelOptions};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use super::answer::{Decode, Event, Reply};
use super::lines::Lines;
use super::{ModelChoice, http};
use crate::api::chat::PromptMessage;
use crate::api::system::LanguageModel;
use crate::config::Chat;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::{Role, Usage};

/// A small model that hints name where there is none.
pub(super) const EXAMPLE_MODEL: &str = "llama3.2";

/// The context asked for unless configured. Ollama reserves memory for the whole of it when it loads the model,
/// so the 128k and more that models are able to hold would push smaller machines into swap.
const MAX_UNASKED_CONTEXT: u32 = 8192;

/// Models that are asked for their context at the same time.
const SHOWN_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct Ollama {
    url: String,
    http: Client,
    client: ollama_rs::Ollama,
}

impl Ollama {
    pub(super) fn new(settings: &Chat) -> Result<Self> {
        let url = http::base_url("chat.ollama_url", &settings.ollama_url)?;
        let http = http::client(&url)?;
        let client = ollama_rs::Ollama::builder().url(url.clone()).reqwest_client(http.clone()).build();
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), http, client })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Every model that was pulled, the most recently changed first.
    pub(super) async fn models(&self) -> Result<Vec<LanguageModel>> {
        let found = self.client.list_local_models().await.map_err(|error| self.explain(error))?;
        let model = |model: ollama_rs::models::LocalModel| LanguageModel {
            name: model.name,
            context_tokens: None,
            size_bytes: Some(model.size),
        };
        Ok(found.into_iter().map(model).collect())
    }

    /// The same models with the context that each can hold; one that does not tell keeps none.
    pub(super) async fn with_contexts(&self, models: Vec<LanguageModel>) -> Vec<LanguageModel> {
        let with_context = |model: LanguageModel| async move {
            let info = self.client.show_model_info(model.name.clone()).await.ok();
            LanguageModel { context_tokens: info.as_ref().and_then(trained_context), ..model }
        };
        futures_util::stream::iter(models).map(with_context).buffered(SHOWN_AT_ONCE).collect().await
    }

    /// The full name of the model called `name` (none: the first), and the context to use unless one is
    /// `configured`.
    pub(super) async fn choose(
        &self,
        name: Option<&str>,
        configured: Option<u32>,
    ) -> Result<(String, Option<u32>)> {
        let models = self.models().await?;
        let matches = |model: &&LanguageModel, name: &str| {
            model.name == name || (!name.contains(':') && model.name == format!("{name}:latest"))
        };
        let found = match name {
            Some(name) => models.iter().find(|model| matches(model, name)),
            None => models.first(),
        };
        let Some(found) = found else { return Err(self.missing(name, &models)) };
        let told = match configured {
            Some(_) => None,
            None => {
                let info = self.client.show_model_info(found.name.clone()).await;
                default_context(&info.map_err(|error| self.explain(error))?)
            }
        };
        Ok((found.name.clone(), told))
    }

    /// Sends the prompt and waits for the head of the answer.
    ///
    /// The bytes are read here instead of by ollama-rs, whose stream (as of 0.3.6) loses a network read that
    /// ends inside a character, and an error that Ollama reports in the middle of an answer.
    pub(super) async fn ask(
        &self,
        settings: &Chat,
        model: &ModelChoice,
        messages: Vec<PromptMessage>,
    ) -> Result<Reply> {
        // without num_ctx Ollama cuts the beginning of a long prompt off and says nothing
        let mut options = ModelOptions::default()
            .num_ctx(model.context_tokens.into())
            .num_predict(i32::try_from(settings.max_answer_tokens).unwrap_or(i32::MAX));
        if let Some(temperature) = settings.temperature {
            options = options.temperature(temperature);
        }
        let messages = messages.into_iter().map(chat_message).collect();
        let request = ChatMessageRequest::new(model.name.clone(), messages).options(options);
        let mut body = serde_json::to_value(request).doing(Kind::Internal, "write the request to Ollama")?;
        body["stream"] = true.into();
        let response = self.http.post(format!("{}/api/chat", self.url)).json(&body).send().await;
        let response = response.map_err(|error| http::unreachable(&self.url, START_HINT, error))?;
        let status = response.status();
        if !status.is_success() {
            let words = http::error_text(response).await;
            return Err(match status {
                StatusCode::NOT_FOUND => missing_model(&model.name, &words),
                _ => http::refusal(&self.url, status, &words)
                    .hint("look at Ollama's log: `journalctl -u ollama`"),
            });
        }
        Ok(Reply { body: Box::pin(response.bytes_stream()), decoder: Box::new(Decoder::default()) })
    }

    fn missing(&self, name: Option<&str>, models: &[LanguageModel]) -> Error {
        let there: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let found = match name {
            Some(name) => format!("Ollama at {} has no model '{name}'; it has: {there}", self.url),
            None => format!("Ollama at {} has no models", self.url),
        };
        let pull = name.unwrap_or(EXAMPLE_MODEL);
        Error::new(Kind::ModelUnavailable, found).hint(format!("get it with `ollama pull {pull}`"))
    }

    fn explain(&self, error: OllamaError) -> Error {
        match error {
            OllamaError::ReqwestError(error) => http::unreachable(&self.url, START_HINT, error),
            OllamaError::JsonError(error) => {
                let found = format!("{} does not answer like Ollama", self.url);
                Error::new(Kind::Upstream, found)
                    .hint("set chat.ollama_url to Ollama's address")
                    .caused_by(error)
            }
            other => {
                let words = match &other {
                    OllamaError::Other(body) => http::words_of(body),
                    other => other.to_string(),
                };
                let found = format!("Ollama at {} answered with an error: {words}", self.url);
                Error::new(Kind::Upstream, found).hint("look at Ollama's log: `journalctl -u ollama`")
            }
        }
    }
}

const START_HINT: &str = "start it with `ollama serve`, or set chat.ollama_url to where it listens";

fn missing_model(name: &str, words: &str) -> Error {
    Error::new(Kind::ModelUnavailable, format!("Ollama cannot answer with '{name}': {words}"))
        .hint(format!("get it with `ollama pull {name}`"))
}

fn chat_message(message: PromptMessage) -> ChatMessage {
    let role = match message.role {
        Role::System => MessageRole::System,
        Role::Assistant => MessageRole::Assistant,
        // a tool's answer without the call that it belongs to confuses the templates of most models
        Role::User | Role::Tool | Role::Note => MessageRole::User,
    };
    ChatMessage::new(role, message.content)
}

/// The context to use: the one that the Modelfile sets, else what the model can hold, within reason.
fn default_context(info: &ModelInfo) -> Option<u32> {
    let set = info.parameters.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("num_ctx")).then(|| words.next()?.parse().ok())?
    });
    set.or_else(|| trained_context(info).map(|tokens| tokens.min(MAX_UNASKED_CONTEXT)))
}

/// The context that the model can hold: "llama.context_length", "qwen3.context_length"…
fn trained_context(info: &ModelInfo) -> Option<u32> {
    let (_, value) = info.model_info.iter().find(|(key, _)| key.ends_with(".context_length"))?;
    u32::try_from(value.as_u64()?).ok().filter(|tokens| *tokens > 0)
}

/// Reads `{"message": {"content": "…"}, "done": false}` lines.
#[derive(Debug, Default)]
struct Decoder {
    lines: Lines,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    message: Option<Said>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    error: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
    /// The thoughts of a thinking model.
    #[serde(default)]
    thinking: Option<String>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], events: &mut VecDeque<Event>) -> Result<()> {
        self.lines.push(bytes, |line| decode(line, events))
    }

    fn finish(&mut self, events: &mut VecDeque<Event>) {
        // a line that was cut in the middle is not a protocol error but the end of the connection
        if let Some(rest) = self.lines.rest()
            && serde_json::from_str::<Line>(&rest).is_ok()
        {
            decode(&rest, events);
        }
    }
}

fn decode(line: &str, events: &mut VecDeque<Event>) {
    if line.trim().is_empty() {
        return;
    }
    let line: Line = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => {
            let error = Error::new(Kind::Upstream, "Ollama sent a line that is no answer").caused_by(error);
            events.push_back(Event::Failed(error.hint("check that chat.ollama_url is Ollama's address")));
            return;
        }
    };
    if let Some(words) = line.error {
        let error =
            Error::new(Kind::Upstream, format!("Ollama stopped with an error: {}", http::words_of(&words)));
        events.push_back(Event::Failed(error.hint("look at Ollama's log: `journalctl -u ollama`")));
        return;
    }
    match line.message {
        Some(said) if !said.content.is_empty() => events.push_back(Event::Text(said.content)),
        Some(Said { thinking: Some(text), .. }) if !text.is_empty() => events.push_back(Event::Alive),
        _ => {}
    }
    if line.done {
        events.push_back(Event::Usage(Usage {
            prompt_tokens: line.prompt_eval_count,
            completion_tokens: line.eval_count,
        }));
        events.push_back(Event::Done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_the_modelfiles_or_what_is_reasonable() {
        let info = |parameters: &str, length: u64| ModelInfo {
            license: String::new(),
            modelfile: String::new(),
            parameters: parameters.into(),
            template: String::new(),
            model_info: [("qwen3.context_length".to_owned(), length.into())].into_iter().collect(),
            capabilities: vec![],
        };
        assert_eq!(default_context(&info("stop \"x\"\nnum_ctx      16384", 40960)), Some(16384));
        assert_eq!(default_context(&info("", 131_072)), Some(MAX_UNASKED_CONTEXT));
        assert_eq!(default_context(&info("num_ctx nonsense", 2048)), Some(2048));
        assert_eq!(default_context(&info("", 0)), None);
    }
}
