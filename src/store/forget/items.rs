//! The rows that a request names, one after the other.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Plan, Stage, quotations};
use crate::api::forget::ForgetReceipt;
use crate::error::Result;
use crate::model::{ConversationId, Message, MessageId};
use crate::store::rows::{to_json, uid};
use crate::store::trash::{self, remove_message};
use crate::store::writer::SLICE;
use crate::store::{append, conversations, fault, memories};

/// Rows that one look for a client's messages passes.
const SCAN: i64 = 500;

/// Works for a few milliseconds; true: all rows are gone.
pub(super) fn step(
    db: &Connection,
    erasure: i64,
    plan: &mut Plan,
    receipt: &mut ForgetReceipt,
) -> Result<bool> {
    let begun = Instant::now();
    let mut eraser = Eraser { db, erasure, shrunk: None, trash: 0, copies: Vec::new() };
    let mut is_done = false;
    while begun.elapsed() < SLICE && !is_done {
        match plan.stage {
            Stage::Items => {
                if !eraser.next_item(plan)? {
                    plan.go_on(Stage::OfClient);
                }
            }
            Stage::OfClient => {
                if !eraser.next_of_client(plan)? {
                    plan.go_on(Stage::Quotations);
                }
            }
            Stage::Quotations => {
                if !quotations::in_messages(db, erasure, &mut plan.after, receipt)? {
                    plan.go_on(Stage::TrashedQuotations);
                }
            }
            Stage::TrashedQuotations => {
                quotations::in_trash(db, erasure, receipt)?;
                plan.go_on(Stage::Names);
            }
            Stage::Names => {
                quotations::references(db, erasure, receipt)?;
                names(db, plan)?;
                is_done = true;
            }
        }
    }
    eraser.settle()?;
    receipt.removed.trash += eraser.trash;
    receipt.copies_kept.extend(eraser.copies);
    // what was to go as well has gone by now, or goes later
    receipt.copies_kept.sort();
    receipt.copies_kept.dedup();
    if is_done {
        let is_there = |id: &ConversationId| conversations::number(db, *id).map(|found| found.is_some());
        let kept =
            receipt.copies_kept.iter().map(|id| Ok((*id, is_there(id)?))).collect::<Result<Vec<_>>>()?;
        receipt.copies_kept = kept.into_iter().filter(|(_, is_there)| *is_there).map(|(id, _)| id).collect();
    }
    Ok(is_done)
}

impl Plan {
    fn go_on(&mut self, stage: Stage) {
        self.stage = stage;
        self.after = 0;
    }
}

struct Eraser<'a> {
    db: &'a Connection,
    erasure: i64,
    /// A conversation that lost messages in this step and may stay until the next one, and how many.
    shrunk: Option<(i64, i64)>,
    /// Records that went out of the trash.
    trash: u64,
    /// Copies of conversations that went, or that lost messages.
    copies: Vec<ConversationId>,
}

impl Eraser<'_> {
    /// Removes one thing; false: nothing that the target names is left.
    fn next_item(&mut self, plan: &mut Plan) -> Result<bool> {
        let target = &mut plan.target;
        while let Some(id) = target.conversation_ids.last() {
            if self.part_of_conversation(*id.as_bytes())? {
                return Ok(true);
            }
            target.conversation_ids.pop();
        }
        while let Some(id) = target.message_ids.last() {
            if self.message(*id.as_bytes())? {
                return Ok(true);
            }
            target.message_ids.pop();
        }
        while let Some(id) = target.memory_ids.last() {
            if self.memory(*id.as_bytes())? {
                return Ok(true);
            }
            target.memory_ids.pop();
        }
        if let Some(project) = &target.project {
            let conversation = "SELECT c.uid FROM conversation c JOIN project p ON p.id = c.project_id WHERE p.name = ?1 LIMIT 1";
            if let Some(id) = self.id(conversation, project)? {
                return self.part_of_conversation(id);
            }
            let memory =
                "SELECT m.uid FROM memory m JOIN project p ON p.id = m.project_id WHERE p.name = ?1 LIMIT 1";
            if let Some(id) = self.id(memory, project)? {
                return self.memory(id);
            }
            if self.part_of_entry("SELECT id FROM trash WHERE project = ?1 LIMIT 1", project)? {
                return Ok(true);
            }
        }
        if let Some(time) = target.trash_before
            && self.part_of_entry("SELECT id FROM trash WHERE deleted_at < ?1 LIMIT 1", time.as_millis())?
        {
            return Ok(true);
        }
        Ok(false)
    }

    /// Removes something that a client stored; false: nothing is left.
    fn next_of_client(&mut self, plan: &mut Plan) -> Result<bool> {
        let Some(client) = plan.target.client.clone() else { return Ok(false) };
        let memory =
            "SELECT m.uid FROM memory m JOIN client k ON k.id = m.client_id WHERE k.name = ?1 LIMIT 1";
        if let Some(id) = self.id(memory, &client)? {
            return self.memory(id);
        }
        // no index leads from a client to its messages: they are looked for number by number
        let (next, last): (Option<i64>, Option<i64>) = self
            .db
            .prepare_cached(
                "SELECT (SELECT m.id FROM message m WHERE m.id > ?1 AND m.id <= ?1 + ?2
                           AND m.client_id IN (SELECT id FROM client WHERE name = ?3) LIMIT 1),
                        (SELECT max(id) FROM message)",
            )?
            .query_row(params![plan.after, SCAN, client], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let Some(number) = next {
            let id: [u8; 16] = self
                .db
                .prepare_cached("SELECT uid FROM message WHERE id = ?1")?
                .query_row([number], |row| row.get(0))?;
            plan.after = number - 1;
            return self.message(id);
        }
        if last.is_some_and(|last| plan.after < last) {
            plan.after += SCAN;
            return Ok(true);
        }
        let empty = "SELECT c.uid FROM conversation c JOIN client k ON k.id = c.client_id
                     WHERE k.name = ?1 AND c.message_count = 0 LIMIT 1";
        if let Some(id) = self.id(empty, &client)? {
            return self.part_of_conversation(id);
        }
        // as an export of serde writes it; inside a text the quotation marks would be escaped
        let mark = format!("\"client\":{{\"name\":{}", to_json(Some(&client))?.unwrap_or_default());
        let entry = "SELECT trash_id FROM trash_record WHERE instr(record, ?1) > 0 LIMIT 1";
        if self.part_of_entry(entry, mark)? {
            return Ok(true);
        }
        // what others said in conversations that it began stays, but not what it called them
        self.db
            .prepare_cached(
                "UPDATE conversation SET title = NULL, metadata = NULL, client_id = NULL
                 WHERE client_id IN (SELECT id FROM client WHERE name = ?1)",
            )?
            .execute([client])?;
        Ok(false)
    }

    fn id(&self, sql: &str, value: &str) -> Result<Option<[u8; 16]>> {
        Ok(self.db.prepare_cached(sql)?.query_row([value], |row| row.get(0)).optional()?)
    }

    /// Removes one message of a conversation, or the empty conversation, or what of it lies in the trash.
    fn part_of_conversation(&mut self, id: [u8; 16]) -> Result<bool> {
        let Some(conversation) = conversations::number(self.db, ConversationId::from_bytes(id))? else {
            let entry = "SELECT id FROM trash WHERE item = ?1 OR conversation = ?1 LIMIT 1";
            return self.part_of_entry(entry, uid(&id));
        };
        let leaf: Option<(i64, [u8; 16])> = self
            .db
            .prepare_cached(LAST_LEAF)?
            .query_row([conversation], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((number, message)) = leaf else {
            self.note(&id)?;
            self.note_copies(&id)?;
            self.db.prepare_cached("DELETE FROM conversation WHERE id = ?1")?.execute([conversation])?;
            self.shrunk = None;
            return Ok(true);
        };
        self.note(&message)?;
        self.db.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([number])?;
        match &mut self.shrunk {
            Some((shrunk, messages)) if *shrunk == conversation => *messages += 1,
            _ => {
                self.settle()?;
                self.shrunk = Some((conversation, 1));
            }
        }
        Ok(true)
    }

    /// Removes a message wherever it is; false: nowhere.
    fn message(&mut self, id: [u8; 16]) -> Result<bool> {
        if let Some((number, message)) = append::find(self.db, MessageId::from_bytes(id))? {
            self.note(&id)?;
            self.note_copies(message.conversation_id.as_bytes())?;
            self.settle()?;
            remove_message(self.db, number)?;
            return Ok(true);
        }
        if self.part_of_entry("SELECT id FROM trash WHERE item = ?1 LIMIT 1", uid(&id))? {
            return Ok(true);
        }
        self.blank_in_trash(id)
    }

    fn memory(&mut self, id: [u8; 16]) -> Result<bool> {
        if let Some(number) = memories::number(self.db, crate::model::MemoryId::from_bytes(id))? {
            self.note(&id)?;
            // what it replaced goes with it, by a trigger, and may have been quoted too
            self.db
                .prepare_cached(
                    "INSERT OR IGNORE INTO erased_item(erasure_id, uid)
                     SELECT ?1, uid FROM memory WHERE superseded_by = ?2",
                )?
                .execute(params![self.erasure, id])?;
            self.db.prepare_cached("DELETE FROM memory WHERE id = ?1")?.execute([number])?;
            return Ok(true);
        }
        if self.part_of_entry("SELECT id FROM trash WHERE item = ?1 LIMIT 1", uid(&id))? {
            return Ok(true);
        }
        // a former version in the trash
        let n = self
            .db
            .prepare_cached(
                "DELETE FROM trash_record WHERE uid = ?1 AND place > 0
                   AND trash_id IN (SELECT id FROM trash WHERE kind = 2)",
            )?
            .execute([uid(&id)])?;
        if n > 0 {
            self.trash += n as u64;
            self.note(&id)?;
        }
        Ok(n > 0)
    }

    /// A message of a conversation in the trash goes, and its place in the tree stays for those that answered it.
    fn blank_in_trash(&mut self, id: [u8; 16]) -> Result<bool> {
        let found: Option<(i64, String)> = self
            .db
            .prepare_cached(
                "SELECT rowid, record FROM trash_record WHERE uid = ?1 AND record ->> 'content' <> '' LIMIT 1",
            )?
            .query_row([uid(&id)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((row, text)) = found else { return Ok(false) };
        let message: Message = serde_json::from_str(&text)
            .map_err(|error| fault::damaged("a broken record in the trash").caused_by(error))?;
        let blank =
            Message { content: String::new(), author: None, sources: Vec::new(), metadata: None, ..message };
        self.db
            .prepare_cached("UPDATE trash_record SET record = ?2 WHERE rowid = ?1")?
            .execute(params![row, to_json(Some(&blank))?])?;
        self.note(&id)?;
        self.trash += 1;
        Ok(true)
    }

    /// Removes one record of the entry that `sql` finds, or the empty entry; false: it finds none.
    fn part_of_entry(&mut self, sql: &str, value: impl rusqlite::ToSql) -> Result<bool> {
        let entry: Option<i64> =
            self.db.prepare_cached(sql)?.query_row([value], |row| row.get(0)).optional()?;
        let Some(entry) = entry else { return Ok(false) };
        let id: Option<[u8; 16]> = self
            .db
            .prepare_cached(
                "DELETE FROM trash_record WHERE rowid =
                   (SELECT rowid FROM trash_record WHERE trash_id = ?1 ORDER BY place DESC LIMIT 1) RETURNING uid",
            )?
            .query_row([entry], |row| row.get(0))
            .optional()?;
        match id {
            Some(id) => {
                self.trash += 1;
                self.note(&id)?;
            }
            None => trash::remove_entry(self.db, entry)?,
        }
        Ok(true)
    }

    /// A copy holds the same words under ids of its own.
    fn note_copies(&mut self, id: &[u8; 16]) -> Result<()> {
        let mut statement = self.db.prepare_cached(COPIES)?;
        let copies = statement.query_map([id], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?;
        self.copies.extend(copies.collect::<rusqlite::Result<Vec<_>>>()?);
        Ok(())
    }

    /// Remembers the id, until everything that quotes it has been found.
    fn note(&self, id: &[u8; 16]) -> Result<()> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO erased_item(erasure_id, uid) VALUES(?1, ?2)")?
            .execute(params![self.erasure, id])?;
        Ok(())
    }

    /// Brings the count and the head of the conversation in line that lost messages.
    fn settle(&mut self) -> Result<()> {
        match self.shrunk.take() {
            Some((conversation, messages)) => trash::shrink(self.db, conversation, messages),
            None => Ok(()),
        }
    }
}

/// Like [`trash::LAST_LEAF`], without its text.
pub(in crate::store) const LAST_LEAF: &str = "SELECT m.id, m.uid FROM message m WHERE m.conversation_id = ?1
   AND NOT EXISTS (SELECT 1 FROM message a WHERE a.parent_id = m.id) ORDER BY m.seq DESC LIMIT 1";

pub(in crate::store) const COPIES: &str = "SELECT uid FROM conversation INDEXED BY conversation_copied
   WHERE copied_conversation = ?1 AND copied_conversation IS NOT NULL";

/// A project's name goes with it, unless something new uses it by now.
fn names(db: &Connection, plan: &Plan) -> Result<()> {
    if let Some(project) = &plan.target.project {
        db.prepare_cached(
            "DELETE FROM project WHERE name = ?1
               AND NOT EXISTS (SELECT 1 FROM conversation WHERE project_id = project.id)
               AND NOT EXISTS (SELECT 1 FROM memory WHERE project_id = project.id)",
        )?
        .execute([project])?;
    }
    Ok(())
}
