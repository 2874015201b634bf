//! Memories that the language model proposes, until the person decides.

use rusqlite::{Connection, OptionalExtension, params};

use super::memories::{add, find};
use super::page::{Filling, begin, json_bytes, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::records::{Created, NewMemory};
use super::rows::{time, uid};
use super::{Store, append, chunks, names};
use crate::api::Page;
use crate::api::memory::ProposalList;
use crate::error::{Error, Kind, Result};
use crate::model::{ClientRef, Memory, MemoryId, MessageId, Proposal, ProposalId};

/// A memory to propose.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProposal {
    /// What is proposed.
    pub proposal: Proposal,
    /// Stands for its words: what has the digest of a decided proposal is not proposed again.
    pub digest: Vec<u8>,
}

/// What became of a proposal that is accepted.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// This call made it a memory, or a call before it did.
    Memory(Box<Created<Memory>>),
    /// It became a memory that is deleted since.
    Deleted(MemoryId),
}

const WAITING: i64 = 0;
const ACCEPTED: i64 = 1;
const REJECTED: i64 = 2;

impl Store {
    /// Stores proposals, but for those whose words were proposed before or whose source is gone; answers how many
    /// are new.
    pub async fn propose(&self, proposals: Vec<NewProposal>) -> Result<usize> {
        self.write(move |db| {
            let mut n = 0;
            for NewProposal { proposal, digest } in proposals {
                let known = db
                    .prepare_cached("SELECT 1 FROM memory_proposal WHERE digest = ?1")?
                    .exists([&digest])?;
                let source = append::find(db, proposal.source_message_id)?;
                let (false, Some((source, _))) = (known, source) else { continue };
                db.prepare_cached(
                    "INSERT INTO memory_proposal(uid, source_message_id, project_id, kind, path, similar_to, model,
                       created_at, digest, content) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    proposal.id.as_bytes(),
                    source,
                    names::project(db, proposal.project.as_deref())?,
                    proposal.kind,
                    proposal.path,
                    proposal.similar_to.as_ref().map(|id| id.as_bytes()),
                    proposal.model,
                    proposal.created_at.as_millis(),
                    digest,
                    proposal.content
                ])?;
                n += 1;
            }
            Ok(n)
        })
        .await
    }

    /// What waits for a decision, the oldest first.
    pub async fn proposals(&self, list: ProposalList) -> Result<Page<Proposal>> {
        let ProposalList { limit, cursor } = list;
        let limit = page_rows(limit);
        let (after, _) = begin(cursor.as_ref(), (0, 0))?;
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(LIST)?;
            let mut found = statement.query(params![after, limit as i64 + 1])?;
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let proposal = proposal(row)?;
                let bytes = json_bytes(&proposal.content);
                if !page.push(proposal, (row.get(9)?, 0), bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// A proposal that waits. Errors: no such proposal, or one that was decided.
    pub async fn proposal(&self, id: ProposalId) -> Result<Proposal> {
        self.read(READ_DEADLINE, move |db| {
            let found = db.prepare_cached(ONE)?.query_row([uid(id.as_bytes())], proposal).optional()?;
            found.ok_or_else(|| decided(id))
        })
        .await
    }

    /// Makes a proposal the memory that it is changed to. Errors: no such proposal, or one that was rejected.
    pub async fn accept(
        &self,
        id: ProposalId,
        new: NewMemory,
        client: Option<ClientRef>,
    ) -> Result<Accepted> {
        chunks::check(&new.content, &new.chunks)?;
        self.write(move |db| {
            if let Some(accepted) = accepted_before(db, id)? {
                return Ok(accepted);
            }
            let created = add(db, new, client.as_ref())?;
            let memory = Some(created.record.id);
            match decide(db, id, ACCEPTED, memory)? {
                true => Ok(Accepted::Memory(Box::new(created))),
                false => Err(decided(id)),
            }
        })
        .await
    }

    /// What an accepted proposal became; none where it waits. Errors: no such proposal, or one that was rejected.
    pub async fn accepted(&self, id: ProposalId) -> Result<Option<Accepted>> {
        self.read(READ_DEADLINE, move |db| accepted_before(db, id)).await
    }

    /// Turns a proposal down and forgets its words; false where it was decided already.
    pub async fn reject(&self, id: ProposalId) -> Result<bool> {
        self.write(move |db| {
            state(db, id)?;
            decide(db, id, REJECTED, None)
        })
        .await
    }
}

const LIST: &str = "SELECT r.uid, r.kind, r.content, r.path, p.name, m.uid, r.similar_to, r.model, r.created_at, r.id
   FROM memory_proposal r JOIN message m ON m.id = r.source_message_id LEFT JOIN project p ON p.id = r.project_id
   WHERE r.state = 0 AND r.id > ?1 ORDER BY r.id LIMIT ?2";
const ONE: &str = "SELECT r.uid, r.kind, r.content, r.path, p.name, m.uid, r.similar_to, r.model, r.created_at, r.id
   FROM memory_proposal r JOIN message m ON m.id = r.source_message_id LEFT JOIN project p ON p.id = r.project_id
   WHERE r.state = 0 AND r.uid = ?1";

fn proposal(row: &rusqlite::Row<'_>) -> rusqlite::Result<Proposal> {
    Ok(Proposal {
        id: ProposalId::from_bytes(row.get(0)?),
        kind: row.get(1)?,
        content: row.get(2)?,
        path: row.get(3)?,
        project: row.get(4)?,
        source_message_id: MessageId::from_bytes(row.get(5)?),
        similar_to: row.get::<_, Option<_>>(6)?.map(MemoryId::from_bytes),
        model: row.get(7)?,
        created_at: time(row, 8)?,
    })
}

fn state(db: &Connection, id: ProposalId) -> Result<(i64, Option<[u8; 16]>)> {
    let found = db
        .prepare_cached("SELECT state, memory FROM memory_proposal WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.ok_or_else(|| Error::not_found(format_args!("proposal {id}")))
}

fn accepted_before(db: &Connection, id: ProposalId) -> Result<Option<Accepted>> {
    match state(db, id)? {
        (WAITING, _) => Ok(None),
        (ACCEPTED, Some(memory)) => {
            let memory = MemoryId::from_bytes(memory);
            let found = find(db, memory)?;
            Ok(Some(found.map_or(Accepted::Deleted(memory), |(_, record)| {
                Accepted::Memory(Box::new(Created { record, fresh: false }))
            })))
        }
        _ => Err(decided(id)),
    }
}

/// Decides a proposal that waits; its words are no longer needed.
fn decide(db: &Connection, id: ProposalId, state: i64, memory: Option<MemoryId>) -> Result<bool> {
    let n = db
        .prepare_cached(
            "UPDATE memory_proposal SET state = ?2, memory = ?3, content = '' WHERE uid = ?1 AND state = 0",
        )?
        .execute(params![id.as_bytes(), state, memory.as_ref().map(|id| id.as_bytes())])?;
    Ok(n > 0)
}

fn decided(id: ProposalId) -> Error {
    Error::new(Kind::NotFound, format!("the proposal {id} does not wait for a decision"))
        .hint("memory.proposals lists those that do")
}
