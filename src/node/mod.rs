//! What runs the pure layers: files, sockets, threads and the clock.
//!
//! *Invariant*: one process holds a data directory at a time, and only the clock here reads the
//! time. Deliberately absent: any decision about a log, a proof or a set.

pub mod backoff;
pub mod clock;
pub mod directory;
pub mod discovery;
mod files;
pub mod mux;
pub mod transport;
