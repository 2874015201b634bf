//! Projects and clients: names outside, small numbers inside.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Result;
use crate::model::ClientRef;

/// The number of a project, made if it is new.
pub(super) fn project(db: &Connection, name: Option<&str>) -> Result<Option<i64>> {
    let Some(name) = name else { return Ok(None) };
    let known: Option<i64> = db
        .prepare_cached("SELECT id FROM project WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        return Ok(known);
    }
    db.prepare_cached("INSERT INTO project(name) VALUES(?1)")?.execute([name])?;
    Ok(Some(db.last_insert_rowid()))
}

/// The number of a client, made if it is new.
pub(super) fn client(db: &Connection, client: Option<&ClientRef>) -> Result<Option<i64>> {
    let Some(ClientRef { name, version }) = client else { return Ok(None) };
    let known: Option<i64> = db
        .prepare_cached("SELECT id FROM client WHERE name = ?1 AND version = ?2")?
        .query_row([name, version], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        return Ok(known);
    }
    db.prepare_cached("INSERT INTO client(name, version) VALUES(?1, ?2)")?.execute([name, version])?;
    Ok(Some(db.last_insert_rowid()))
}

/// The client whose name and version stand in the two columns from `column` on.
pub(super) fn client_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ClientRef>> {
    let name: Option<String> = row.get(column)?;
    let Some(name) = name else { return Ok(None) };
    Ok(Some(ClientRef { name, version: row.get(column + 1)? }))
}
