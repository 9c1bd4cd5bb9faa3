//! A chunk of a log on its way from bytes to what may be stored.
//!
//! ```text
//! bytes → UnverifiedAdvance → Folded (its items give the root it names)
//!       → Group (of chunks that wait) → Received (the last one's signature verifies)
//! ```
//!
//! Inclusion, append-only growth and completeness all follow from one comparison: the items, in
//! order and without a hole, fold onto the peaks held before to the root that the author signed
//! (RFC 6962 §2.1; Crosby and Wallach, "Efficient Data Structures for Tamper-Evident Logging").

use bytes::Bytes;

use super::error::Misbehaviour;
use super::frame::Kind;
use crate::crypto::Verifier;
use crate::crypto::hash::{Hash, body_hash};
use crate::log::{self, Decoded, Header, Item, LogTree, Peaks, Shown, SignedHead};
use crate::planted;
use crate::types::{Id, Index, Recipient, Seq};

/// A chunk as it came: its claims are not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedAdvance {
    /// Whose log.
    pub author: [u8; 32],
    /// The length before the first item.
    pub from: u64,
    /// The number of the `Position` that it answers.
    pub number: u64,
    /// Entries, gone entries and skipped subtrees, in order; at most 4 096.
    pub items: Vec<Item>,
    /// The author's head after the last item, which tells epoch and length too.
    pub head: SignedHead,
}

/// Where following a log goes on.
#[derive(Debug, Clone, Default)]
pub struct Follow {
    /// The peaks at the length taken in.
    pub peaks: Peaks<LogTree>,
    /// The next seq among the entries to this node.
    pub next_seq: Seq,
    /// The next seq among the entries to everyone.
    pub next_announcement: Seq,
}

/// Entries of a peer's log, verified: the only thing that the store takes in.
#[derive(Debug)]
pub struct Received {
    /// The entries to this node, in order of their dense seqs.
    pub entries: Vec<ReceivedEntry>,
    /// The entries to everyone, in order.
    pub announcements: Vec<ReceivedEntry>,
    /// Where following goes on.
    pub follow: Follow,
    /// The author's head at the end.
    pub head: SignedHead,
    /// The lengths of the checkpoints that were compared on the way.
    pub reached: Vec<u64>,
}

/// One verified entry.
#[derive(Debug, Clone)]
pub struct ReceivedEntry {
    /// Its place in the log.
    pub index: Index,
    /// Its place among the author's entries to the same recipient.
    pub seq: Seq,
    /// Its leaf hash.
    pub leaf: Hash,
    /// What came of it.
    pub content: Content,
}

/// What came of an entry.
#[derive(Debug, Clone)]
pub enum Content {
    /// The header as received, and what it says; the body when it is inline and its hash checked.
    Entry {
        /// The bytes that the leaf hash covers.
        header: Bytes,
        /// What they say.
        decoded: Decoded,
        /// The sealed body, when it is inline.
        body: Option<Bytes>,
    },
    /// The author has the body no more.
    Gone,
}

impl ReceivedEntry {
    /// Whether there is a time from when on nobody should read it.
    #[must_use]
    pub const fn expires(&self) -> bool {
        match &self.content {
            Content::Entry { decoded: Decoded::Header(header), .. } => header.not_after.is_some(),
            _ => false,
        }
    }
}

/// A chunk whose items fold to the root that it names; the signature is still to be checked.
#[derive(Debug)]
pub(super) struct FoldedAdvance {
    entries: Vec<ReceivedEntry>,
    announcements: Vec<ReceivedEntry>,
    follow: Follow,
    head: SignedHead,
    size: usize,
    /// Whether its end was compared with a head that the author had signed before.
    is_checkpoint: bool,
}

/// Chunks that follow one another and share one commit.
#[derive(Debug)]
pub(super) struct Group {
    chunks: Vec<FoldedAdvance>,
}

impl Follow {
    /// Entries taken in.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.peaks.length()
    }
}

impl UnverifiedAdvance {
    /// Folds the items onto what was taken in.
    ///
    /// # Errors
    /// [`Misbehaviour`] names what no honest author sends; the session ends.
    pub(super) fn fold(
        self,
        taken: &Follow,
        author: Id,
        me: Id,
        size: usize,
    ) -> Result<FoldedAdvance, Misbehaviour> {
        let Self { from, items, head, .. } = self;
        if from != taken.length() {
            return Err(Misbehaviour::NotContiguous { expected: taken.length(), got: from });
        }
        let folded = log::fold(&taken.peaks, &author, head.epoch, head.length, items)?;
        if folded.peaks.root() != head.root && !planted::is("missing-fork-check") {
            return Err(Misbehaviour::Root { length: head.length });
        }
        let follow = Follow { peaks: folded.peaks, ..*taken };
        let (entries, announcements) = (Vec::with_capacity(folded.shown.len()), Vec::new());
        let mut advance =
            FoldedAdvance { entries, announcements, follow, head, size, is_checkpoint: false };
        let me = Recipient::Peer(*me.as_bytes());
        for shown in folded.shown {
            advance.take(shown, me)?;
        }
        Ok(advance)
    }
}

/// An inline body must be there and be the one that the header names; a long one comes apart.
fn check_body(
    header: &Header,
    body: Option<&Bytes>,
    recipient: Recipient,
) -> Result<(), Misbehaviour> {
    let wrong = Misbehaviour::Body(header.seq);
    match body {
        Some(body) => {
            let len = u64::try_from(body.len()).map_err(|_| wrong)?;
            let matches = header.is_inline() && len == header.body_len;
            let hashes = body_hash(body) == header.body_hash || planted::is("body-unchecked");
            if matches && hashes { Ok(()) } else { Err(wrong) }
        }
        // The author drops the inline body of an announcement; one to us would come as `Gone`.
        None if header.is_inline() && recipient != Recipient::Everyone => Err(wrong),
        None => Ok(()),
    }
}

fn next(seq: Seq) -> Result<Seq, Misbehaviour> {
    seq.0.checked_add(1).map(Seq).ok_or(Misbehaviour::Numbers(Kind::Advance))
}

impl FoldedAdvance {
    /// Puts an entry where it belongs: its seq must be the next of its series.
    fn take(&mut self, shown: Shown, me: Recipient) -> Result<(), Misbehaviour> {
        let Shown { index, leaf, header, body } = shown;
        let Some(header) = header else {
            let seq = self.follow.next_seq;
            self.follow.next_seq = next(seq)?;
            self.entries.push(ReceivedEntry { index, seq, leaf, content: Content::Gone });
            return Ok(());
        };
        let decoded = Header::decode(&header).map_err(Misbehaviour::Header)?;
        let (recipient, seq) = (decoded.recipient(), decoded.seq());
        let (series, expected) = match recipient {
            recipient if recipient == me || planted::is("foreign-entry-accepted") => {
                (&mut self.entries, &mut self.follow.next_seq)
            }
            Recipient::Everyone => (&mut self.announcements, &mut self.follow.next_announcement),
            Recipient::Peer(_) | Recipient::Channel(_) => return Err(Misbehaviour::ForeignEntry),
        };
        if seq != *expected && !planted::is("seq-gap-accepted") {
            return Err(Misbehaviour::SeqGap { expected: *expected, got: seq });
        }
        *expected = next(seq)?;
        if let Decoded::Header(header) = &decoded {
            check_body(header, body.as_ref(), recipient)?;
        }
        let content = Content::Entry { header, decoded, body };
        series.push(ReceivedEntry { index, seq, leaf, content });
        Ok(())
    }

    /// Whether anything in it is for this node, or it ends at a checkpoint.
    pub(super) const fn is_worth_storing(&self) -> bool {
        self.is_checkpoint || !self.entries.is_empty() || !self.announcements.is_empty()
    }

    /// Its end was compared with a head that the author had signed before.
    pub(super) const fn reach_checkpoint(&mut self) {
        self.is_checkpoint = true;
    }

    /// The author's head at its end.
    pub(super) const fn head(&self) -> &SignedHead {
        &self.head
    }

    /// Where following goes on after it.
    pub(super) const fn follow(&self) -> &Follow {
        &self.follow
    }

    /// Bytes of the frame that it came in.
    pub(super) const fn size(&self) -> usize {
        self.size
    }
}

impl Group {
    pub(super) const fn new(chunks: Vec<FoldedAdvance>) -> Self {
        Self { chunks }
    }

    /// Bytes of the frames.
    pub(super) fn size(&self) -> usize {
        self.chunks.iter().map(FoldedAdvance::size).sum()
    }

    /// Checks the signature at the end of the group. It covers all before it: each chunk folded
    /// onto the one before.
    pub(super) fn verify(self, author: &Verifier) -> Result<Received, Misbehaviour> {
        let mut chunks = self.chunks;
        let last = chunks.pop().expect("a group is made of at least one chunk");
        if !planted::is("signature-unchecked") {
            last.head.verify(author).map_err(|_| Misbehaviour::Signature(Kind::Advance))?;
        }
        let count = chunks.iter().map(|chunk| chunk.entries.len()).sum::<usize>();
        let mut entries = Vec::with_capacity(count + last.entries.len());
        let mut announcements = Vec::new();
        let (follow, head, mut reached) = (last.follow.clone(), last.head, Vec::new());
        for chunk in chunks.into_iter().chain([last]) {
            reached.extend(chunk.is_checkpoint.then_some(chunk.head.length));
            entries.extend(chunk.entries);
            announcements.extend(chunk.announcements);
        }
        Ok(Received { entries, announcements, follow, head, reached })
    }
}
