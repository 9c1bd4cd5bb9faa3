//! Proofs: files that anyone can check, with `peermq verify` or with this page.
//!
//! ```text
//! 0                                                                       8
//! +-----------------------------------------------------------------------+
//! | magic: "peermqpf"                                                     |
//! +--------+--------+-----------------------------------------------------+
//! | version| kind   | fields, in postcard                                 |
//! |   1    |        |                                                     |
//! +--------+--------+-----------------------------------------------------+
//! | plain BLAKE3 of all before                                         32 |
//! +-----------------------------------------------------------------------+
//! ```
//!
//! The hash at the end tells a damaged file from a false one; it proves nothing. Varints, lists and
//! bytes are those of the [wire](super::wire), signatures and hashes those of
//! [hashes](super::hashes). At most 20 351 bytes in all.
//!
//! # Kind 1: delivery
//!
//! The recipient of a message has it, by its own signature. `peermq receipt TO@SEQ` makes one.
//!
//! | size | field |
//! |---|---|
//! | 200-15 872 | the recipient's receipt, as on the wire |
//! | 1-10 | index: the entry's place in the author's log, varint |
//! | 1-2 + h | header: the entry's header as bytes, at most 255 |
//! | 1 + 32 s | siblings: a list of hashes, at most 64 |
//! | 1 + 32 p | peaks: a list of hashes, at most 64 |
//!
//! It holds when
//!
//! 1. the receipt's signature is its receiver's, and its numbers hold together;
//! 2. the header is addressed to the receiver, and the receipt's `recipient` says the same;
//! 3. the leaf hash of (author, epoch, index, header) leads to the receipt's `inbox` root: of a list
//!    of `seen` leaves, from the place that the header's seq names, past the siblings, lowest first,
//!    to the peak over it, which stands among the other peaks, leftmost first;
//! 4. the receipt's `archived`, `rejected` or `stored` holds the seq.
//!
//! Then the receiver has signed that the message of this header, with the sealed body that its
//! hash names, is archived, rejected or stored at its place. What the body says is for its two ends
//! alone: either can open it.
//!
//! # Kind 2: fork
//!
//! An author has signed two versions of its log. `peermq forks --export AUTHOR` writes one. Its
//! fields are those of [`Evidence`](super::wire#messages), and it holds when that does.
//!
//! | size | field |
//! |---|---|
//! | 32 | author |
//! | 98-116 | first: a head at length m |
//! | 98-116 | second: a head of the same epoch at length n, not less than m |
//! | 1 + 32 p | peaks: a list of hashes, at most 64 |
//! | 1 + 32 c | cover: a list of hashes, at most 126 |
//!
//! Then the author, or whoever has its key, has shown different logs to different readers: by
//! intent, or because a copy of its data directory was used.
