//! Nodes with real stores, each behaviour over TCP on loopback and over the in-memory network from
//! one body.
#![cfg(feature = "node")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

#[macro_use]
mod fixture;

mod acknowledgements;
mod delivery;
mod dialling;
mod forks;
mod long_bodies;
mod marks;
mod model;
mod proofs;
mod removal;
mod restored;
mod sessions;
