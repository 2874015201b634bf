//! What nosso promises, measured on this machine as ratios to a floor of the same run: `cargo bench`, or
//! `cargo bench -- append vectors` for some of it.
//!
//! A missed target is told and fails nothing: on a busy machine any of them can be missed.

mod append;
mod embedding;
mod forget;
mod hybrid;
mod import;
mod late;
mod listing;
mod memory;
mod roundtrip;
mod search;
mod startup;
mod support;
mod vectors;

use support::{Outcome, table::Table};

/// A section: fills its rows of the table.
type Section = fn(&mut Table) -> Outcome;

const ALL: &[(&str, Section)] = &[
    ("roundtrip", roundtrip::run),
    ("append", append::run),
    ("import", import::run),
    ("startup", startup::run),
    ("forget", forget::run),
    ("listing", listing::run),
    ("embedding", embedding::run),
    ("memory", memory::run),
    ("vectors", vectors::run),
    ("search", search::run),
    ("hybrid", hybrid::run),
    ("late", late::run),
];

fn main() {
    // cargo itself passes `--bench`
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut table = Table::begin();
    for (name, run) in ALL {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        table.section(name);
        if let Err(error) = run(&mut table) {
            table.not_measured(&error.to_string());
        }
    }
    table.end();
}
