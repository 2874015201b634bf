//! Databases of other programs: opened only to read, never changed, their rows given out as plain data.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, limits::Limit};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::model::table::{Row, Select};

/// What every SQLite file begins with.
pub const SQLITE_MARK: &[u8] = b"SQLite format 3\0";

/// How long to wait while the other program writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest value that is read; a chat of some tools is one value.
const MAX_VALUE_BYTES: i32 = 256 << 20;

/// A database of another program.
pub struct ForeignDatabase {
    connection: Connection,
    tables: Vec<String>,
}

impl ForeignDatabase {
    /// Opens the file. Errors: it cannot be read, is no database, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = || format!("read the database {}", path.display());
        let opened = match is_left_alone(path) {
            // there is no log, so nobody has it open; a log would be made here, in the other program's folder
            true => open(path, "immutable=1"),
            // a folder that cannot be written is no place for the log that reading needs
            false => open(path, "mode=ro").or_else(|_| open(path, "immutable=1")),
        };
        opened.map_err(|error| error.while_doing(doing()))
    }

    /// The names of its tables.
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// Gives `each` the rows one by one. A table that does not exist has none, and columns that do not exist are
    /// missing from the rows.
    pub fn rows(&self, select: &Select<'_>, each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        let Select { table, columns, only, order } = select;
        if !self.tables.iter().any(|known| known == table) {
            return Ok(());
        }
        let there = self.columns(table)?;
        let known = |column: &&&str| there.contains(**column);
        let columns: Vec<&str> = columns.iter().filter(known).copied().collect();
        if columns.is_empty() || only.as_ref().is_some_and(|(column, _)| !there.contains(*column)) {
            return Ok(());
        }
        let listed = |names: &[&str]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let mut sql = format!("SELECT {} FROM {}", listed(&columns), quoted(table));
        if let Some((column, _)) = only {
            sql.push_str(&format!(" WHERE {} = ?1", quoted(column)));
        }
        let order: Vec<&str> = order.iter().filter(known).copied().collect();
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", listed(&order)));
        }
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = match only {
            Some((_, Value::String(text))) => statement.query([text])?,
            Some((_, Value::Number(number))) => statement.query([number.as_i64()])?,
            Some((_, other)) => statement.query([other.to_string()])?,
            None => statement.query([])?,
        };
        while let Some(row) = rows.next()? {
            let mut values = Row::new();
            for (place, column) in columns.iter().enumerate() {
                values.insert((*column).to_owned(), plain(row.get_ref(place)?));
            }
            each(values)?;
        }
        Ok(())
    }

    fn columns(&self, table: &str) -> Result<HashSet<String>> {
        let mut statement = self.connection.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
        let names = statement.query_map([table], |row| row.get(0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }
}

fn open(path: &Path, how: &str) -> Result<ForeignDatabase> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, how), flags)?;
    connection.busy_timeout(PATIENCE)?;
    // the file may be made to harm its reader
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
         PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;",
    )?;
    // views are left out: they are code
    let tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let is_whole =
        connection.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0)).optional()?;
    match is_whole {
        Some(_) => Ok(ForeignDatabase { connection, tables }),
        None => Err(Error::new(Kind::Corrupt, "it has no schema")),
    }
}

/// `file:` with every byte escaped that could mean something there.
fn uri(path: &Path, how: &str) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte))
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{uri}?{how}")
}

/// Whether the database keeps a write-ahead log and has none at the moment.
fn is_left_alone(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    // 2: the version of the format that has a log
    read.is_ok() && header[18] == 2 && !has_log
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => std::str::from_utf8(bytes).map_or(Value::Null, Value::from),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(database: &ForeignDatabase, select: &Select<'_>) -> Vec<Value> {
        let mut all = vec![];
        database
            .rows(select, &mut |row| {
                all.push(Value::Object(row));
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn rows_come_as_plain_data_whatever_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b?#%.db");
        let made = Connection::open(&path).unwrap();
        made.execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE \"order\"(id INTEGER PRIMARY KEY, \"group\" TEXT, x);
             INSERT INTO \"order\" VALUES(1, 'b', 1.5), (2, 'a', x'ff00'), (3, 'a', NULL), (4, CAST(x'61ff' AS TEXT), 2);
             CREATE VIEW v AS SELECT 1 AS id;",
        )
        .unwrap();
        let check = |select: Select<'_>, expected: Value| {
            let database = ForeignDatabase::open(&path).unwrap();
            assert_eq!(Value::Array(all(&database, &select)), expected, "{select:?}");
        };
        let order = || Select::all("order", &["id", "x", "missing"]);
        for _ in 0..2 {
            check(
                order().sorted(&["group", "id"]),
                json!([{"id":2,"x":null},{"id":3,"x":null},{"id":4,"x":2},{"id":1,"x":1.5}]),
            );
            check(
                order().only("group", "a").sorted(&["nothing"]),
                json!([{"id":2,"x":null},{"id":3,"x":null}]),
            );
            check(order().only("id", 1), json!([{"id":1,"x":1.5}]));
            check(Select::all("order", &["group"]).only("id", 4), json!([{"group":"a\u{fffd}"}]));
            check(order().only("missing", 1), json!([]));
            check(Select::all("v", &["id"]), json!([]));
            check(Select::all("absent", &["id"]), json!([]));
            // the second time with its log gone
            let _ = made.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }

    #[test]
    fn reading_leaves_nothing_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let made = Connection::open(&path).unwrap();
        made.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
        drop(made);
        let database = ForeignDatabase::open(&path).unwrap();
        assert_eq!(all(&database, &Select::all("t", &["a"])).len(), 1);
        drop(database);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_database_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, [SQLITE_MARK, &[7; 500]].concat()).unwrap();
        let error = ForeignDatabase::open(&path).err().unwrap();
        assert!(error.to_string().contains("x.db"), "{error}");
        assert!(ForeignDatabase::open(&folder.path().join("absent.db")).is_err());
    }
}
