//! Filters as people mean them: the prefixes of what was typed, and names that are not written in full.

use super::prefixes::Typed;
use super::{Memory, check};
use crate::api::organise::ConversationFilter;
use crate::api::search::{SearchFilter, SearchParams, SearchResult};
use crate::error::{Error, Result};

impl Memory {
    /// Searches with the prefixes of the query; what the filter says itself wins over them.
    pub async fn query(&self, mut params: SearchParams) -> Result<SearchResult> {
        if !params.literal {
            let Typed { words, tags, folder, pinned, archived, project, client, since, until } =
                Typed::of(&params.query);
            if words.trim().is_empty() && !params.query.trim().is_empty() {
                return Err(Error::invalid("the query holds prefixes only").hint(
                    "add words to search with; a list takes prefixes alone (conversation.list, nosso list)",
                ));
            }
            params.query = words;
            let filter = &mut params.filter;
            filter.tags.extend(tags);
            filter.pinned = filter.pinned.or(pinned);
            filter.archived = filter.archived.or(archived);
            filter.client = filter.client.take().or(client);
            filter.since = filter.since.or(since);
            filter.until = filter.until.or(until);
            filter.folder = filter.folder.take().or(folder);
            if let (None, Some(project)) = (&filter.project, project) {
                filter.project = Some(self.project_meant(project).await?);
            }
        }
        self.settle(&mut params.filter).await?;
        self.search(params).await
    }

    async fn settle(&self, filter: &mut SearchFilter) -> Result<()> {
        if let Some(folder) = filter.folder.take() {
            filter.folder = Some(self.folder_meant(folder).await?);
        }
        Ok(())
    }

    /// A filter of conversations with the prefixes of its query taken in; words are left in `query`, or none.
    pub(super) async fn narrowed(&self, filter: ConversationFilter) -> Result<ConversationFilter> {
        let Typed { words, mut tags, folder, pinned, archived, project, client, since, until } =
            Typed::of(filter.query.as_deref().unwrap_or_default());
        check::query_size(&words)?;
        let project = match (filter.project, project) {
            (Some(project), _) => Some(project),
            (None, Some(project)) => Some(self.project_meant(project).await?),
            (None, None) => None,
        };
        let folder = match filter.folder.or(folder) {
            Some(folder) => Some(self.folder_meant(folder).await?),
            None => None,
        };
        tags.extend(filter.tags);
        Ok(ConversationFilter {
            query: Some(words).filter(|words| !words.trim().is_empty()),
            project,
            client: filter.client.or(client),
            folder,
            tags,
            pinned: filter.pinned.or(pinned),
            archived: filter.archived.or(archived),
            since: filter.since.or(since),
            until: filter.until.or(until),
        })
    }

    /// The folder that somebody means: by its whole path, or else by its last names in any case.
    async fn folder_meant(&self, typed: String) -> Result<String> {
        let wanted = typed.trim_matches('/').to_owned();
        Ok(meant(&wanted, self.store().folder_paths().await?).unwrap_or(wanted))
    }

    /// The project that somebody means: by its whole name, or else by the last part of its path.
    async fn project_meant(&self, typed: String) -> Result<String> {
        Ok(meant(&typed, self.store().project_names().await?).unwrap_or(typed))
    }
}

/// The path that is written like this, or else the first that ends in it.
fn meant(wanted: &str, paths: Vec<String>) -> Option<String> {
    if paths.iter().any(|path| path == wanted) {
        return None;
    }
    let wanted = wanted.to_lowercase();
    let ending = format!("/{wanted}");
    let folded = |path: &String| path.trim_end_matches('/').to_lowercase();
    let whole = paths.iter().find(|path| folded(path) == wanted);
    whole.or_else(|| paths.iter().find(|path| folded(path).ends_with(&ending))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_not_be_written_in_full() {
        let paths = || ["Work", "Work/Clients", "work/old", "/home/ana/Site"].map(str::to_owned).to_vec();
        for (wanted, expected) in [
            ("Work", None),
            ("work", Some("Work")),
            ("clients", Some("Work/Clients")),
            ("site", Some("/home/ana/Site")),
            ("ana/site", Some("/home/ana/Site")),
            ("lients", None),
            ("nowhere", None),
        ] {
            assert_eq!(meant(wanted, paths()).as_deref(), expected, "{wanted}");
        }
    }
}
