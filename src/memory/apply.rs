//! Many changes of memories at once, all or none; and what becomes of proposals.

use super::memories::too_many;
use super::{Actor, Memory, chunk};
use crate::api::event::Action;
use crate::api::limits::MAX_OPERATIONS;
use crate::api::memory::{
    MemoryAdd, MemoryApplied, MemoryApply, MemoryOperation, MemoryUpdate, OperationResult, ProposalAccept,
    ProposalList, ProposalReject, ProposalRejected, Proposals,
};
use crate::api::{Patch, Stored};
use crate::error::{Error, Kind, Result};
use crate::model::{self, MemoryId, Timestamp};
use crate::secrets::SecretPlace;
use crate::store::{Accepted, MemoryStep, StepResult};

impl Memory {
    /// Does all operations in one transaction, or none of them.
    pub async fn apply(&self, apply: MemoryApply, actor: &Actor) -> Result<MemoryApplied> {
        let MemoryApply { operations } = apply;
        if operations.len() > MAX_OPERATIONS {
            return Err(too_many("operations", operations.len(), MAX_OPERATIONS));
        }
        let n = operations.len();
        let mut steps = Vec::with_capacity(n);
        let mut found = Vec::with_capacity(n);
        for operation in operations {
            match self.step(operation).await {
                Ok((step, secrets)) => {
                    steps.push(step);
                    found.push(secrets);
                }
                Err(error) => return Ok(not_applied(steps.len(), n, &error)),
            }
        }
        let removed: Vec<Option<MemoryId>> = steps
            .iter()
            .map(|step| match step {
                MemoryStep::Remove(id) => Some(*id),
                MemoryStep::Add(_) | MemoryStep::Change(..) => None,
            })
            .collect();
        let ran = self.store().apply(steps, actor.client.clone()).await?;
        if let Some((at, error)) =
            ran.iter().enumerate().find_map(|(at, one)| Some((at, one.as_ref().err()?)))
        {
            return Ok(not_applied(at, n, error));
        }
        let mut results = Vec::with_capacity(n);
        for ((result, secrets), removed) in ran.into_iter().flatten().zip(found).zip(removed) {
            results.push(match result {
                StepResult::Done(memory) => {
                    self.0.events.memory(actor, Action::MemoryUpdated, memory.id);
                    OperationResult::Done { memory, secrets }
                }
                StepResult::Removed => {
                    if let Some(id) = removed {
                        self.0.events.memory(actor, Action::MemoryDeleted, id);
                    }
                    OperationResult::Removed
                }
                StepResult::Gone => OperationResult::Gone,
            });
        }
        self.wake();
        Ok(MemoryApplied { applied: true, results })
    }

    async fn step(&self, operation: MemoryOperation) -> Result<(MemoryStep, Vec<SecretPlace>)> {
        let update = match operation {
            MemoryOperation::Add(add) => {
                let (new, secrets) = self.checked(add)?;
                return Ok((MemoryStep::Add(Box::new(new)), secrets));
            }
            MemoryOperation::Remove { id } => return Ok((MemoryStep::Remove(id), Vec::new())),
            MemoryOperation::Replace { id, content } => {
                MemoryUpdate { content: Some(content), ..MemoryUpdate::of(id) }
            }
            MemoryOperation::Move { id, to } => {
                MemoryUpdate { path: to.map_or(Patch::Clear, Patch::Set), ..MemoryUpdate::of(id) }
            }
        };
        // whether it exists is only known when its turn comes: an operation before it may store it
        let id = update.id;
        let (update, secrets) = match self.checked_update(update).await {
            Err(error) if error.kind() == Kind::NotFound => {
                return Err(error.while_doing(format_args!("look up the project of {id}")));
            }
            checked => checked?,
        };
        let chunks = update.content.as_deref().map(chunk::chunk);
        Ok((MemoryStep::Change(Box::new(update), chunks), secrets))
    }

    /// What the language model proposes, and what that costs.
    pub async fn proposals(&self, list: ProposalList) -> Result<Proposals> {
        let settings = self.config().memory.extract.clone();
        let page = self.store().proposals(list).await?;
        Ok(Proposals {
            items: page.items,
            next_cursor: page.next_cursor,
            enabled: settings.enabled,
            tokens_today: self.store().spent(Timestamp::now()).await?,
            tokens_per_day: settings.tokens_per_day,
        })
    }

    /// Stores what was proposed.
    pub async fn accept(&self, accept: ProposalAccept, actor: &Actor) -> Result<Stored<model::Memory>> {
        let ProposalAccept { id, content, kind, path, project, replace } = accept;
        if let Some(accepted) = self.store().accepted(id).await? {
            return Ok(Stored { record: memory_of(accepted)?, secrets: Vec::new() });
        }
        let proposal = self.store().proposal(id).await?;
        let (mut new, secrets) = self.checked(MemoryAdd {
            content: content.unwrap_or(proposal.content),
            kind: Some(kind.unwrap_or(proposal.kind)),
            path: path.apply(proposal.path),
            project: project.apply(proposal.project),
            source_message_id: Some(proposal.source_message_id),
            ..MemoryAdd::default()
        })?;
        if replace {
            new.replaces = Some(proposal.similar_to.ok_or_else(|| {
                Error::invalid(format!("the proposal {id} is similar to no memory that it could replace"))
                    .hint("leave `replace` away")
            })?);
        }
        let accepted = self.store().accept(id, new, actor.client.clone()).await?;
        if let Accepted::Memory(created) = &accepted
            && created.fresh
        {
            self.0.events.memory(actor, Action::MemoryAdded, created.record.id);
            self.wake();
        }
        Ok(Stored { record: memory_of(accepted)?, secrets })
    }

    /// Turns a proposal down.
    pub async fn reject(&self, reject: ProposalReject) -> Result<ProposalRejected> {
        Ok(ProposalRejected { rejected: self.store().reject(reject.id).await? })
    }
}

fn memory_of(accepted: Accepted) -> Result<model::Memory> {
    match accepted {
        Accepted::Memory(created) => Ok(created.record),
        Accepted::Deleted(id) => {
            Err(Error::not_found(format_args!("the memory {id}, which the proposal became")))
        }
    }
}

/// Nothing was done, for the operation at `at` of `n` cannot be.
fn not_applied(at: usize, n: usize, error: &Error) -> MemoryApplied {
    let failed = OperationResult::Failed {
        kind: error.kind().name().into(),
        message: error.full_text(),
        hint: error.hint_text().map(str::to_owned),
    };
    let undone = std::iter::repeat_n(OperationResult::Undone, at);
    let skipped = std::iter::repeat_n(OperationResult::Skipped, n.saturating_sub(at + 1));
    MemoryApplied { applied: false, results: undone.chain([failed]).chain(skipped).collect() }
}
