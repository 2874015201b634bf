//! `memory.*`, and what the language model makes of a conversation.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{
    ConversationSuggestTags, ConversationSuggestTitle, ConversationSummaries, ConversationSummarize,
    MemoryAccept, MemoryAdd, MemoryApply, MemoryDelete, MemoryGet, MemoryHistory, MemoryList, MemoryMove,
    MemoryPaths, MemoryProposals, MemoryReject, MemoryUpdate,
};
use crate::error::Result;
use crate::rpc::register::{method, write_method};

/// Reads may be dropped when the client goes away, and so may work of the language model, which stops it; writes
/// always run to their end.
pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    memories(module)?;
    tree(module)?;
    proposals(module)?;
    of_conversations(module)
}

fn memories(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<MemoryAdd, _, _, _>(module, |context, add, caller| async move {
        context.memory.add_memory(add, &actor(&caller)).await
    })?;
    method::<MemoryGet, _, _, _>(module, |context, which, _| async move {
        context.memory.memory(which.id).await
    })?;
    method::<MemoryList, _, _, _>(
        module,
        |context, list, _| async move { context.memory.memories(list).await },
    )?;
    write_method::<MemoryUpdate, _, _, _>(module, |context, update, caller| async move {
        context.memory.update_memory(update, &actor(&caller)).await
    })?;
    write_method::<MemoryDelete, _, _, _>(module, |context, which, caller| async move {
        context.memory.delete_memory(which.id, &actor(&caller)).await
    })?;
    write_method::<MemoryApply, _, _, _>(module, |context, apply, caller| async move {
        context.memory.apply(apply, &actor(&caller)).await
    })
}

fn tree(module: &mut RpcModule<Context>) -> Result<()> {
    method::<MemoryHistory, _, _, _>(module, |context, which, _| async move {
        context.memory.memory_history(which.id).await
    })?;
    method::<MemoryPaths, _, _, _>(module, |context, paths, _| async move {
        context.memory.memory_paths(paths).await
    })?;
    write_method::<MemoryMove, _, _, _>(module, |context, moving, caller| async move {
        context.memory.move_memories(moving, &actor(&caller)).await
    })
}

fn proposals(module: &mut RpcModule<Context>) -> Result<()> {
    method::<MemoryProposals, _, _, _>(module, |context, list, _| async move {
        context.memory.proposals(list).await
    })?;
    write_method::<MemoryAccept, _, _, _>(module, |context, accept, caller| async move {
        context.memory.accept(accept, &actor(&caller)).await
    })?;
    write_method::<MemoryReject, _, _, _>(module, |context, reject, _| async move {
        context.memory.reject(reject).await
    })
}

fn of_conversations(module: &mut RpcModule<Context>) -> Result<()> {
    method::<ConversationSuggestTitle, _, _, _>(module, |context, suggest, _| async move {
        context.memory.suggest_title(suggest).await
    })?;
    method::<ConversationSuggestTags, _, _, _>(module, |context, suggest, _| async move {
        context.memory.suggest_tags(suggest).await
    })?;
    method::<ConversationSummarize, _, _, _>(module, |context, summarize, _| async move {
        context.memory.summarize(summarize).await
    })?;
    method::<ConversationSummaries, _, _, _>(module, |context, which, _| async move {
        context.memory.summaries(which.id).await
    })
}
