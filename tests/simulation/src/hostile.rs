//! A node that is authorised and lies: what it says is changed on its way out, and signed again
//! where its own key can sign it.

use std::sync::Arc;

use bytes::Bytes;
use peermq::log::{Head, Header, Item, Peaks, SignedHead, fold};
use peermq::sync::proof::Evidence;
use peermq::sync::{Frame, Heads, Kind, Message, Receipt, UnverifiedAdvance};
use peermq::types::{Id, Recipient, Seq};

use crate::chance::Chance;
use crate::link::End;
use crate::world::World;

/// What a liar lies about. Who lies about everything is soon believed nothing, and what is checked
/// late in a conversation is never come to: others are honest in all but one kind of frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lies {
    alone_about: Option<Kind>,
}

impl Lies {
    /// Some liars lie about everything, the others about one of some kinds.
    pub(crate) fn new(kinds: &[Kind], chance: &mut Chance) -> Self {
        let alone_about = if chance.one_in(2) { chance.pick(kinds) } else { None };
        Self { alone_about }
    }

    /// Whether the next frame of a kind is changed.
    fn has_one(self, kind: Kind, chance: &mut Chance) -> bool {
        let is_rare = !matches!(kind, Kind::Advance | Kind::Receipt | Kind::Body);
        self.alone_about.is_none_or(|about| about == kind)
            && chance.one_in(if is_rare { 8 } else { 2 })
    }
}

impl World {
    /// What a hostile node sends in place of a frame.
    pub(crate) fn falsify(&mut self, at: usize, frame: Frame) -> Frame {
        if !self.says_untruths(at) || !self.habits.lies.has_one(frame.kind, &mut self.chance) {
            return frame;
        }
        self.trace.note(format_args!("{at} falsifies a {:?}", frame.kind));
        if self.chance.one_in(3) {
            return self.flip(frame);
        }
        match Message::decode(&frame) {
            Ok(Message::Advance(advance)) => self.falsify_advance(at, advance).encode(),
            Ok(Message::Receipt(signed)) => {
                let said = self.falsify_receipt(signed.unverified().clone());
                Message::Receipt(said.sign(&self.nodes[at].identity)).encode()
            }
            Ok(Message::Heads(heads)) => self.falsify_heads(at, heads).encode(),
            _ => self.flip(frame),
        }
    }

    /// A hostile node says things twice, and before others that it should have said first.
    pub(crate) fn disorder(&mut self, at: usize, to: End) {
        if !self.says_untruths(at) || !self.chance.one_in(20) {
            return;
        }
        let is_repeated = self.chance.one_in(2);
        let link = self.links.get_mut(&to.link).expect("it has just spoken");
        let coming = &mut link.coming[to.side];
        self.trace.note(format_args!("{at} disorders {} frames", coming.len()));
        let last = coming.len().saturating_sub(1);
        match is_repeated {
            true => coming.extend(coming.back().cloned()),
            false => coming.swap(last, last.saturating_sub(1)),
        }
    }

    /// Heads of others that they never signed, or what should prove that they forked.
    fn falsify_heads(&mut self, at: usize, mut heads: Heads) -> Message {
        let identity = Arc::clone(&self.nodes[at].identity);
        let other = self.nodes[(at + 1) % self.nodes.len()].id();
        let sign = |author: Id, head: &SignedHead, change: u8| {
            let mut root = head.root;
            root.0[0] ^= change;
            let SignedHead { epoch, length, .. } = *head;
            Head { author, epoch, length, root }.sign(&identity)
        };
        match (heads.heads.first().copied(), self.chance.one_in(2)) {
            (Some((_, head)), true) => {
                let [one, two] = [0, 1].map(|change| sign(other, &head, change));
                Message::Evidence(Box::new(Evidence::of_heads(other, one, two)))
            }
            _ => {
                for (_, head) in &mut heads.heads {
                    head.length += self.chance.within(0..3);
                    *head = sign(other, head, 1);
                }
                Message::Heads(heads)
            }
        }
    }

    fn flip(&mut self, frame: Frame) -> Frame {
        let mut payload = frame.payload.to_vec();
        if !payload.is_empty() {
            let place = self.chance.below(payload.len());
            payload[place] ^= 1 << self.chance.below(8);
        }
        Frame { kind: frame.kind, payload: payload.into() }
    }

    fn falsify_advance(&mut self, at: usize, mut advance: UnverifiedAdvance) -> Message {
        let place = self.chance.below(advance.items.len().max(1));
        let other = self.nodes[(at + 1) % self.nodes.len()].id();
        let (author, epoch) = (self.nodes[at].id(), advance.head.epoch);
        match (self.chance.below(6), advance.items.get_mut(place)) {
            (0, Some(Item::Entry { body: Some(body), .. })) => {
                *body = Bytes::from([body.as_ref(), b"!"].concat()).slice(1..);
            }
            (1, _) => advance.head.signature.0[place % 64] ^= 1,
            (2, Some(Item::Skip { hash, .. })) => hash.0[0] ^= 1,
            (3, Some(Item::Entry { header, .. })) => {
                *header = changed(header, |header| header.seq = Seq(header.seq.0 + 1));
            }
            (4, Some(Item::Entry { header, .. })) => {
                let to = Recipient::Peer(*Id::as_bytes(&other));
                *header = changed(header, |header| header.recipient = to);
            }
            (_, item) => {
                let again = item.cloned();
                advance.head.length += u64::from(again.is_some());
                advance.items.extend(again);
            }
        }
        // A reader that has nothing yet takes whatever its author signs as the log's beginning.
        if advance.from == 0 && self.chance.one_in(2) {
            let (length, items) = (advance.head.length, advance.items.clone());
            if let Ok(folded) = fold(&Peaks::new(), &author, epoch, length, items) {
                let head = Head { author, epoch, length, root: folded.peaks.root() };
                advance.head = head.sign(&self.nodes[at].identity);
            }
        }
        Message::Advance(advance)
    }

    fn falsify_receipt(&mut self, said: Receipt) -> Receipt {
        let mut said = said;
        match self.chance.below(3) {
            0 => {
                said.seen += self.chance.within(1..9);
                said.window.end = said.seen;
                said.stored.below = said.seen;
            }
            1 => said.inbox.0[0] ^= 1,
            _ => said.archived.below = said.seen,
        }
        said
    }
}

/// A header with another field.
fn changed(header: &Bytes, change: impl FnOnce(&mut Header)) -> Bytes {
    let Ok(peermq::log::Decoded::Header(mut decoded)) = Header::decode(header) else {
        return header.clone();
    };
    change(&mut decoded);
    Bytes::copy_from_slice(decoded.encode().as_bytes())
}
