//! A durable message queue between peers: signed logs, sealed messages, no broker.

pub mod crypto;
pub mod limits;
pub mod log;
pub mod sync;
pub mod types;
