//! A whole session with an authorised peer that lies: frames of all kinds, in any order, signed where
//! its own key can sign them.

use bytes::Bytes;
use peermq::crypto::Identity;
use peermq::crypto::hash::Hash;
use peermq::limits::ADVANCE_SIZE_MAX;
use peermq::log::{Head, Item, Peaks, SignedHead, branch, fold};
use peermq::queue::Mark;
use peermq::sync::body::{BodyChunk, Want};
use peermq::sync::proof::Evidence;
use peermq::sync::{
    Acked, Credit, Frame, Grant, Heads, Hello, Input, Kind, Life, Message, Position, Receipt, Tag,
    UnverifiedAdvance,
};
use peermq::types::{Epoch, Id, Recipient, Seq};

use crate::choices::Choices;
use crate::node::{Node, images};
use crate::seat::{Seat, news};

/// A peer says what it likes to a node. The session ends or goes on; the node's store stays sound.
pub fn session(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut reader = Node::on(2, images().reader.copy());
    let mut author = Node::on(1, images().author.copy());
    let mut seat = Seat::new(&mut reader, author.id());
    let mut liar = Liar::new(&mut author, seat.node.id());
    liar.heard(&seat.drain());
    for _ in 0..STEP_COUNT_MAX {
        if choices.is_empty() || seat.closed.is_some() {
            break;
        }
        let frames = step(&mut seat, &mut liar, &mut choices);
        liar.heard(&frames);
    }
    reader.expect_sound_disk();
}

/// The peer says something, or something happens at the node.
fn step(seat: &mut Seat<'_>, liar: &mut Liar<'_>, choices: &mut Choices<'_>) -> Vec<Frame> {
    let input = match choices.below(20) {
        0..=13 => Input::Received(liar.say(seat, choices)),
        14 => {
            let peer = seat.peer;
            seat.node.send(&peer, choices.byte() % 4);
            let life = Life { epoch: seat.node.queue.epoch(), length: seat.node.queue.length() };
            Input::LocalHead(life)
        }
        15 => return mark(seat, choices),
        16 => {
            seat.now.0 = seat.now.0.saturating_add(u64::from(choices.byte()) * 1_000_000);
            Input::Timeout
        }
        17 => Input::Flushed(choices.below(100_000)),
        18 => {
            [Input::Probe, Input::Forks, Input::Room].into_iter().nth(choices.below(3)).expect("3")
        }
        _ => Input::Regrant(if choices.below(2) == 0 { Grant::Receive } else { Grant::ServeOnly }),
    };
    seat.handle(input)
}

/// The node's user marks what is unread.
fn mark(seat: &mut Seat<'_>, choices: &mut Choices<'_>) -> Vec<Frame> {
    let (from, first) = (seat.peer, u64::from(choices.byte() % 40));
    let epoch = seat.node.queue.first_epoch(&from).expect("the image has something of it");
    let place = peermq::queue::Place { from, epoch, seqs: first..=first };
    // What is not there, or not whole, cannot be marked.
    let _ = seat.node.queue.mark(&[place], [Mark::Archived, Mark::Cleared][choices.below(2)]);
    let changes = seat.node.queue.commit().expect("a store in memory takes it");
    news(changes, &from).into_iter().flat_map(|input| seat.handle(input)).collect()
}

/// The peer: the author's log and key, and what the node has told it.
struct Liar<'a> {
    author: &'a mut Node,
    reader: Id,
    /// The node's last position.
    position: Position,
    said: Vec<Frame>,
}

impl<'a> Liar<'a> {
    fn new(author: &'a mut Node, reader: Id) -> Self {
        let epoch = author.queue.epoch();
        let position = Position {
            author: *author.id().as_bytes(),
            epoch,
            length: 0,
            number: 1,
            checkpoints: Vec::new(),
            channels: Vec::new(),
        };
        Self { author, reader, position, said: Vec::new() }
    }

    fn heard(&mut self, frames: &[Frame]) {
        for frame in frames {
            match Message::decode(frame).expect("what a node sends can be read") {
                Message::Position(position) if position.epoch == self.position.epoch => {
                    self.position = position;
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, seat: &mut Seat<'_>, choices: &mut Choices<'_>) -> Frame {
        let frame = match choices.below(14) {
            0 | 1 => self.hello(choices).encode(),
            2..=5 => self.advance(seat, choices).encode(),
            6 | 7 => self.receipt(seat, choices).encode(),
            8 => self.credit(choices).encode(),
            9 => self.ask(choices).encode(),
            10 => self.heads(choices).encode(),
            11 => self.evidence(seat, choices).encode(),
            12 => self
                .said
                .get(choices.below(self.said.len().max(1)))
                .cloned()
                .unwrap_or_else(|| Message::Ping(choices.number()).encode()),
            _ => raw(choices),
        };
        let frame = if choices.below(6) == 5 { harmed(frame, choices) } else { frame };
        self.said.push(frame.clone());
        frame
    }

    fn hello(&mut self, choices: &mut Choices<'_>) -> Message {
        let epoch = self.author.queue.epoch();
        let mut lives = vec![Life { epoch, length: self.author.queue.length() }];
        for _ in 0..choices.below(3) {
            let epoch = Epoch(choices.number());
            lives.insert(0, Life { epoch, length: choices.number() });
        }
        let is_honest = choices.below(3) > 0;
        let opening = self.author.queue.opening(&self.reader).expect("a sound store reads");
        Message::Hello(Hello {
            version: if choices.below(9) == 8 { choices.byte() } else { 1 },
            features: if is_honest { 3 } else { choices.number() },
            lives,
            heads: if is_honest { opening.heads } else { Vec::new() },
            receipts: if is_honest { opening.receipts } else { Vec::new() },
        })
    }

    /// A chunk of the log behind what the node holds, changed, and signed again.
    fn advance(&mut self, seat: &mut Seat<'_>, choices: &mut Choices<'_>) -> Message {
        let (author, epoch) = (self.author.id(), self.position.epoch);
        let from = if choices.below(6) == 5 { choices.number() } else { self.position.length };
        let budget = [ADVANCE_SIZE_MAX, 600][choices.below(2)];
        let checkpoints = &self.position.checkpoints;
        let chunk = self.author.queue.chunk(&self.reader, epoch, from, checkpoints, budget);
        let chunk = chunk.expect("a sound store reads");
        let (mut items, mut length) = chunk.map_or_else(Default::default, |it| (it.items, it.to));
        for _ in 0..choices.below(4) {
            change_items(&mut items, &mut length, choices);
        }
        let peaks = held_peaks(seat, epoch).filter(|peaks| peaks.length() == from);
        let folded = fold(&peaks.unwrap_or_default(), &author, epoch, length, items.clone());
        let root = folded.map_or(Hash([1; 32]), |folded| folded.peaks.root());
        let head = Head { author, epoch, length, root }.sign(&self.author.identity);
        let number = match choices.below(6) {
            5 => choices.number(),
            _ => self.position.number,
        };
        Message::Advance(UnverifiedAdvance {
            author: *author.as_bytes(),
            from,
            number,
            items,
            head,
        })
    }

    /// What the peer claims to have of the node's own log.
    fn receipt(&self, seat: &mut Seat<'_>, choices: &mut Choices<'_>) -> Message {
        let (me, queue) = (self.author.id(), &mut seat.node.queue);
        let epoch = queue.epoch();
        let leaves = queue.sent_leaves(&me, epoch, 0..u64::MAX).expect("a sound store reads");
        let count = choices.below(leaves.len() + 2);
        let mut peaks = Peaks::<peermq::log::InboxTree>::new();
        leaves.iter().take(count).for_each(|leaf| peaks.push_leaf(*leaf, |_, _| ()));
        let seen = u64::try_from(count).expect("a length fits u64");
        let said = Receipt {
            receiver: *me.as_bytes(),
            author: *self.reader.as_bytes(),
            epoch,
            recipient: Recipient::Peer(*me.as_bytes()),
            seen,
            inbox: peaks.root(),
            window: 0..seen,
            stored: Acked { below: choices.number().min(seen), ranges: Default::default() },
            archived: Acked { below: choices.number().min(seen), ranges: Default::default() },
            rejected: std::iter::once(choices.range()).collect(),
        };
        Message::Receipt(said.sign(&self.author.identity))
    }

    fn credit(&self, choices: &mut Choices<'_>) -> Message {
        let epoch = self.epoch_of_reader(choices);
        Message::Credit(Credit { author: *self.reader.as_bytes(), epoch, total: choices.number() })
    }

    fn ask(&self, choices: &mut Choices<'_>) -> Message {
        let (author, epoch) = (*self.reader.as_bytes(), self.epoch_of_reader(choices));
        if choices.below(6) == 5 {
            let (recipient, seq) =
                (Recipient::Peer(*self.author.id().as_bytes()), Seq(choices.number()));
            return Message::Want(Want { author, epoch, recipient, seq, first_chunk: u32::MAX });
        }
        let mut checkpoints: Vec<_> = (0..choices.below(4)).map(|_| choices.number()).collect();
        if choices.below(2) == 0 {
            checkpoints.sort_unstable();
        }
        let (length, number) = (choices.number(), choices.number());
        Message::Position(Position {
            author,
            epoch,
            length,
            number,
            checkpoints,
            channels: Vec::new(),
        })
    }

    /// Both logs live since one second: images are made with one clock.
    fn epoch_of_reader(&self, choices: &mut Choices<'_>) -> Epoch {
        if choices.below(9) == 8 { Epoch(choices.number()) } else { self.author.queue.epoch() }
    }

    fn heads(&self, choices: &mut Choices<'_>) -> Message {
        let authors = [self.author.id(), self.reader, Identity::from_seed(&[3; 32]).id()];
        let tags = authors.map(|author| Tag::new(&[5; 32], &author));
        let followed = (0..choices.below(4)).map(|_| tags[choices.below(3)]).collect();
        let heads = (0..choices.below(4)).map(|_| (tags[choices.below(3)], self.head(choices)));
        Message::Heads(Heads { heads: heads.collect(), followed })
    }

    /// Some head that the peer has signed of its own log.
    fn head(&self, choices: &mut Choices<'_>) -> SignedHead {
        let (author, root) = (self.author.id(), Hash([choices.byte(); 32]));
        let (epoch, length) = (self.author.queue.epoch(), choices.number());
        Head { author, epoch, length, root }.sign(&self.author.identity)
    }

    fn evidence(&self, seat: &mut Seat<'_>, choices: &mut Choices<'_>) -> Message {
        let (author, epoch) = (self.author.id(), self.position.epoch);
        let (first, second) = (self.head(choices), self.head(choices));
        let evidence = match (choices.below(2), held_peaks(seat, epoch)) {
            (1, Some(peaks)) => {
                let items = vec![Item::Gone { leaf: Hash([choices.byte(); 32]) }; 3];
                let at = peaks.length() + u64::from(choices.byte() % 4);
                let branch = branch(&peaks, &author, epoch, at, &items);
                branch.map(|branch| Evidence::of_branch(author, first, second, branch))
            }
            _ => None,
        };
        let evidence = evidence.unwrap_or_else(|| Evidence::of_heads(author, first, second));
        Message::Evidence(Box::new(evidence))
    }
}

/// The peaks of the peer's log as the node has stored them.
fn held_peaks(seat: &mut Seat<'_>, epoch: Epoch) -> Option<Peaks<peermq::log::LogTree>> {
    let opening = seat.node.queue.opening(&seat.peer).expect("a sound store reads");
    let held = opening.held.into_iter().find(|held| held.epoch == epoch);
    held.map(|held| held.follow.peaks)
}

fn change_items(items: &mut Vec<Item>, length: &mut u64, choices: &mut Choices<'_>) {
    let at = choices.below(items.len().max(1));
    match (choices.below(6), items.get_mut(at)) {
        (0, Some(Item::Entry { body, .. })) => {
            let size = choices.below(5_000);
            *body = (size > 0).then(|| Bytes::from(vec![7; size]));
        }
        (1, Some(Item::Entry { header, .. })) => {
            let mut bytes = header.to_vec();
            choices.harm(&mut bytes);
            *header = bytes.into();
        }
        (2, Some(Item::Skip { level, hash })) => {
            *level = choices.byte();
            hash.0[0] ^= choices.byte();
        }
        (3, Some(item)) => *item = Item::Gone { leaf: Hash([choices.byte(); 32]) },
        (4, Some(item)) => {
            let again = item.clone();
            items.insert(at, again);
            *length = length.saturating_add(1);
        }
        (5, Some(_)) => {
            items.remove(at);
            *length = length.saturating_sub(1);
        }
        _ => *length = choices.number(),
    }
}

/// A frame of any kind with any bytes, or a body where none is wanted.
fn raw(choices: &mut Choices<'_>) -> Frame {
    if choices.below(9) == 8 {
        let sealed = Bytes::copy_from_slice(choices.bytes(255));
        return Message::Body(BodyChunk { number: u32::from(choices.byte()), sealed }).encode();
    }
    let kind = Kind::from_byte(1 + choices.byte() % 11).expect("there are eleven");
    Frame { kind, payload: Bytes::copy_from_slice(choices.bytes(255)) }
}

fn harmed(frame: Frame, choices: &mut Choices<'_>) -> Frame {
    let mut payload = frame.payload.to_vec();
    choices.harm(&mut payload);
    if choices.below(4) == 3 {
        payload.truncate(choices.below(payload.len() + 1));
    }
    Frame { payload: payload.into(), ..frame }
}

/// Steps of one input.
const STEP_COUNT_MAX: usize = 40;
