//! `data.*`: everything out, and in again.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::methods::{DataExport, DataImport};
use crate::error::Result;
use crate::rpc::register::{stream, write_method};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    write_method::<DataImport, _, _, _>(module, |context, params, caller| async move {
        context.memory.import(params, &actor(&caller)).await
    })?;
    stream::<DataExport, _, _, _>(module, |context, params, _, sink| async move {
        let mut items = context.memory.export(params);
        while let Some(item) = items.recv().await {
            if sink.send(&item).await.is_err() {
                break;
            }
        }
    })
}
