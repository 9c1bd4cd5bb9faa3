//! What a node promises, and how each promise is kept.
//!
//! 1. **A send that returned Ok is fsynced.** The storage thread answers after its commit. No
//!    signature leaves before its entries are durable: a head is signed over a chunk that was read
//!    back from the store ([`sync`](crate::sync), *Invariant*). An error means *unknown*: the same
//!    idempotency key may be sent again, and within 24 hours and 65 536 sends to that recipient
//!    returns the first seq.
//! 2. **Acknowledged is fsynced on the receiver's disk.** A receipt is made of what the store
//!    answers after its commit. The sender keeps its copy until the receiver has archived, cleared
//!    or rejected it, by a receipt whose `inbox` is the sender's own fold; only where the user says
//!    `--keep stored` it goes once it is stored there. Then its leaf hash stays, and its header for
//!    as long as its idempotency key is remembered, so the log verifies as before.
//! 3. **Each message is offered until `archive` or `clear` returned Ok, and never after.** Marks
//!    only go forward, and are in the same batch as the message they speak of or a later one. A
//!    process that is killed inside `archive` may offer the message once more.
//! 4. **Only its author can have written a message.** Each entry is under the author's signature,
//!    with its author, epoch, place, recipient and seq. What was sent cannot be rewritten,
//!    reordered or left out from the middle unseen: each chunk folds from what was held before to
//!    a root that the author signed, and seqs have no gaps. An author that shows two versions of its
//!    log to two readers is found out once these have been connected to each other: they compare
//!    heads, and what one has of the log the other's next chunks must lead to. The fork is proven by
//!    two of the author's signatures, and the log is frozen.
//! 5. **A stranger gets no byte.** The listener compares a hash that needs this node's id, opens
//!    the first flight, and looks the dialler's key up among the added peers before it answers.
//!    After `remove_peer` returned, a removed peer gets nothing, not even what the kernel held.
//! 6. **Only author and recipient can open a body.** It is sealed before it enters the log.
//! 7. **Bad input, a full disk or a damaged store gives a clear error**: never a panic, a hang or
//!    a wrong answer. With less than 32 MiB free, before the disk is full, nothing new is taken in:
//!    sends are refused, and peers get no more credit, while marks, receipts and what is served go
//!    on. With 16 MiB more it goes on by itself. A store that fails all the same ends the node.
//!
//! # Not promised
//!
//! Hiding who talks to whom from added peers, or the length and rate of a log from whoever gets an
//! entry of it. Hiding from a watcher who knows an id that it is dialled. Forward secrecy of stored
//! bodies: the key of author or recipient opens what is between them. Secure erase. Total order
//! across senders. Finding a split view among readers who never meet, or a rolled-back virtual
//! machine before a peer echoes.
