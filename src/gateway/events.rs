//! Server-sent events: their names, and reading them (WHATWG HTML §9.2, as far as the router
//! writes them).

use bytes::{Buf, Bytes, BytesMut};

/// The event of a stream that has nothing more to say.
pub(super) const END: &str = "end";
/// The event of a stream that failed.
pub(super) const PROBLEM: &str = "problem";
/// Messages that are offered together.
pub(super) const GROUP: &str = "group";
/// An acknowledgement.
pub(super) const ACK: &str = "ack";
/// What the user has to know.
pub(super) const NOTICE: &str = "notice";
/// The bound address.
pub(super) const LISTENING: &str = "listening";
/// Lines that became durable.
pub(super) const DURABLE: &str = "durable";

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: Bytes,
    pub(super) data: Bytes,
}

/// Cuts bytes into events.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    rest: BytesMut,
    /// How much of `rest` holds no end of an event.
    searched: usize,
}

impl EventReader {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole event. Comments, with which an idle stream is kept alive, are none.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            let unsearched = self.rest.get(self.searched..)?;
            let Some(end) = unsearched.windows(2).position(|pair| pair == b"\n\n") else {
                self.searched = self.rest.len().saturating_sub(1);
                return None;
            };
            let block = self.rest.split_to(self.searched + end).freeze();
            self.rest.advance(2);
            self.searched = 0;
            if let Some(event) = parse(&block) {
                return Some(event);
            }
        }
    }
}

fn parse(block: &Bytes) -> Option<Event> {
    let mut name = Bytes::new();
    let mut data = None;
    for line in block.split(|byte| *byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"event: ") {
            name = block.slice_ref(value);
        } else if let Some(value) = line.strip_prefix(b"data: ") {
            data = Some(block.slice_ref(value));
        }
    }
    data.map(|data| Event { name, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &'static str, data: &'static str) -> Event {
        Event { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_are_cut_wherever_the_bytes_are() {
        let bytes = b"event: ack\ndata: {\"a\":1}\n\n:\n\nevent: end\ndata: null\n\nevent: half";
        for step in 1..bytes.len() {
            let mut reader = EventReader::default();
            let mut read = Vec::new();
            for chunk in bytes.chunks(step) {
                reader.push(chunk);
                read.extend(std::iter::from_fn(|| reader.next()));
            }
            assert_eq!(read, [event("ack", "{\"a\":1}"), event("end", "null")]);
        }
    }
}
