//! What the language model is told for each task: the product's own words, or the person's from the settings.

use super::language::Language;
use super::wording::Wording;
use crate::config::{Prompts, template};

/// What a language model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Answer from notes.
    Answer,
    /// Sum a conversation up.
    Summary,
    /// Propose memories.
    Extract,
    /// Name a conversation.
    Title,
    /// Find tags for a conversation.
    Tags,
}

/// The instructions for `task`, filled with `values`.
pub(super) fn text(prompts: &Prompts, language: Language, task: Task, values: &[(&str, &str)]) -> String {
    let own = match language {
        Language::English => &prompts.en,
        Language::Portuguese => &prompts.pt,
    };
    let own = match task {
        Task::Answer => &own.answer,
        Task::Summary => &own.summary,
        Task::Extract => &own.extract,
        Task::Title => &own.title,
        Task::Tags => &own.tags,
    };
    template::fill(own.as_deref().unwrap_or(Wording::of(language).task(task)), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Expects, Key, Templates};

    #[test]
    fn the_products_own_words_take_what_the_settings_allow() {
        let named = [
            (Task::Answer, "answer"),
            (Task::Summary, "summary"),
            (Task::Extract, "extract"),
            (Task::Title, "title"),
            (Task::Tags, "tags"),
        ];
        for (language, section) in [(Language::English, "en"), (Language::Portuguese, "pt")] {
            for (task, name) in named {
                let key = Key::find(&format!("prompts.{section}.{name}")).unwrap();
                let Expects::Template(known) = key.expects else { panic!("{name} is no template") };
                let own = Wording::of(language).task(task);
                assert_eq!(template::problem(own, known), None, "{name}");
                let gap = format!("{{{}}}", known[0]);
                assert!(own.contains(&gap), "{name} does not use {gap}");
            }
        }
    }

    #[test]
    fn the_persons_words_come_first() {
        let pt =
            Templates { title: Some("Um título de {characters} letras.".into()), ..Templates::default() };
        let prompts = Prompts { pt, ..Prompts::default() };
        let title = |language| text(&prompts, language, Task::Title, &[("characters", "60")]);
        assert_eq!(title(Language::Portuguese), "Um título de 60 letras.");
        assert!(title(Language::English).contains("60"));
    }
}
