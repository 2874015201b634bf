//! Real texts: Portuguese passages and questions, see `benches/data/NOTICE.md`.

use serde::Deserialize;

use super::Outcome;

/// Passages, and questions that some of them answer.
#[derive(Default)]
pub struct Texts {
    pub passages: Vec<String>,
    pub questions: Vec<String>,
}

/// A file in SQuAD's shape.
#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
}

/// All of them.
pub fn all() -> Outcome<Texts> {
    let mut all = Texts::default();
    for file in [include_str!("../data/faquad.json"), include_str!("../data/squad-pt.json")] {
        let Squad { data } = serde_json::from_str(file)?;
        for paragraph in data.into_iter().flat_map(|article| article.paragraphs) {
            all.passages.push(paragraph.context);
            all.questions.extend(paragraph.qas.into_iter().map(|asked| asked.question));
        }
    }
    Ok(all)
}

/// The sentences of the passages: about as long as what people write in a chat.
pub fn sentences() -> Outcome<Vec<String>> {
    let texts = all()?;
    let sentences = texts.passages.iter().flat_map(|passage| passage.split_inclusive(". "));
    Ok(sentences.map(str::trim).filter(|text| text.len() > 20).map(str::to_owned).collect())
}
