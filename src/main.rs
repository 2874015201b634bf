//! The `nosso` program.

fn main() {}
