//! What a log is made of on disk: blocks, headers, envelopes, announcements.

use bytes::Bytes;
use peermq::log::{Announcement, Block, Content, Decoded, Envelope, Header, Subtree};
use peermq::types::{Epoch, Index};

use crate::choices::Choices;

/// The first byte chooses the structure, the others are its bytes.
pub fn block(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    match choices.below(3) {
        0 => {
            let last = Index(choices.number());
            read_block(last, Bytes::copy_from_slice(choices.rest()));
        }
        1 => read_header(&mut choices),
        _ => read_envelope(choices.rest()),
    }
}

fn read_block(last: Index, bytes: Bytes) {
    let Ok(block) = Block::parse(last, bytes) else { return };
    assert!(block.first() <= last.0 && last.0 < block.end(), "it holds the entry that names it");
    let author = peermq::crypto::Identity::from_seed(&[1; 32]).id();
    let mut count = 0;
    for entry in block.entries() {
        assert_eq!(entry.index().0, block.first() + count, "entries stand one behind the other");
        count += 1;
        let _ = entry.leaf(&author, Epoch(7));
        if let Content::Inline { header, .. } | Content::Long { header, .. } = entry.content() {
            // Hashes are not checked here, so the header may be anything.
            let _ = Header::decode(&header);
        }
        assert_eq!(entry.is_gone(), matches!(entry.content(), Content::Gone { .. }), "one answer");
    }
    assert_eq!(count, block.end() - block.first(), "all entries are given");
    for (recipient, _) in block.recipients() {
        assert!(block.recipient_row(&recipient).is_some(), "a recipient is found again");
        block.entries_to(&recipient).for_each(drop);
    }
    for level in 0..=63 {
        for number in [0, 1, block.first() >> level, block.end() >> level] {
            let _ = block.node(Subtree { level, number });
        }
    }
    block.idempotency_keys().for_each(drop);
    let _ = block.root();
}

fn read_header(choices: &mut Choices<'_>) {
    let body_size = choices.below(80);
    let rest = choices.rest();
    let (body, header) = rest.split_at(body_size.min(rest.len()));
    let Ok(decoded) = Header::decode(header) else { return };
    if let Decoded::Header(header) = decoded {
        let again = Header::decode(header.encode().as_bytes());
        assert_eq!(again, Ok(decoded), "a header comes back from its bytes");
    }
    let _ = Announcement::read(&decoded, &Bytes::copy_from_slice(body));
}

fn read_envelope(text: &[u8]) {
    let Ok((envelope, start)) = Envelope::decode(text) else { return };
    assert!(start <= text.len(), "the payload begins within the text");
    let mut written = Vec::new();
    envelope.encode(&mut written).expect("what was read within its bounds can be written");
    let size = written.len();
    assert_eq!(Envelope::decode(&written), Ok((envelope, size)), "an envelope comes back");
}
