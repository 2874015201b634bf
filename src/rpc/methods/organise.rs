//! Conversations put in order, copied, shared and counted: the rest of `conversation.*`, `folder.*`, `tag.*` and
//! `stats.*`.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{
    ConversationClone, ConversationDeleteMatching, ConversationFork, ConversationOrganise,
    ConversationSearch, ConversationSetHead, ConversationShare, FolderCreate, FolderDelete, FolderList,
    FolderMove, StatsUsage, TagDelete, TagList,
};
use crate::error::Result;
use crate::rpc::register::{method, stream, write_method};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    conversations(module)?;
    folders_and_tags(module)?;
    method::<StatsUsage, _, _, _>(
        module,
        |context, params, _| async move { context.memory.usage(params).await },
    )
}

fn conversations(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<ConversationSetHead, _, _, _>(module, |context, head, caller| async move {
        context.memory.set_head(head, &actor(&caller)).await
    })?;
    write_method::<ConversationFork, _, _, _>(module, |context, fork, caller| async move {
        context.memory.fork(fork, &actor(&caller)).await
    })?;
    write_method::<ConversationClone, _, _, _>(module, |context, clone, caller| async move {
        context.memory.clone_conversation(clone, &actor(&caller)).await
    })?;
    method::<ConversationSearch, _, _, _>(module, |context, search, _| async move {
        context.memory.find_conversations(search).await
    })?;
    write_method::<ConversationOrganise, _, _, _>(module, |context, organise, caller| async move {
        context.memory.organise(organise, &actor(&caller)).await
    })?;
    write_method::<ConversationDeleteMatching, _, _, _>(module, |context, delete, caller| async move {
        context.memory.delete_matching(delete, &actor(&caller)).await
    })?;
    stream::<ConversationShare, _, _, _>(module, |context, share, _, sink| async move {
        let mut items = context.memory.share(share);
        while let Some(item) = items.recv().await {
            if sink.send(&item).await.is_err() {
                break;
            }
        }
    })
}

fn folders_and_tags(module: &mut RpcModule<Context>) -> Result<()> {
    method::<FolderList, _, _, _>(
        module,
        |context, list, _| async move { context.memory.folders(list).await },
    )?;
    write_method::<FolderCreate, _, _, _>(module, |context, folder, caller| async move {
        context.memory.create_folder(folder, &actor(&caller)).await
    })?;
    write_method::<FolderMove, _, _, _>(module, |context, folder, caller| async move {
        context.memory.move_folder(folder, &actor(&caller)).await
    })?;
    write_method::<FolderDelete, _, _, _>(module, |context, folder, caller| async move {
        context.memory.delete_folder(folder, &actor(&caller)).await
    })?;
    method::<TagList, _, _, _>(module, |context, list, _| async move { context.memory.tags(list).await })?;
    write_method::<TagDelete, _, _, _>(module, |context, tag, caller| async move {
        context.memory.delete_tag(tag, &actor(&caller)).await
    })
}
