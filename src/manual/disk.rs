//! Every key and value in a store.
//!
//! A store is one ordered tree of keys and values ([`peermq_storage`]). All keys stand in one table,
//! [`layout`](crate::log::layout). A step of the log is one batch: the block of a commit, and with
//! every 256th block the outbox rows.
//!
//! # Own block
//!
//! Key: `10`, epoch 8, LAST index 8. The entries of one commit: at most 256, and 65 536 bytes.
//!
//! ```text
//! 0        1         2                 4                 6                8
//! +--------+---------+-----------------+-----------------+----------------+
//! | version| lowest  | entries         | recipients      | idempotency    |
//! |   1    | level   | n               | r               | keys k         |
//! +--------+---------+-----------------+-----------------+----------------+
//! | root of the log at the block's end                                32 |
//! +-----------------------------------------------------------------------+
//! | r x recipient: tag 1, id 32, seq of its first entry here 8         41 |
//! +-----------------------------------------------------------------------+
//! | n x entry: kind 1, recipient's row 1, header length 1, body length 4 7 |
//! +-----------------------------------------------------------------------+
//! | m x node                                                           32 |
//! +-----------------------------------------------------------------------+
//! | k x idempotency key: entry's row 1, hash 16                        17 |
//! +-----------------------------------------------------------------------+
//! | headers, one after the other                                          |
//! +-----------------------------------------------------------------------+
//! | bodies of kind 0, one after the other                                 |
//! +-----------------------------------------------------------------------+
//! ```
//!
//! | kind | header column | body length | body column |
//! |---|---|---|---|
//! | 0 inline | header | of the sealed body, at most 4 096 | sealed body |
//! | 1 long | header | of the sealed body, at most 1 GiB and 1 MiB | nothing: see own body chunks |
//! | 2 gone | leaf hash, length 32 | 0 | nothing |
//!
//! Entries have the indexes LAST + 1 - n to LAST. The entries to one recipient have seqs that count
//! on from the one in its row.
//!
//! Nodes: those of the lowest level kept (4) and above whose last leaf is in the block, in the order
//! in which the entries complete them, lower levels first. With first = LAST + 1 - n and
//! end = LAST + 1, there are (end >> l) - (first >> l) of level l. Node (l, i), whose last leaf is
//! q = (i + 1) 2^l - 1, has before it those that end among the leaves first to q - 1, and those of
//! lower levels that end at q.
//!
//! # Entry header
//!
//! At most 255 bytes in any version, 124 in version 1. The leaf hash covers it as it was written.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | recipient's tag: 0 everyone, 1 peer, 2 channel |
//! | 0 or 32 | recipient's id; absent for everyone |
//! | 1-10 | seq, varint |
//! | 1 | suite: 0 clear, 1 static X25519 |
//! | 16 | salt |
//! | 1-10 | time, Unix ms, varint |
//! | 1 | 1 when `not_after` follows, else 0 |
//! | 0-10 | `not_after`, Unix ms, varint |
//! | 1-10 | length of the sealed body, varint |
//! | 32 | BLAKE3 of the sealed body |
//!
//! Version, recipient and seq keep their place in all versions.
//!
//! # Envelope
//!
//! What stands in a body's text before the payload, which none but the two ends can read: a
//! varint of presence bits, then the fields whose bits are set; at most 4 096 bytes.
//!
//! | bit | field | bytes |
//! |---|---|---|
//! | 0 | kind | varint of a u16; absent: a message to the user |
//! | 1 | labels, at most 32 | varint count, then each: varint length, UTF-8 |
//! | 2 | ordering key | varint length, bytes |
//! | 3 | priority | 1, two's complement; absent: 0 |
//! | 4 | not before, Unix ms | varint |
//! | 5 | idempotency key, at most 64 | varint length, bytes |
//! | 6 | answered message | author 32, epoch varint, seq varint |
//! | 7 | W3C trace context | trace id 16, parent id 8, flags 1 |
//!
//! A set bit above 7 makes the message unsupported.
//!
//! # Outbox row
//!
//! Key: `11`, epoch 8, recipient 33, LAST index 8 of the row's last block. Which blocks hold entries
//! to the recipient.
//!
//! ```text
//! 0                                                                       8
//! +-----------------------------------------------------------------------+
//! | next seq to the recipient after the row's blocks                      |
//! +-----------------------------------------------------------------------+
//! | LAST index of a block                                                 |  for each block,
//! +-----------------------------------------------------------------------+  in order
//! | seq of the recipient's first entry in it                              |
//! +-----------------------------------------------------------------------+
//! ```
//!
//! # Outbox mark
//!
//! Key: `12`, epoch 8. Value: 8 bytes, the length of the log that all outbox rows together tell of.
//! Absent: 0. An open reads the blocks after it.
//!
//! # Own body chunk, staging mark
//!
//! Key of a chunk: `13`, salt 16, chunk number 4. Value: 32 768 sealed bytes, the last chunk less.
//! Key of a mark: `14`, salt 16. Value: empty. The mark is there until the entry with that salt is
//! committed; an open removes marks and their chunks.
