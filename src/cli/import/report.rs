//! What an import did, file by file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::clean;
use super::super::context::Context;
use super::super::exit::Failure;
use super::super::text;
use crate::api::data::{ImportFormat, ImportResult, Refused};
use crate::api::system::Counts;
use crate::error::Error;
use crate::exchange::Readout;

/// Refused records that are told one by one.
const TOLD: usize = 20;
/// Refused records that are kept; all are counted.
const KEPT: usize = 1000;
/// Files that are told one by one.
const FILES_TOLD: usize = 12;

/// What was done, in all and for each file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing was stored.
    dry_run: bool,
    /// What all files together brought.
    #[serde(flatten)]
    total: ImportResult,
    files: Vec<File>,
    failed: Vec<Failed>,
    /// Files of a folder that are no histories.
    pub passed_over: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    file: String,
    format: ImportFormat,
    added: Counts,
    existing: Counts,
    refused_total: u64,
}

/// A file that could not be read, or not to its end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    file: String,
    message: String,
    hint: Option<String>,
}

impl Report {
    /// A report of nothing yet.
    pub fn new(dry_run: bool) -> Self {
        let total = ImportResult::default();
        Self { dry_run, total, files: Vec::new(), failed: Vec::new(), passed_over: 0 }
    }

    /// The next file is read.
    pub fn open(&mut self, file: String, format: ImportFormat) {
        let (added, existing) = (Counts::default(), Counts::default());
        self.files.push(File { file, format, added, existing, refused_total: 0 });
    }

    /// A file cannot be read any further.
    pub fn fail(&mut self, file: String, error: &Error) {
        let hint = error.hint_text().map(str::to_owned);
        self.failed.push(Failed { file, message: error.full_text(), hint });
    }

    /// Whether no file could be opened.
    pub fn is_blank(&self) -> bool {
        self.files.is_empty() && self.passed_over == 0
    }

    /// What the reader of the file that was opened last has to say; the number of that file.
    pub fn note(&mut self, told: Readout) -> usize {
        let file = self.files.len().saturating_sub(1);
        let Readout { refused, ignored, mended, .. } = told;
        let refused_total = refused.len() as u64;
        self.add(file, ImportResult { refused, refused_total, ignored, mended, ..Default::default() });
        file
    }

    /// What came of a piece of this file.
    pub fn add(&mut self, file: usize, result: ImportResult) {
        let ImportResult { added, existing, refused, refused_total, secrets, ignored, mended } = result;
        self.total.added += added;
        self.total.existing += existing;
        self.total.refused_total += refused_total;
        self.total.mended += mended;
        for (what, n) in ignored {
            *self.total.ignored.entry(what).or_default() += n;
        }
        for (kind, n) in secrets {
            *self.total.secrets.entry(kind).or_default() += n;
        }
        let many = self.files.len() > 1;
        let Some(file) = self.files.get_mut(file) else { return };
        file.added += added;
        file.existing += existing;
        file.refused_total += refused_total;
        let room = KEPT.saturating_sub(self.total.refused.len());
        self.total.refused.extend(refused.into_iter().take(room).map(|refused| match many {
            true => Refused { place: format!("{}: {}", file.file, refused.place), ..refused },
            false => refused,
        }));
    }

    /// Whether everything that was named came in.
    pub fn is_whole(&self) -> bool {
        self.total.refused_total == 0 && self.failed.is_empty()
    }

    /// Tells a person.
    pub fn tell(&self, context: &mut Context) -> Result<(), Failure> {
        let words = context.words;
        let mut lines = String::new();
        if self.dry_run {
            lines.push_str(&format!("{}\n", words.dry_run));
        }
        for file in self.files.iter().take(FILES_TOLD) {
            let counts = [&file.added.messages, &file.existing.messages];
            let name = clean::line(&file.file);
            let line = text::fill(words.imported_file, &[&name, &file.format, counts[0], counts[1]]);
            lines.push_str(&format!("{line}\n"));
        }
        if self.files.len() > FILES_TOLD {
            lines.push_str(&format!(
                "{}\n",
                text::fill(words.more_files, &[&(self.files.len() - FILES_TOLD)])
            ));
        }
        lines.push_str(&format!("{}\n", counted(words.imported, &self.total.added)));
        if self.total.existing != Counts::default() {
            lines.push_str(&format!("{}\n", counted(words.existing, &self.total.existing)));
        }
        context.out.text(&lines)?;
        if !self.total.secrets.is_empty() {
            let kinds: Vec<String> =
                self.total.secrets.iter().map(|(kind, n)| format!("{n} × {kind}")).collect();
            context.out.warn(&text::fill(words.import_secrets, &[&kinds.join(", ")]));
        }
        if !self.total.ignored.is_empty() {
            let ignored = listed(&self.total.ignored);
            context.out.note(&text::fill(words.ignored, &[&ignored]));
        }
        if self.total.mended > 0 {
            context.out.note(&text::fill(words.mended, &[&self.total.mended]));
        }
        if self.passed_over > 0 {
            context.out.note(&text::fill(words.passed_over, &[&self.passed_over]));
        }
        if self.total.refused_total > 0 {
            context.out.warn(&text::fill(words.refused, &[&self.total.refused_total]));
            for refused in self.total.refused.iter().take(TOLD) {
                context.out.note(&format!(
                    "  {}: {}",
                    clean::line(&refused.place),
                    clean::line(&refused.reason)
                ));
            }
            if self.total.refused_total > TOLD as u64 {
                context.out.note("  …");
            }
        }
        for Failed { message, hint, .. } in &self.failed {
            context.out.warn(&clean::line(message));
            if let Some(hint) = hint {
                context.out.note(&format!("  {}", clean::line(hint)));
            }
        }
        Ok(())
    }
}

fn counted(text: &str, counts: &Counts) -> String {
    text::fill(text, &[&counts.conversations, &counts.messages, &counts.memories])
}

/// "12 progress, 3 file-history-snapshot", the most first.
fn listed(ignored: &BTreeMap<String, u64>) -> String {
    let mut all: Vec<(&String, &u64)> = ignored.iter().collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let all: Vec<String> = all.iter().map(|(what, n)| format!("{n} {}", clean::line(what))).collect();
    all.join(", ")
}
