//! The real daemon when things go wrong: it is killed, its disk is full, its index is deleted, its model changes. What
//! it acknowledged is there afterwards, and what is derived equals what it is derived from.

mod audit;
mod disk;
mod folder;
mod kill;
mod ledger;
mod models;
mod stopping;
mod world;
