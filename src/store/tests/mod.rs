//! What the store promises, tried on real databases: one file a promise.

mod invariants;
mod lexical;
mod plans;
mod queue;
mod records;
mod restore;
mod spaces;
mod speed;
