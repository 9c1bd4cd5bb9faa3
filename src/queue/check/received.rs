//! One life of an author's log, as far as it was received.

use bytes::Bytes;
use peermq_storage::Store;

use super::fault::{Fault, Finding, Part};
use super::{CheckObserver, unreadable};
use crate::crypto::Verifier;
use crate::crypto::hash::{Hash, body_hash};
use crate::log::{Decoded, Header, InboxTree, Peaks, layout, leaf_hash};
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::queue::received::author_log::AuthorLog;
use crate::queue::received::block::{ReceivedBlock, StoredContent, StoredEntry};
use crate::queue::received::bodies::{Bodies, Progress};
use crate::queue::received::sets::{Kind, Mark};
use crate::queue::received::tally::Tally;
use crate::types::{Id, Recipient, Seq};

/// Looks at one life of an author's log.
pub(super) fn check(
    store: &dyn Store,
    me: &Id,
    from: Id,
    key: LogKey,
    observer: &mut dyn CheckObserver,
) -> Result<(), QueueError> {
    let part = Part::Received { from, epoch: key.epoch };
    let row = layout::author(key.author, key.epoch);
    let Some(log) = author_log(store, from, key, &row) else {
        observer.found(Finding::new(part, row, Fault::Author));
        return Ok(());
    };
    if !checkpoints_hold(&log) {
        let row = layout::checkpoints(key.author, key.epoch);
        observer.found(Finding::new(Part::Forks, row, Fault::Checkpoints));
    }
    let mut walk = Walk::new(store, me, log)?;
    if let Err((key, fault)) = walk.run(observer) {
        observer.found(Finding::new(part, key, fault));
    }
    Ok(())
}

/// A life whose entries are sound, its tally counted anew, to be written; the bounds are the lowest.
/// `None` when the entries are not.
pub(in crate::queue) fn count(
    store: &dyn Store,
    me: &Id,
    from: Id,
    key: LogKey,
) -> Result<Option<AuthorLog>, QueueError> {
    let row = layout::author(key.author, key.epoch);
    let Some(log) = author_log(store, from, key, &row) else { return Ok(None) };
    let mut walk = Walk::new(store, me, log)?;
    match walk.run(&mut Unobserved) {
        Ok(()) | Err((_, Fault::Tally)) => {
            let mut log = walk.log;
            log.tally = walk.tally;
            log.changed.tally = true;
            Ok(Some(log))
        }
        Err(_) => Ok(None),
    }
}

/// Nobody hears it.
struct Unobserved;

impl CheckObserver for Unobserved {
    fn checked(&mut self) {}

    fn found(&mut self, _: Finding) {}
}

/// The author's row, when its head is the author's and the peaks are those of the head.
fn author_log(store: &dyn Store, id: Id, key: LogKey, row: &[u8]) -> Option<AuthorLog> {
    let log = AuthorLog::read(store, id, key, &store.get(row).ok()??).ok()?;
    let head = log.head.verify(&Verifier::new(&id)).ok()?;
    let is_of_head = head.epoch == key.epoch && head.root == log.follow.peaks.root();
    is_of_head.then_some(log)
}

/// Whether the heads that are to be reached are the author's, in order, and ahead.
fn checkpoints_hold(log: &AuthorLog) -> bool {
    let author = Verifier::new(&log.id);
    let ahead = log.checkpoints().first().is_none_or(|first| first.length > log.head.length);
    ahead
        && log.checkpoints().is_sorted_by_key(|head| head.length)
        && log
            .checkpoints()
            .iter()
            .all(|head| head.epoch == log.key.epoch && head.verify(&author).is_ok())
}

/// What is wrong, and under which key.
type Found = (Bytes, Fault);

struct Walk<'a> {
    store: &'a dyn Store,
    bodies: Bodies,
    recipient: Recipient,
    log: AuthorLog,
    /// Over the leaf hashes of the entries so far.
    inbox: Peaks<InboxTree>,
    /// Of what is unread so far.
    tally: Tally,
    next: u64,
    /// Bytes of headers and bodies so far.
    size: u64,
}

impl<'a> Walk<'a> {
    fn new(store: &'a dyn Store, me: &Id, log: AuthorLog) -> Result<Self, QueueError> {
        Ok(Self {
            store,
            bodies: Bodies::open(store, me)?,
            recipient: Recipient::Peer(*me.as_bytes()),
            inbox: Peaks::new(),
            tally: Tally::default(),
            next: 0,
            size: 0,
            log,
        })
    }

    /// Looks at everything up to the first fault: what comes after it is asked for again with it.
    fn run(&mut self, observer: &mut dyn CheckObserver) -> Result<(), Found> {
        let LogKey { author, epoch } = self.log.key;
        let keys = layout::received_blocks_from(author, epoch, Seq(0));
        for pair in self.store.scan(keys.as_range()) {
            let missing = layout::received_block(author, epoch, Seq(self.next));
            let (key, bytes) = pair.map_err(|error| (missing, error.into()))?;
            self.block(&key, bytes, observer).map_err(|fault| (key, fault))?;
        }
        let row = layout::author(author, epoch);
        if self.next != self.log.received() {
            return Err((row, Fault::Block(self.next)));
        }
        if self.inbox != self.log.inbox || self.size != self.log.size {
            return Err((row, Fault::Inbox));
        }
        self.tally().map_err(|fault| (layout::tally(author, epoch), fault))
    }

    fn block(
        &mut self,
        key: &Bytes,
        bytes: Bytes,
        observer: &mut dyn CheckObserver,
    ) -> Result<(), Fault> {
        let broken = || Fault::Block(self.next);
        let last = layout::last_number(key).ok_or_else(broken)?;
        let block = ReceivedBlock::parse(Seq(last), bytes).map_err(|_| broken())?;
        if block.seqs().start != self.next || block.size_before() != self.size {
            return Err(broken());
        }
        for (entry, size) in block.entries_from(Seq(0)).zip(block.sizes()) {
            let size = u64::try_from(size).expect("a length in memory fits u64");
            self.entry(&entry, size)?;
            observer.checked();
        }
        Ok(())
    }

    fn entry(&mut self, entry: &StoredEntry, size: u64) -> Result<(), Fault> {
        let sets = |error| unreadable(error, Fault::Sets);
        let mark = self.log.sets.mark_of(self.store, entry.seq).map_err(sets)?;
        let held = self.log.sets.contains(self.store, Kind::Held, entry.seq).map_err(sets)?;
        let missing = self.log.sets.contains(self.store, Kind::Missing, entry.seq).map_err(sets)?;
        let leaf = self.content(entry, mark, held)?;
        self.inbox.push_leaf(leaf, |_, _| ());
        self.size = self.size.saturating_add(size);
        self.next = entry.seq.0.saturating_add(1);
        // Also of one that is held in part: whoever goes on with it reads its row.
        let body = match &entry.content {
            StoredContent::Entry { body: None, .. } => {
                let progress = self.bodies.progress(self.store, self.log.key, entry.seq);
                progress.map_err(|error| unreadable(error, Fault::Body(entry.seq.0)))?
            }
            _ => Progress::default(),
        };
        if mark == Mark::Unread {
            self.count(size, if held { body.bytes } else { 0 }, missing);
        }
        Ok(())
    }

    fn count(&mut self, size: u64, held_size: u64, is_missing: bool) {
        let tally = &mut self.tally;
        tally.unread.entries += 1;
        tally.unread.bytes = tally.unread.bytes.saturating_add(size).saturating_add(held_size);
        tally.held_size = tally.held_size.saturating_add(held_size);
        tally.missing += u64::from(is_missing);
    }

    /// Holds header and body against each other and their place; gives the leaf hash.
    fn content(&self, entry: &StoredEntry, mark: Mark, held: bool) -> Result<Hash, Fault> {
        let seq = entry.seq;
        let (header, body) = match &entry.content {
            StoredContent::Gone { leaf } => return Ok(*leaf),
            StoredContent::Dropped { .. } if mark.is_kept() => return Err(Fault::Body(seq.0)),
            StoredContent::Dropped { leaf, .. } => return Ok(*leaf),
            StoredContent::Entry { header, body } => (header, body),
        };
        let decoded = Header::decode(header).map_err(|_| Fault::Header(seq.0))?;
        if (decoded.recipient(), decoded.seq()) != (self.recipient, seq) {
            return Err(Fault::Header(seq.0));
        }
        if let Decoded::Header(header) = decoded {
            let hash = match body {
                Some(body) => Some(body_hash(body)),
                None if held => self.held_hash(seq, &header),
                None => Some(header.body_hash),
            };
            if hash != Some(header.body_hash) {
                return Err(Fault::Body(seq.0));
            }
        }
        Ok(leaf_hash(&self.log.id, self.log.key.epoch, entry.index, header))
    }

    /// The hash of a held body; `None` when a chunk is not there.
    fn held_hash(&self, seq: Seq, header: &Header) -> Option<Hash> {
        let held = self.bodies.progress(self.store, self.log.key, seq).ok()?;
        let mut hasher = blake3::Hasher::new();
        for number in 0..held.chunks {
            hasher.update(&self.bodies.chunk(self.store, self.log.key, seq, number).ok()??);
        }
        let is_whole = held.bytes == header.body_len;
        is_whole.then(|| Hash(*hasher.finalize().as_bytes()))
    }

    /// Holds the counts against what was counted, the bounds against the sets.
    fn tally(&mut self) -> Result<(), Fault> {
        let (kept, end) = (self.log.tally, self.next);
        let counted = Tally {
            floor: kept.floor,
            stored_below: kept.stored_below,
            archived_below: kept.archived_below,
            ..self.tally
        };
        let bounds = [kept.floor, kept.stored_below, kept.archived_below];
        if kept != counted || bounds.iter().any(|bound| bound.0 > end) {
            return Err(Fault::Tally);
        }
        match self.log.bounds_hold(self.store) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::Tally),
            Err(error) => Err(unreadable(error, Fault::Sets)),
        }
    }
}
