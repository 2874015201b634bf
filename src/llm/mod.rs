//! The models that answer: Ollama, any OpenAI-compatible server, or none, in which case the caller quotes.
//!
//! Only this module speaks to model servers, and only to those that the settings name: it follows no
//! redirects, and loopback addresses never go through a proxy. Prompts and answers are not logged.

mod answer;
mod http;
mod lines;
mod ollama;
mod openai;
mod sse;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::api::chat::PromptMessage;
use crate::api::system::{ChatStatus, LanguageModel, ModelListResult};
use crate::config::{Chat, ChatProvider};
use crate::error::{Error, Kind, Result};

pub use answer::{Answer, Piece};

pub use crate::model::EXTRACTIVE;

/// The context that is assumed where neither the settings nor the server tell one.
pub const DEFAULT_CONTEXT_TOKENS: u32 = 4096;

/// How long `auto` waits for an Ollama that nobody configured: one that runs answers in milliseconds.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// How long a server may take to say which models it has.
const LIST_DEADLINE: Duration = Duration::from_secs(10);

/// Asks the configured model server. A cheap clone: clones share one connection pool.
#[derive(Debug, Clone)]
pub struct Llm(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Chat,
    server: Server,
    /// Whether the last look at an unconfigured Ollama found it; only `status` reads it.
    ollama_answered: AtomicBool,
}

/// The server that the settings lead to.
#[derive(Debug)]
enum Server {
    Ollama(ollama::Ollama),
    /// Ollama, if it happens to run.
    PerhapsOllama(ollama::Ollama),
    Openai(openai::Openai),
    None,
}

/// A kind of model server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Ollama.
    Ollama,
    /// An OpenAI-compatible server.
    Openai,
}

/// A model that exists and will answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// The kind of server that runs it.
    pub provider: Provider,
    /// Its name, as the server lists it.
    pub name: String,
    /// Tokens of prompt and answer together.
    pub context_tokens: u32,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A language model.
    Model(ModelChoice),
    /// None: the best passages are quoted.
    Extractive {
        /// Why, and what to do to get a model; a sentence for people.
        notice: String,
    },
}

impl Llm {
    /// The models of these settings. Nothing is connected yet, and the key file is read when it is needed.
    /// Errors: `Config` where an address is no HTTP URL or the provider's address is missing.
    pub fn new(settings: &Chat) -> Result<Self> {
        let ollama = || ollama::Ollama::new(settings);
        let server = match (settings.provider, &settings.openai_url) {
            (ChatProvider::Extractive, _) => Server::None,
            (ChatProvider::Ollama, _) => Server::Ollama(ollama()?),
            (ChatProvider::Openai | ChatProvider::Auto, Some(url)) => {
                Server::Openai(openai::Openai::new(settings, url)?)
            }
            (ChatProvider::Auto, None) => Server::PerhapsOllama(ollama()?),
            (ChatProvider::Openai, None) => {
                let error =
                    Error::new(Kind::Config, "chat.provider is 'openai', but chat.openai_url is not set");
                return Err(error.hint("set chat.openai_url, for example to http://127.0.0.1:8080/v1"));
            }
        };
        let ollama_answered = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner { settings: settings.clone(), server, ollama_answered })))
    }

    /// Decides who answers: the model that the caller `wanted`, else the configured one, else the server's first.
    /// `wanted` may be "extractive".
    ///
    /// Errors: `Upstream` where a configured server cannot be reached, `ModelUnavailable` where it has no such
    /// model. A server that nobody configured may be absent: then the answer is extractive, unless a model was
    /// named.
    pub async fn choose(&self, wanted: Option<&str>) -> Result<Choice> {
        let wanted = wanted.map(str::trim).filter(|name| !name.is_empty());
        if wanted == Some(EXTRACTIVE) {
            return Ok(Choice::Extractive {
                notice: "the question asked for quotes instead of a model".into(),
            });
        }
        let name = wanted.or(self.0.settings.model.as_deref());
        let choice = match &self.0.server {
            Server::Ollama(ollama) => self.choose_ollama(ollama, name).await?,
            Server::Openai(openai) => {
                let (name, told) = within(LIST_DEADLINE, openai.url(), openai.choose(name)).await?;
                let context_tokens =
                    self.0.settings.context_tokens.or(told).unwrap_or(DEFAULT_CONTEXT_TOKENS);
                ModelChoice { provider: Provider::Openai, name, context_tokens }
            }
            Server::PerhapsOllama(ollama) => match (self.probe(ollama).await, name) {
                (Ok(models), None) if models.is_empty() => return Ok(extractive(&no_models_notice(ollama))),
                (Ok(_), _) => self.choose_ollama(ollama, name).await?,
                (Err(_), None) => return Ok(extractive(NO_MODEL_NOTICE)),
                (Err(error), Some(name)) => return Err(error.while_doing(format!("find the model '{name}'"))),
            },
            Server::None => match wanted {
                None => return Ok(extractive(EXTRACTIVE_CONFIGURED_NOTICE)),
                Some(name) => {
                    let found = format!("the model '{name}' cannot answer: chat.provider is 'extractive'");
                    let error = Error::new(Kind::ModelUnavailable, found);
                    return Err(error.hint("set chat.provider to 'auto', 'ollama' or 'openai'"));
                }
            },
        };
        Ok(Choice::Model(choice))
    }

    /// The models that can be named, and the one that answers unless named.
    /// Errors: as [`Llm::choose`]; an Ollama that nobody configured and that is not there gives an empty list.
    pub async fn models(&self) -> Result<ModelListResult> {
        let (provider, models) = match &self.0.server {
            Server::None => (EXTRACTIVE, Vec::new()),
            Server::Openai(openai) => ("openai", within(LIST_DEADLINE, openai.url(), openai.models()).await?),
            Server::Ollama(ollama) => {
                let models = within(LIST_DEADLINE, ollama.url(), ollama.models()).await?;
                ("ollama", ollama.with_contexts(models).await)
            }
            Server::PerhapsOllama(ollama) => match self.probe(ollama).await {
                Ok(models) => ("ollama", ollama.with_contexts(models).await),
                Err(_) => (EXTRACTIVE, Vec::new()),
            },
        };
        let configured = self.0.settings.model.clone();
        let default = configured.or_else(|| models.first().map(|model| model.name.clone()));
        Ok(ModelListResult { provider: provider.into(), models, default })
    }

    /// What is configured, without asking a server. With `auto` it says what the last look found.
    pub fn status(&self) -> ChatStatus {
        let model = self.0.settings.model.clone();
        let (provider, model, url) = match &self.0.server {
            Server::None => (EXTRACTIVE, None, None),
            Server::Openai(openai) => ("openai", model, Some(openai.url())),
            Server::Ollama(ollama) => ("ollama", model, Some(ollama.url())),
            Server::PerhapsOllama(ollama) if self.0.ollama_answered.load(Ordering::Relaxed) => {
                ("ollama", model, Some(ollama.url()))
            }
            Server::PerhapsOllama(_) => (EXTRACTIVE, model, None),
        };
        ChatStatus { provider: provider.into(), model, url: url.map(str::to_owned) }
    }

    /// Asks `model`. Returns when the server has begun to answer; the pieces come from the [`Answer`].
    ///
    /// Errors, here or from the answer: `Upstream` (not reachable, or an error of its own), `UpstreamTimeout`
    /// (the first token, or the next, took longer than configured), `UpstreamCut`, `ModelUnavailable`.
    pub async fn answer(&self, model: &ModelChoice, messages: Vec<PromptMessage>) -> Result<Answer> {
        let settings = &self.0.settings;
        let limits = answer::Patience {
            first_token: Duration::from_secs(settings.first_token_timeout_seconds.max(1)),
            token: Duration::from_secs(settings.token_timeout_seconds.max(1)),
        };
        let begun = Instant::now();
        tracing::debug!(model = model.name, n_messages = messages.len(), "asking the model");
        let asking = async {
            match &self.0.server {
                Server::Ollama(ollama) | Server::PerhapsOllama(ollama) => {
                    ollama.ask(settings, model, messages).await
                }
                Server::Openai(openai) => openai.ask(settings, model, messages).await,
                Server::None => Err(Error::new(Kind::ModelUnavailable, "no model server is configured")
                    .hint("set chat.provider to 'auto', 'ollama' or 'openai'")),
            }
        };
        match timeout(limits.first_token, asking).await {
            Err(_) => Err(limits.first_token_error()),
            Ok(stream) => Ok(Answer::new(stream?, limits, begun)),
        }
    }

    async fn choose_ollama(&self, ollama: &ollama::Ollama, name: Option<&str>) -> Result<ModelChoice> {
        let configured = self.0.settings.context_tokens;
        let (name, told) = within(LIST_DEADLINE, ollama.url(), ollama.choose(name, configured)).await?;
        let context_tokens = configured.or(told).unwrap_or(DEFAULT_CONTEXT_TOKENS);
        Ok(ModelChoice { provider: Provider::Ollama, name, context_tokens })
    }

    async fn probe(&self, ollama: &ollama::Ollama) -> Result<Vec<LanguageModel>> {
        let found = within(PROBE_DEADLINE, ollama.url(), ollama.models()).await;
        self.0.ollama_answered.store(found.is_ok(), Ordering::Relaxed);
        found
    }
}

const NO_MODEL_NOTICE: &str = "no language model is configured, so this answer quotes what was found; \
     start Ollama (`ollama serve`), or set chat.openai_url to an OpenAI-compatible server";

const EXTRACTIVE_CONFIGURED_NOTICE: &str = "no language model is configured (chat.provider is 'extractive'), \
     so this answer quotes what was found";

fn no_models_notice(ollama: &ollama::Ollama) -> String {
    format!(
        "Ollama at {} has no model yet, so this answer quotes what was found; get one with `ollama pull {}`",
        ollama.url(),
        ollama::EXAMPLE_MODEL
    )
}

fn extractive(notice: &str) -> Choice {
    Choice::Extractive { notice: notice.to_owned() }
}

/// `work`, or the error of a server that does not answer in time.
async fn within<T>(deadline: Duration, url: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(deadline, work).await {
        Ok(done) => done,
        Err(_) => {
            let found = format!("the model server at {url} did not answer within {} s", deadline.as_secs());
            Err(Error::new(Kind::UpstreamTimeout, found).hint("see whether the server is busy or stuck"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: Chat) -> Error {
        Llm::new(&settings).unwrap_err()
    }

    #[test]
    fn wrong_addresses_are_refused_with_the_settings_name() {
        let error = refused(Chat { ollama_url: "127.0.0.1:11434".into(), ..Chat::default() });
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("chat.ollama_url"), "{error}");
        let error = refused(Chat { openai_url: Some("ftp://x/v1".into()), ..Chat::default() });
        assert!(error.to_string().contains("chat.openai_url"), "{error}");
        let error = refused(Chat { provider: ChatProvider::Openai, ..Chat::default() });
        assert!(error.hint_text().unwrap().contains("chat.openai_url"));
    }

    #[tokio::test]
    async fn extractive_settings_need_no_server() {
        let llm = Llm::new(&Chat { provider: ChatProvider::Extractive, ..Chat::default() }).unwrap();
        assert!(matches!(llm.choose(None).await.unwrap(), Choice::Extractive { .. }));
        assert_eq!(llm.choose(Some("x")).await.unwrap_err().kind(), Kind::ModelUnavailable);
        assert_eq!(llm.status().provider, EXTRACTIVE);
        assert!(llm.models().await.unwrap().models.is_empty());
    }
}
