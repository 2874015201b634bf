//! `nosso model`: the embedding model, and the language models that answer.

use std::path::{Path, PathBuf};

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::settings;
use super::style::{self, paint};
use super::when;
use crate::api::methods::{ModelList, SystemStatus};
use crate::api::system::{Empty, ModelListResult};
use crate::error::{Doing, Error, Kind};
use crate::setup;

/// What `nosso model` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Action,
}

/// What to do with the models.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Which model embeds, and which one answers
    Show,
    /// The language models that can answer
    List,
    /// Embed with the ONNX model in this folder (model.onnx, tokenizer.json); everything is embedded anew
    Use {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Shows or lists the models.
pub async fn run(args: Args, context: &mut Context) -> Run {
    match args.action {
        Action::Show => {
            let client = context.client().await?;
            let status = client.call::<SystemStatus>(&Empty {}).await?;
            if context.out.json {
                let both = serde_json::json!({"embedding": status.embedding, "chat": status.chat});
                context.out.document(&both)?;
                return Ok(Ended::Well);
            }
            let embedding = status.embedding.model.as_deref().map_or("none".into(), clean::line);
            let answers = status.chat.model.as_deref().map_or("the server's first".into(), clean::line);
            context.out.text(&format!(
                "{} {embedding}\n{} {} ({answers})\n",
                paint(style::NAME, "embeds: "),
                paint(style::NAME, "answers:"),
                clean::line(&status.chat.provider),
            ))?;
            if let Some(problem) = &status.embedding.problem {
                context.out.warn(&clean::line(problem));
            }
            Ok(Ended::Well)
        }
        Action::Use { folder } => use_folder(&folder, context),
        Action::List => {
            let client = context.client().await?;
            let models = client.call::<ModelList>(&Empty {}).await?;
            match context.out.json {
                true => context.out.document(&models)?,
                false if models.models.is_empty() => context.out.note(NO_MODELS),
                false => context.out.page(&lines(&models))?,
            }
            Ok(if models.models.is_empty() { Ended::NothingFound } else { Ended::Well })
        }
    }
}

/// What is said where nothing can answer in its own words.
const NO_MODELS: &str = "no language model is there, so answers quote what was found; start Ollama (`ollama serve`), or set chat.openai_url (`nosso config edit`)";

/// Proves that the model works before the settings name it. The running daemon sees the changed file by itself.
fn use_folder(folder: &Path, context: &mut Context) -> Run {
    let loaded = settings::load(&context.paths, &context.global)?;
    let libraries = super::setup::libraries(loaded.config.embed.library.as_deref(), context);
    let info = setup::check_model_dir(folder, &libraries)?;
    let folder = folder.canonicalize().doing(Kind::Storage, format!("find {}", folder.display()))?;
    let path = folder.to_str().ok_or_else(|| {
        Error::invalid(format!("name the model {} in the settings: its path is not UTF-8", folder.display()))
    })?;
    crate::config::set_key(&loaded.file, "embed.model", path)?;
    match context.out.json {
        true => context.out.document(&serde_json::json!({
            "name": info.name, "fingerprint": info.fingerprint, "dimension": info.dimension,
            "maxTokens": info.max_tokens, "folder": folder, "config": loaded.file,
        }))?,
        false => context.out.text(&format!(
            "{} {}: {} numbers, {} tokens; set in {}\n",
            paint(style::GOOD, "✓"),
            clean::line(&info.name),
            info.dimension,
            info.max_tokens,
            loaded.file.display()
        ))?,
    }
    Ok(Ended::Well)
}

fn lines(models: &ModelListResult) -> String {
    let mut lines = String::new();
    for model in &models.models {
        let mark = if models.default.as_ref() == Some(&model.name) { "*" } else { " " };
        let mut about = vec![];
        about.extend(model.context_tokens.map(|tokens| format!("{tokens} tokens")));
        about.extend(model.size_bytes.map(when::bytes));
        lines.push_str(&format!("{mark} {}", clean::line(&model.name)));
        if !about.is_empty() {
            lines.push_str(&format!("  {}", paint(style::DIM, about.join(" · "))));
        }
        lines.push('\n');
    }
    lines.push_str(&format!("{}\n", paint(style::DIM, format!("from {}", clean::line(&models.provider)))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::system::LanguageModel;

    #[test]
    fn the_default_model_is_marked() {
        let model = |name: &str, tokens| LanguageModel {
            name: name.into(),
            context_tokens: tokens,
            size_bytes: None,
        };
        let models = ModelListResult {
            provider: "ollama".into(),
            models: vec![model("llama3.2", Some(8192)), model("qwen3", None)],
            default: Some("qwen3".into()),
        };
        let text = anstream::adapter::strip_str(&lines(&models)).to_string();
        assert_eq!(text, "  llama3.2  8192 tokens\n* qwen3\nfrom ollama\n");
    }
}
