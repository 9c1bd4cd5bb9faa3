//! From a text to a draft: envelope, salt, seal, in the caller's own task.

use std::sync::Arc;

use bytes::Bytes;

use super::clock::Clock;
use super::error::NodeError;
use super::pairs::Pairs;
use super::random::Random;
use crate::crypto::hash::{Hash, body_hash};
use crate::crypto::{BodyKey, Identity, PairSecret, Salt, Salter, SealContext, Suite};
use crate::limits::{BODY_CHUNK_TEXT_SIZE, INLINE_BODY_SIZE_MAX, SEAL_TAG_SIZE};
use crate::log::{Draft, DraftBody, Envelope, HEADER_VERSION, IdempotencyHash, PLAIN_HEAD_SIZE};
use crate::types::{Epoch, Id, Recipient, UnixMs};

/// What may be said of a message beside its text.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// At most 64 bytes: within 24 h and 65 536 sends to the recipient, a repeat with the same key
    /// returns the first seq instead of sending again.
    pub idempotency_key: Option<Bytes>,
    /// From when on nobody should read it; absent: never.
    pub expires: Option<UnixMs>,
    /// What travels sealed, beside the text: kind, labels and more.
    pub envelope: Envelope,
}

/// Seals texts for their recipients.
#[derive(Debug)]
pub(super) struct Sealing {
    identity: Arc<Identity>,
    random: Random,
    salter: Salter,
    pairs: Pairs,
    clock: Clock,
    epoch: Epoch,
}

/// A short body, sealed: inline, or one chunk that stands beside its block.
#[derive(Debug)]
pub(super) struct SealedShort {
    /// The entry to be.
    pub(super) draft: Draft,
    /// The sealed chunk, when it is too long to be inline.
    pub(super) chunk: Option<Bytes>,
}

/// What an entry to a peer is made of before its body is sealed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sheet {
    recipient: Recipient,
    salt: Salt,
    time: UnixMs,
    not_after: Option<UnixMs>,
    idempotency: Option<IdempotencyHash>,
}

impl Sealing {
    pub(super) fn new(identity: Arc<Identity>, clock: Clock, epoch: Epoch) -> Self {
        let (salter, pairs) = (Salter::new(&identity), Pairs::new(Arc::clone(&identity)));
        Self { identity, random: Random::new(), salter, pairs, clock, epoch }
    }

    /// The secrets that this node shares with others.
    pub(super) const fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// Envelope and text as they are sealed, with room for the tag.
    pub(super) fn plain(text: &[u8], options: &SendOptions) -> Result<Vec<u8>, NodeError> {
        // With a plain envelope it is full once it is sealed, and becomes `Bytes` as it is.
        let mut plain = Vec::with_capacity(PLAIN_HEAD_SIZE + text.len() + SEAL_TAG_SIZE);
        options.envelope.encode(&mut plain)?;
        plain.extend_from_slice(text);
        Ok(plain)
    }

    /// Whether envelope and text fit one chunk.
    pub(super) const fn is_short(plain: &[u8]) -> bool {
        plain.len() <= BODY_CHUNK_TEXT_SIZE
    }

    /// Seals envelope and text of at most one chunk.
    pub(super) fn seal_short(
        &self,
        to: &Id,
        plain: Vec<u8>,
        options: &SendOptions,
    ) -> Result<SealedShort, NodeError> {
        let sheet = self.sheet(to, Some(&plain), options)?;
        let sealed = Bytes::from(self.key(to, &sheet)?.seal_short(plain)?);
        let hash = body_hash(&sealed);
        if sealed.len() <= INLINE_BODY_SIZE_MAX {
            let draft = sheet.draft(hash, DraftBody::Inline(sealed));
            return Ok(SealedShort { draft, chunk: None });
        }
        let body_len = u64::try_from(sealed.len()).expect("a length in memory fits u64");
        let draft = sheet.draft(hash, DraftBody::Staged { body_len });
        Ok(SealedShort { draft, chunk: Some(sealed) })
    }

    /// The fields of an entry; `plain` is the body when it is of one chunk.
    pub(super) fn sheet(
        &self,
        to: &Id,
        plain: Option<&[u8]>,
        options: &SendOptions,
    ) -> Result<Sheet, NodeError> {
        let recipient = Recipient::Peer(*to.as_bytes());
        let (random, now_ns) = (self.random.draw()?, self.clock.unix_ns());
        let salt = self.salter.salt(&random, now_ns, &recipient, plain);
        let idempotency = match &options.idempotency_key {
            Some(key) => {
                let hash = IdempotencyHash::new(&recipient, key);
                Some(hash.ok_or(NodeError::IdempotencyKeySize(key.len()))?)
            }
            None => None,
        };
        let (time, not_after) = (UnixMs(now_ns / NS_PER_MS), options.expires);
        Ok(Sheet { recipient, salt, time, not_after, idempotency })
    }

    /// The key of the body on a sheet.
    pub(super) fn key(&self, to: &Id, sheet: &Sheet) -> Result<BodyKey, NodeError> {
        let secret = self.pairs.secret(to)?;
        Ok(body_key(&secret, self.identity.id(), to, self.epoch, sheet.salt))
    }
}

impl Sheet {
    /// The salt, under which chunks are staged.
    pub(super) const fn salt(&self) -> Salt {
        self.salt
    }

    /// The draft, once the body is sealed.
    pub(super) const fn draft(self, body_hash: Hash, body: DraftBody) -> Draft {
        let Self { recipient, salt, time, not_after, idempotency } = self;
        let suite = Suite::STATIC_X25519;
        Draft { recipient, suite, salt, time, not_after, body_hash, body, idempotency }
    }
}

/// The key of a body of this version that `author` sealed for `recipient`.
pub(super) fn body_key(
    secret: &PairSecret,
    author: Id,
    recipient: &Id,
    epoch: Epoch,
    salt: Salt,
) -> BodyKey {
    let context = SealContext {
        author,
        recipient: *recipient.as_bytes(),
        epoch,
        header_version: HEADER_VERSION,
        suite: Suite::STATIC_X25519,
        salt,
    };
    BodyKey::new(secret, &context)
}

const NS_PER_MS: u64 = 1_000_000;
