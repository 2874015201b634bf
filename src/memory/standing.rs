//! Memories that hold whatever is asked: how a person wants to be answered.

use super::Memory;
use super::prompt::Passage;
use crate::api::limits::MAX_PAGE;
use crate::api::memory::MemoryList;
use crate::error::Result;
use crate::model;

/// What is put into one prompt at most.
const MAX_STANDING: usize = 20;
/// The kinds that always hold.
const STANDING_KINDS: [&str; 2] = ["instruction", "preference"];

impl Memory {
    /// Instructions and preferences: they hold for every question, of everywhere and of the question's project.
    pub(super) async fn standing(&self, project: Option<&str>) -> Result<Vec<Passage>> {
        let mut standing = Vec::new();
        let holds = |memory: &model::Memory| memory.project.is_none() || memory.project.as_deref() == project;
        for kind in STANDING_KINDS {
            let mut list =
                MemoryList { kind: Some(kind.into()), limit: Some(MAX_PAGE), ..MemoryList::default() };
            // those of other projects must not crowd out the ones that hold here
            loop {
                let page = self.store().memories(list.clone()).await?;
                standing.extend(page.items.into_iter().filter(holds));
                list.cursor = page.next_cursor;
                if list.cursor.is_none() || standing.len() >= MAX_STANDING {
                    break;
                }
            }
        }
        Ok(standing.into_iter().take(MAX_STANDING).map(Passage::from).collect())
    }
}
