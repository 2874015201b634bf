//! Conversations while somebody types: what was found, with the words marked.

use super::{Memory, highlight};
use crate::api::find::{ConversationFound, ConversationSearch, ConversationsFound, Snippet};
use crate::api::limits::MAX_HITS;
use crate::error::Result;
use crate::store::Matched;
use crate::text::collapse_whitespace;

/// Conversations unless the client says how many.
const DEFAULT_FOUND: u32 = 20;
/// Characters of a snippet, about: two lines of a list.
const SNIPPET_CHARS: usize = 160;

impl Memory {
    /// Conversations by the words of their titles and messages, the last of which may be the beginning of one.
    pub async fn find_conversations(&self, search: ConversationSearch) -> Result<ConversationsFound> {
        let ConversationSearch { filter, limit } = search;
        let limit = limit.unwrap_or(DEFAULT_FOUND).clamp(1, MAX_HITS) as usize;
        let filter = self.narrowed(filter).await?;
        let words: Vec<String> =
            filter.query.iter().flat_map(|query| highlight::typed(query)).map(str::to_owned).collect();
        let found = self.store().find_conversations(filter, limit).await?;
        Ok(ConversationsFound { items: found.into_iter().map(|matched| readable(matched, &words)).collect() })
    }
}

fn readable(matched: Matched, words: &[String]) -> ConversationFound {
    let Matched { conversation, message } = matched;
    let title = conversation.title.as_deref().unwrap_or_default();
    let title_spans = highlight::spans_while_typing(title, words);
    let snippet = message.map(|(message_id, role, text)| {
        let text = piece(&text, words);
        let spans = highlight::spans_while_typing(&text, words);
        Snippet { message_id, role, text, spans }
    });
    ConversationFound { conversation, title_spans, snippet }
}

/// The part of a text around the first word that was found, on one line.
fn piece(text: &str, words: &[String]) -> String {
    let first = highlight::spans_while_typing(text, words).first().map_or(0, |span| span.start as usize);
    let n_chars = text.chars().count();
    let start = first.saturating_sub(SNIPPET_CHARS / 4).min(n_chars.saturating_sub(SNIPPET_CHARS));
    let kept: String = text.chars().skip(start).take(SNIPPET_CHARS).collect();
    let mut line = collapse_whitespace(&kept);
    if start > 0 {
        line.insert(0, '…');
    }
    if start + SNIPPET_CHARS < n_chars {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_holds_what_was_found() {
        let words = ["prazo".to_owned(), "ent".to_owned()];
        let text = format!("{} o prazo\n\nda  entrega {}", "antes ".repeat(100), "depois ".repeat(100));
        let line = piece(&text, &words);
        assert!(
            line.starts_with('…') && line.ends_with('…') && line.contains("o prazo da entrega"),
            "{line}"
        );
        assert!(line.chars().count() <= SNIPPET_CHARS + 2);
        let marked: Vec<String> = highlight::spans_while_typing(&line, &words)
            .iter()
            .map(|span| {
                line.chars().skip(span.start as usize).take((span.end - span.start) as usize).collect()
            })
            .collect();
        assert_eq!(marked, ["prazo", "entrega"]);
        assert_eq!(piece("short", &words), "short");
    }
}
