//! A scripted Ollama: `/api/tags`, `/api/show` and `/api/chat` with its lines of JSON.

use serde_json::{Value, json};

use super::scripted::{Scripted, Wire};

/// Starts an Ollama that has these models, each with its context in tokens.
pub async fn start(models: &[(&str, u32)]) -> Scripted {
    let models = models.iter().map(|(name, context)| ((*name).to_owned(), *context)).collect();
    Scripted::start(Ollama { models }).await
}

struct Ollama {
    models: Vec<(String, u32)>,
}

impl Wire for Ollama {
    fn page(&self, path: &str, body: &Value) -> (u16, Value) {
        match path {
            "/api/tags" => {
                let model = |(name, _): &(String, u32)| json!({"name": name, "model": name, "modified_at": "2026-01-02T03:04:05Z", "size": 1_000_000});
                (200, json!({"models": self.models.iter().map(model).collect::<Vec<_>>()}))
            }
            "/api/show" => {
                let name = body["name"].as_str().or(body["model"].as_str()).unwrap_or_default();
                match self.models.iter().find(|(known, _)| known == name) {
                    Some((_, context)) => {
                        (200, json!({"parameters": "", "model_info": {"llama.context_length": context}}))
                    }
                    None => (404, json!({"error": format!("model '{name}' not found")})),
                }
            }
            _ => (404, json!({"error": "404 page not found"})),
        }
    }

    fn chat_path(&self) -> &'static str {
        "/api/chat"
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn token(&self, text: &str) -> String {
        let message = json!({"role": "assistant", "content": text});
        json!({"model": "m", "created_at": "2026-01-02T03:04:05Z", "message": message, "done": false})
            .to_string()
            + "\n"
    }

    fn end(&self, n_tokens: usize) -> String {
        let message = json!({"role": "assistant", "content": ""});
        let end = json!({
            "model": "m", "created_at": "2026-01-02T03:04:05Z", "message": message, "done": true,
            "done_reason": "stop", "total_duration": 1, "load_duration": 1, "prompt_eval_count": 7,
            "prompt_eval_duration": 1, "eval_count": n_tokens, "eval_duration": 1,
        });
        end.to_string() + "\n"
    }

    fn error(&self, text: &str) -> String {
        json!({"error": text}).to_string() + "\n"
    }
}
