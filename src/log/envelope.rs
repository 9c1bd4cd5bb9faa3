//! The envelope: what stands in a body before its payload, for the recipient's eyes only.
//!
//! A u16 of presence bits, then the fields whose bits are set: in postcard, and in the order of the
//! [manual](crate::manual::disk#envelope). The payload follows without a length, so that long bodies
//! stream.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits::{
    BODY_CHUNK_SIZE, ENVELOPE_HEAD_SIZE_MAX, IDEMPOTENCY_KEY_SIZE_MAX, LABEL_COUNT_MAX,
    SEAL_TAG_SIZE,
};
use crate::types::{Epoch, Seq, UnixMs, bounded};

/// What stands before a payload. A plain message has none of it and spends one byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// What the payload is; absent: a message to the user.
    pub kind: Option<u16>,
    /// Names that the sender gave it; at most 32.
    pub labels: Vec<String>,
    /// Messages of one ordering key are offered in order; absent: the sender's default key.
    pub ordering_key: Option<Vec<u8>>,
    /// Higher goes first; absent: 0.
    pub priority: Option<i8>,
    /// It is not offered earlier; absent: at once.
    pub not_before: Option<UnixMs>,
    /// The sender's key against sending twice; at most 64 bytes.
    pub idempotency_key: Option<Vec<u8>>,
    /// The message that this one answers.
    pub reply_to: Option<ReplyTo>,
    /// The trace that this message is part of.
    pub trace: Option<TraceContext>,
}

/// A message between the two nodes, by its author's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Who wrote it: raw bytes.
    pub author: [u8; 32],
    /// Which life of the author's log.
    pub epoch: Epoch,
    /// Its place among the author's entries to the other.
    pub seq: Seq,
}

/// The `traceparent` of W3C Trace Context (<https://www.w3.org/TR/trace-context/>, §3.2.2),
/// version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The whole trace.
    pub trace_id: [u8; 16],
    /// The sender's span.
    pub parent_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

/// Why bytes are no envelope, or an envelope cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A later version's field is present: the message is kept and shown as unsupported.
    #[error("expected presence bits within {KNOWN:#06b}, got {0:#06b}")]
    Unsupported(u16),
    /// A field is cut short, passes its bound or holds no value of its type.
    #[error("expected an envelope's fields within {ENVELOPE_HEAD_SIZE_MAX} bytes, got other bytes")]
    Fields,
    /// The fields take too much room.
    #[error("expected an envelope of at most {ENVELOPE_HEAD_SIZE_MAX} bytes, got {0}")]
    Size(usize),
    /// There are too many labels.
    #[error("expected at most {LABEL_COUNT_MAX} labels, got {0}")]
    Labels(usize),
    /// The idempotency key is too long.
    #[error("expected an idempotency key of at most {IDEMPOTENCY_KEY_SIZE_MAX} bytes, got {0}")]
    IdempotencyKey(usize),
}

impl Envelope {
    /// Writes the head; the payload goes behind it.
    ///
    /// # Errors
    /// [`EnvelopeError::Labels`], [`EnvelopeError::IdempotencyKey`] or [`EnvelopeError::Size`] when
    /// a bound is passed; `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EnvelopeError> {
        let key_len = self.idempotency_key.as_ref().map_or(0, Vec::len);
        if self.labels.len() > LABEL_COUNT_MAX {
            return Err(EnvelopeError::Labels(self.labels.len()));
        }
        if key_len > IDEMPOTENCY_KEY_SIZE_MAX {
            return Err(EnvelopeError::IdempotencyKey(key_len));
        }
        let start = out.len();
        let mut fields = Writer { bits: 0, bytes: Vec::new() };
        let labels = (!self.labels.is_empty()).then_some(&self.labels);
        fields.put(KIND, self.kind.as_ref());
        fields.put(LABELS, labels);
        fields.put(ORDERING_KEY, self.ordering_key.as_ref());
        fields.put(PRIORITY, self.priority.as_ref());
        fields.put(NOT_BEFORE, self.not_before.as_ref());
        fields.put(IDEMPOTENCY_KEY, self.idempotency_key.as_ref());
        fields.put(REPLY_TO, self.reply_to.as_ref());
        fields.put(TRACE, self.trace.as_ref());
        put(&fields.bits, out);
        out.extend_from_slice(&fields.bytes);
        let size = out.len() - start;
        if size > ENVELOPE_HEAD_SIZE_MAX {
            out.truncate(start);
            return Err(EnvelopeError::Size(size));
        }
        Ok(())
    }

    /// Reads the head at the front of a body's text: the envelope, and where the payload begins.
    /// Of a long body, the text of the first chunk is enough.
    ///
    /// # Errors
    /// [`EnvelopeError::Unsupported`] or [`EnvelopeError::Fields`].
    pub fn decode(text: &[u8]) -> Result<(Self, usize), EnvelopeError> {
        let head = text.get(..ENVELOPE_HEAD_SIZE_MAX).unwrap_or(text);
        let mut reader = Reader { bits: 0, rest: head };
        reader.bits = reader.take()?;
        if reader.bits & !KNOWN != 0 {
            return Err(EnvelopeError::Unsupported(reader.bits));
        }
        let envelope = Self {
            kind: reader.field(KIND)?,
            labels: reader.field::<Labels>(LABELS)?.unwrap_or_default().0,
            ordering_key: reader.field(ORDERING_KEY)?,
            priority: reader.field(PRIORITY)?,
            not_before: reader.field(NOT_BEFORE)?,
            idempotency_key: reader.field(IDEMPOTENCY_KEY)?,
            reply_to: reader.field(REPLY_TO)?,
            trace: reader.field(TRACE)?,
        };
        if envelope.idempotency_key.as_ref().is_some_and(|key| key.len() > IDEMPOTENCY_KEY_SIZE_MAX)
        {
            return Err(EnvelopeError::Fields);
        }
        Ok((envelope, head.len() - reader.rest.len()))
    }
}

/// Bytes of the text in a sealed body of `body_len` bytes, with a plain envelope before it. Before
/// what is opened nobody knows another's: its fields are counted as text.
#[must_use]
pub fn plain_text_size(body_len: u64) -> u64 {
    let fits = |size: usize| u64::try_from(size).expect("a small size fits u64");
    let tags = body_len.div_ceil(fits(BODY_CHUNK_SIZE)).saturating_mul(fits(SEAL_TAG_SIZE));
    body_len.saturating_sub(tags).saturating_sub(fits(PLAIN_HEAD_SIZE))
}

struct Writer {
    bits: u16,
    bytes: Vec<u8>,
}

impl Writer {
    fn put<T: Serialize>(&mut self, bit: u16, value: Option<&T>) {
        if let Some(value) = value {
            self.bits |= bit;
            put(value, &mut self.bytes);
        }
    }
}

struct Reader<'a> {
    bits: u16,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn field<T: Deserialize<'a>>(&mut self, bit: u16) -> Result<Option<T>, EnvelopeError> {
        if self.bits & bit == 0 { Ok(None) } else { self.take().map(Some) }
    }

    fn take<T: Deserialize<'a>>(&mut self) -> Result<T, EnvelopeError> {
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| EnvelopeError::Fields)?;
        self.rest = rest;
        Ok(value)
    }
}

#[derive(Default, Deserialize)]
struct Labels(#[serde(deserialize_with = "bounded::list::<_, LABEL_COUNT_MAX, _>")] Vec<String>);

fn put<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    postcard::to_io(value, out).expect("memory takes all that postcard writes");
}

const KIND: u16 = 1;
const LABELS: u16 = 1 << 1;
const ORDERING_KEY: u16 = 1 << 2;
const PRIORITY: u16 = 1 << 3;
const NOT_BEFORE: u16 = 1 << 4;
const IDEMPOTENCY_KEY: u16 = 1 << 5;
const REPLY_TO: u16 = 1 << 6;
const TRACE: u16 = 1 << 7;
const KNOWN: u16 = (1 << 8) - 1;
/// Bytes of the head of an envelope without fields.
pub const PLAIN_HEAD_SIZE: usize = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelopes() -> impl Strategy<Value = Envelope> {
        let reply_to = any::<([u8; 32], u64, u64)>().prop_map(|(author, epoch, seq)| ReplyTo {
            author,
            epoch: Epoch(epoch),
            seq: Seq(seq),
        });
        let trace = any::<([u8; 16], [u8; 8], u8)>()
            .prop_map(|(trace_id, parent_id, flags)| TraceContext { trace_id, parent_id, flags });
        let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..65));
        (
            any::<(Option<u16>, Option<i8>, Option<u64>)>(),
            prop::collection::vec(".{0,9}", 0..33),
            (bytes(), bytes()),
            (prop::option::of(reply_to), prop::option::of(trace)),
        )
            .prop_map(|((kind, priority, not_before), labels, keys, (reply_to, trace))| {
                Envelope {
                    kind,
                    labels,
                    ordering_key: keys.0,
                    priority,
                    not_before: not_before.map(UnixMs),
                    idempotency_key: keys.1,
                    reply_to,
                    trace,
                }
            })
    }

    proptest! {
        #[test]
        fn an_envelope_is_read_back_and_the_payload_follows(envelope in envelopes()) {
            let mut text = Vec::new();
            envelope.encode(&mut text).unwrap();
            let head = text.len();
            text.extend_from_slice(b"payload");
            prop_assert_eq!(Envelope::decode(&text), Ok((envelope, head)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((_, payload)) = Envelope::decode(&bytes) {
                prop_assert!(payload <= bytes.len());
            }
        }
    }

    #[test]
    fn a_plain_message_spends_one_byte() {
        let mut text = Vec::new();
        Envelope::default().encode(&mut text).unwrap();
        assert_eq!(text, [0]);
        assert_eq!(Envelope::decode(&[0]), Ok((Envelope::default(), 1)));
        assert_eq!(Envelope::decode(&[]), Err(EnvelopeError::Fields));
    }

    #[test]
    fn a_later_field_is_unsupported_not_wrong() {
        // Bit 8 as a varint: 0x80, 0x02.
        let refused = Envelope::decode(&[0x80, 0x02, 1, 2, 3]);
        assert_eq!(refused, Err(EnvelopeError::Unsupported(1 << 8)));
    }

    #[test]
    fn bounds_hold_both_ways() {
        let encode = |envelope: Envelope| envelope.encode(&mut Vec::new()).unwrap_err();
        let key = Some(vec![0; 65]);
        let refused = encode(Envelope { idempotency_key: key.clone(), ..Envelope::default() });
        assert_eq!(refused, EnvelopeError::IdempotencyKey(65));
        let refused = encode(Envelope { labels: vec![String::new(); 33], ..Envelope::default() });
        assert_eq!(refused, EnvelopeError::Labels(33));
        let long = Some(vec![0; ENVELOPE_HEAD_SIZE_MAX]);
        let mut out = vec![7];
        let envelope = Envelope { ordering_key: long, ..Envelope::default() };
        envelope.encode(&mut out).unwrap_err();
        assert_eq!(out, [7]);

        let mut labels = vec![2, 33];
        labels.extend([0; 33]);
        assert_eq!(Envelope::decode(&labels), Err(EnvelopeError::Fields));
        let key = [&[0x20, 65][..], &[0; 65]].concat();
        assert_eq!(Envelope::decode(&key), Err(EnvelopeError::Fields));
        let mut ordering_key = vec![4, 0xfe, 0x1f];
        ordering_key.extend([0; ENVELOPE_HEAD_SIZE_MAX]);
        assert_eq!(Envelope::decode(&ordering_key), Err(EnvelopeError::Fields));
    }

    #[test]
    fn a_plain_text_s_size_is_known_without_opening_it() {
        let mut head = Vec::new();
        Envelope::default().encode(&mut head).unwrap();
        assert_eq!(head.len(), PLAIN_HEAD_SIZE);
        assert_eq!(plain_text_size(16 + 1), 0);
        assert_eq!(plain_text_size(32_768), 32_751);
        assert_eq!(plain_text_size(32_768 + 17), 32_752);
        assert_eq!(plain_text_size(0), 0);
        assert!(plain_text_size(u64::MAX) < u64::MAX);
    }
}
