//! Every hash, key and signature: its context and what it covers.
//!
//! # Fields
//!
//! What is hashed or signed is a tuple that reads one way only: ids, hashes and salts as they are,
//! numbers as 8 bytes, tags as one byte, variable bytes after their length as 8 bytes. A recipient
//! is its tag (0 everyone, 1 peer, 2 channel) and 32 bytes, zeros for everyone.
//!
//! # Hashes
//!
//! BLAKE3 keyed by `derive_key(context, "")`, 32 bytes:
//!
//! | context | covers |
//! |---|---|
//! | `peermq leaf v1` | author, epoch, index, header (variable) |
//! | `peermq node v1` | left node, right node |
//! | `peermq root v1` | length, then the peaks, largest first |
//! | `peermq inbox node v1` | left node, right node |
//! | `peermq inbox root v1` | seq, then the peaks, largest first |
//! | `peermq followed v1` | session's hash, author; its first 16 bytes are a tag |
//! | `peermq idempotency v1` | recipient, key (variable); its first 16 bytes are kept |
//! | `peermq checked id v1` | id; its first 8 bytes are kept |
//!
//! The log's tree has a leaf for each entry, the inbox tree the leaf hashes of an author's entries
//! to one recipient. Both have the shape of RFC 6962 §2.1 ([`Peaks`](crate::log::Peaks)). The hash
//! of a body is plain BLAKE3 of its sealed bytes.
//!
//! # Derived keys
//!
//! BLAKE3's `derive_key`, 32 bytes:
//!
//! | context | material |
//! |---|---|
//! | `peermq seal v1` | X25519 secret of author and recipient 32, author 32, recipient's id 32, epoch 8, header version 1, suite 1, salt 16 |
//! | `peermq salt v1` | the node's seed 32: the key under which salts are hashed |
//! | `peermq mac1 v1` | the responder's id 32: the key of mac1 |
//! | `peermq blind v1` | id 32, UTC day since 1970 as 4 bytes |
//!
//! A salt is 16 bytes of BLAKE3, keyed so, over 32 random bytes, time in ns, recipient, and either a
//! 0 or a 1 and the text of a body of one chunk. A mac1 is 16 bytes of BLAKE3, keyed so, over the
//! first flight before it.
//!
//! # Signatures
//!
//! Ed25519 (RFC 8032), verified strictly, over the domain string, a 0 byte, then:
//!
//! | domain | covers |
//! |---|---|
//! | `peermq head v1` | author, epoch, length, root |
//! | `peermq session v1` | role (tag: 0 initiator, 1 responder), handshake hash, signer's id, other's id |
//! | `peermq receipt v1` | receiver, author, epoch, recipient, seen, inbox root, window's start and end, stored: below and ranges, archived: below and ranges, rejected ranges |
//! | `peermq channel entry v1` | leaf hash, leaf hash of the author's previous entry in the channel |
//!
//! Ranges are their count, then start and end of each, as numbers.
