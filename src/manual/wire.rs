//! The bytes between two nodes.
//!
//! Each layer carries the one above it:
//!
//! ```text
//! byte stream (TCP, or any other)
//!   Noise: two flights, two signatures, then records
//!     yamux: sub-streams
//!       use byte, then frames
//!         messages, in postcard
//! ```
//!
//! Numbers in fixed-size fields are big-endian. *varint* is postcard's: seven bits a byte, lowest
//! first, the highest bit set in all but the last; at most 10 bytes for a u64. A *list* is a varint
//! count and then its items; an *option* is a byte 0, or a byte 1 and the value; *bytes* are a
//! varint length and then as many bytes.
//!
//! # Handshake
//!
//! See [`crypto::noise`](crate::crypto::noise) for its flights. Nothing else passes before both
//! signatures have been verified, and a stranger gets no byte at all. A first flight is answered
//! once: one whose ephemeral key came before is a replay, and gets none either. The whole handshake
//! ends within 4.5 s.
//!
//! # Records
//!
//! ```text
//! +0        +2
//! | length  | sealed: 16 to 65 535 bytes, the last 16 of them the Poly1305 tag |
//! ```
//!
//! `length` counts the sealed bytes. Each direction has its own key and counts its records from 0
//! (Noise Protocol Framework rev 34 §5.1); a record that does not open ends the connection.
//!
//! # Sub-streams
//!
//! The records' text is a yamux connection (<https://github.com/hashicorp/yamux/blob/master/spec.md>),
//! whose client is the node that dialled. The first byte of a sub-stream says what it is for:
//!
//! | byte | use | opened by | holds |
//! |---|---|---|---|
//! | 1 | sync | the node that dialled, once and first | all messages but `Want` and `Body` |
//! | 2 | bodies | whoever wants one | one `Want` one way, `Body` frames the other way |
//! | 3 | stream | reserved | |
//!
//! A `Want`, a `Body` and the rest of any frame come within 30 s of silence, or the session ends. At
//! most five bodies are served to one peer at a time; who wants more waits.
//!
//! # Frames
//!
//! ```text
//! +0                                    +4       +5
//! | length: 1 + bytes of payload        | kind   | payload
//! ```
//!
//! | kind | message | longest payload, bytes |
//! |---|---|---|
//! | 1 | `Hello` | 64 receipts and 4 096 |
//! | 2 · 3 | `Ping` · `Pong` | 16 384 |
//! | 4 | `Position` | 16 384 |
//! | 5 | `Advance` | 262 144 |
//! | 6 | `Receipt` | 15 872 |
//! | 7 | `Credit` | 16 384 |
//! | 8 | `Want` | 16 384 |
//! | 9 | `Body` | 32 784 |
//! | 10 · 11 | `Heads` · `Evidence` | 16 384 |
//!
//! A reader knows the kind, and with it the limit, before it takes memory. Bytes after a message's
//! last field are an error.
//!
//! # Messages
//!
//! **Hello**, once, first:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | version | 1 byte | the highest version that the sender speaks; this is version 1 |
//! | features | varint | one bit per feature beyond the version: 0 `Heads`, 1 `Evidence`; only kinds whose bit the other has set are sent, unknown bits mean nothing |
//! | lives | list of (epoch varint, length varint), at most 16 | the sender's own log, newest life first |
//! | heads | list of heads, at most 16 | the newest head of each life of the other's log that the sender holds, newest life first |
//! | receipts | list of receipts, at most 64 | the other's newest receipts that the sender holds |
//!
//! A *head* is epoch (varint), length (varint), root (32), signature (64) over
//! `"peermq head v1" ‖ 0 ‖ author 32 ‖ epoch u64 ‖ length u64 ‖ root 32`.
//!
//! **Ping**, **Pong**: a number (varint); a `Pong` has the number of its `Ping`.
//!
//! **Position**:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | author | 32 | whose log |
//! | epoch | varint | which life of it |
//! | length | varint | entries taken in: chunks start here |
//! | number | varint | grows with each position for that log |
//! | checkpoints | list of varints, at most 8, growing | lengths at which a chunk must end |
//! | channels | list of 32 bytes, at most 256 | channels whose entries are wanted too |
//!
//! **Advance**:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | author | 32 | whose log |
//! | epoch | varint | which life of it |
//! | from | varint | length before the first item |
//! | to | varint | length after the last item |
//! | number | varint | of the `Position` that it answers |
//! | items | list, at most 4 096 | in order, without a hole |
//! | root | 32 | at `to` |
//! | signature | 64 | the author's, on its head at `to` |
//!
//! | item | encoding |
//! |---|---|
//! | `Entry` | byte 0; header as bytes, at most 255; option of the sealed body as bytes, at most 4 096 |
//! | `Gone` | byte 1; leaf hash 32: an entry to the reader whose body the author has no more |
//! | `Skip` | byte 2; level, 1 byte, at most 63; hash 32: a full subtree of 2^level entries to others |
//!
//! **Receipt**:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | receiver | 32 | who speaks, and signs |
//! | author | 32 | whose log |
//! | epoch | varint | which life of it |
//! | recipient | byte 0 everyone, 1 peer, 2 channel; then 32 bytes but for everyone | entries to whom |
//! | seen | varint | every seq below is known |
//! | inbox | 32 | root over the leaf hashes of the seqs below `seen` |
//! | window | two varints | the seqs for which the ranges speak |
//! | stored | varint `below`, ranges | fsynced with their bodies: all below, and the ranges |
//! | archived | varint `below`, ranges | archived or cleared |
//! | rejected | ranges | unusable for the receiver |
//! | signature | 64 | see below |
//!
//! A node takes in at most 20 000 frames a second of one session that are no `Advance`, and reads no
//! more until it is time. It stores at most 2 000 receipts a second and begins to read for at most
//! 16 positions a second, more after a pause; of those that wait the newest counts, for each window
//! or log. Of a receiver whose receipts have spoken of other entries eight times it compares none
//! until it is started again.
//!
//! *Ranges* are a list, at most 256, of (gap since the end of the range before, length), both
//! varints; no length is 0, and no gap but the first. The signature is over
//! `"peermq receipt v1" ‖ 0 ‖ receiver 32 ‖ author 32 ‖ epoch ‖ recipient tag 1 and id 32 ‖ seen ‖
//! inbox 32 ‖ window start ‖ window end ‖ stored below ‖ stored ranges ‖ archived below ‖ archived
//! ranges ‖ rejected ranges`; numbers are u64, and ranges a u64 count, then start and end of each.
//!
//! **Credit**: author (32), epoch (varint), total (varint): bytes of `Advance` frames that may have
//! come since the session began. It never shrinks.
//!
//! **Want**: author (32), epoch (varint), recipient (as above), seq (varint), first chunk (varint).
//!
//! **Body**: chunk number (varint), then the sealed chunk to the end of the frame: 32 768 bytes,
//! fewer in the last. No bytes: the author has the body no more.
//!
//! **Heads**, between two nodes that have added each other; about the logs of others:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | followed | list of tags (16), at most 256 | logs that the sender follows and has not named in this session |
//! | heads | list of (tag 16, head), at most 64 | the newest head held of each life of logs that both have named; each life once |
//!
//! A *tag* is the first 16 bytes of the `peermq followed v1` hash over the session's hash (of the
//! handshake) and the author's id: it names the log only to who knows the id. Each side names its
//! logs once both have said hello, and tells its heads when a log turns out to be common, and again
//! when they have grown, at most every 15 s. The receiver compares a head of its own length with its
//! own; a longer one becomes a checkpoint of its `Position` to that author, kept until it is
//! reached; what is shorter the teller compares. An author that could and does not go on towards a
//! checkpoint for 60 s is *unproven*: its reader's user is told, and nothing follows from it, since
//! whoever leads nowhere shows nothing. Only time with credit for the largest chunk counts, and only
//! a chunk of at least 2 048 items or 128 KiB, or one that ends at a checkpoint, is going on.
//!
//! **Evidence**, about a log that both follow:
//!
//! | field | encoding | meaning |
//! |---|---|---|
//! | author | 32 | whose log |
//! | first | head | at length m |
//! | second | head | of the same epoch, at length n, not less than m |
//! | peaks | list of hashes, at most 64 | at m, of the log that has the second head; none when m = n |
//! | cover | list of hashes, at most 126 | the fewest full subtrees that cover m to n, in order |
//!
//! It holds when both signatures are the author's, peaks and cover fold to the second root, and the
//! root over the peaks (the second root when m = n) is not the first one. Then no one log has both
//! heads: the receiver freezes that life of the log, durably, and passes the evidence on.
