//! Which streams the other side has ended, read off yamux's frames as they come.
//!
//! yamux shows a reset stream, and one that was lost with its connection, as one that has ended.
//! Who reads to the end must know better, or would take a part for the whole.
//!
//! ```text
//! frame = version u8 | type u8 (0 data, 1 window, 2 ping, 3 go away) | flags u16 | stream u32 |
//!         length u32 | for type 0: length bytes                               all big-endian
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The streams of a connection, and which of them the other side has ended. Holds as many as yamux
/// does: it gives the connection up at the stream beyond.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends(Arc<Mutex<BTreeMap<u32, End>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    ToCome,
    Seen,
}

/// Reads the frames of the other side as they pass.
#[derive(Debug)]
pub(super) struct Tap {
    ends: Ends,
    header: [u8; HEADER_SIZE],
    header_read: usize,
    /// Bytes until the next header.
    body: usize,
}

/// One stream's entry among the ends; gone when it is dropped.
#[derive(Debug)]
pub(super) struct StreamEnd {
    ends: Ends,
    stream: u32,
}

impl Ends {
    /// The entry of a stream.
    pub(super) fn of(&self, id: yamux::StreamId) -> StreamEnd {
        // yamux shows the number of a stream as text alone.
        let stream = id.to_string().parse().expect("a stream's id is a number");
        self.lock().entry(stream).or_insert(End::ToCome);
        StreamEnd { ends: self.clone(), stream }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamEnd {
    /// Whether the other side has ended the stream.
    pub(super) fn is_seen(&self) -> bool {
        self.ends.lock().get(&self.stream) == Some(&End::Seen)
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        self.ends.lock().remove(&self.stream);
    }
}

impl Tap {
    pub(super) const fn new(ends: Ends) -> Self {
        Self { ends, header: [0; HEADER_SIZE], header_read: 0, body: 0 }
    }

    /// Takes note of bytes before yamux sees them.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wanted = if self.body > 0 { self.body } else { HEADER_SIZE - self.header_read };
            let (taken, after) = rest.split_at(wanted.min(rest.len()));
            rest = after;
            if self.body > 0 {
                self.body -= taken.len();
            } else {
                self.read_header(taken);
            }
        }
    }

    fn read_header(&mut self, taken: &[u8]) {
        let end = self.header_read + taken.len();
        if let Some(room) = self.header.get_mut(self.header_read..end) {
            room.copy_from_slice(taken);
        }
        self.header_read = end % HEADER_SIZE;
        if self.header_read > 0 {
            return;
        }
        let [_, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = self.header;
        if kind == DATA {
            let length = u32::from_be_bytes([l0, l1, l2, l3]);
            self.body = usize::try_from(length).expect("a u32 fits");
        }
        let (flags, stream) = (u16::from_be_bytes([f0, f1]), u32::from_be_bytes([s0, s1, s2, s3]));
        // yamux makes no stream of a frame that resets one.
        if kind > WINDOW || flags & RST != 0 || flags & (SYN | FIN) == 0 {
            return;
        }
        let mut ends = self.ends.lock();
        // A stream that this side has dropped is not noted again.
        if flags & SYN != 0 {
            ends.insert(stream, End::ToCome);
        }
        if let Some(end) = ends.get_mut(&stream).filter(|_| flags & FIN != 0) {
            *end = End::Seen;
        }
    }
}

const HEADER_SIZE: usize = 12;
const DATA: u8 = 0;
const WINDOW: u8 = 1;
const SYN: u16 = 1;
const FIN: u16 = 4;
const RST: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u16, stream: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0, kind][..], &flags.to_be_bytes(), &stream.to_be_bytes(), &length, body].concat()
    }

    #[test]
    fn ends_are_seen_however_the_bytes_are_cut() {
        let bytes = [
            frame(DATA, SYN, 1, b"some"),
            frame(WINDOW, SYN, 3, b""),
            frame(DATA, FIN, 1, b"more"),
            frame(2, FIN, 3, b""),
            frame(DATA, 0, 3, &frame(DATA, FIN, 3, b"")),
            frame(DATA, SYN | FIN, 5, b"all"),
            frame(DATA, FIN, 7, b""),
            frame(WINDOW, SYN | RST, 9, b""),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let ends = Ends::default();
            let mut tap = Tap::new(ends.clone());
            bytes.chunks(size).for_each(|chunk| tap.pass(chunk));
            let expected = BTreeMap::from([(1, End::Seen), (3, End::ToCome), (5, End::Seen)]);
            assert_eq!(*ends.lock(), expected);
        }
    }
}
