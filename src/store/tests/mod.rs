//! What the store promises, tried on real databases: one file a promise.

mod context;
mod durability;
mod invariants;
mod lexical;
mod memories;
mod plans;
mod queue;
mod records;
mod restore;
mod spaces;
mod speed;
mod writer;
