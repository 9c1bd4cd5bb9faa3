//! Nodes without a network: a key, a disk in memory, and the queue on it; and two that have talked.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use peermq::crypto::hash::body_hash;
use peermq::crypto::{Identity, Salt, Suite};
use peermq::limits::BODY_CHUNK_SIZE;
use peermq::log::{Draft, DraftBody};
use peermq::queue::check::{CheckObserver, Finding, check};
use peermq::queue::{Mark, Place, Queue};
use peermq::sync::body::Progress;
use peermq::types::{Id, Recipient, Seq, UnixMs};
use peermq_storage::{FaultyDisk, Store};

use crate::seat::converse;

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) identity: Arc<Identity>,
    pub(crate) disk: FaultyDisk,
    pub(crate) queue: Queue,
    salts: u128,
}

/// Two nodes that have talked: copies of their disks are where inputs begin.
#[derive(Debug)]
pub(crate) struct Images {
    /// Has sent messages of all kinds to the reader and to a third.
    pub(crate) author: FaultyDisk,
    /// Has most of them, and has marked some.
    pub(crate) reader: FaultyDisk,
}

impl Node {
    /// A node on a disk, which it may have been on before.
    pub(crate) fn on(seed: u8, disk: FaultyDisk) -> Self {
        let identity = Arc::new(Identity::from_seed(&[seed; 32]));
        let store = disk.open().expect("no other handle lives").store;
        let queue = Queue::open(store, identity.id(), NOW).expect("its store is sound");
        Self { identity, disk, queue, salts: 0 }
    }

    pub(crate) fn id(&self) -> Id {
        self.identity.id()
    }

    /// Lets another in.
    pub(crate) fn add(&mut self, other: &Id) {
        self.queue.add_peer(other, None).expect("it is another");
        self.commit();
    }

    pub(crate) fn commit(&mut self) {
        self.queue.commit().expect("a store in memory takes all that is within bounds");
    }

    fn draft(&mut self, to: &Id, body: Bytes) -> Draft {
        self.salts += 1;
        Draft {
            recipient: Recipient::Peer(*to.as_bytes()),
            suite: Suite::STATIC_X25519,
            salt: Salt(self.salts.to_be_bytes()),
            time: NOW,
            not_after: None,
            body_hash: body_hash(&body),
            body: DraftBody::Inline(body),
            idempotency: None,
        }
    }

    /// Sends short messages, in one commit.
    pub(crate) fn send(&mut self, to: &Id, count: u8) {
        for number in 0..count {
            let draft = self.draft(to, Bytes::from(vec![number; 9]));
            self.queue.send(draft).expect("it may be sent");
        }
        self.commit();
    }

    /// Sends a message whose body comes apart.
    fn send_long(&mut self, to: &Id, body: &Bytes) {
        let mut draft = self.draft(to, body.clone());
        for (number, chunk) in (0..).zip(body.chunks(BODY_CHUNK_SIZE)) {
            self.queue.stage_body(&draft.salt, number, Bytes::copy_from_slice(chunk));
        }
        let body_len = u64::try_from(body.len()).expect("a length fits u64");
        draft.body = DraftBody::Staged { body_len };
        self.queue.send(draft).expect("it may be sent");
        self.commit();
    }

    /// Marks messages of an author's first life, durably.
    pub(crate) fn mark(&mut self, from: &Id, seqs: std::ops::RangeInclusive<u64>, to: Mark) {
        let epoch = self.queue.first_epoch(from).expect("it has sent something");
        let place = Place { from: *from, epoch, seqs };
        self.queue.mark(&[place], to).expect("it was received");
        self.commit();
    }

    /// Everything that its disk holds agrees with everything else.
    pub(crate) fn expect_sound_disk(&self) {
        let store = self.disk.copy().open().expect("a copy has no other handle").store;
        let findings = findings(&*store, &self.id());
        assert!(findings.is_empty(), "the store holds {findings:?}");
    }
}

/// What a check of a store finds.
pub(crate) fn findings(store: &dyn Store, me: &Id) -> Vec<Finding> {
    let mut findings = Findings::default();
    check(store, me, &mut findings).expect("a store in memory can be read");
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl CheckObserver for Findings {
    fn checked(&mut self) {}

    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// The images, made once.
pub(crate) fn images() -> &'static Images {
    static IMAGES: LazyLock<Images> = LazyLock::new(make);
    &IMAGES
}

/// Has all kinds of rows written.
fn make() -> Images {
    let (mut author, mut reader) = (Node::on(1, FaultyDisk::new()), Node::on(2, FaultyDisk::new()));
    let third = Identity::from_seed(&[3; 32]).id();
    let (from, to) = (author.id(), reader.id());
    author.add(&to);
    reader.add(&from);
    for _ in 0..4 {
        author.send(&to, 6);
        author.send(&third, 5);
        author.send(&to, 1);
    }
    let long = Bytes::from(vec![7; BODY_CHUNK_SIZE + 5_000]);
    author.send_long(&to, &long);
    author.send_long(&to, &long);
    reader.send(&from, 20);
    converse(&mut author, &mut reader);
    reader.mark(&from, 0..=4, Mark::Archived);
    reader.mark(&from, 6..=7, Mark::Archived);
    reader.mark(&from, 9..=9, Mark::Cleared);
    reader.mark(&from, 11..=11, Mark::Rejected);
    author.mark(&to, 0..=3, Mark::Archived);
    let chunks = long.chunks(BODY_CHUNK_SIZE).map(Bytes::copy_from_slice).collect();
    let epoch = author.queue.epoch();
    reader.queue.hold_chunks(&from, epoch, Seq(28), 0, chunks, Progress::Whole).expect("it fits");
    let first = vec![long.slice(..BODY_CHUNK_SIZE)];
    reader.queue.hold_chunks(&from, epoch, Seq(29), 0, first, Progress::More).expect("it fits");
    reader.commit();
    converse(&mut author, &mut reader);
    author.send(&to, 8);
    for node in [&author, &reader] {
        node.expect_sound_disk();
    }
    Images { author: author.disk.copy(), reader: reader.disk.copy() }
}

/// 2024-01-01, in milliseconds.
pub(crate) const NOW: UnixMs = UnixMs(1_704_067_200_000);
