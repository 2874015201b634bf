//! Lists that come in pages: how many rows a person wants, and the calls that fetch them.

use clap::Args;

use crate::api::limits::{DEFAULT_PAGE, MAX_PAGE};
use crate::api::{Cursor, Page};
use crate::error::Result;

/// How much of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct HowMany {
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = DEFAULT_PAGE,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on where an earlier list ended (`nextCursor` of --json)
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

impl HowMany {
    /// Calls `page(limit, cursor)` until enough rows have come or none are left.
    pub async fn collect<T>(
        &self,
        page: impl AsyncFn(u32, Option<Cursor>) -> Result<Page<T>>,
    ) -> Result<Page<T>> {
        let wanted = if self.all { usize::MAX } else { self.limit as usize };
        let mut collected = Page { items: Vec::new(), next_cursor: self.cursor.clone().map(Cursor::from) };
        loop {
            let missing = wanted - collected.items.len();
            let limit = missing.min(MAX_PAGE as usize) as u32;
            let next = page(limit, collected.next_cursor.take()).await?;
            collected.items.extend(next.items);
            collected.next_cursor = next.next_cursor;
            if collected.next_cursor.is_none() || collected.items.len() >= wanted {
                return Ok(collected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn collected(rows: usize, how_many: &HowMany, page_size: u32) -> (Page<usize>, Vec<u32>) {
        let asked = RefCell::new(vec![]);
        let page = async |limit: u32, cursor: Option<Cursor>| {
            asked.borrow_mut().push(limit);
            let start = cursor.and_then(|cursor| cursor.key()).map_or(0, |key| key.0 as usize);
            let end = rows.min(start + limit.min(page_size) as usize);
            let next_cursor = (end < rows).then(|| Cursor::after(end as i64, 0));
            Ok(Page { items: (start..end).collect(), next_cursor })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let page = runtime.block_on(how_many.collect(page)).unwrap();
        (page, asked.into_inner())
    }

    fn how_many(limit: u32, all: bool) -> HowMany {
        HowMany { limit, all, cursor: None }
    }

    #[test]
    fn pages_are_fetched_until_there_is_enough() {
        let (page, asked) = collected(500, &how_many(250, false), 200);
        assert_eq!((page.items.len(), page.next_cursor.is_some()), (250, true));
        assert_eq!(asked, [200, 50]);
    }

    #[test]
    fn all_means_all() {
        let (page, _) = collected(501, &how_many(50, true), 200);
        assert_eq!((page.items, page.next_cursor), ((0..501).collect(), None));
    }

    #[test]
    fn pages_that_end_early_are_continued() {
        let (page, asked) = collected(10, &how_many(10, false), 3);
        assert_eq!(page.items.len(), 10);
        assert_eq!(asked, [10, 7, 4, 1]);
    }

    #[test]
    fn an_empty_list_is_one_call() {
        let (page, asked) = collected(0, &how_many(50, false), 200);
        assert_eq!((page.items.len(), asked.len()), (0, 1));
    }
}
