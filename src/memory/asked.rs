//! What a question says beside its words: whom it names, when it means, in which language it is.

use std::collections::HashMap;
use std::ops::Range;

use jiff::tz::TimeZone;

use super::fusion::{Candidate, Term};
use super::when::{self, Certainty, DateMention, TimeRange};
use super::{Memory, when::date_match};
use crate::api::search::SearchMode;
use crate::error::Result;
use crate::model::Timestamp;
use crate::store::{Byline, Item};
use crate::text::{Language, Question, fold};

/// How well a time fits that is told relative to now ("last week"): less than a date, because who asks long after may
/// mean another now.
const DAY_FITS: f64 = 0.4;
const PERIOD_FITS: f64 = 0.3;
const VAGUE_FITS: f64 = 0.1;

/// How much a name counts among the tokens of a question: whoever is named is rather told by who speaks.
const NAME_AMONG_TOKENS: f64 = 0.5;

/// What is known of a question before anything is searched.
pub(super) struct Asked {
    /// Folded words that are names of people who said something.
    names: Vec<String>,
    times: Vec<TimeRange>,
    dates: Vec<DateMention>,
    zone: TimeZone,
    language: Option<Language>,
    /// How much words tell, by the bytes in which they stand.
    weights: Vec<(Range<usize>, f64)>,
}

impl Memory {
    /// Reads a question, as far as a search of this mode wants to know.
    pub(super) async fn asked(&self, query: &str, mode: SearchMode) -> Result<Asked> {
        let zone = TimeZone::system();
        let words: Vec<String> = Question::of(query).words.into_iter().map(|word| word.form).collect();
        let weights = async {
            match mode {
                // no tokens are compared
                SearchMode::Lexical => Ok(Vec::new()),
                SearchMode::Hybrid | SearchMode::Semantic => {
                    self.store().word_weights(query.to_owned()).await
                }
            }
        };
        let (names, weights) = tokio::try_join!(self.store().names_of_authors(words), weights)?;
        Ok(Asked {
            times: when::times(query, Timestamp::now(), &zone),
            dates: when::mentions(query),
            language: Language::of(query),
            zone,
            weights: weights
                .into_iter()
                .map(|(range, weight)| {
                    let form = fold(&query[range.clone()]);
                    (range, if names.contains(&form) { weight * NAME_AMONG_TOKENS } else { weight })
                })
                .collect(),
            names,
        })
    }

    /// Notes who said a candidate, when, and in which language.
    pub(super) async fn add_circumstances(
        &self,
        asked: &Asked,
        candidates: &mut [Candidate<Item>],
    ) -> Result<()> {
        let items = candidates.iter().map(|candidate| candidate.key).collect();
        let bylines: HashMap<Item, Byline> = self.store().bylines(items).await?.into_iter().collect();
        for candidate in candidates {
            let Some(byline) = bylines.get(&candidate.key) else { continue };
            asked.note(byline, candidate);
        }
        Ok(())
    }
}

impl Asked {
    /// How much single words count in a search by words: names of those who speak count nothing, for they stand where
    /// somebody is spoken to.
    pub(super) fn word_weights(&self) -> HashMap<String, f64> {
        self.names.iter().map(|name| (name.clone(), 0.0)).collect()
    }

    /// How much the token counts that stands for these bytes of the question.
    pub(super) fn token_weight(&self, range: &Range<usize>) -> f64 {
        let overlapping =
            self.weights.iter().filter(|(word, _)| word.start < range.end && range.start < word.end);
        overlapping.map(|(_, weight)| *weight).fold(0.0, f64::max)
    }

    fn note<K>(&self, byline: &Byline, candidate: &mut Candidate<K>) {
        if let Some(author) = &byline.author
            && !self.names.is_empty()
        {
            let is_named =
                author.split(|c: char| !c.is_alphanumeric()).any(|part| self.names.contains(&fold(part)));
            candidate.note(Term::Speaker, f64::from(u8::from(is_named)));
        }
        if !self.dates.is_empty() || !self.times.is_empty() {
            candidate.note(Term::Date, self.time_fits(byline.created_at));
        }
        let language = byline.beginning.as_deref().and_then(Language::of);
        candidate.foreign = matches!((self.language, language), (Some(asked), Some(told)) if asked != told);
    }

    fn time_fits(&self, time: Timestamp) -> f64 {
        let within = self.times.iter().filter(|range| range.from <= time && time < range.until);
        let relative = within.map(|range| match range.certainty {
            Certainty::Day => DAY_FITS,
            Certainty::Period => PERIOD_FITS,
            Certainty::Vague => VAGUE_FITS,
        });
        relative.fold(date_match(&self.dates, time, &self.zone), f64::max)
    }
}
