//! What a text is made of when it is searched by words: tokens, their folded forms, their stems.
//!
//! Texts and questions go through the same analysis, so that what was written in one way is found when it is asked
//! in another: "reuniões" by "reunião", "Deployed" by "deploy", `acao` by `ação`. Pure: the store keeps what it
//! gives, and `ANALYSIS_VERSION` tells whether what is kept was made by this analysis.

mod analysis;
mod fold;
mod language;
mod marks;
mod question;
mod scan;
mod space;
mod stem;

pub use analysis::{Analysis, UNSTEMMED};
pub use fold::{bare, fold};
pub use language::Language;
pub use marks::{Mark, Marker, block_range};
pub use question::{Question, QuestionWord, Term};
pub use space::{collapse_whitespace, plain};

/// Goes up whenever the same text gives other terms: what is stored is then analysed anew.
pub const ANALYSIS_VERSION: i64 = 1;
