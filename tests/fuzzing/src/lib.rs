//! What fuzzing runs: one plain function a target, from any bytes to nothing, or a panic that says
//! which promise they broke.
//!
//! libFuzzer calls these functions from `fuzz/fuzz_targets`; `tests/corpus.rs` calls them on every
//! kept input, and on mutations of those, with an ordinary compiler. A target is either fed raw
//! bytes, as a decoder is, or reads its input as choices: what an attacker who holds keys
//! does next.
//!
//! *Invariant*: one input gives one outcome, whatever was run before; the clock, the network and
//! chance are no part of it. `api` alone keeps this only nearly: many requests are put to one node,
//! whose own threads take part, so that a request may meet what others have left there.
//! Deliberately absent: expectations about single inputs, which stand in
//! the tests beside the code.

#![expect(
    clippy::indexing_slicing,
    reason = "a harness may panic; its places are drawn below a length"
)]

mod advance;
mod api;
mod backup;
mod block;
mod choices;
mod flight;
mod frame;
mod head;
mod marks;
mod message;
pub mod mutation;
mod node;
mod proof;
mod ranges;
mod receipt;
mod rows;
mod seat;
pub mod seeds;
mod session;
mod store;

pub use advance::advance;
pub use api::api;
pub use backup::backup;
pub use block::block;
pub use flight::flight;
pub use frame::frame;
pub use head::head;
pub use marks::marks;
pub use message::message;
pub use proof::proof;
pub use ranges::ranges;
pub use receipt::receipt;
pub use rows::rows;
pub use session::session;
pub use store::{contain_panics, store};

/// Something that takes bytes which anyone may have written.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Runs one input. It panics when the input broke a promise.
    pub run: fn(&[u8]),
    /// How many mutations an ordinary test run tries: some seconds' worth.
    pub mutation_count: u32,
}

/// All targets.
pub const TARGETS: [Target; 15] = [
    Target { name: "flight", run: flight, mutation_count: 400 },
    Target { name: "frame", run: frame, mutation_count: 20_000 },
    Target { name: "message", run: message, mutation_count: 20_000 },
    Target { name: "head", run: head, mutation_count: 2_000 },
    Target { name: "advance", run: advance, mutation_count: 5_000 },
    Target { name: "session", run: session, mutation_count: 300 },
    Target { name: "receipt", run: receipt, mutation_count: 500 },
    Target { name: "ranges", run: ranges, mutation_count: 5_000 },
    Target { name: "marks", run: marks, mutation_count: 300 },
    Target { name: "store", run: store, mutation_count: 30 },
    Target { name: "rows", run: rows, mutation_count: 300 },
    Target { name: "block", run: block, mutation_count: 20_000 },
    Target { name: "backup", run: backup, mutation_count: 1_000 },
    Target { name: "proof", run: proof, mutation_count: 5_000 },
    Target { name: "api", run: api, mutation_count: 300 },
];
