//! What the store promises, tried on real databases: one file a promise.

mod backup;
mod context;
mod durability;
mod find;
mod forget;
mod invariants;
mod lexical;
mod listing;
mod memories;
mod naive;
mod notes;
mod organise;
mod plans;
mod privacy;
mod queue;
mod records;
mod reflection;
mod restore;
mod spaces;
mod speed;
mod trash;
mod tree;
mod upgrade;
mod writer;
