//! File events: only this module asks the kernel for them. [`File`] promises to tell of a change, not how many there
//! were; [`capture`] keeps what is in folders up to date with what is stored of them.

pub mod capture;
mod file;
mod folders;

pub use file::File;
