//! The work of peermq's figures, done by other queues, every write fsynced before its answer.
//!
//! ```text
//! peermq-peers redis|nats MESSAGES DIR
//! ```
//!
//! Starts the server on a free port of loopback with its data in DIR, and prints one JSON object a
//! line: `{"peer", "figure", "rate"}`, messages per second.

mod nats;
mod redis;
mod server;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of every message.
const MESSAGE_SIZE: usize = 100;
/// Sends under way at once.
const IN_FLIGHT_COUNT: usize = 256;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [peer, messages, dir] = arguments.as_slice() else {
        return Err("expected redis|nats MESSAGES DIR".into());
    };
    let work = Work { count: messages.parse()?, body: vec![b'x'; MESSAGE_SIZE] };
    match peer.as_str() {
        "redis" => redis::run(&work, Path::new(dir)).await,
        "nats" => nats::run(&work, Path::new(dir)).await,
        other => Err(format!("expected redis or nats, got {other}").into()),
    }
}

/// What every peer is given to do.
struct Work {
    /// Messages in flight, received and acknowledged; a tenth as many are sent one at a time.
    count: usize,
    body: Vec<u8>,
}

/// Prints one figure.
fn report(peer: &str, figure: &str, count: usize, since: Instant) {
    let rate = count as f64 / since.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "peer": peer, "figure": figure, "rate": rate }));
}
