//! `conversation.*`, `message.*` and `search.query`.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{
    ConversationCreate, ConversationDelete, ConversationGet, ConversationList, ConversationUpdate,
    MessageAppend, MessageDelete, MessageEdit, MessageGet, MessageList, MessageUpdate, SearchQuery,
};
use crate::error::Result;
use crate::rpc::register::{method, write_method};

/// Reads may be dropped when the client goes away; writes always run to their end.
pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    conversations(module)?;
    messages(module)?;
    method::<SearchQuery, _, _, _>(
        module,
        |context, params, _| async move { context.memory.query(params).await },
    )
}

fn conversations(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<ConversationCreate, _, _, _>(module, |context, new, caller| async move {
        context.memory.create_conversation(new, &actor(&caller)).await
    })?;
    method::<ConversationGet, _, _, _>(module, |context, which, _| async move {
        context.memory.conversation(which.id).await
    })?;
    method::<ConversationList, _, _, _>(module, |context, list, _| async move {
        context.memory.conversations(list).await
    })?;
    write_method::<ConversationUpdate, _, _, _>(module, |context, update, caller| async move {
        context.memory.update_conversation(update, &actor(&caller)).await
    })?;
    write_method::<ConversationDelete, _, _, _>(module, |context, which, caller| async move {
        context.memory.delete_conversation(which.id, &actor(&caller)).await
    })
}

fn messages(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<MessageAppend, _, _, _>(module, |context, append, caller| async move {
        context.memory.append(append, &actor(&caller)).await
    })?;
    method::<MessageGet, _, _, _>(module, |context, which, _| async move {
        context.memory.message(which.id).await
    })?;
    method::<MessageList, _, _, _>(
        module,
        |context, list, _| async move { context.memory.messages(list).await },
    )?;
    write_method::<MessageEdit, _, _, _>(module, |context, edit, caller| async move {
        context.memory.edit_message(edit, &actor(&caller)).await
    })?;
    write_method::<MessageUpdate, _, _, _>(module, |context, update, caller| async move {
        context.memory.update_message(update, &actor(&caller)).await
    })?;
    write_method::<MessageDelete, _, _, _>(module, |context, which, caller| async move {
        context.memory.delete_message(which.id, &actor(&caller)).await
    })
}
