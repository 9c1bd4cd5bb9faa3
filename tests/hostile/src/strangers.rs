//! Who is no peer: floods of first flights, of noise, and of connections that say nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peermq::crypto::noise::{Initiator, Network};
use peermq::crypto::{Identity, PairSecret};
use peermq::node::transport::Addr;
use peermq::node::{AckLevel, Options};
use peermq::types::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use zeroize::Zeroizing;

use crate::Outcome;
use crate::report::Report;
use crate::target::{PATIENCE, Target};

/// What a stranger says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A genuine first flight of an id that is no peer: the stranger knows the node's id.
    Stranger,
    /// 128 random bytes.
    Noise,
    /// One byte, and nothing more.
    Slow,
    /// A first flight with a right mac1 and an ephemeral key of low order.
    LowOrder,
}

impl Opening {
    fn bytes(self, to: Id, number: u64) -> Outcome<Vec<u8>> {
        Ok(match self {
            Self::Stranger => flight(&stranger(number), to)?.1.to_vec(),
            Self::Noise => {
                let mut bytes = vec![0; 128];
                getrandom::fill(&mut bytes)?;
                bytes
            }
            Self::Slow => vec![1],
            Self::LowOrder => low_order(to, number)?,
        })
    }
}

/// Opens so many connections a second for so long; what is sent back is counted, and an authorised
/// peer connects every second.
///
/// # Errors
/// When the node is gone.
pub async fn flood(
    report: &mut Report,
    target: &Target,
    opening: Opening,
    per_second: u32,
    count: u64,
    honest: Option<&mut Honest>,
) -> Outcome {
    let mut strangers = JoinSet::new();
    let mut beat = interval(Duration::from_secs(1) / per_second);
    let (address, to) = (target.address, target.id);
    let mut honest = honest;
    for number in 0..count {
        beat.tick().await;
        let bytes = opening.bytes(to, number)?;
        strangers.spawn(async move { received(address, &bytes).await });
        if number % u64::from(per_second) == u64::from(per_second) / 2 {
            report.measure(target)?;
            if let Some(honest) = &mut honest {
                report.add("honest_connects", 1);
                let took = u64::try_from(honest.connect(target).await?.as_millis())?;
                report.most("honest_slowest_ms", took);
            }
        }
        while let Some(ended) = strangers.try_join_next() {
            take(report, ended?);
        }
    }
    report.measure(target)?;
    while let Some(ended) = strangers.join_next().await {
        take(report, ended?);
    }
    Ok(())
}

fn take(report: &mut Report, received: Option<u64>) {
    report.add("connections", 1);
    match received {
        Some(bytes) => report.add("bytes_received", bytes),
        None => report.add("refused", 1),
    }
}

/// Says something, and counts what comes back until the node ends the connection.
async fn received(address: SocketAddr, bytes: &[u8]) -> Option<u64> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    // Whoever has been hung up on cannot write.
    let _ = stream.write_all(bytes).await;
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    u64::try_from(received.len()).ok()
}

/// Sends a first flight of a peer twice: the second time it is a replay.
///
/// # Errors
/// When it cannot be made.
pub async fn replay(report: &mut Report, target: &Target, peer: &Arc<Identity>) -> Outcome {
    let (_, flight) = flight(peer, target.id)?;
    for what in ["bytes_to_the_first", "bytes_to_the_replay"] {
        let mut stream = TcpStream::connect(target.address).await?;
        stream.write_all(&flight).await?;
        // It says no more: whatever comes, comes of the flight alone.
        stream.shutdown().await?;
        let mut received = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
        report.add(what, u64::try_from(received.len())?);
    }
    report.measure(target)
}

/// Answers flight 2 of the node with noise in place of an Auth, and with a record that declares
/// the longest length there is.
///
/// # Errors
/// When it cannot be made.
pub async fn false_auth(report: &mut Report, target: &Target, peer: &Arc<Identity>) -> Outcome {
    for junk in [vec![7; 80], vec![255; 70_000]] {
        let (_, flight) = flight(peer, target.id)?;
        let mut stream = TcpStream::connect(target.address).await?;
        stream.write_all(&flight).await?;
        let mut flight_2 = [0; 64];
        timeout(PATIENCE, stream.read_exact(&mut flight_2)).await??;
        let _ = stream.write_all(&junk).await;
        let mut received = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
        report.add("bytes_after_flight_2", u64::try_from(received.len())?);
        report.add("connections", 1);
    }
    report.measure(target)
}

/// A peer that keeps to the rules.
#[derive(Debug)]
pub struct Honest {
    node: peermq::node::Node,
    #[expect(dead_code, reason = "the directory lives as long as its node")]
    directory: tempfile::TempDir,
}

impl Honest {
    /// A node of its own, in this process.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn new() -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let options = Options::new(directory.path()).discoveries(Vec::new());
        Ok(Self { node: options.open().await?, directory })
    }

    /// As [`Honest::new`], and the target adds it; the two have never met.
    ///
    /// # Errors
    /// When it does not open, or is not added.
    pub async fn added_to(target: &Target) -> Outcome<Self> {
        let honest = Self::new().await?;
        target.run(&["add-peer", &honest.node.id().to_string()]).await?;
        Ok(honest)
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> &peermq::node::Node {
        &self.node
    }

    /// Connects anew and has one message acknowledged; how long that took.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn connect(&mut self, target: &Target) -> Outcome<Duration> {
        let began = Instant::now();
        let hint = Some(Addr::Socket(target.address));
        let connection = self.node.connect(target.id, hint).await?;
        let sent = self.node.send(target.id, "hello").await?;
        timeout(PATIENCE, self.node.wait(&sent, AckLevel::Stored)).await??;
        let took = began.elapsed();
        connection.close().await;
        Ok(took)
    }
}

/// A genuine first flight.
fn flight(identity: &Arc<Identity>, to: Id) -> Outcome<(Initiator, [u8; 128])> {
    let pair = Arc::new(PairSecret::new(identity, &to)?);
    let mut ephemeral = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *ephemeral)?;
    Ok(Initiator::new(identity, &pair, &Network::default(), ephemeral)?)
}

fn stranger(number: u64) -> Arc<Identity> {
    let mut seed = [0xee; 32];
    if let Some(place) = seed.first_chunk_mut() {
        *place = number.to_be_bytes();
    }
    Arc::new(Identity::from_seed(&seed))
}

/// A flight whose ephemeral key gives the same secret with every key, so that its sender needs none.
fn low_order(to: Id, number: u64) -> Outcome<Vec<u8>> {
    let point = LOW_ORDER.get(usize::try_from(number)? % LOW_ORDER.len());
    let mut flight: Vec<u8> = hex::decode(point.ok_or("expected a point")?)?;
    flight.resize(112, 0);
    let key = blake3::derive_key("peermq mac1 v1", to.as_bytes());
    let mac1 = blake3::keyed_hash(&key, &flight);
    flight.extend(mac1.as_bytes().iter().take(16));
    Ok(flight)
}

/// The u-coordinates of low order on Curve25519 and its twist (<https://cr.yp.to/ecdh.html#validate>).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];
