//! What is sent: short messages, ones whose bodies come apart, and some of them twice.

use bytes::Bytes;
use peermq::crypto::hash::body_hash;
use peermq::crypto::{Salt, Suite};
use peermq::limits::{BODY_CHUNK_SIZE, INLINE_BODY_SIZE_MAX};
use peermq::log::{Draft, DraftBody, IdempotencyHash};
use peermq::types::Recipient;

use crate::bodies::BodyJob;
use crate::node::Job;
use crate::oracle::Message;
use crate::world::World;

impl World {
    pub(crate) fn send(&mut self, from: usize, to: usize) {
        for _ in 0..self.chance.within(1..self.habits.burst + 1) {
            self.send_one(from, to);
        }
    }

    pub(crate) fn send_one(&mut self, from: usize, to: usize) {
        let number = self.oracle.messages.len();
        let size = self.body_size();
        let name = number.to_be_bytes();
        let body = Bytes::from([&name[..], &vec![name[7]; size]].concat());
        let is_keyed = self.chance.one_in(3);
        self.oracle.messages.push(Message { from, to, body, is_keyed, place: None });
        self.ask_to_send(number);
    }

    fn body_size(&mut self) -> usize {
        let long_body = self.habits.long_body;
        if long_body == 0 || !self.chance.one_in(long_body) {
            let size = self.chance.within(0..self.habits.body_size_max + 1);
            return usize::try_from(size).expect("a small number");
        }
        match self.chance.one_in(4) {
            true => self.chance.below(3 * BODY_CHUNK_SIZE),
            false => INLINE_BODY_SIZE_MAX + self.chance.below(1_000),
        }
    }

    /// A sender that does not know whether a message is durable sends it again.
    pub(crate) fn repeat(&mut self, from: usize) {
        let all = self.oracle.messages.iter().enumerate();
        let keyed = all.filter(|(_, message)| message.is_keyed && message.from == from);
        let keyed: Vec<_> = keyed.map(|(number, _)| number).collect();
        if let Some(message) = self.chance.pick(&keyed) {
            self.ask_to_send(message);
        }
    }

    fn ask_to_send(&mut self, number: usize) {
        let message = &self.oracle.messages[number];
        let (from, body) = (message.from, message.body.clone());
        let recipient = Recipient::Peer(*self.nodes[message.to].id().as_bytes());
        let idempotency = message.is_keyed.then(|| number.to_be_bytes());
        let idempotency = idempotency.and_then(|key| IdempotencyHash::new(&recipient, &key));
        let salt = self.salt();
        let draft = Draft {
            recipient,
            suite: Suite::STATIC_X25519,
            salt,
            time: self.nodes[from].time(self.now_ms()),
            not_after: None,
            body_hash: body_hash(&body),
            body: self.stage_body(from, salt, body),
            idempotency,
        };
        self.ask(from, Job::Send { message: number, draft: Box::new(draft) });
    }

    /// A salt that nothing had before.
    pub(crate) fn salt(&mut self) -> Salt {
        let [one, other] = [self.chance.number(), self.chance.number()].map(u64::to_be_bytes);
        Salt([one, other].concat().try_into().expect("two halves"))
    }

    /// Has the chunks of a long body written, together or in steps, before its draft.
    fn stage_body(&mut self, from: usize, salt: Salt, body: Bytes) -> DraftBody {
        if body.len() <= INLINE_BODY_SIZE_MAX {
            return DraftBody::Inline(body);
        }
        let chunks = body.chunks(BODY_CHUNK_SIZE).map(|chunk| body.slice_ref(chunk));
        let (mut first, mut chunks) = (0, chunks.collect::<Vec<_>>());
        while !chunks.is_empty() {
            let rest = chunks.split_off(1 + self.chance.below(chunks.len()));
            let count = u32::try_from(chunks.len()).expect("a body has fewer chunks");
            self.ask(from, Job::Body(BodyJob::Stage { salt, first, chunks }));
            (first, chunks) = (first + count, rest);
        }
        DraftBody::Staged { body_len: u64::try_from(body.len()).expect("a length fits u64") }
    }
}
