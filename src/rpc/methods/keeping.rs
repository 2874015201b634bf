//! `trash.*`, `forget.*` and `backup.*`: what is deleted, what is gone, and what is kept.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{
    BackupCreate, BackupList, BackupRestore, ForgetRun, ForgetStatus, TrashList, TrashRestore,
};
use crate::error::Result;
use crate::rpc::register::{method, write_method};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    method::<TrashList, _, _, _>(module, |context, list, _| async move { context.memory.trash(list).await })?;
    write_method::<TrashRestore, _, _, _>(module, |context, which, caller| async move {
        context.memory.restore_from_trash(which, &actor(&caller)).await
    })?;
    write_method::<ForgetRun, _, _, _>(module, |context, params, caller| async move {
        context.memory.forget(params, &actor(&caller)).await
    })?;
    method::<ForgetStatus, _, _, _>(module, |context, which, _| async move {
        context.memory.forget_status(which).await
    })?;
    write_method::<BackupCreate, _, _, _>(module, |context, create, _| async move {
        context.memory.back_up(create).await
    })?;
    method::<BackupList, _, _, _>(module, |context, _, _| async move { context.memory.backups().await })?;
    write_method::<BackupRestore, _, _, _>(module, |context, restore, caller| async move {
        context.memory.restore_backup(restore, &actor(&caller)).await
    })
}
