//! Every key and value in a store.
//!
//! A store is one ordered tree of keys and values ([`peermq_storage`]). All keys stand in one table,
//! [`layout`](crate::log::layout). A step is one batch: of a send, the block of its commit, and with
//! every 256th block the outbox rows; of received entries, their blocks, the author row and the
//! tally; of a mark, the tally, and the set chunks that change when it cannot tell of them. Many steps
//! share a batch.
//!
//! # Wide values, large values
//!
//! Keys from `70` on are of values of kilobytes, and those below of values that change often. In a
//! store that writes neighbours together (sled) 34 empty values under `6f` and a number hold the two
//! apart; nobody else has keys that begin so.
//!
//! Keys from `80` on are of large values. A store keeps one with a byte 0 before it; when a batch has
//! 262 144 bytes of them or more, they lie one after the other in a file `apart/` and a number, in the
//! directory of the store's files, and the store keeps where. Keys that begin with `ff` are its own.
//!
//! | key in the store | value |
//! |---|---|
//! | from `80` to `fe` | 1, number of the file 8, place in it 4, length 4, CRC-32 (IEEE 802.3) of the value 4 |
//! | `ff`, number of a file 8 | how many values of it are in use, 4 |
//!
//! A file is synced, and its name, before the batch that points into it, and goes when the batch that
//! took the last value of it away is durable. One of which the store knows nothing goes at the next
//! open, and one in which a value could not be read is called `N.damaged` in place of going.
//!
//! # Own block
//!
//! Key: `70`, epoch 8, LAST index 8. The entries of one commit: at most 256, and 65 536 bytes.
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
//! | 3 bare | header | 0 | nothing |
//!
//! Entries have the indexes LAST + 1 - n to LAST. The entries to one recipient have seqs that count
//! on from the one in its row.
//!
//! An entry that is of no more use becomes gone when its block is written anew, with neighbours that
//! fit into one block with it: under the key of the last of them, in one batch with the outbox rows
//! that tell of them. One that was sent with an idempotency key in the last 24 h becomes bare first.
//! Readers of the log get the leaf hash of either.
//!
//! Nodes: those of the lowest level kept (4; 8 in a block that was written anew) and above whose last leaf is in the block, in the order
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
//! Key of a chunk: `80`, salt 16, chunk number 4. Value: 32 768 sealed bytes, the last chunk less.
//! Key of a mark: `14`, salt 16. Value: empty. The mark is there until the entry with that salt is
//! committed, and again from the batch on in which the entry becomes gone until its chunks are
//! removed, the last ones first; an open removes marks and their chunks.
//!
//! # Received block
//!
//! Key: `71`, author number 4, epoch 8, LAST seq 8. Entries to this node, of one stored group or a
//! part of one: at most 256, and 65 536 bytes. Authors and recipients have numbers in keys, given by
//! their peer rows.
//!
//! ```text
//! 0        1                 3                                            11
//! +--------+-----------------+---------------------------------------------+
//! | version| entries         | index of the first entry in the author's    |
//! |   1    | n               | log                                         |
//! +--------+-----------------+---------------------------------------------+
//! | bytes of the headers and bodies, as they came, of all blocks before  8 |
//! +------------------------------------------------------------------------+
//! | n x entry: kind 1, header length 1, body length 2,                   8 |
//! |            index less that of the first 4                              |
//! +------------------------------------------------------------------------+
//! | headers, one after the other                                           |
//! +------------------------------------------------------------------------+
//! | bodies of kind 0, one after the other                                  |
//! +------------------------------------------------------------------------+
//! ```
//!
//! | kind | header column | body length | body column |
//! |---|---|---|---|
//! | 0 inline | header as received | of the sealed body, at most 4 096 | sealed body |
//! | 1 apart | header as received | 0 | nothing: see received body chunks |
//! | 2 gone | leaf hash, length 32 | 0 | nothing |
//! | 3 dropped | leaf hash; its length is that of the header that it had, not 32 | of the body that it had in the block | nothing |
//!
//! Entries have the seqs LAST + 1 - n to LAST; blocks of a log leave no seq out. An entry that was
//! cleared, rejected or lost becomes dropped when its block is written anew, with neighbours that fit
//! into one block with it. Its lengths stay what they were, so that the bytes before each block do.
//!
//! # Author row, tally
//!
//! Key of an author row: `21`, author number 4, epoch 8. How far a life of the author's log is taken
//! in; written with each stored group.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 98-116 | newest head: epoch varint, length varint, root 32, signature 64 |
//! | 1-10 | seq of the next announcement (entry to everyone), varint |
//! | 1-10 | bytes of the header and body columns of all received blocks, varint |
//! | 1 + 32 p | peaks of the log at the head's length: count varint, hashes |
//! | 1-10 | next seq to this node, varint |
//! | 1 + 32 q | peaks over the leaf hashes of the entries to this node: count varint, hashes |
//!
//! Key of a tally: `27`, author number 4, epoch 8. What is unread of the log; written when a mark
//! changes. Absent: all 0.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 1-10 | unread bytes: headers, inline bodies, held long bodies, varint |
//! | 1-10 | unread entries, varint |
//! | 1-10 | bytes of the held long bodies alone, varint |
//! | 1-10 | entries whose body is missing, varint |
//! | 1-10 | below this seq nothing is unread, varint |
//! | 1-10 | below this seq every body is held, or was, varint |
//! | 1-10 | below this seq every entry is archived or cleared, varint |
//! | 0, or 3-1 281 | archived since the set's chunk was written: count varint, 1 to 64; runs: gap after the run before (after 0) varint, length varint |
//!
//! The three before the runs are bounds from which searches begin; they may lie lower than they could.
//! The runs lie in one chunk, and do not touch one another. What they name is archived, beside what
//! that chunk says; it is written, and the runs go, with the mark that makes them too many, that lies
//! in another chunk, or that changes another set.
//!
//! # Set chunk
//!
//! Key: `23`, author number 4, epoch 8, kind 1, chunk number 8. Which of the seqs from 65 536 times
//! the chunk number on are in a set: their places, as a roaring bitmap in its standard format
//! (<https://github.com/RoaringBitmap/RoaringFormatSpec>), at most 8 208 bytes. Absent when empty.
//!
//! | kind | set |
//! |---|---|
//! | 0 | archived |
//! | 1 | cleared |
//! | 2 | rejected |
//! | 3 | gone |
//! | 4 | missing: unread, and its long body is not wholly here, or its version is unknown |
//! | 5 | held: its long body is wholly here |
//!
//! No seq is in two of the kinds 0 to 4. Unread is what was received and is in none of 0 to 3.
//!
//! # Received body chunk, received body, useless body
//!
//! Key of a chunk: `81`, author number 4, epoch 8, recipient 33, seq 8, chunk number 4. Value:
//! 32 768 sealed bytes, the last chunk less.
//!
//! Key of a body: `28`, author number 4, epoch 8, seq 8. Value: chunks held 4, bytes held 8; from the
//! first chunk until the body is of no use.
//!
//! Key of a useless body: `29`, author number 4, epoch 8, seq 8. Value: 4 bytes, how many chunks, from
//! number 0 on, are still to be removed. Commits remove the last ones first, and the row with them.
//!
//! # Acked chunk, delivery row, newest receipt
//!
//! Key of a chunk: `24`, recipient's number 4, epoch 8, kind 1, chunk number 8. Value: as of a set
//! chunk. Kinds: 0 stored, 1 archived, 2 rejected, as the recipient's receipts say.
//!
//! Key of a delivery row: `2a`, recipient's number 4, epoch 8.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 1-10 | entries whose leaf hashes were compared with a receipt's `inbox`, varint |
//! | 1 + 32 p | peaks over them: count varint, hashes |
//! | 2 x 1-10 | below these seqs all are stored, archived, varints |
//! | 3 x 1-10 | how many are stored, archived, rejected, varints |
//!
//! Key of a receipt: `25`, recipient's number 4, epoch 8, first seq of its window 8. Value: version 1,
//! then the signed receipt as it travels. At most 64 of a recipient: the newest of each window.
//!
//! # Fork, checkpoints
//!
//! Key of a fork: `30`, author number 4, epoch 8. A life of an author's log that has forked: nothing
//! more of it is taken in, nor of later lives until the user knows. It stays for ever.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 32 | author |
//! | 2 x 98-116 | two heads of this epoch, the shorter one first |
//! | 1 + 32 p | peaks: count varint, hashes |
//! | 1 + 32 c | cover: count varint, hashes |
//! | 1 | 1 when the user has acknowledged it, else 0 |
//!
//! Heads, peaks and cover are those of [`Evidence`](super::wire#messages).
//!
//! Key of checkpoints: `31`, author number 4, epoch 8. Heads beyond the newest that other readers
//! told of; absent when there is none.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | how many: 1 to 8 |
//! | 98-116 each | a head, the shortest first |
//!
//! # Peer row
//!
//! Key: `26`, id 32. Every id that was added, removed, sent to, or heard of.
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 8 | hash of a checked id, its first bytes |
//! | 1-5 | the number that stands for the id in keys, varint |
//! | 1 | 0 unknown, 1 added, 2 removed |
//! | 1-10, 1-10 | quota: unread bytes, unread entries, varints |
//! | 1 | 1 when the first epoch seen follows, else 0 |
//! | 0-10 | the first epoch seen of its log, varint |
//! | 1 | addresses: 0 to 8, newest first |
//! | 7-21 each | 0 and IPv4 4, or 1 and IPv6 16; port varint |
//!
//! # Meta
//!
//! Key: `00`, a name.
//!
//! | name | value |
//! |---|---|
//! | `epoch` | 8 bytes: the epoch of the life of this node's log that is written |
//! | `lives` | version 1, then the epochs of the ended lives that are served on, newest first: count varint, at most 15 varints |
//! | `earlier` | version 1, then the end of the newest life of this node's log that the store has lost, as a peer showed it: epoch varint, length varint, root 32 |
//! | `lapse` | from the first message on that expires: version 1, then three varints: what expired by this time (Unix ms) may go · the lowest time that the clock has shown in the day of uptime that has begun · how far that day has come, ms |
//!
//! # Announcement
//!
//! Entries to everyone are in clear (suite 0): envelope and payload as they are. Their readers
//! never offer them. The envelope's kind says what the payload is.
//!
//! | kind | payload |
//! |---|---|
//! | 1 earlier life | where the life before this one ended, as far as its author knows: epoch varint, length varint, root 32 |
//!
//! An earlier life is entry 0 of a life that is not the first.
//!
//! # Head mark
//!
//! The file `head-mark` lies beside the store: the newest head that this node is known to have
//! signed. A slot at 0 and one at 4 096, overwritten in turn; the one with the higher number counts
//! whose checksum is right. Written after each batch that makes the log longer and before anyone
//! hears of that, synced at most once a second; made before the store's first commit.
//!
//! ```text
//! 0                                                                       8
//! +-----------------------------------------------------------------------+
//! | "peermqh1"                                                            |
//! +-----------------------------------------------------------------------+
//! | number: one more than that of the slot written before                 |
//! +-----------------------------------------------------------------------+
//! | epoch                                                                 |
//! +-----------------------------------------------------------------------+
//! | length of the log                                                     |
//! +-----------------------------------------------------------------------+
//! | root of the log at that length                                     32 |
//! +-----------------------------------------------------------------------+
//! | inode of the file                                                     |
//! +-----------------------------------------------------------------------+
//! | birth of the file, ns since 1970; 0 where the file system tells none  |
//! +-----------------------------------------------------------------------+
//! | signed by: 0 this store or a newer copy of it, 1 another, as a peer   |
//! | showed while this one was written to                                  |
//! +-----------------------------------------------------------------------+
//! | BLAKE3 of all before                                               32 |
//! +-----------------------------------------------------------------------+
//! ```
//!
//! A node signs nothing when its store does not hold what the head mark tells, when inode or birth
//! are not the file's (the directory is a copy), or when no slot is right and the store is not
//! empty.
