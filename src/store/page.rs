//! Cutting lists into pages: at most as many rows as asked for, and not more bytes than an answer should have.

use crate::api::limits::{DEFAULT_PAGE, MAX_PAGE, MAX_PAGE_BYTES};
use crate::api::{Cursor, Page};
use crate::error::{Error, Result};

/// What a row costs beside its texts: ids, times and the names of the members.
const ROW_BYTES: usize = 600;

/// How many rows a list gives.
pub(super) fn rows(limit: Option<u32>) -> usize {
    limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE) as usize
}

/// The key behind which a page begins; `first` where there is no cursor.
pub(super) fn begin(cursor: Option<&Cursor>, first: (i64, i64)) -> Result<(i64, i64)> {
    let Some(cursor) = cursor else { return Ok(first) };
    cursor.key().ok_or_else(|| {
        Error::invalid(format!("the cursor '{cursor:.60}' is not one that a list gave"))
            .hint("give back nextCursor unchanged, or leave the cursor away to begin anew")
    })
}

/// A page that is being filled. Ask the database for one row more than fits, to know whether there is a next page.
pub(super) struct Filling<T> {
    items: Vec<T>,
    limit: usize,
    bytes: usize,
    last: (i64, i64),
    full: bool,
}

impl<T> Filling<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit, bytes: 0, last: (0, 0), full: false }
    }

    /// Adds a row with this sort key and these bytes of text. False: it begins the next page, so stop. The first
    /// row always fits, however large it is.
    pub(super) fn push(&mut self, item: T, key: (i64, i64), bytes: usize) -> bool {
        let bytes = self.bytes + bytes + ROW_BYTES;
        self.full = self.items.len() == self.limit || (bytes > MAX_PAGE_BYTES && !self.items.is_empty());
        if !self.full {
            self.items.push(item);
            self.bytes = bytes;
            self.last = key;
        }
        !self.full
    }

    pub(super) fn finish(self) -> Page<T> {
        let next_cursor = self.full.then(|| Cursor::after(self.last.0, self.last.1));
        Page { items: self.items, next_cursor }
    }
}

/// Bytes of a text as a JSON string.
pub(super) fn json_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_json() {
        for text in ["", "plain", "\"quoted\\\"", "a\0b\u{1}c\n\t", "ação 日本"] {
            assert_eq!(json_bytes(text) + 2, serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }

    #[test]
    fn a_page_ends_at_its_limit_or_at_its_size() {
        let fill = |limit, sizes: &[usize]| {
            let mut page = Filling::new(limit);
            let mut key = 0;
            for size in sizes {
                key += 1;
                if !page.push(key, (key, 0), *size) {
                    break;
                }
            }
            let page = page.finish();
            (page.items.len(), page.next_cursor.map(|cursor| cursor.key().unwrap().0))
        };
        assert_eq!(fill(3, &[1, 1, 1]), (3, None));
        assert_eq!(fill(3, &[1, 1, 1, 1]), (3, Some(3)));
        assert_eq!(fill(3, &[MAX_PAGE_BYTES * 2, 1]), (1, Some(1)));
        assert_eq!(fill(3, &[1, MAX_PAGE_BYTES, 1]), (1, Some(1)));
        assert_eq!(fill(3, &[]), (0, None));
    }

    #[test]
    fn limits_are_clamped_and_foreign_cursors_refused() {
        assert_eq!([rows(None), rows(Some(0)), rows(Some(u32::MAX))], [50, 1, 200]);
        assert!(begin(Some(&Cursor::from("nonsense".to_owned())), (0, 0)).is_err());
    }
}
