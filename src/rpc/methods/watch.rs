//! `watch.*`.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{WatchAdd, WatchList, WatchRemove};
use crate::error::Result;
use crate::rpc::register::{method, write_method};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<WatchAdd, _, _, _>(module, |context, add, _| async move {
        context.memory.add_watch(add).await
    })?;
    method::<WatchList, _, _, _>(module, |context, _, _| async move { context.memory.watches().await })?;
    write_method::<WatchRemove, _, _, _>(module, |context, remove, caller| async move {
        context.memory.remove_watch(remove, &actor(&caller)).await
    })
}
