//! What is asked of a table of another program's database, and what comes of it.

use serde_json::{Map, Value};

/// A row: its columns by name. Blobs that are no text are null.
pub type Row = Map<String, Value>;

/// What to read of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Select<'a> {
    /// The table.
    pub table: &'a str,
    /// The columns.
    pub columns: &'a [&'a str],
    /// Only rows whose column has this value.
    pub only: Option<(&'a str, Value)>,
    /// The columns to sort by; rows that are alike there come as they were stored.
    pub order: &'a [&'a str],
}

impl<'a> Select<'a> {
    /// These columns of all rows, as they were stored.
    pub fn all(table: &'a str, columns: &'a [&'a str]) -> Self {
        Self { table, columns, only: None, order: &[] }
    }

    /// The same, of rows whose `column` is `value`.
    pub fn only(mut self, column: &'a str, value: impl Into<Value>) -> Self {
        self.only = Some((column, value.into()));
        self
    }

    /// The same, sorted.
    pub fn sorted(mut self, order: &'a [&'a str]) -> Self {
        self.order = order;
        self
    }
}
