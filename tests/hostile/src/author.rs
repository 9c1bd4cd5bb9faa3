//! A log as a liar writes it: right in all but what the liar wants.

use std::sync::Arc;

use bytes::Bytes;
use peermq::crypto::hash::body_hash;
use peermq::crypto::{Identity, Salt, Suite};
use peermq::log::{Head, Header, Item, LogTree, Peaks, SignedHead, fold};
use peermq::sync::UnverifiedAdvance;
use peermq::types::{Epoch, Id, Recipient, Seq, UnixMs};

use crate::Outcome;

/// One life of an author's log, of which all entries go to the same node.
#[derive(Debug, Clone)]
pub struct Author {
    /// Who signs.
    pub identity: Arc<Identity>,
    /// To whom the entries go.
    pub to: Id,
    /// Which life.
    pub epoch: Epoch,
    peaks: Peaks<LogTree>,
}

impl Author {
    /// An empty log.
    #[must_use]
    pub fn new(identity: Arc<Identity>, to: Id) -> Self {
        Self { identity, to, epoch: Epoch(1_700_000_000), peaks: Peaks::new() }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> Id {
        self.identity.id()
    }

    /// An entry, with a body that does not open.
    #[must_use]
    pub fn entry(&self, to: Id, seq: u64, body: &[u8]) -> Item {
        let header = Header {
            recipient: Recipient::Peer(*to.as_bytes()),
            seq: Seq(seq),
            suite: Suite::STATIC_X25519,
            salt: Salt([7; 16]),
            time: UnixMs(1_700_000_000_000),
            not_after: None,
            body_len: u64::try_from(body.len()).unwrap_or(u64::MAX),
            body_hash: body_hash(body),
        };
        let inline = (body.len() <= peermq::limits::INLINE_BODY_SIZE_MAX)
            .then(|| Bytes::copy_from_slice(body));
        Item::Entry { header: Bytes::copy_from_slice(header.encode().as_bytes()), body: inline }
    }

    /// Entries to the node, from a seq on.
    #[must_use]
    pub fn entries(&self, first: u64, count: u64) -> Vec<Item> {
        (first..first + count).map(|seq| self.entry(self.to, seq, b"sealed by nobody")).collect()
    }

    /// The next chunk, with the head that is its own.
    ///
    /// # Errors
    /// When the items are none of a log.
    pub fn advance(&mut self, items: Vec<Item>) -> Outcome<UnverifiedAdvance> {
        let from = self.peaks.length();
        let length = from + items.iter().map(size).sum::<u64>();
        let folded = fold(&self.peaks, &self.id(), self.epoch, length, items.clone())?;
        self.peaks = folded.peaks;
        let head = self.head(length);
        Ok(UnverifiedAdvance { author: *self.id().as_bytes(), from, number: 1, items, head })
    }

    /// A head of a length, over the root that the log has now.
    #[must_use]
    pub fn head(&self, length: u64) -> SignedHead {
        let root = self.peaks.root();
        Head { author: self.id(), epoch: self.epoch, length, root }.sign(&self.identity)
    }
}

const fn size(item: &Item) -> u64 {
    match item {
        Item::Entry { .. } | Item::Gone { .. } => 1,
        Item::Skip { level, .. } => 1 << *level,
    }
}
