//! A scripted OpenAI-compatible server: `/v1/models`, `/v1/chat/completions` with its events, and `/props`.

use serde_json::{Value, json};

use super::scripted::{Scripted, Wire};

/// Starts a server that lists these models; `n_ctx` is what llama-server's `/props` would tell.
pub async fn start(models: &[&str], n_ctx: Option<u32>) -> Scripted {
    let models = models.iter().map(|name| (*name).to_owned()).collect();
    Scripted::start(Openai { models, n_ctx }).await
}

struct Openai {
    models: Vec<String>,
    n_ctx: Option<u32>,
}

impl Wire for Openai {
    fn page(&self, path: &str, _: &Value) -> (u16, Value) {
        match (path, self.n_ctx) {
            ("/v1/models", _) => {
                let model = |name: &String| json!({"id": name, "object": "model", "meta": {"n_ctx_train": 999_999, "size": 42}});
                (200, json!({"object": "list", "data": self.models.iter().map(model).collect::<Vec<_>>()}))
            }
            ("/props", Some(n_ctx)) => (200, json!({"default_generation_settings": {"n_ctx": n_ctx}})),
            _ => (404, json!({"error": {"message": "File Not Found", "code": 404}})),
        }
    }

    fn chat_path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn token(&self, text: &str) -> String {
        let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
        format!(": ping\n\ndata: {}\n\n", json!({"object": "chat.completion.chunk", "choices": [choice]}))
    }

    fn end(&self, n_tokens: usize) -> String {
        let choice = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
        let usage = json!({"prompt_tokens": 7, "completion_tokens": n_tokens});
        format!(
            "data: {}\r\n\r\ndata: {}\r\n\r\ndata: [DONE]\r\n\r\n",
            json!({"choices": [choice]}),
            json!({"choices": [], "usage": usage})
        )
    }

    fn error(&self, text: &str) -> String {
        format!("data: {}\n\n", json!({"error": {"message": text, "code": 500}}))
    }
}
