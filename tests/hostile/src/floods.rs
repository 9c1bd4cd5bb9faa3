//! An authorised peer that has a node work for nothing, as fast as it can: with receipts and
//! positions, which no credit covers.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use peermq::crypto::Identity;
use peermq::crypto::hash::Hash;
use peermq::log::{InboxTree, Item, Peaks, leaf_hash};
use peermq::sync::{Acked, Credit, Kind, Life, Message, Position, Receipt};
use peermq::types::{Epoch, Id, Index, Ranges, Recipient};
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::liar::{Session, bytes_of, read_frame};
use crate::report::Report;
use crate::strangers::Honest;
use crate::target::Target;

/// What it says again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// One receipt.
    SameReceipt,
    /// Receipts each of which says a little more.
    GrowingReceipts,
    /// Receipts for other entries than those that were sent.
    OtherReceipts,
    /// Positions that want the same.
    SamePosition,
    /// Positions that want something else each time.
    OtherPositions,
}

/// All of them.
pub const FLOODS: [Flood; 5] = [
    Flood::SameReceipt,
    Flood::GrowingReceipts,
    Flood::OtherReceipts,
    Flood::SamePosition,
    Flood::OtherPositions,
];

/// Says it for so long, while another peer connects and has messages acknowledged. Counts the
/// frames that the node took in.
///
/// # Errors
/// When the node ends the session, or the other peer does not get through.
pub async fn run(
    report: &mut Report,
    target: &Target,
    peer: &Arc<Identity>,
    honest: &mut Honest,
    flood: Flood,
    seconds: u64,
) -> Outcome {
    target.send_many(peer.id(), BACKLOG_COUNT).await?;
    let mut session = Session::open(peer, target, 0).await?;
    let greeting = session.greet(Life { epoch: Epoch(1), length: 0 }).await?;
    let epoch = greeting.lives.first().ok_or("expected a life of the node")?.epoch;
    let mut teller =
        Teller { peer: Arc::clone(peer), author: target.id, epoch, inbox: Hash([0; 32]) };
    teller.inbox = teller.take_in(&mut session).await?;
    report.begin_again(target)?;
    let (mut reader, mut writer) = AsyncReadExt::split(&mut session.sync);
    let (began, answered) = (Instant::now(), Cell::new(0));
    let end = began + Duration::from_secs(seconds);
    tokio::select! {
        () = drain(&mut reader, &answered) => Err("expected the session to go on".into()),
        done = async { tokio::try_join!(teller.tell(&mut writer, flood, end), meet(honest, target, end)) } => {
            let (taken, met) = done?;
            report.add("frames_taken", taken);
            report.add("positions_answered", answered.get());
            report.add("elapsed_ms", u64::try_from(began.elapsed().as_millis())?);
            report.add("honest_connects", met.count);
            report.most("honest_slowest_ms", u64::try_from(met.slowest.as_millis())?);
            report.measure(target)
        }
    }
}

/// How another peer fared.
#[derive(Debug, Clone, Copy)]
struct Met {
    count: u64,
    slowest: Duration,
}

/// Another peer connects and has a message acknowledged, over and over.
async fn meet(honest: &mut Honest, target: &Target, end: Instant) -> Outcome<Met> {
    let mut met = Met { count: 0, slowest: Duration::ZERO };
    while met.count < HONEST_COUNT_MIN || Instant::now() < end {
        met.slowest = honest.connect(target).await?.max(met.slowest);
        met.count += 1;
    }
    Ok(met)
}

/// Reads whatever comes, until the node ends the session; counts the positions that chunks answer.
async fn drain(reader: &mut ReadHalf<&mut yamux::Stream>, answered: &Cell<u64>) {
    let mut last = None;
    while let Ok(frame) = read_frame(reader).await {
        if let Ok(Message::Advance(advance)) = Message::decode(&frame)
            && last.replace(advance.number) != Some(advance.number)
        {
            answered.set(answered.get() + 1);
        }
    }
}

/// Who says it.
struct Teller {
    peer: Arc<Identity>,
    author: Id,
    epoch: Epoch,
    /// Over all entries that were sent.
    inbox: Hash,
}

impl Teller {
    /// Takes in all that waits for it, without a word of it; gives the root over the entries.
    async fn take_in(&self, session: &mut Session) -> Outcome<Hash> {
        let (author, epoch) = (*self.author.as_bytes(), self.epoch);
        session.send(&Message::Credit(Credit { author, epoch, total: u64::MAX })).await?;
        session.send(&self.position(0, 1, Vec::new())).await?;
        let mut inbox = Peaks::<InboxTree>::new();
        while inbox.length() < self.count() {
            let Message::Advance(advance) = session.until(Kind::Advance).await? else {
                return Err("expected an Advance".into());
            };
            let mut index = advance.from;
            for item in &advance.items {
                match item {
                    Item::Entry { header, .. } => {
                        let leaf = leaf_hash(&self.author, epoch, Index(index), header);
                        inbox.push_leaf(leaf, |_, _| ());
                        index += 1;
                    }
                    Item::Skip { level, .. } => index += 1 << *level,
                    Item::Gone { .. } => return Err("expected entries that are held".into()),
                }
            }
        }
        Ok(inbox.root())
    }

    /// Writes as fast as the node takes it; gives how many frames it took.
    async fn tell(
        &self,
        writer: &mut WriteHalf<&mut yamux::Stream>,
        flood: Flood,
        end: Instant,
    ) -> Outcome<u64> {
        let mut taken = 0;
        for number in 2.. {
            let bytes = bytes_of(&self.message(flood, number));
            let written = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            let left = end.saturating_duration_since(Instant::now());
            match timeout(left, written).await {
                Ok(written) => written?,
                Err(_) => break,
            }
            taken += 1;
        }
        Ok(taken)
    }

    fn message(&self, flood: Flood, number: u64) -> Message {
        let count = self.count();
        match flood {
            Flood::SameReceipt => self.receipt(0, count, 0),
            Flood::GrowingReceipts => {
                self.receipt(0, number.min(count), number.saturating_sub(count).min(count))
            }
            Flood::OtherReceipts => {
                let teller = Self { inbox: Hash([9; 32]), peer: Arc::clone(&self.peer), ..*self };
                teller.receipt(number % 64, count, 0)
            }
            Flood::SamePosition => self.position(0, number, Vec::new()),
            Flood::OtherPositions => {
                self.position(number % count, number, vec![count - 1, count + number])
            }
        }
    }

    fn receipt(&self, first: u64, stored: u64, archived: u64) -> Message {
        let acked = |below| Acked { below, ranges: Ranges::new() };
        let receipt = Receipt {
            receiver: *self.peer.id().as_bytes(),
            author: *self.author.as_bytes(),
            epoch: self.epoch,
            recipient: Recipient::Peer(*self.peer.id().as_bytes()),
            seen: self.count(),
            inbox: self.inbox,
            window: first..self.count(),
            stored: acked(stored),
            archived: acked(archived),
            rejected: Ranges::new(),
        };
        Message::Receipt(receipt.sign(&self.peer))
    }

    fn position(&self, length: u64, number: u64, checkpoints: Vec<u64>) -> Message {
        let (author, epoch, channels) = (*self.author.as_bytes(), self.epoch, Vec::new());
        Message::Position(Position { author, epoch, length, number, checkpoints, channels })
    }

    fn count(&self) -> u64 {
        u64::try_from(BACKLOG_COUNT).unwrap_or(u64::MAX)
    }
}

/// Messages that were sent to the peer.
const BACKLOG_COUNT: usize = 2_000;
/// Messages that the other peer has acknowledged, however long that takes.
const HONEST_COUNT_MIN: u64 = 3;
