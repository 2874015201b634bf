//! Real texts: Portuguese passages and questions, see `benches/data/NOTICE.md`.

use serde::Deserialize;

use super::Outcome;

#[derive(Deserialize)]
pub struct Texts {
    pub passages: Vec<String>,
    pub questions: Vec<String>,
}

/// All of them.
pub fn all() -> Outcome<Texts> {
    let mut all: Texts = serde_json::from_str(include_str!("../data/faquad.json"))?;
    let more: Texts = serde_json::from_str(include_str!("../data/squad-pt.json"))?;
    all.passages.extend(more.passages);
    all.questions.extend(more.questions);
    Ok(all)
}

/// The sentences of the passages: about as long as what people write in a chat.
pub fn sentences() -> Outcome<Vec<String>> {
    let texts = all()?;
    let sentences = texts.passages.iter().flat_map(|passage| passage.split_inclusive(". "));
    Ok(sentences.map(str::trim).filter(|text| text.len() > 20).map(str::to_owned).collect())
}
