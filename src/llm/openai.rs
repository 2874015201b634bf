//! OpenAI-compatible servers: llama-server, LM Studio, vLLM and what else speaks their protocol.

use std::collections::VecDeque;
use std::path::PathBuf;

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Decode, Event, Reply};
use super::sse::Events;
use super::{ModelChoice, http};
use crate::api::chat::PromptMessage;
use crate::api::system::LanguageModel;
use crate::config::Chat;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::{Role, Usage};

/// How much a list of models may be: the largest public one is some hundred kilobytes.
const MAX_LIST_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Openai {
    url: String,
    /// Where llama-server tells its properties: beside `/v1`, not below it.
    properties_url: Option<Url>,
    key_file: Option<PathBuf>,
    http: Client,
}

impl Openai {
    pub(super) fn new(settings: &Chat, url: &str) -> Result<Self> {
        let url = http::base_url("chat.openai_url", url)?;
        let http = http::client(&url)?;
        let properties_url = url.path().ends_with("/v1/").then(|| url.join("../props").ok()).flatten();
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, properties_url, key_file: settings.openai_key_file.clone(), http })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Every model that the server lists, in its order.
    pub(super) async fn models(&self) -> Result<Vec<LanguageModel>> {
        self.list().await?.ok_or_else(|| self.refusal(StatusCode::NOT_FOUND, "it has no list of models"))
    }

    /// The server's list; None where it knows no such page, as the protocol's smallest servers do.
    async fn list(&self) -> Result<Option<Vec<LanguageModel>>> {
        let request = self.with_key(self.http.get(format!("{}/models", self.url))).await?;
        let mut response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return Ok(None);
        }
        if !status.is_success() {
            let words = http::error_text(response).await;
            return Err(self.refusal(status, &words));
        }
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_LIST_BYTES {
                return Err(Error::new(
                    Kind::Upstream,
                    format!("the list of models of {} has no end", self.url),
                ));
            }
        }
        let list: ModelList = serde_json::from_slice(&body).map_err(|error| {
            Error::new(
                Kind::Upstream,
                format!("{} does not answer like an OpenAI-compatible server", self.url),
            )
            .hint("set chat.openai_url to the server's base URL, which usually ends with /v1")
            .caused_by(error)
        })?;
        Ok(Some(list.data.into_iter().map(Listed::into_model).collect()))
    }

    /// The model called `name` (none: the first), and its context where the server tells.
    pub(super) async fn choose(&self, name: Option<&str>) -> Result<(String, Option<u32>)> {
        let models = match (self.list().await?, name) {
            (Some(models), _) => models,
            // without a list the name is taken on trust
            (None, Some(name)) => return Ok((name.to_owned(), self.context_of_slot().await)),
            (None, None) => {
                let found = format!("{} does not list its models, and no model is named", self.url);
                return Err(Error::new(Kind::ModelUnavailable, found)
                    .hint("set chat.model, and see whether chat.openai_url should end with /v1"));
            }
        };
        let found = match name {
            Some(name) => models.iter().find(|model| model.name == name),
            None => models.first(),
        };
        let Some(found) = found else { return Err(self.missing(name, &models)) };
        let told = match found.context_tokens {
            Some(tokens) => Some(tokens),
            None => self.context_of_slot().await,
        };
        Ok((found.name.clone(), told))
    }

    /// Sends the prompt and waits for the head of the answer.
    pub(super) async fn ask(
        &self,
        settings: &Chat,
        model: &ModelChoice,
        messages: Vec<PromptMessage>,
    ) -> Result<Reply> {
        let messages: Vec<Value> = messages.into_iter().map(chat_message).collect();
        let mut body = json!({
            "model": model.name,
            "messages": messages,
            "max_tokens": settings.max_answer_tokens,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        if let Some(temperature) = settings.temperature {
            body["temperature"] = temperature.into();
        }
        let request = self.with_key(self.http.post(format!("{}/chat/completions", self.url))).await?;
        let response = request.json(&body).send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if !status.is_success() {
            let words = http::error_text(response).await;
            let is_about_the_model =
                status == StatusCode::NOT_FOUND && words.to_lowercase().contains("model");
            return Err(if is_about_the_model {
                Error::new(
                    Kind::ModelUnavailable,
                    format!("{} cannot answer with '{}': {words}", self.url, model.name),
                )
                .hint("`nosso model list` shows the models of the server")
            } else {
                self.refusal(status, &words)
            });
        }
        Ok(Reply { body: Box::pin(response.bytes_stream()), decoder: Box::new(Decoder::default()) })
    }

    /// The context of one of llama-server's slots, which is what a single request may use.
    async fn context_of_slot(&self) -> Option<u32> {
        let request = self.with_key(self.http.get(self.properties_url.clone()?)).await.ok()?;
        let response = request.send().await.ok()?.error_for_status().ok()?;
        let properties: Value = response.json().await.ok()?;
        tokens(&properties["default_generation_settings"]["n_ctx"])
    }

    /// Adds the API key, read anew each time so that a changed file counts at once.
    async fn with_key(&self, request: RequestBuilder) -> Result<RequestBuilder> {
        let Some(file) = &self.key_file else { return Ok(request) };
        let key = tokio::fs::read_to_string(file).await;
        let key = key.doing(Kind::Config, format!("read the API key from {}", file.display()));
        let key = key.map_err(|error| error.hint("set chat.openai_key_file to a file that holds the key"))?;
        let key = key.trim();
        if key.is_empty() || key.contains(|c: char| c.is_control()) {
            let found = format!("the file {} does not hold an API key on one line", file.display());
            return Err(Error::new(Kind::Config, found).hint("put the key, and nothing else, into it"));
        }
        Ok(request.bearer_auth(key))
    }

    fn missing(&self, name: Option<&str>, models: &[LanguageModel]) -> Error {
        let there: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        match name {
            Some(name) if !there.is_empty() => {
                let found = format!("{} has no model '{name}'; it has: {}", self.url, there.join(", "));
                Error::new(Kind::ModelUnavailable, found).hint("name one of these, or set chat.model to one")
            }
            _ => Error::new(Kind::ModelUnavailable, format!("{} has no models", self.url))
                .hint("load a model into the server"),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        http::unreachable(&self.url, "start the server, or set chat.openai_url to where it listens", error)
    }

    fn refusal(&self, status: StatusCode, words: &str) -> Error {
        let error = http::refusal(&self.url, status, words);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                error.hint("set chat.openai_key_file to a file that holds a valid API key")
            }
            StatusCode::NOT_FOUND => {
                error.hint("set chat.openai_url to the server's base URL, which usually ends with /v1")
            }
            StatusCode::TOO_MANY_REQUESTS => error.hint("wait a moment and ask again"),
            _ if words.to_lowercase().contains("context") => {
                error.hint("set chat.context_tokens to the context that the server was started with")
            }
            _ => error.hint("look at the model server's log"),
        }
    }
}

fn chat_message(message: PromptMessage) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::Assistant => "assistant",
        // "tool" would need the id of the call that it answers
        Role::User | Role::Tool | Role::Note => "user",
    };
    json!({"role": role, "content": message.content})
}

#[derive(Deserialize)]
struct ModelList {
    #[serde(default)]
    data: Vec<Listed>,
}

/// A model of the list, with the places where servers tell its context.
#[derive(Deserialize)]
struct Listed {
    id: String,
    /// vLLM.
    #[serde(default)]
    max_model_len: Value,
    /// OpenRouter and others.
    #[serde(default)]
    context_length: Value,
    /// llama-server; its `n_ctx_train` is what the model could hold, not what the server holds.
    #[serde(default)]
    meta: Value,
}

impl Listed {
    fn into_model(self) -> LanguageModel {
        let context_tokens = tokens(&self.max_model_len)
            .or_else(|| tokens(&self.meta["n_ctx"]))
            .or_else(|| tokens(&self.context_length));
        LanguageModel { name: self.id, context_tokens, size_bytes: self.meta["size"].as_u64() }
    }
}

fn tokens(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok().filter(|tokens| *tokens > 0)
}

/// Reads `data: {"choices": [{"delta": {"content": "…"}}]}` events up to `data: [DONE]`.
#[derive(Debug, Default)]
struct Decoder {
    events: Events,
    /// The model said why it stopped. Some servers close the connection then, without `[DONE]`.
    is_finished: bool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<ChunkChoice>,
    #[serde(default)]
    usage: Option<ChunkUsage>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    /// The thoughts of a thinking model; OpenRouter calls them `reasoning`.
    #[serde(default, alias = "reasoning")]
    reasoning_content: Option<String>,
}

#[derive(Deserialize)]
struct ChunkUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], events: &mut VecDeque<Event>) -> Result<()> {
        let is_finished = &mut self.is_finished;
        self.events.push(bytes, |data| decode(data, events, is_finished))
    }

    fn finish(&mut self, events: &mut VecDeque<Event>) {
        // an event that was cut in the middle is not a protocol error but the end of the connection
        if let Some(rest) = self.events.rest()
            && (rest.trim() == "[DONE]" || serde_json::from_str::<Value>(&rest).is_ok())
        {
            decode(&rest, events, &mut self.is_finished);
        }
        if self.is_finished {
            events.push_back(Event::Done);
        }
    }
}

fn decode(data: &str, events: &mut VecDeque<Event>, is_finished: &mut bool) {
    let data = data.trim();
    if data == "[DONE]" {
        events.push_back(Event::Done);
        return;
    }
    if data.is_empty() {
        return;
    }
    let chunk = serde_json::from_str::<Value>(data).and_then(|value| {
        let has_error = value.get("error").is_some_and(|error| !error.is_null());
        let words = http::words_of_json(&value).filter(|_| has_error).map(str::to_owned);
        match has_error {
            true => Ok(Err(words.unwrap_or_else(|| http::words_of(data)))),
            false => serde_json::from_value::<Chunk>(value).map(Ok),
        }
    });
    match chunk {
        Err(error) => {
            let error = Error::new(Kind::Upstream, "the model server sent an event that is no answer")
                .caused_by(error);
            events.push_back(Event::Failed(
                error.hint("check that chat.openai_url is an OpenAI-compatible server"),
            ));
        }
        Ok(Err(words)) => {
            let words = http::words_of(&words);
            let error =
                Error::new(Kind::Upstream, format!("the model server stopped with an error: {words}"));
            events.push_back(Event::Failed(error.hint("look at the model server's log")));
        }
        Ok(Ok(chunk)) => {
            for choice in chunk.choices.into_iter().take(1) {
                *is_finished |= choice.finish_reason.is_some();
                let Some(delta) = choice.delta else { continue };
                let is_there = |text: &String| !text.is_empty();
                match delta.content.filter(is_there) {
                    Some(text) => events.push_back(Event::Text(text)),
                    None if delta.reasoning_content.is_some_and(|text| is_there(&text)) => {
                        events.push_back(Event::Alive);
                    }
                    // the first event names the role only, and may come long before the first token
                    None => {}
                }
            }
            if let Some(ChunkUsage { prompt_tokens, completion_tokens }) = chunk.usage {
                events.push_back(Event::Usage(Usage { prompt_tokens, completion_tokens }));
            }
        }
    }
}
