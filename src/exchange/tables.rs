//! Reads the databases of other tools. This module says what it wants of which table; who opens the file runs that.

use super::{Readout, llm, ollama, open_webui};
use crate::api::data::ImportFormat;
use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;

pub use crate::model::table::{Row, Select};

/// Runs a query and gives the rows one by one; a table that does not exist has none, and columns that do not exist
/// are missing from the rows.
pub type Rows<'a> = dyn Fn(&Select<'_>, &mut dyn FnMut(Row) -> Result<()>) -> Result<()> + 'a;

/// Reads a database of this format and gives `each` what it holds, a conversation at a time.
///
/// Errors: `Unsupported` for formats that are no databases; what `rows` and `each` answer.
pub fn read_tables(
    format: ImportFormat,
    rows: &Rows<'_>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    match format {
        ImportFormat::OpenWebui => open_webui::read_tables(rows, now, each),
        ImportFormat::Llm => llm::read_tables(rows, now, each),
        ImportFormat::Ollama => ollama::read_tables(rows, now, each),
        other => {
            let message = format!("the format '{other}' is a text, and this is a database");
            Err(Error::new(Kind::Unsupported, message).hint("leave out --format: it is recognised"))
        }
    }
}
