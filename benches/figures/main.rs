//! The figures that peermq is judged by, each beside the raw speed of the same machine and, where
//! they can be had, beside other queues, all in one run.
//!
//! ```text
//! cargo bench --bench figures -- [V1 V2 …] [--store sled] [--messages 100000] [--rounds 3]
//!                                [--sessions 100] [--body-mib 1024] [--dir DIR] [--json]
//! cargo bench --bench figures -- G1 G2 G3 [--messages 1000000] [--peers 1000] [--sessions 1000] …
//! ```
//!
//! Every round starts with empty directories in DIR (the system's temporary directory), which must
//! be on a real disk. What is printed is the median of the rounds. Redis, NATS and RabbitMQ are
//! measured when `redis-server`, `nats-server` and `rabbitmq-server` are on the path; their clients
//! are built from `benches/peers`.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod actor;
mod arguments;
mod body;
mod child;
mod growth;
mod handshake;
mod latency;
mod memory;
mod opening;
mod pair;
mod peers;
mod raw;
mod road;
mod sends;
mod sparse;
mod table;

use std::error::Error;
use std::path::Path;

use arguments::Arguments;
use peermq::node::SendOptions;
use peermq_storage::Kind;
use road::Archive;
use table::Table;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of every message, unless a figure says otherwise.
const MESSAGE_SIZE: usize = 100;
/// Operations under way at once, where a figure is not about one at a time.
const IN_FLIGHT_COUNT: usize = 256;

fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == child::ROLE).is_some() {
        return actor::run(words);
    }
    let arguments = Arguments::parse(words)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut table = Table::default();
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        measure_raw(&arguments, &mut table)?;
        measure_handshake(&arguments, &mut table)?;
        for peer in ["redis", "nats", "rabbitmq"] {
            if arguments.wants_any(&["V1", "V2", "V3"]) {
                peers::measure(peer, &arguments, &mut table)?;
            }
        }
        for &store in &arguments.stores {
            runtime.block_on(measure_store(store, &arguments, &mut table))?;
            measure_processes(store, &arguments, &mut table)?;
            runtime.block_on(measure_growth(store, &arguments, &mut table))?;
            measure_sessions(store, &arguments, &mut table)?;
        }
    }
    table.print(arguments.format);
    Ok(())
}

fn measure_raw(arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    if arguments.wants_any(&["V1", "V11"]) {
        let rate = raw::appends(scratch.path(), arguments.messages / 20)?;
        table.add("V1", "raw append + fdatasync", rate, "/s");
        table.add("V11 one", "raw append + fdatasync", rate, "/s");
    }
    if arguments.wants_any(&["V5"]) {
        let reads = raw::reads(scratch.path(), sparse::OWN_COUNT, arguments.messages)?;
        table.add("V5 cold", "raw reads of blocks", reads.cold_ms, "ms");
        table.add("V5 warm", "raw reads of blocks", reads.warm_ms, "ms");
    }
    if arguments.wants_any(&["V7"]) {
        table.add("V7 idle", "a bare runtime", memory::bare(scratch.path())?, "MiB");
        table.add("V7 backlog", "the texts (computed)", memory::texts(arguments.messages), "MiB");
    }
    if arguments.wants_any(&["V8"]) {
        let rate = raw::file(scratch.path(), arguments.body_mib)?;
        for figure in ["V8", "V8 send", "V8 fetch"] {
            table.add(figure, "raw write + fsync", rate, "MiB/s");
        }
    }
    Ok(())
}

fn measure_handshake(arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    if arguments.wants_any(&["V9"]) {
        let bare_ms = handshake::bare()?;
        let handshake = handshake::measure()?;
        for (figure, ms) in [("V9 cpu", handshake.cpu_ms), ("V9 wall", handshake.wall_ms)] {
            table.add(figure, "bare curve operations", bare_ms, "ms");
            table.add(figure, "peermq", ms, "ms");
        }
    }
    Ok(())
}

/// What is measured of nodes in processes of their own.
fn measure_processes(store: Kind, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    let name = format!("peermq on {}", store.name());
    if arguments.wants_any(&["V7"]) {
        let idle = memory::idle(store, arguments.sessions, &scratch.path().join("idle"))?;
        table.add("V7 idle", &name, idle.node_mib, "MiB");
        table.add("V7 session", &name, idle.session_kib, "KiB");
        let dir = scratch.path().join("backlog");
        let backlog = memory::backlog(store, arguments.messages, &dir)?;
        table.add("V7 backlog", &name, backlog, "MiB");
    }
    if arguments.wants_any(&["V8"]) {
        let body = body::measure(store, arguments.body_mib, &scratch.path().join("body"))?;
        table.add("V8", &name, body.whole_rate, "MiB/s");
        table.add("V8 send", &name, body.send_rate, "MiB/s");
        table.add("V8 fetch", &name, body.fetch_rate, "MiB/s");
        table.add("V8 sender", &name, body.sender_mib, "MiB");
        table.add("V8 receiver", &name, body.receiver_mib, "MiB");
    }
    Ok(())
}

async fn measure_store(store: Kind, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    let fresh = |name: &str| -> Outcome<_> {
        let path = scratch.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    };
    let name = format!("peermq on {}", store.name());
    let count = arguments.messages;
    if arguments.wants_any(&["V1", "V2", "V10"]) {
        let sent = sends::measure(store, count, &fresh("sends")?).await?;
        table.add("V1", &name, sent.one_at_a_time, "/s");
        table.add("V2", &name, sent.in_flight, "/s");
        table.add("V2 in groups", &name, sent.in_groups, "/s");
        table.add("V10", &name, sent.disk_size_per_message, "B");
    }
    if arguments.wants_any(&["V3"]) {
        for (figure, archive) in [("V3", Archive::InRanges), ("V3 one by one", Archive::OneByOne)] {
            let rate = road::measure(store, count, archive, &fresh(figure)?).await?;
            table.add(figure, &name, rate, "/s");
        }
    }
    if arguments.wants_any(&["V4"]) {
        let latency = latency::measure(store, &fresh("latency")?).await?;
        table.add("V4 p50", &name, latency.p50_ms, "ms");
        table.add("V4 p99", &name, latency.p99_ms, "ms");
    }
    if arguments.wants_any(&["V5"]) {
        let caught_up = sparse::measure(store, count, &fresh("sparse")?).await?;
        table.add("V5 hashes", &name, caught_up.hashes, "");
        table.add("V5 cold", &name, caught_up.cold_ms, "ms");
        table.add("V5 warm", &name, caught_up.warm_ms, "ms");
    }
    if arguments.wants_any(&["V6"]) {
        let milliseconds = opening::measure(store, count, &fresh("opening")?).await?;
        table.add("V6", &name, milliseconds, "ms");
    }
    if arguments.wants_any(&["V11"]) {
        let archived = road::archives(store, count, &fresh("archives")?).await?;
        table.add("V11 one", &name, archived.one_at_a_time, "/s");
        table.add("V11", &name, archived.in_flight, "/s");
    }
    Ok(())
}

/// What a message costs, by how much there was before: only when it is asked for by name.
async fn measure_growth(store: Kind, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    let name = format!("peermq on {}", store.name());
    if arguments.names("G1") {
        let costs = growth::log(store, arguments.messages, scratch.path()).await?;
        add_growth("G1", &name, &costs, table);
    }
    if arguments.names("G2") {
        let costs = growth::peers(store, arguments.peers, scratch.path()).await?;
        add_growth("G2", &name, &costs, table);
    }
    Ok(())
}

fn measure_sessions(store: Kind, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    if !arguments.names("G3") {
        return Ok(());
    }
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    let name = format!("peermq on {}", store.name());
    let costs = growth::sessions(store, arguments.sessions, scratch.path())?;
    add_growth("G3", &name, &costs, table);
    Ok(())
}

fn add_growth(figure: &str, name: &str, costs: &growth::Costs, table: &mut Table) {
    for (size, cost) in costs {
        table.add(&format!("{figure} @ {size}"), name, cost.cpu_us, "us");
        table.add(&format!("{figure} wall @ {size}"), name, cost.wall_us, "us");
    }
}

/// A count as a number to compute with.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a benchmark counts below 4 billion"))
}

/// A message of [`MESSAGE_SIZE`] bytes.
fn message() -> bytes::Bytes {
    bytes::Bytes::from(vec![b'x'; MESSAGE_SIZE])
}

/// So many of them, to send together.
fn texts(count: usize) -> impl Iterator<Item = (bytes::Bytes, SendOptions)> {
    (0..count).map(|_| (message(), SendOptions::default()))
}

/// Bytes that a directory's files take on the disk.
fn disk_size(path: &Path) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut size = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { disk_size(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(size)
}
