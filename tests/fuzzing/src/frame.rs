//! Frames as they come out of a stream: header, payload, and the next one.

use bytes::Bytes;
use peermq::sync::{Frame, FrameHeader};

use crate::message::check;

/// Reads the bytes as a stream of frames until one is malformed or cut off.
pub fn frame(bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((header, tail)) = rest.split_first_chunk() {
        let Ok(header) = FrameHeader::parse(*header) else { return };
        assert!(
            header.payload_len <= header.kind.payload_size_max(),
            "{header:?} passes its bound"
        );
        let Some((payload, tail)) = tail.split_at_checked(header.payload_len) else { return };
        let frame = Frame { kind: header.kind, payload: Bytes::copy_from_slice(payload) };
        let parsed = FrameHeader::parse(frame.header());
        assert_eq!(parsed.as_ref(), Ok(&header), "a frame has the header that it came with");
        check(&frame);
        rest = tail;
    }
}
