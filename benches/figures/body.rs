//! One long body from one disk to another, between two processes.

use std::path::Path;
use std::time::Instant;

use peermq_storage::Kind;

use crate::Outcome;
use crate::child::Child;

/// How fast a long body went, and what the two ends took of memory.
pub(crate) struct Body {
    /// MiB per second from the first byte read until it is durable at the sender.
    pub(crate) send_rate: f64,
    /// MiB per second from the dial until the sender knows it durable at the receiver.
    pub(crate) fetch_rate: f64,
    /// MiB per second over both, one after the other.
    pub(crate) whole_rate: f64,
    /// MiB that each process had resident at its peak, after the reader has read all of it.
    pub(crate) sender_mib: f64,
    pub(crate) receiver_mib: f64,
}

/// The reader asks for the body at once, so that it is fetched whatever its size.
pub(crate) fn measure(store: Kind, mib: u32, dir: &Path) -> Outcome<Body> {
    let mut receiver = Child::with_nodes(store, &dir.join("receiver"), 1)?;
    let mut sender = Child::with_nodes(store, &dir.join("sender"), 1)?;
    let (from, to) = (sender.ask("ids")?, receiver.ask("ids")?);
    receiver.ask(&format!("add {from}"))?;
    let address = receiver.ask("listen")?;

    let start = Instant::now();
    sender.ask(&format!("send-body {to} {mib}"))?;
    let sent = start.elapsed().as_secs_f64();
    let reading = std::thread::spawn(move || {
        let size = receiver.ask("read-body").map_err(|error| error.to_string());
        (receiver, size)
    });
    let start = Instant::now();
    sender.ask(&format!("connect {to} {address}"))?;
    sender.ask("await-stored")?;
    let fetched = start.elapsed().as_secs_f64();
    let (mut receiver, size) = reading.join().map_err(|_| "the reader's thread panicked")?;
    if size? != (u64::from(mib) << 20).to_string() {
        return Err("expected as many bytes as were sent".into());
    }

    let (sender_mib, receiver_mib) = (peak_mib(&mut sender)?, peak_mib(&mut receiver)?);
    sender.end()?;
    receiver.end()?;
    let rate = |seconds: f64| f64::from(mib) / seconds;
    Ok(Body {
        send_rate: rate(sent),
        fetch_rate: rate(fetched),
        whole_rate: rate(sent + fetched),
        sender_mib,
        receiver_mib,
    })
}

fn peak_mib(child: &mut Child) -> Outcome<f64> {
    Ok(child.memory()?.peak_kib / 1_024.0)
}
