//! The local API: one router over a [`Node`](crate::node::Node), and the one client that asks it.
//!
//! HTTP with JSON on a Unix socket in the data directory; live streams are server-sent events.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/node` | [`schema::NodeInfo`] |
//! | `GET /v1/status` | [`schema::Status`] |
//! | `GET /v1/backup` | the records and the end of a [backup](crate::manual::backup) |
//! | `GET /v1/gc?keep=` | [`schema::Reclaimed`]: what `POST` would free |
//! | `POST /v1/gc?keep=` | [`schema::Reclaimed`], once it is durable |
//! | `GET /v1/peers` | list of [`schema::Peer`] |
//! | `POST /v1/peers` ([`schema::NewPeers`]) | nothing, once they are added |
//! | `DELETE /v1/peers/{id}` | nothing, once its session is cut |
//! | `POST /v1/messages?to=&expires=` (the text) | [`schema::Sent`] |
//! | `POST /v1/lines?to=&expires=` (one message a line) | events `durable`: [`schema::Durable`] |
//! | `GET /v1/messages?set=&after=` | [`schema::Page`] |
//! | `GET /v1/messages/{from}/{seq}?epoch=` | the text |
//! | `GET /v1/receipts/{to}/{seq}?epoch=` | a [proof of delivery](crate::manual::proofs) |
//! | `GET /v1/forks` | list of [`schema::Fork`] |
//! | `GET /v1/forks/{author}/proof?epoch=` | a [proof of a fork](crate::manual::proofs) |
//! | `POST /v1/forks/{author}/acknowledge?epoch=` | nothing, once it is durable |
//! | `GET /v1/notices` | events `notice`: [`schema::Notice`] |
//! | `GET /v1/stream?set=&mode=` | events `group`: [`schema::Group`] |
//! | `POST /v1/archive`, `POST /v1/clear` ([`schema::Places`]) | nothing, once it is durable |
//! | `GET /v1/wait?to=&epoch=&first=&last=&level=` | nothing, once they are there |
//! | `GET /v1/listen?address=` | events `listening`: [`schema::Listening`] |
//! | `GET /v1/connect/{id}?address=` | events `ack`: [`schema::Ack`] |
//!
//! A refusal is [`schema::Problem`]. A stream that has nothing more to say ends with the event
//! `end`, one that fails with `problem`; one that just ends was cut off and may be asked for again.
//! `POST /v1/messages` and `POST /v1/lines` take an `Idempotency-Key`: a repeat answers where the
//! messages already stand. From `expires` on, in Unix milliseconds, they are offered to nobody.
//!
//! *Invariant*: whoever holds the directory's lock serves the socket, whoever does not asks it, and
//! both go through the same router. `listen` and `connect` hold for as long as their request lives.
//! Deliberately absent: any state but the node's, and any way to it that the library has not.

mod access;
mod client;
mod error;
mod events;
mod router;
pub mod schema;
mod server;
mod socket;

pub use access::Opening;
pub use client::{Client, LinesSent, Live, TextReader};
pub use error::ClientError;
pub use router::router;
