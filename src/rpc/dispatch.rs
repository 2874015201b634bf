//! A message becomes calls, the calls become an answer: the one path of all framings.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use jsonrpsee::core::traits::IdProvider;
use jsonrpsee::types::{ErrorObjectOwned, Id, Params};
use jsonrpsee::{
    BatchResponseBuilder, BoundedSubscriptions, ConnectionId, Extensions, MethodCallback, MethodResponse,
    MethodSink, SubscriptionState,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tracing::Instrument;

use super::caller::Caller;
use super::fault;
use super::metrics::Metrics;
use super::policy::{self, CANCEL, Life, Place, Running};
use super::server::Shared;
use crate::api::limits;

/// One client's view of the server.
pub struct Session {
    shared: Arc<Shared>,
    caller: Caller,
    running: Running,
    outlet: Option<Outlet>,
}

/// Where subscriptions of a connection that stays open write to.
pub struct Outlet {
    /// Takes their items.
    pub sink: MethodSink,
    /// Counts them.
    pub subscriptions: BoundedSubscriptions,
}

impl Session {
    /// A session; without an outlet it is over after one answer.
    pub fn new(shared: Arc<Shared>, caller: Caller, outlet: Option<Outlet>) -> Self {
        Self { shared, caller, running: Running::default(), outlet }
    }

    /// What all sessions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The answer to a message; None: it wants none, or gets it as a subscription does.
    pub async fn answer(&self, message: &[u8]) -> Option<Box<RawValue>> {
        let Ok(message) = std::str::from_utf8(message) else {
            return Some(self.refuse(fault::parse_error("the message is not UTF-8")));
        };
        match message.bytes().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') => self.batch(message).await,
            _ => self.single(read(message), Place::Single).await.map(MethodResponse::into_json),
        }
    }

    /// Takes back the request that this message names, if it is a cancellation; None: it is something else.
    pub fn cancel(&self, message: &[u8]) -> Option<CancelOutcome> {
        // Looking for the name first keeps the search cheap for everything that is not a cancellation.
        memchr::memmem::find(message, CANCEL.as_bytes())?;
        let Incoming::Request { id: None, method, params } = read(std::str::from_utf8(message).ok()?) else {
            return None;
        };
        if method != CANCEL {
            return None;
        }
        let id = cancelled_id(params)?;
        Some(if self.running.cancel(&id) {
            CancelOutcome::Done
        } else {
            CancelOutcome::NotRunning(id.into_owned())
        })
    }

    async fn single(&self, incoming: Incoming<'_>, place: Place) -> Option<MethodResponse> {
        match incoming {
            Incoming::Request { id: Some(id), method, params } => {
                let response = self.call(id, &method, params, place).await;
                let unanswered = response.is_method_call() || response.is_batch();
                unanswered.then_some(response)
            }
            Incoming::Request { id: None, method, params } if method == CANCEL => {
                if let Some(id) = cancelled_id(params) {
                    self.running.cancel(&id);
                }
                None
            }
            Incoming::Request { id: None, method, params } => {
                self.call(Id::Null, &method, params, Place::Notification).await;
                None
            }
            Incoming::Fault(id, fault) => {
                Metrics::count(&self.shared.home.metrics.faults);
                Some(MethodResponse::error(id, fault))
            }
        }
    }

    /// Entries run one after another, in order, so that a later one sees what an earlier one stored.
    async fn batch(&self, message: &str) -> Option<Box<RawValue>> {
        let entries = match serde_json::from_str::<Vec<&RawValue>>(message) {
            Err(error) => return Some(self.refuse(fault::parse_error(&error.to_string()))),
            Ok(entries) if entries.is_empty() => {
                return Some(self.refuse(fault::invalid_request("a batch holds at least one request")));
            }
            Ok(entries) if entries.len() > limits::MAX_BATCH => {
                return Some(self.refuse(fault::batch_too_large()));
            }
            Ok(entries) => entries,
        };
        let mut answers = BatchResponseBuilder::new_with_limit(limits::MAX_RESPONSE_BYTES);
        for entry in entries {
            let Some(answer) = self.single(read(entry.get()), Place::Batch).await else {
                continue;
            };
            if answers.append(answer).is_err() {
                return Some(self.refuse(fault::batch_response_too_large()));
            }
        }
        (!answers.is_empty()).then(|| MethodResponse::from_batch(answers.finish()).into_json())
    }

    fn refuse(&self, fault: ErrorObjectOwned) -> Box<RawValue> {
        Metrics::count(&self.shared.home.metrics.faults);
        error_response(Id::Null, fault)
    }

    async fn call(
        &self,
        id: Id<'_>,
        method: &str,
        params: Option<&RawValue>,
        place: Place,
    ) -> MethodResponse {
        let Some((name, callback)) = self.shared.methods.method_with_name(method) else {
            Metrics::count(&self.shared.home.metrics.faults);
            return MethodResponse::error(id, fault::unknown_method(method, &self.shared.methods));
        };
        let life = if self.outlet.is_some() { Life::Stays } else { Life::OneAnswer };
        if let Some(refusal) = policy::refusal(name, callback, place, life) {
            return MethodResponse::error(id, refusal);
        }
        let began = Instant::now();
        let span = tracing::debug_span!("call", method = name, connection = self.caller.connection);
        let mut response = self.run(&id, callback, params).instrument(span).await;
        if response.as_error_code() == Some(jsonrpsee::types::error::OVERSIZED_RESPONSE_CODE) {
            response = MethodResponse::error(id, fault::response_too_large());
        }
        let (took, failed) = (began.elapsed(), response.as_error_code());
        self.shared.home.metrics.called(name, took, failed);
        tracing::debug!(method = name, connection = self.caller.connection, ?took, ?failed, "answered");
        response
    }

    async fn run(&self, id: &Id<'_>, callback: &MethodCallback, params: Option<&RawValue>) -> MethodResponse {
        let mut extensions = Extensions::new();
        extensions.insert(self.caller.clone());
        let connection = ConnectionId(self.caller.connection as usize);
        let text = params.map(RawValue::get);
        let max = limits::MAX_RESPONSE_BYTES;
        let outcome = match callback {
            MethodCallback::Sync(method) => {
                catch_unwind(AssertUnwindSafe(|| method(id.clone(), Params::new(text), max, extensions)))
            }
            MethodCallback::Async(method) => {
                let id_of_call = id.clone().into_owned();
                let params = Params::new(text).into_owned();
                let work = async move { method(id_of_call, params, connection, max, extensions).await };
                match self.running.run(id, AssertUnwindSafe(work).catch_unwind()).await {
                    Some(outcome) => outcome,
                    None => {
                        Metrics::count(&self.shared.home.metrics.cancelled);
                        return MethodResponse::error(id.clone(), fault::cancelled());
                    }
                }
            }
            MethodCallback::Subscription(method) => {
                let Some(outlet) = &self.outlet else {
                    return MethodResponse::error(id.clone(), fault::subscription_over_http("it"));
                };
                let Some(subscription_permit) = outlet.subscriptions.acquire() else {
                    return MethodResponse::error(id.clone(), fault::too_many_subscriptions());
                };
                let id_provider: &dyn IdProvider = &self.shared.ids;
                let state = SubscriptionState { conn_id: connection, id_provider, subscription_permit };
                let work = method(id.clone(), Params::new(text), outlet.sink.clone(), state, extensions);
                AssertUnwindSafe(work).catch_unwind().await
            }
            MethodCallback::Unsubscription(method) => {
                // jsonrpsee wants `[id]`; by name it is `{"subscription": id}`, like every other parameter here.
                let positional = text.and_then(named_subscription);
                let params = Params::new(positional.as_deref().or(text));
                catch_unwind(AssertUnwindSafe(|| method(id.clone(), params, connection, max, extensions)))
            }
        };
        outcome.unwrap_or_else(|_| {
            tracing::error!("a method panicked");
            MethodResponse::error(id.clone(), fault::panicked())
        })
    }
}

/// What became of a cancellation.
#[derive(Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The request is being taken back; its answer says so.
    Done,
    /// No request of this id runs.
    NotRunning(Id<'static>),
}

/// An error as a whole response.
pub fn error_response(id: Id<'_>, fault: ErrorObjectOwned) -> Box<RawValue> {
    MethodResponse::error(id, fault).into_json()
}

/// The id of the request in this message; None: it is a notification, a batch, or no request.
pub fn id_of(message: &[u8]) -> Option<Id<'_>> {
    match read(std::str::from_utf8(message).ok()?) {
        Incoming::Request { id, .. } => id,
        Incoming::Fault(..) => None,
    }
}

enum Incoming<'a> {
    Request { id: Option<Id<'a>>, method: Cow<'a, str>, params: Option<&'a RawValue> },
    Fault(Id<'a>, ErrorObjectOwned),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    /// Absent in a notification, which is not the same as `null`.
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<Id<'a>>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id<'de>>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

fn read(message: &str) -> Incoming<'_> {
    let wire = match serde_json::from_str::<Wire<'_>>(message) {
        Ok(wire) => wire,
        Err(error) => return fault_of(message, &error),
    };
    if wire.jsonrpc != "2.0" {
        let fault = fault::invalid_request("`jsonrpc` must be \"2.0\"");
        return Incoming::Fault(wire.id.unwrap_or(Id::Null), fault);
    }
    match wire.params.map(|params| params.get().as_bytes()) {
        None | Some([b'{' | b'[', ..] | b"null") => {
            let params = wire.params.filter(|params| params.get() != "null");
            Incoming::Request { id: wire.id, method: wire.method, params }
        }
        Some(_) => {
            let fault = fault::invalid_request("`params` must be an object with named parameters");
            Incoming::Fault(wire.id.unwrap_or(Id::Null), fault)
        }
    }
}

/// Tells what is no JSON from what is no request. The id is given back where it can be read.
fn fault_of<'a>(message: &'a str, error: &serde_json::Error) -> Incoming<'a> {
    #[derive(Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow, default)]
        id: Option<Id<'a>>,
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(message) {
        return Incoming::Fault(Id::Null, fault::parse_error(&error.to_string()));
    }
    let id = serde_json::from_str::<OnlyId<'_>>(message).ok().and_then(|only| only.id);
    Incoming::Fault(id.unwrap_or(Id::Null), fault::invalid_request(&error.to_string()))
}

fn cancelled_id(params: Option<&RawValue>) -> Option<Id<'_>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        id: Id<'a>,
    }
    serde_json::from_str::<Named<'_>>(params?.get()).ok().map(|named| named.id)
}

fn named_subscription(params: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        subscription: &'a RawValue,
    }
    let named: Named<'_> = serde_json::from_str(params).ok()?;
    Some(format!("[{}]", named.subscription.get()))
}
