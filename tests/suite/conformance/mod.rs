//! One suite over all four framings of the socket: whatever a client speaks, it is answered the same.

mod client;
mod house;
mod limits;
mod pages;
mod requests;
mod stopping;
mod subscriptions;
pub mod wire;
