//! A conversation as one file to read: HTML or Markdown that runs nothing and loads nothing.
//!
//! Of what was said only code keeps its form; everything else is text, whatever it looks like. What an answer was made
//! from is left out: it is of other conversations.

use std::collections::HashMap;

use super::fenced::{Block, blocks};
use crate::api::share::ShareFormat;
use crate::model::{Conversation, Message, MessageId, Timestamp};
use crate::text::collapse_whitespace;

/// A file that is being written, message by message.
pub struct Shared {
    format: ShareFormat,
    /// The places of the messages so far, to say which one another answers.
    places: HashMap<MessageId, u64>,
    last: Option<MessageId>,
}

impl Shared {
    /// An empty file, and its beginning.
    pub fn begin(format: ShareFormat, conversation: &Conversation) -> (Self, String) {
        let title = conversation.title.as_deref().unwrap_or("Conversation");
        let about = about([
            Some(minute(conversation.created_at)),
            conversation.client.as_ref().map(|client| client.name.clone()),
            conversation.model.clone(),
        ]);
        let text = match format {
            ShareFormat::Html => {
                let (title, about) = (html(title), html(&about));
                format!(
                    "{HEAD}<title>{title}</title>\n{STYLE}</head>\n<body>\n<h1>{title}</h1>\n<p>{about}</p>\n"
                )
            }
            ShareFormat::Markdown => format!("# {}\n\n{}\n", markdown_line(title), markdown_line(&about)),
        };
        (Self { format, places: HashMap::new(), last: None }, text)
    }

    /// The next message.
    pub fn message(&mut self, message: &Message) -> String {
        let place = self.places.len() as u64 + 1;
        // said only where it is not the one before
        let answers = message.parent_id.filter(|_| message.parent_id != self.last);
        let answers = answers.and_then(|parent| self.places.get(&parent)).copied();
        let begins = if message.parent_id.is_none() && place > 1 { " · begins anew" } else { "" };
        self.places.insert(message.id, place);
        self.last = Some(message.id);
        let speaker = message.author.clone().unwrap_or_else(|| message.role.name().to_owned());
        let about = about([Some(minute(message.created_at)), message.model.clone(), None]);
        match self.format {
            ShareFormat::Html => {
                let answers = answers.map_or(begins.to_owned(), |place| {
                    format!(" · <a href=\"#m{place}\">answers {place}</a>")
                });
                format!(
                    "<article id=\"m{place}\" class=\"{}\">\n<h2>{place}. {} <small>{}{answers}</small></h2>\n{}</article>\n",
                    message.role.name(),
                    html(&speaker),
                    html(&about),
                    html_content(&message.content)
                )
            }
            ShareFormat::Markdown => {
                let answers = answers.map_or(begins.to_owned(), |place| format!(" · answers {place}"));
                format!(
                    "\n## {place}. {} · {}{answers}\n\n{}",
                    markdown_line(&speaker),
                    markdown_line(&about),
                    markdown_content(&message.content)
                )
            }
        }
    }

    /// The end of the file.
    pub fn end(&self) -> &'static str {
        match self.format {
            ShareFormat::Html => "</body>\n</html>\n",
            ShareFormat::Markdown => "",
        }
    }

    /// How many messages it holds.
    pub fn n_messages(&self) -> u64 {
        self.places.len() as u64
    }
}

/// A name for the file, safe on every file system.
pub fn file_name(format: ShareFormat, conversation: &Conversation) -> String {
    let mut name = String::new();
    for c in conversation.title.as_deref().unwrap_or_default().chars().take(60) {
        match c.is_alphanumeric() {
            true => name.extend(c.to_lowercase()),
            false if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            false => {}
        }
    }
    let name = match name.trim_end_matches('-') {
        "" => "conversation",
        name => name,
    };
    let ending = match format {
        ShareFormat::Html => "html",
        ShareFormat::Markdown => "md",
    };
    format!("{name}.{ending}")
}

/// The policy forbids what the text could not ask for anyway: a second lock on the same door.
const HEAD: &str = "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n";
const STYLE: &str = "<style>\n\
:root { color-scheme: light dark; }\n\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }\n\
h2 { font-size: 1rem; margin: 0 0 .5rem; } small { font-weight: normal; opacity: .7; }\n\
article { border-left: 3px solid #8884; padding: .2rem 0 .2rem 1rem; margin: 1.5rem 0; }\n\
article.assistant { border-color: #48c; }\n\
div { white-space: pre-wrap; overflow-wrap: anywhere; }\n\
pre { background: #8882; padding: .75rem; overflow-x: auto; }\n\
</style>\n";

fn about(parts: [Option<String>; 3]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// "2024-03-14 09:26 UTC"
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// Text that is nothing but text, in an element or in a quoted attribute.
fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn html_content(content: &str) -> String {
    let mut text = String::new();
    for block in blocks(content) {
        match block {
            Block::Text(said) if said.trim().is_empty() => {}
            Block::Text(said) => text.push_str(&format!("<div>{}</div>\n", html(said.trim_matches('\n')))),
            // a line break right behind the tag is no part of the text, so that one is put there
            Block::Code { code, .. } => text.push_str(&format!("<pre><code>\n{}</code></pre>\n", html(code))),
        }
    }
    text
}

fn markdown_line(text: &str) -> String {
    markdown(&collapse_whitespace(text)).replace('`', "\\`")
}

/// Markdown in which nothing is HTML and nothing is an image.
fn markdown(text: &str) -> String {
    text.replace('<', "&lt;").replace("![", "!\\[")
}

/// Every block of code is fenced anew from the first column, so that no list or quotation around it can end it
/// elsewhere than here.
fn markdown_content(content: &str) -> String {
    let mut text = String::new();
    for block in blocks(content) {
        match block {
            Block::Text(said) if said.trim().is_empty() => {}
            Block::Text(said) => text.push_str(&format!("{}\n\n", markdown(said.trim_matches('\n')))),
            Block::Code { info, code } => {
                let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
                let fence = "`".repeat(longest.max(2) + 1);
                let info = info.replace(['`', '<'], "");
                let end = if code.is_empty() || code.ends_with('\n') { "" } else { "\n" };
                text.push_str(&format!("{fence}{info}\n{code}{end}{fence}\n\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn conversation(title: &str) -> Conversation {
        serde_json::from_value(json!({
            "id": "0192d3a4-0000-7000-8000-000000000000", "title": title, "messageCount": 1,
            "createdAt": "2024-03-14T09:26:00Z", "updatedAt": "2024-03-14T09:26:00Z",
        }))
        .unwrap()
    }

    fn message(n: u128, parent: Option<u128>, content: &str) -> Message {
        let id = |n: u128| MessageId::from_bytes(n.to_be_bytes());
        serde_json::from_value(json!({
            "id": id(n), "conversationId": id(9), "parentId": parent.map(id), "seq": n as u64, "role": "user",
            "content": content, "createdAt": "2024-03-14T09:26:00Z",
        }))
        .unwrap()
    }

    fn file(format: ShareFormat, title: &str, messages: &[Message]) -> String {
        let (mut shared, mut text) = Shared::begin(format, &conversation(title));
        messages.iter().for_each(|message| text.push_str(&shared.message(message)));
        text + shared.end()
    }

    #[test]
    fn a_page_holds_text_and_code() {
        let said = "See <b>this</b>:\n```rust\nlet a = \"<x>\" && b;\n```\nfine";
        let page = file(ShareFormat::Html, "Deploy & more", &[message(1, None, said)]);
        for part in [
            "<h1>Deploy &amp; more</h1>",
            "<h2>1. user <small>2024-03-14 09:26 UTC</small></h2>",
            "<div>See &lt;b&gt;this&lt;/b&gt;:</div>\n<pre><code>\nlet a = &quot;&lt;x&gt;&quot; &amp;&amp; b;\n</code></pre>\n<div>fine</div>",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn branches_say_what_they_answer() {
        let messages = [
            message(1, None, "q"),
            message(2, Some(1), "a"),
            message(3, Some(1), "b"),
            message(4, None, "c"),
        ];
        assert!(file(ShareFormat::Html, "t", &messages).contains("<a href=\"#m1\">answers 1</a>"));
        let text = file(ShareFormat::Markdown, "t", &messages);
        assert_eq!((text.matches("answers").count(), text.matches("begins anew").count()), (1, 1), "{text}");
    }

    #[test]
    fn markdown_keeps_code_and_disarms_the_rest() {
        let said = "- x\n  ```\n<script>\n  ```\n<img src=x> ![i](http://x)\n~~~\n```\n~~~";
        let text = file(ShareFormat::Markdown, "a`b\n#c", &[message(1, None, said)]);
        assert!(text.starts_with("# a\\`b #c\n"), "{text}");
        assert!(text.contains("```\n<script>\n```\n"), "{text}");
        assert!(text.contains("&lt;img src=x> !\\[i](http://x)"), "{text}");
        assert!(text.contains("````\n```\n````\n"), "{text}");
    }

    #[test]
    fn files_have_plain_names() {
        for (title, expected) in [
            ("Deploy: the /etc/hosts question?", "deploy-the-etc-hosts-question.html"),
            ("Ação", "ação.html"),
            ("../..", "conversation.html"),
        ] {
            assert_eq!(file_name(ShareFormat::Html, &conversation(title)), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_tag(content in "(?s)([<>&\"'`~=/a-z \n!\\[\\]\\(\\):-]|script|<img src=){0,60}") {
            let page = file(ShareFormat::Html, &content, &[message(1, None, &content)]);
            let tags = ["!doctype html", "html", "head", "meta charset=\"utf-8\"", "body", "title", "style", "h1", "h2", "p",
                "small", "div", "pre", "code", "article id=\"m1\" class=\"user\"", "article"];
            for tag in page.split('<').skip(1) {
                let name = tag.split('>').next().unwrap().trim_start_matches('/');
                prop_assert!(tags.contains(&name) || name.starts_with("meta "), "{}", name);
            }
        }

        #[test]
        fn no_text_outside_code_is_html_in_markdown(content in "(?s)([<`~a \n>-]|```|~~~|  ){0,60}") {
            let text = file(ShareFormat::Markdown, "t", &[message(1, None, &content)]);
            // what was written is read as it was meant: its text holds no tag
            for block in blocks(&text) {
                if let Block::Text(said) = block {
                    prop_assert!(!said.contains('<'), "{text}");
                }
            }
        }
    }
}
