//! `nosso search`: passages by words and by meaning.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::project::Only;
use super::source::Origin;
use super::style::{self, paint};
use super::text::{self, Words};
use crate::api::limits::MAX_HITS;
use crate::api::methods::SearchQuery;
use crate::api::search::{
    Explain, Hit, Neighbour, SearchFilter, SearchMode, SearchParams, SearchResult, Served, Span,
};
use crate::model::{ConversationId, Role, SourceKind, Timestamp};

/// Characters of a passage that are shown; the whole text is one `nosso show` away.
const SHOWN_CHARS: usize = 480;
/// Characters of a neighbour that are shown.
const NEIGHBOUR_COLUMNS: usize = 160;

/// What `nosso search` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A question or words, in any language; `tag:`, `folder:`, `pinned:`, `archived:`, `project:`, `client:`,
    /// `before:` and `after:` with a value narrow it down
    #[arg(value_name = "QUERY", required = true)]
    pub query: Vec<String>,
    /// How many hits
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_HITS)))]
    pub limit: u32,
    /// How to search
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// Only what this role said: user, assistant, system, tool, note
    #[arg(long)]
    pub role: Option<Role>,
    /// Only what the tool of this name stored
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Only messages, or only memories
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// Only what was said on this day or later (2024-03-14, or a time as 2024-03-14T09:26:53Z)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only what was said before this day or time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Only in this conversation
    #[arg(short = 'C', long, value_name = "ID")]
    pub conversation: Option<ConversationId>,
    /// Show so many messages before and after each hit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10))]
    pub context: u32,
    /// Take the query as it is: no prefix in it narrows anything down
    #[arg(long)]
    pub literal: bool,
    /// Say how each score came about
    #[arg(long)]
    pub explain: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// By word and by meaning together
    #[default]
    Hybrid,
    /// By word only
    Lexical,
    /// By meaning only
    Semantic,
}

/// What to search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Messages of conversations
    Message,
    /// Standing facts
    Memory,
}

/// Searches; like grep, finding nothing is exit code 1.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let project = args.only.name(&context.working_directory)?;
    let params = SearchParams {
        query: list::typed(&args.query),
        literal: args.literal,
        limit: Some(args.limit),
        mode: match args.mode {
            Mode::Hybrid => SearchMode::Hybrid,
            Mode::Lexical => SearchMode::Lexical,
            Mode::Semantic => SearchMode::Semantic,
        },
        filter: SearchFilter {
            conversation_id: args.conversation,
            project,
            client: args.client,
            role: args.role,
            kind: args.kind.map(|kind| match kind {
                Kind::Message => SourceKind::Message,
                Kind::Memory => SourceKind::Memory,
            }),
            since: args.since,
            until: args.until,
            ..SearchFilter::default()
        },
        context: Some(args.context),
        explain: args.explain,
    };
    let result = context.client().await?.call::<SearchQuery>(&params).await?;
    show(&result, context)
}

/// Prints what was found, and notes what did not take part.
pub fn show(result: &SearchResult, context: &mut Context) -> Run {
    if context.out.json {
        context.out.document(result)?;
    } else {
        let text: Vec<String> =
            grouped(&result.hits).iter().map(|group| group_text(group, context)).collect();
        if !text.is_empty() {
            context.out.page(&text.join("\n"))?;
        }
        for note in notes(&result.served, context.words) {
            context.out.warn(&note);
        }
    }
    match result.hits.is_empty() {
        true => {
            context.out.note(context.words.nothing_found);
            Ok(Ended::NothingFound)
        }
        false => Ok(Ended::Well),
    }
}

/// The hits of one conversation together, where the best of them stands.
fn grouped(hits: &[Hit]) -> Vec<Vec<&Hit>> {
    let mut groups: Vec<Vec<&Hit>> = Vec::new();
    for hit in hits {
        let of_the_same = |group: &&mut Vec<&Hit>| {
            hit.conversation_id.is_some() && group[0].conversation_id == hit.conversation_id
        };
        match groups.iter_mut().find(of_the_same) {
            Some(group) => group.push(hit),
            None => groups.push(vec![hit]),
        }
    }
    groups
}

/// The first under the full heading; of the others only what may differ is told again.
fn group_text(group: &[&Hit], context: &Context) -> String {
    let texts = group.iter().enumerate().map(|(place, hit)| hit_text(hit, place == 0, context));
    texts.collect()
}

fn hit_text(hit: &Hit, is_first: bool, context: &Context) -> String {
    let origin = Origin {
        kind: hit.kind,
        title: hit.conversation_title.as_deref(),
        role: hit.role,
        author: hit.author.as_deref(),
        client: hit.client.as_ref(),
        created_at: hit.created_at,
    };
    let id = paint(style::DIM, format!("({})", hit.id));
    let heading = match is_first {
        true => origin.heading(context.words, &context.zone),
        false => origin.within(&context.zone),
    };
    let mut text = format!("{heading} {id}\n");
    text.extend(hit.before.iter().map(neighbour_line));
    text.push_str(&passage(&hit.text, &hit.spans, context.out.wrap_width()));
    text.extend(hit.after.iter().map(neighbour_line));
    if let Some(explain) = &hit.explain {
        text.push_str(&explained(explain, hit.score));
    }
    text
}

fn passage(text: &str, spans: &[Span], width: Option<usize>) -> String {
    let (shown, spans) = style::excerpt(text, spans, SHOWN_CHARS);
    // cleaning and wrapping keep every character in its place, so the ranges stay right
    let shown = clean::block(&shown);
    let shown = match width {
        Some(width) => style::wrap(&shown, width - 4),
        None => shown,
    };
    let margin = format!("{}   ", paint(style::NAME, "│"));
    style::indent(&style::highlight(&shown, &spans), &margin)
}

fn neighbour_line(neighbour: &Neighbour) -> String {
    let line = super::source::first_line(&neighbour.text, NEIGHBOUR_COLUMNS);
    format!("{}\n", paint(style::DIM, format!("    {}: {line}", neighbour.role)))
}

fn explained(explain: &Explain, score: f64) -> String {
    let legs = explain.legs.iter().map(|leg| match (leg.rank, leg.score) {
        (Some(rank), Some(score)) => {
            format!("{} #{rank} {score:.3} → {:.3}", clean::line(&leg.name), leg.contribution)
        }
        _ => format!("{} –", clean::line(&leg.name)),
    });
    let mut parts = vec![format!("score {score:.3}")];
    parts.extend(legs);
    for (name, terms) in [("words", &explain.terms), ("left out", &explain.pruned)] {
        if !terms.is_empty() {
            parts.push(format!("{name}: {}", clean::line(&terms.join(" "))));
        }
    }
    format!("{}\n", paint(style::DIM, format!("    {}", parts.join(" · "))))
}

fn notes(served: &Served, words: &Words) -> Vec<String> {
    let problem = served.problem.as_ref().map(|problem| match (served.lexical, served.semantic) {
        (true, false) => text::fill(words.words_only, &[&clean::line(problem)]),
        _ => clean::line(problem),
    });
    let pending = (served.pending > 0 && served.problem.is_none())
        .then(|| text::fill(words.not_embedded_yet, &[&served.pending]));
    problem.into_iter().chain(pending).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::search::Leg;
    use crate::cli::text::ENGLISH;

    fn plain(styled: &str) -> String {
        anstream::adapter::strip_str(styled).to_string()
    }

    #[test]
    fn passages_are_wrapped_behind_a_bar_and_harmless() {
        for (text, width, expected) in [
            ("the deadline is near", None, "│   the deadline is near\n"),
            ("the deadline is near", Some(20), "│   the deadline is\n│   near\n"),
            ("two\nlines", None, "│   two\n│   lines\n"),
            ("\x1b]0;x\x07", None, "│   ␛]0;x␇\n"),
        ] {
            assert_eq!(plain(&passage(text, &[], width)), expected);
        }
    }

    #[test]
    fn hits_of_one_conversation_stand_together_where_the_best_of_them_is() {
        let hit = |n: u128, conversation: Option<u128>| -> Hit {
            serde_json::from_value(serde_json::json!({
                "kind": "message", "id": uuid::Uuid::from_u128(n), "createdAt": "2024-03-14T09:00:00Z",
                "conversationId": conversation.map(uuid::Uuid::from_u128), "text": "t", "offset": 0, "length": 1,
                "spans": [], "score": 1.0, "before": [], "after": [],
            }))
            .unwrap()
        };
        let hits = [(1, Some(7)), (2, None), (3, Some(8)), (4, Some(7)), (5, None)].map(|(n, c)| hit(n, c));
        let groups: Vec<Vec<u128>> =
            grouped(&hits).iter().map(|group| group.iter().map(|hit| hit.id.as_u128()).collect()).collect();
        assert_eq!(groups, [vec![1, 4], vec![2], vec![3], vec![5]]);
    }

    #[test]
    fn found_words_stand_out_after_wrapping() {
        let text = passage("the deadline is near", &[Span { start: 16, end: 20 }], Some(20));
        assert!(text.contains(&paint(style::HIT, "near")), "{text:?}");
    }

    #[test]
    fn a_score_is_explained_in_a_line() {
        let explain = Explain {
            foreign: false,
            legs: vec![
                Leg { name: "lexical".into(), rank: Some(2), score: Some(7.25), contribution: 0.4 },
                Leg { name: "semantic".into(), rank: None, score: None, contribution: 0.0 },
            ],
            terms: vec!["deadline".into()],
            pruned: vec!["the".into()],
        };
        assert_eq!(
            plain(&explained(&explain, 0.4)),
            "    score 0.400 · lexical #2 7.250 → 0.400 · semantic – · words: deadline · left out: the\n"
        );
    }

    #[test]
    fn what_did_not_take_part_is_told() {
        let served = Served { lexical: true, semantic: true, pending: 0, problem: None };
        assert!(notes(&served, &ENGLISH).is_empty());
        let pending = Served { pending: 3, ..served.clone() };
        assert_eq!(
            notes(&pending, &ENGLISH),
            ["3 passages are found by their words only until they are embedded"]
        );
        let off = Served { semantic: false, problem: Some("no model".into()), ..served };
        assert_eq!(notes(&off, &ENGLISH), ["found by words only: no model"]);
    }
}
