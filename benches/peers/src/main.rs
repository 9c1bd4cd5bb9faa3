//! The work of peermq's figures, done by other queues, every write fsynced before its answer.
//!
//! ```text
//! peermq-peers redis|nats|rabbitmq MESSAGES DIR
//! ```
//!
//! Starts the server on a free port of loopback with its data in a new directory in DIR, and prints
//! one JSON object a line: `{"peer", "figure", "rate"}`, messages per second. It ends with its
//! standard input, so with whoever started it; the server and its data go with it.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod nats;
mod rabbitmq;
mod redis;
mod server;

use std::error::Error;
use std::io::Write as _;
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
        return Err("expected redis|nats|rabbitmq MESSAGES DIR".into());
    };
    std::thread::spawn(end_with_input);
    let work = Work { count: messages.parse()?, body: vec![b'x'; MESSAGE_SIZE] };
    match peer.as_str() {
        "redis" => redis::run(&work, Path::new(dir)).await,
        "nats" => nats::run(&work, Path::new(dir)).await,
        "rabbitmq" => rabbitmq::run(&work, Path::new(dir)).await,
        other => Err(format!("expected redis, nats or rabbitmq, got {other}").into()),
    }
}

/// What every peer is given to do.
struct Work {
    /// Messages in flight, received and acknowledged; a tenth as many are sent one at a time.
    count: usize,
    body: Vec<u8>,
}

fn end_with_input() {
    // However the input ends, there is nobody left to work for, and perhaps nobody to tell.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = writeln!(std::io::stderr(), "the standard input has ended, and the work with it");
    std::process::exit(1);
}

/// Prints one figure.
fn report(peer: &str, figure: &str, count: usize, since: Instant) {
    let rate = count as f64 / since.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "peer": peer, "figure": figure, "rate": rate }));
}
