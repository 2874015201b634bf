//! The round trip of a trivial call, against an echo of the same bytes: both in this process, all on one processor.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jsonrpsee::RpcModule;
use nosso::api::Method;
use nosso::rpc::{self, register};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{median, quantile};
use crate::support::raw::{Raw, request};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, pin_to_one_core, scratch};

/// Rounds, in each of which every way has its turn, so that a busy moment meets them all.
const ROUNDS: usize = 40;
const CALLS: usize = 250;

/// The least that a method can do.
struct Nothing;

impl Method for Nothing {
    const NAME: &'static str = "bench.nothing";
    type Params = nosso::api::system::Empty;
    type Output = u32;
}

pub fn run(table: &mut Table) -> Outcome {
    // on a thread of its own: what is pinned stays pinned
    let (echo, line, get) = std::thread::spawn(|| measure().map_err(|error| error.to_string()))
        .join()
        .map_err(|_| "the measuring thread panicked")??;
    let ratio =
        |times: &[f64]| median(&times.iter().zip(&echo).map(|(time, echo)| time / echo).collect::<Vec<_>>());
    let by = |times: &[f64]| format!("{:.1} µs, echo {:.1} µs", median(times), median(&echo));
    table.row("trivial call / raw echo", ratio(&line), "", Target::AtMost(1.7), &by(&line));
    table.row("conversation.get of the daemon / raw echo", ratio(&get), "", Target::None, &by(&get));
    Ok(())
}

type Times = Vec<f64>;

/// The median times of the rounds, in microseconds.
fn measure() -> Outcome<(Times, Times, Times)> {
    pin_to_one_core()?;
    let folder = scratch()?;
    // one thread that serves, as a daemon on one processor has it
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (echo, line) = (folder.path().join("echo"), folder.path().join("line"));
    let stop = CancellationToken::new();
    let server = runtime.block_on(async { serve(&echo, &line, stop) })?;
    let mut daemon = Daemon::start(&folder.path().join("home"), &Embedding::Off)?;

    let (mut echo, mut line, mut real) = (Raw::connect(&echo)?, Raw::connect(&line)?, daemon.client()?);
    let made = real.call("conversation.create", json!({"title": "round trips"}))?;
    let nothing = request(Nothing::NAME, json!({}));
    let get = request("conversation.get", json!({"id": made["id"]}));
    let mut times = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(block(&mut echo, &nothing)?);
        times.1.push(block(&mut line, &nothing)?);
        times.2.push(block(&mut real, &get)?);
    }
    runtime.block_on(server.stopped(std::time::Duration::from_secs(1)));
    runtime.shutdown_background();
    Ok(times)
}

/// Both servers, on tasks of the runtime.
fn serve(echo: &Path, line: &Path, stop: CancellationToken) -> Outcome<rpc::Server> {
    let listener = UnixListener::bind(echo)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut reader = BufReader::new(reader);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
                    if writer.write_all(&line).await.is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    let mut module = RpcModule::new(());
    register::method::<Nothing, _, _, _>(&mut module, |_, _, _| async move { Ok(0) })?;
    Ok(rpc::Server::start(UnixListener::bind(line)?, module, Arc::new(|_| Box::pin(async { None })), stop))
}

fn block(client: &mut Raw, request: &[u8]) -> Outcome<f64> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        client.exchange(request)?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(quantile(&times, 0.5))
}
