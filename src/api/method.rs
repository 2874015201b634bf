//! What a method is: a name, parameters, a result. [`super::methods`] is the table of all of them.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request with one answer.
pub trait Method: Send + Sync + 'static {
    /// `namespace.verb`, as it goes over the wire.
    const NAME: &'static str;
    /// The named parameters. Members that are not known are ignored.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// The result.
    type Output: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
}

/// A subscription: a request that is answered with the subscription's id, then by items until a last one.
///
/// jsonrpsee tells a client nothing when a subscription ends, so every stream's item type has variants that say
/// so.
pub trait Stream: Send + Sync + 'static {
    /// The method that subscribes.
    const NAME: &'static str;
    /// The method of the notifications that carry the items.
    const EVENT: &'static str;
    /// The method that ends the subscription early.
    const UNSUBSCRIBE: &'static str;
    /// The named parameters.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// One item.
    type Item: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
}

/// A method or a stream as the protocol's document tells it.
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// For a stream: the notification's and the unsubscribing method's names.
    pub stream: Option<(&'static str, &'static str)>,
    /// Makes the schema of the parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// Makes the schema of the result, or of a stream's items.
    pub output: fn(&mut SchemaGenerator) -> Schema,
}

/// Writes the table: `Type = "name": Params => Output;`, with the doc comment above each row as its description.
macro_rules! methods {
    (
        methods { $( $(#[doc = $mdoc:literal])+ $method:ident = $mname:literal : $mparams:ty => $mout:ty; )+ }
        streams { $( $(#[doc = $sdoc:literal])+ $stream:ident = $sname:literal, $event:literal, $unsub:literal : $sparams:ty => $item:ty; )+ }
    ) => {
        $(
            $(#[doc = $mdoc])+
            pub struct $method;
            impl $crate::api::Method for $method {
                const NAME: &'static str = $mname;
                type Params = $mparams;
                type Output = $mout;
            }
        )+
        $(
            $(#[doc = $sdoc])+
            pub struct $stream;
            impl $crate::api::Stream for $stream {
                const NAME: &'static str = $sname;
                const EVENT: &'static str = $event;
                const UNSUBSCRIBE: &'static str = $unsub;
                type Params = $sparams;
                type Item = $item;
            }
        )+

        /// Every method and stream, in the order of the document.
        pub const ALL: &[$crate::api::Described] = &[
            $( $crate::api::Described {
                name: $mname,
                doc: concat!($($mdoc, "\n"),+),
                stream: None,
                params: |schemas| schemas.subschema_for::<$mparams>(),
                output: |schemas| schemas.subschema_for::<$mout>(),
            }, )+
            $( $crate::api::Described {
                name: $sname,
                doc: concat!($($sdoc, "\n"),+),
                stream: Some(($event, $unsub)),
                params: |schemas| schemas.subschema_for::<$sparams>(),
                output: |schemas| schemas.subschema_for::<$item>(),
            }, )+
        ];
    };
}
pub(super) use methods;
