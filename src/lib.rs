//! A durable message queue between peers: signed logs, sealed messages, no broker.

pub mod crypto;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod limits;
pub mod log;
pub mod manual;
#[cfg(feature = "node")]
pub mod node;
pub mod queue;
pub mod sync;
pub mod types;

use peermq_storage::planted;

/// The library as the README shows it, compiled with the examples of the documentation.
#[cfg(all(doctest, feature = "node"))]
#[doc = include_str!("../README.md")]
struct Readme;
