//! What every structure of a log must look like on disk and under a hash, byte by byte, for ever.
//!
//! `tests/golden/log.txt` holds a line per value, `name = hex`. Lines may be added; none may change,
//! since stored logs and other nodes depend on them.

use std::fmt::Write as _;

use peermq_storage::MemoryStore;

use super::*;
use crate::crypto::hash::body_hash;
use crate::crypto::{Identity, Salt, Suite};

const GOLDEN: &str = include_str!("../../tests/golden/log.txt");
const EPOCH: Epoch = Epoch(1_700_000_000);

#[test]
fn every_structure_is_what_it_always_was() {
    let mut found = String::new();
    for (name, bytes) in [headers(), trees(), envelopes(), store(), rewritten(), bare()].concat() {
        let line = format!("{name} = {}", hex::encode(bytes));
        writeln!(found, "{}", line.trim_end()).unwrap();
    }
    for (found, golden) in found.lines().zip(GOLDEN.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), GOLDEN.lines().count(), "all that is made:\n{found}");
}

fn value(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.into(), bytes.as_ref().to_vec())
}

fn author() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn header(recipient: Recipient) -> Header {
    Header {
        recipient,
        seq: Seq(300),
        suite: Suite::STATIC_X25519,
        salt: Salt([3; 16]),
        time: UnixMs(1_700_000_000_123),
        not_after: None,
        body_len: 1_000_000,
        body_hash: body_hash(b"golden"),
    }
}

fn headers() -> Vec<(String, Vec<u8>)> {
    let peer = header(Recipient::Peer([2; 32]));
    let leaf = leaf_hash(&author().id(), EPOCH, Index(7), peer.encode().as_bytes());
    let everyone = Header { suite: Suite::CLEAR, ..header(Recipient::Everyone) };
    let expiring = Header { not_after: Some(UnixMs(1_800_000_000_000)), ..peer };
    let key = IdempotencyHash::new(&Recipient::Peer([2; 32]), b"golden").unwrap();
    vec![
        value("header to peer", peer.encode().as_bytes()),
        value("header to everyone", everyone.encode().as_bytes()),
        value("header to channel", header(Recipient::Channel([4; 32])).encode().as_bytes()),
        value("header that expires", expiring.encode().as_bytes()),
        value("leaf", leaf.0),
        value("idempotency hash", key.0),
    ]
}

fn trees() -> Vec<(String, Vec<u8>)> {
    let (mut log, mut inbox) = (Peaks::<LogTree>::new(), Peaks::<InboxTree>::new());
    let mut values = vec![value("root 0", log.root().0), value("inbox root 0", inbox.root().0)];
    for number in 0..7 {
        log.push_leaf(Hash([number; 32]), |_, _| ());
        inbox.push_leaf(Hash([number; 32]), |_, _| ());
    }
    let [one, two] = [1, 2].map(|byte| Hash([byte; 32]));
    values.push(value("node", node_hash::<LogTree>(&one, &two).0));
    values.push(value("inbox node", node_hash::<InboxTree>(&one, &two).0));
    values.push(value("root 7", log.root().0));
    values.push(value("inbox root 7", inbox.root().0));
    let head = Head { author: author().id(), epoch: EPOCH, length: 7, root: log.root() };
    values.push(value("signed head", postcard::to_stdvec(&head.sign(&author())).unwrap()));
    values
}

fn envelopes() -> Vec<(String, Vec<u8>)> {
    let full = Envelope {
        kind: Some(300),
        labels: vec!["a".into(), "grün".into()],
        ordering_key: Some(b"order".to_vec()),
        priority: Some(-1),
        not_before: Some(UnixMs(1_700_000_000_123)),
        idempotency_key: Some(b"once".to_vec()),
        reply_to: Some(ReplyTo { author: [2; 32], epoch: EPOCH, seq: Seq(300) }),
        trace: Some(TraceContext { trace_id: [5; 16], parent_id: [6; 8], flags: 1 }),
    };
    let encode = |envelope: &Envelope| {
        let mut text = Vec::new();
        envelope.encode(&mut text).unwrap();
        text
    };
    vec![value("plain envelope", encode(&Envelope::default())), value("envelope", encode(&full))]
}

/// All that stands in a store after a few sends: keys and values.
fn store() -> Vec<(String, Vec<u8>)> {
    let store = MemoryStore::new();
    let mut log = Log::open(&store, author().id(), EPOCH).unwrap();
    let mut batch = Batch::new();
    let long = draft(Recipient::Peer([2; 32]), DraftBody::Staged { body_len: 4_097 });
    stage(&mut batch, &Salt([8; 16]), 0, &b"belongs to no entry"[..]);
    stage(&mut batch, &long.salt, 0, &b"sealed"[..]);
    let inline = |to| draft(to, DraftBody::Inline(Bytes::from_static(b"golden")));
    let key = IdempotencyHash::new(&Recipient::Peer([2; 32]), b"golden");
    let mut drafts = vec![inline(Recipient::Everyone), long, inline(Recipient::Channel([4; 32]))];
    drafts.push(Draft { idempotency: key, ..inline(Recipient::Peer([2; 32])) });
    log.append(&store, &drafts, &mut batch).unwrap();
    log.append(&store, &vec![inline(Recipient::Everyone); 14], &mut batch).unwrap();
    log.flush_index(&mut batch);
    store.commit(batch).unwrap();
    let pairs = store.scan(&[0][..]..&[0xff][..]).map(Result::unwrap);
    pairs.map(|(key, bytes)| value(format!("stored {}", hex::encode(&key)), bytes)).collect()
}

/// The rows of three blocks that became one of which one entry is left.
fn rewritten() -> Vec<(String, Vec<u8>)> {
    let store = MemoryStore::new();
    let mut log = Log::open(&store, author().id(), EPOCH).unwrap();
    let peer = Recipient::Peer([2; 32]);
    let inline = |to| draft(to, DraftBody::Inline(Bytes::from_static(b"golden")));
    for drafts in [vec![inline(peer); 16], vec![inline(Recipient::Everyone)], vec![inline(peer)]] {
        let mut batch = Batch::new();
        log.append(&store, &drafts, &mut batch).unwrap();
        log.flush_index(&mut batch);
        store.commit(batch).unwrap();
    }
    let mut batch = Batch::new();
    let step =
        RewriteStep { from: 0, end: 18, worth: Worth::Half, now: UnixMs(0), lapsed: UnixMs(0) };
    let is_useless = |to: &Recipient, _| Ok::<_, LogError>(*to != Recipient::Everyone);
    log.rewrite(&store, &step, is_useless, &mut batch).unwrap();
    store.commit(batch).unwrap();
    let pairs = store.scan(&[0][..]..&[0xff][..]).map(Result::unwrap);
    pairs.map(|(key, row)| value(format!("rewritten {}", hex::encode(&key)), row)).collect()
}

/// A block whose one entry, sent with an idempotency key, has lost its body.
fn bare() -> Vec<(String, Vec<u8>)> {
    let store = MemoryStore::new();
    let mut log = Log::open(&store, author().id(), EPOCH).unwrap();
    let peer = Recipient::Peer([2; 32]);
    let idempotency = IdempotencyHash::new(&peer, b"golden");
    let body = DraftBody::Inline(Bytes::from_static(b"golden"));
    let mut batch = Batch::new();
    log.append(&store, &[Draft { idempotency, ..draft(peer, body) }], &mut batch).unwrap();
    store.commit(batch).unwrap();
    let mut batch = Batch::new();
    let step =
        RewriteStep { from: 0, end: 1, worth: Worth::Any, now: UnixMs(0), lapsed: UnixMs(0) };
    log.rewrite(&store, &step, |_, _| Ok::<_, LogError>(true), &mut batch).unwrap();
    let rows = batch.into_steps().map(|(key, row)| (key, row.unwrap()));
    rows.map(|(key, row)| value(format!("bare {}", hex::encode(&key)), row)).collect()
}

fn draft(recipient: Recipient, body: DraftBody) -> Draft {
    let Header { suite, salt, time, not_after, body_hash, .. } = header(recipient);
    Draft { recipient, suite, salt, time, not_after, body_hash, body, idempotency: None }
}
