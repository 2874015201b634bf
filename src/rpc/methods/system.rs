//! `system.*`, `rpc.discover`, `model.list`, `job.*` and `index.*`.

use jsonrpsee::RpcModule;

use super::Context;
use crate::api::limits::{Limits, MAX_NAME_BYTES};
use crate::api::methods::{
    IndexRebuild, IndexStatus, JobList, JobRetry, ModelList, RpcDiscover, SystemInitialize, SystemStatus,
};
use crate::api::system::{InitializeParams, InitializeResult, OpenRpcDocument};
use crate::api::{PROTOCOL_VERSION, methods, openrpc};
use crate::error::{Error, Kind, Result};
use crate::model::ClientRef;
use crate::rpc::Caller;
use crate::rpc::register::{method, write_method};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    method::<SystemInitialize, _, _, _>(
        module,
        |_, params, caller| async move { initialize(params, &caller) },
    )?;
    method::<SystemStatus, _, _, _>(module, |context, _, _| async move {
        context.memory.status(&context.socket, (context.connections)()).await
    })?;
    method::<RpcDiscover, _, _, _>(
        module,
        |_, _, _| async move { Ok(OpenRpcDocument(openrpc::document())) },
    )?;
    method::<ModelList, _, _, _>(module, |context, _, _| async move { context.memory.models().await })?;
    method::<JobList, _, _, _>(module, |context, list, _| async move { context.memory.jobs(list).await })?;
    write_method::<JobRetry, _, _, _>(module, |context, retry, _| async move {
        context.memory.retry_jobs(retry).await
    })?;
    method::<IndexStatus, _, _, _>(
        module,
        |context, _, _| async move { context.memory.index_status().await },
    )?;
    write_method::<IndexRebuild, _, _, _>(module, |context, _, _| async move {
        context.memory.rebuild_index().await
    })
}

fn initialize(params: InitializeParams, caller: &Caller) -> Result<InitializeResult> {
    let InitializeParams { client_info, protocol_version } = params;
    if let Some(version) = protocol_version.filter(|version| version != PROTOCOL_VERSION) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("the client speaks protocol version '{version}', this daemon '{PROTOCOL_VERSION}'"),
        )
        .hint("bring client and daemon to versions that fit"));
    }
    if let Some(client) = client_info {
        if client.name.trim().is_empty() || client.name.len() + client.version.len() > MAX_NAME_BYTES {
            return Err(Error::invalid("`clientInfo.name` is blank or too long")
                .hint("give the tool's name, such as \"vscode\""));
        }
        caller.introduce(client);
    }
    Ok(InitializeResult {
        server_info: ClientRef { name: "nosso".into(), version: env!("CARGO_PKG_VERSION").into() },
        protocol_version: PROTOCOL_VERSION.into(),
        methods: methods::ALL.iter().map(|method| method.name.to_owned()).collect(),
        limits: Limits::default(),
    })
}
