//! What an authorised peer may try, each with what the node says of it.

use std::sync::Arc;

use bytes::Bytes;
use peermq::crypto::Identity;
use peermq::crypto::hash::{Hash, body_hash};
use peermq::log::{Head, Item};
use peermq::sync::body::Want;
use peermq::sync::{Acked, Credit, Hello, Life, Message, Position, Receipt};
use peermq::types::{Epoch, Id, Ranges, Recipient, Seq};

use crate::Outcome;
use crate::author::Author;
use crate::liar::{Session, bytes_of};
use crate::target::Target;

/// One thing that a peer tries.
#[derive(Debug, Clone, Copy)]
pub struct Lie {
    /// What it is.
    pub name: &'static str,
    /// What the node's log says of it: how the peer misbehaved.
    pub outcome: &'static str,
    /// How many entries of the peer's log may be stored afterwards: those before the lie.
    pub stored: u64,
    tell: fn(&mut Author, &Stage) -> Outcome<Vec<u8>>,
}

/// What the liar knows of the node.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    target: Id,
    /// The life of the node's log that it writes.
    life: Life,
}

/// A number for each peer that lies: none lies twice.
#[must_use]
pub fn liar(number: usize) -> Arc<Identity> {
    let mut seed = [0xab; 32];
    if let Some(place) = seed.first_chunk_mut() {
        *place = number.to_be_bytes();
    }
    Arc::new(Identity::from_seed(&seed))
}

impl Lie {
    /// Tells the lie, and waits until the node has said what it thinks of it.
    ///
    /// # Errors
    /// When the node thinks something else, or stores what it should not.
    pub async fn tell(&self, number: usize, target: &mut Target) -> Outcome {
        let identity = liar(number);
        let peer = identity.id();
        let mut author = Author::new(Arc::clone(&identity), target.id);
        let mut session = Session::open(&identity, target, 0).await?;
        let greeting = session.greet(Life { epoch: author.epoch, length: 9 }).await?;
        let life = greeting.lives.first().copied().ok_or("expected a life of the node")?;
        let bytes = (self.tell)(&mut author, &Stage { target: target.id, life })?;
        // The node may hang up in the midst of it.
        let _ = session.write(&bytes).await;
        session.ended().await?;
        // The log has it as it happens, and status for as long as nothing newer did.
        target.log_line(&format!("session ended peer={peer}")).await?;
        let said = target.how_it_ended(peer).await?;
        if !said.contains(self.outcome) {
            return Err(format!("{}: expected {:?} in {said:?}", self.name, self.outcome).into());
        }
        let stored = target.stored_of(peer).await?;
        if stored > self.stored {
            return Err(format!("{}: {stored} entries are stored", self.name).into());
        }
        Ok(())
    }
}

/// Every lie that one session can tell.
pub const LIES: &[Lie] = &[
    Lie {
        name: "a head signed by another key",
        outcome: "expected a valid signature on a Advance",
        stored: 0,
        tell: |author, _| {
            let mut advance = author.advance(author.entries(0, 1))?;
            let Head { author: id, .. } = head_of(author, 1, advance.head.root);
            let forger = Identity::from_seed(&[1; 32]);
            advance.head =
                Head { author: id, ..head_of(author, 1, advance.head.root) }.sign(&forger);
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a root of other entries",
        outcome: "expected items that fold to the signed root",
        stored: 0,
        tell: |author, _| {
            let mut advance = author.advance(author.entries(0, 1))?;
            advance.head = head_of(author, 1, Hash([9; 32])).sign(&author.identity);
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a log of somebody else",
        outcome: "expected a Advance about a log of one of us",
        stored: 0,
        tell: |author, stage| {
            let mut advance = author.advance(author.entries(0, 1))?;
            advance.author = *stage.target.as_bytes();
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a life that was never named",
        outcome: "expected a Advance about a log of one of us",
        stored: 0,
        tell: |author, _| {
            author.epoch = Epoch(u64::MAX);
            let advance = author.advance(author.entries(0, 1))?;
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a seq left out",
        outcome: "expected seq 0, got seq 9",
        stored: 0,
        tell: |author, _| Ok(bytes_of(&Message::Advance(author.advance(author.entries(9, 1))?))),
    },
    Lie {
        name: "a seq at the end of numbers",
        outcome: "expected seq 0, got seq 18446744073709551615",
        stored: 0,
        tell: |author, _| {
            let entry = author.entry(author.to, u64::MAX, b"x");
            Ok(bytes_of(&Message::Advance(author.advance(vec![entry])?)))
        },
    },
    Lie {
        name: "an entry to somebody else",
        outcome: "expected entries to this node",
        stored: 0,
        tell: |author, _| {
            let entry = author.entry(author.id(), 0, b"x");
            Ok(bytes_of(&Message::Advance(author.advance(vec![entry])?)))
        },
    },
    Lie {
        name: "a chunk twice",
        outcome: "expected a chunk from 1, got one from 0",
        stored: 1,
        tell: |author, _| {
            let bytes = bytes_of(&Message::Advance(author.advance(author.entries(0, 1))?));
            Ok([&bytes[..], &bytes].concat())
        },
    },
    Lie {
        name: "a chunk further on",
        outcome: "expected a chunk from 0, got one from 3",
        stored: 0,
        tell: |author, _| {
            author.advance(author.entries(0, 3))?;
            Ok(bytes_of(&Message::Advance(author.advance(author.entries(3, 1))?)))
        },
    },
    Lie {
        name: "a length at the end of numbers",
        outcome: "got their end at 1",
        stored: 0,
        tell: |author, _| {
            let mut advance = author.advance(author.entries(0, 1))?;
            advance.head = author.head(u64::MAX);
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a subtree larger than its place",
        outcome: "the peer broke the rules",
        stored: 0,
        tell: |author, _| {
            let mut advance = author.advance(author.entries(0, 1))?;
            advance.items = vec![Item::Skip { level: 63, hash: Hash([1; 32]) }];
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a body that is not its header's",
        outcome: "the body that the header of seq 0 names",
        stored: 0,
        tell: |author, _| {
            let mut advance = author.advance(author.entries(0, 1))?;
            if let Some(Item::Entry { body, .. }) = advance.items.first_mut() {
                *body = Some(Bytes::from_static(b"sealed by nobodY"));
            }
            Ok(bytes_of(&Message::Advance(advance)))
        },
    },
    Lie {
        name: "a header that is none",
        outcome: "the peer broke the rules",
        stored: 0,
        tell: |author, _| {
            let junk = Item::Entry { header: Bytes::from_static(&[255; 9]), body: None };
            Ok(bytes_of(&Message::Advance(author.advance(vec![junk])?)))
        },
    },
    Lie {
        name: "more chunks than were granted",
        outcome: "bytes of chunks, got",
        stored: 0,
        tell: |author, _| {
            let mut bytes = Vec::new();
            let most = usize::try_from(peermq::limits::CREDIT_WINDOW_SIZE)?;
            for number in 0_u64.. {
                if bytes.len() > most {
                    break;
                }
                // Entries for others: the node has nothing to store, and so gives no more credit.
                let hash = body_hash(&number.to_be_bytes());
                let advance = author.advance(vec![Item::Skip { level: 0, hash }])?;
                bytes.extend(bytes_of(&Message::Advance(advance)));
            }
            Ok(bytes)
        },
    },
    Lie {
        name: "a receipt for more than was sent",
        outcome: "expected a receipt for at most 0 entries, got one for 5",
        stored: 0,
        tell: |author, stage| {
            let receipt = receipt(author, stage, 5);
            Ok(bytes_of(&Message::Receipt(receipt.sign(&author.identity))))
        },
    },
    Lie {
        name: "a receipt at the end of numbers",
        outcome: "expected a receipt for at most 0 entries",
        stored: 0,
        tell: |author, stage| {
            let receipt = receipt(author, stage, u64::MAX);
            Ok(bytes_of(&Message::Receipt(receipt.sign(&author.identity))))
        },
    },
    Lie {
        name: "a receipt signed by another",
        outcome: "expected a valid signature on a Receipt",
        stored: 0,
        tell: |author, stage| {
            let signed = receipt(author, stage, 0).sign(&Identity::from_seed(&[1; 32]));
            Ok(bytes_of(&Message::Receipt(signed)))
        },
    },
    Lie {
        name: "a receipt for somebody else's log",
        outcome: "expected a Receipt about a log of one of us",
        stored: 0,
        tell: |author, stage| {
            let receipt = Receipt { author: *author.id().as_bytes(), ..receipt(author, stage, 0) };
            Ok(bytes_of(&Message::Receipt(receipt.sign(&author.identity))))
        },
    },
    Lie {
        name: "a receipt in the name of another",
        outcome: "expected entries to this node",
        stored: 0,
        tell: |author, stage| {
            let other = Recipient::Peer([5; 32]);
            let receipt = Receipt { recipient: other, ..receipt(author, stage, 0) };
            Ok(bytes_of(&Message::Receipt(receipt.sign(&author.identity))))
        },
    },
    Lie {
        name: "a position in a log that is not the node's",
        outcome: "expected a Position about a log of one of us",
        stored: 0,
        tell: |author, stage| {
            Ok(bytes_of(&position(*author.id().as_bytes(), stage.life.epoch, &[1])))
        },
    },
    Lie {
        name: "checkpoints out of order",
        outcome: "expected a Position with numbers that grow",
        stored: 0,
        tell: |_, stage| {
            Ok(bytes_of(&position(*stage.target.as_bytes(), stage.life.epoch, &[u64::MAX, 1])))
        },
    },
    Lie {
        name: "credit that shrinks",
        outcome: "expected a Credit with numbers that grow",
        stored: 0,
        tell: |_, stage| {
            let credit = |total| {
                let (author, epoch) = (*stage.target.as_bytes(), stage.life.epoch);
                bytes_of(&Message::Credit(Credit { author, epoch, total }))
            };
            Ok([credit(u64::MAX), credit(5)].concat())
        },
    },
    Lie {
        name: "a second hello",
        outcome: "expected one Hello, got a Hello",
        stored: 0,
        tell: |_, _| {
            let lives = Vec::new();
            let hello = Hello { version: 1, features: 0, lives, heads: vec![], receipts: vec![] };
            Ok(bytes_of(&Message::Hello(hello)))
        },
    },
    Lie {
        name: "a body wanted where none is given",
        outcome: "expected a message of the sync sub-stream, got a Want",
        stored: 0,
        tell: |_, stage| {
            Ok(bytes_of(&Message::Want(Want {
                author: *stage.target.as_bytes(),
                epoch: stage.life.epoch,
                recipient: Recipient::Peer([5; 32]),
                seq: Seq(u64::MAX),
                first_chunk: u32::MAX,
            })))
        },
    },
    Lie {
        name: "a kind that there is not",
        outcome: "expected a known kind of message, got kind 77",
        stored: 0,
        tell: |_, _| Ok(vec![0, 0, 0, 2, 77, 0]),
    },
    Lie {
        name: "a length beyond all bounds",
        outcome: "got a declared length of 4294967295",
        stored: 0,
        tell: |_, _| Ok(vec![255, 255, 255, 255, 5]),
    },
    Lie {
        name: "bytes after a message",
        outcome: "expected the end of a Ping, got more bytes",
        stored: 0,
        tell: |_, _| Ok(vec![0, 0, 0, 3, 2, 1, 1]),
    },
    Lie {
        name: "bytes that are no message",
        outcome: "expected a Credit, got bytes that do not decode as one",
        stored: 0,
        tell: |_, _| Ok(vec![0, 0, 0, 2, 7, 255]),
    },
    Lie {
        name: "a list longer than its bound",
        outcome: "expected a Position, got bytes that do not decode as one",
        stored: 0,
        tell: |_, stage| {
            let checkpoints: Vec<_> = (0..9).collect();
            Ok(bytes_of(&position(*stage.target.as_bytes(), stage.life.epoch, &checkpoints)))
        },
    },
];

fn head_of(author: &Author, length: u64, root: Hash) -> Head {
    Head { author: author.identity.id(), epoch: author.epoch, length, root }
}

const fn acked(below: u64) -> Acked {
    Acked { below, ranges: Ranges::new() }
}

/// A receipt for the node's log that claims to know so many entries.
fn receipt(author: &Author, stage: &Stage, seen: u64) -> Receipt {
    Receipt {
        receiver: *author.id().as_bytes(),
        author: *stage.target.as_bytes(),
        epoch: stage.life.epoch,
        recipient: Recipient::Peer(*author.id().as_bytes()),
        seen,
        inbox: Hash([3; 32]),
        window: 0..seen,
        stored: acked(seen),
        archived: acked(0),
        rejected: Ranges::new(),
    }
}

fn position(author: [u8; 32], epoch: Epoch, checkpoints: &[u64]) -> Message {
    let (checkpoints, channels) = (checkpoints.to_vec(), Vec::new());
    Message::Position(Position { author, epoch, length: 0, number: 1, checkpoints, channels })
}
