//! An authorised peer by hand: the handshake and the streams are real, what is said on them is not.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use peermq::crypto::noise::Network;
use peermq::crypto::{Identity, PairSecret};
use peermq::node::transport::{Addr, NoiseStream, TcpTransport, Transport, initiate};
use peermq::sync::{Credit, Frame, FrameHeader, Hello, Kind, Life, Message, Position};
use peermq::types::Epoch;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::Outcome;
use crate::report::Report;
use crate::target::{PATIENCE, Target};

/// A session whose frames are written by hand.
#[derive(Debug)]
pub struct Session {
    /// The sync sub-stream.
    pub sync: yamux::Stream,
    /// Sub-streams that were opened for other uses.
    pub others: Vec<yamux::Stream>,
    /// Sub-streams that the node opened.
    pub incoming: mpsc::UnboundedReceiver<yamux::Stream>,
    _driver: AbortOnDropHandle<()>,
}

/// What the node said first.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The node's own lives.
    pub lives: Vec<Life>,
}

impl Session {
    /// Connects as `identity`, and opens the sync sub-stream and so many others.
    ///
    /// # Errors
    /// When the node does not let it in.
    pub async fn open(identity: &Arc<Identity>, target: &Target, others: usize) -> Outcome<Self> {
        let pair = Arc::new(PairSecret::new(identity, &target.id)?);
        let connection = TcpTransport.dial(&target.id, &[Addr::Socket(target.address)]).await?;
        let secured = initiate(connection, identity, &pair, &Network::default()).await?;
        let mut mux =
            yamux::Connection::new(secured.stream, yamux::Config::default(), yamux::Mode::Client);
        let mut streams = Vec::new();
        for _ in 0..=others {
            streams.push(poll_fn(|cx| mux.poll_new_outbound(cx)).await?);
        }
        let (sender, incoming) = mpsc::unbounded_channel();
        let driver = AbortOnDropHandle::new(tokio::spawn(drive(mux, sender)));
        let mut sync = streams.remove(0);
        sync.write_all(&[1]).await?;
        sync.flush().await?;
        Ok(Self { sync, others: streams, incoming, _driver: driver })
    }

    /// Says hello for a log, and reads what the node says until it has given credit.
    ///
    /// # Errors
    /// When the node ends the session.
    pub async fn greet(&mut self, life: Life) -> Outcome<Greeting> {
        let hello =
            Hello { version: 1, features: 0, lives: vec![life], heads: vec![], receipts: vec![] };
        self.send(&Message::Hello(hello)).await?;
        let Message::Hello(hello) = self.until(Kind::Hello).await? else {
            return Err("expected a Hello".into());
        };
        self.until(Kind::Credit).await?;
        Ok(Greeting { lives: hello.lives })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn send(&mut self, message: &Message) -> Outcome {
        self.write(&bytes_of(message)).await
    }

    /// Sends bytes on the sync sub-stream.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn write(&mut self, bytes: &[u8]) -> Outcome {
        self.sync.write_all(bytes).await?;
        Ok(self.sync.flush().await?)
    }

    /// Reads messages up to one of a kind.
    ///
    /// # Errors
    /// When the session is over, or nothing of the kind comes.
    pub async fn until(&mut self, kind: Kind) -> Outcome<Message> {
        let reading = async {
            loop {
                let frame = read_frame(&mut self.sync).await?;
                if frame.kind == kind {
                    return Ok(Message::decode(&frame)?);
                }
            }
        };
        timeout(PATIENCE, reading).await?
    }

    /// Reads until the node ends the session.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ended(&mut self) -> Outcome {
        let reading = async { while read_frame(&mut self.sync).await.is_ok() {} };
        Ok(timeout(PATIENCE, reading).await?)
    }
}

/// A message as it goes over the wire.
#[must_use]
pub fn bytes_of(message: &Message) -> Vec<u8> {
    let frame = message.encode();
    [&frame.header()[..], &frame.payload].concat()
}

/// Reads one frame of a sub-stream.
///
/// # Errors
/// When it ends, or what comes is no frame.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Outcome<Frame> {
    let mut header = [0; FrameHeader::SIZE];
    stream.read_exact(&mut header).await?;
    let FrameHeader { kind, payload_len } = FrameHeader::parse(header)?;
    let mut payload = vec![0; payload_len];
    stream.read_exact(&mut payload).await?;
    Ok(Frame { kind, payload: payload.into() })
}

/// yamux moves nothing unless it is polled.
async fn drive(
    mut mux: yamux::Connection<NoiseStream>,
    incoming: mpsc::UnboundedSender<yamux::Stream>,
) {
    while let Some(Ok(stream)) = poll_fn(|cx| mux.poll_next_inbound(cx)).await {
        if incoming.send(stream).is_err() {
            return;
        }
    }
}

/// N4: has a backlog sent to it, pings for some seconds, and reads nothing.
///
/// # Errors
/// When the node cannot be prepared.
pub async fn unread_session(
    report: &mut Report,
    target: &Target,
    peer: &Arc<Identity>,
    seconds: u64,
) -> Outcome {
    target.send_many(peer.id(), BACKLOG_COUNT).await?;
    let mut session = Session::open(peer, target, 0).await?;
    let greeting = session.greet(Life { epoch: Epoch(1), length: 0 }).await?;
    let (author, epoch) = (*target.id.as_bytes(), greeting.lives.first().ok_or("a life")?.epoch);
    // What it used before this is no cost of the session.
    report.begin_again(target)?;
    let (checkpoints, channels) = (Vec::new(), Vec::new());
    let position = Position { author, epoch, length: 0, number: 1, checkpoints, channels };
    session.send(&Message::Position(position)).await?;
    session.send(&Message::Credit(Credit { author, epoch, total: u64::MAX })).await?;
    let pings: Vec<u8> = (0..1_000).flat_map(|number| bytes_of(&Message::Ping(number))).collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        // The node may take no more of them, or hang up: that is its right.
        if timeout(Duration::from_millis(100), session.write(&pings)).await.is_ok_and(|w| w.is_ok())
        {
            report.add("pings", 1_000);
        }
        report.measure(target)?;
    }
    Ok(())
}

/// Messages that wait for the peer.
const BACKLOG_COUNT: usize = 20_000;
