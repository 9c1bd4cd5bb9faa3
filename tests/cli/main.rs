//! The program as its users run it: real processes, real directories, real sockets on this machine.
//!
//! Each test has data directories of its own and meets nobody else: nodes of one test find each
//! other through a rendezvous folder of that test. Nothing sleeps; lines are waited for.

#![expect(clippy::indexing_slicing, reason = "tests may, where bounds are at hand")]
#![expect(clippy::unwrap_used, reason = "tests may: a panic is a failure")]

mod bad_input;
mod bodies;
mod copies;
mod crashes;
mod demo;
mod descriptors;
mod ending;
mod forks;
mod json;
mod lines;
mod passphrase;
mod peers;
mod proofs;
mod recovery;
mod sharing;
mod space;
mod stored;
mod support;
mod texts;
mod waiting;
mod walk_through;
