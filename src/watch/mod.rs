//! File events: only this module asks the kernel for them. It promises to tell of a change, not how many there were.

mod file;
mod folders;

pub use file::File;
