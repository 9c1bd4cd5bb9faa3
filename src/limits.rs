//! Every bound: its name with the unit last, its reason, its source.
//!
//! *Invariant*: no buffer, queue, loop or declared length that a peer can reach is without a
//! constant in this file, and every decoder compares with it before it takes memory.

// Entries and blocks.

/// Bytes of an entry header: the fields of version 1 need at most 124; a later version may add to
/// 255, so that one byte tells the length.
pub const HEADER_SIZE_MAX: usize = 255;
/// Bytes of a sealed body that travels and is stored inside its block; longer ones are chunks.
pub const INLINE_BODY_SIZE_MAX: usize = 4_096;
/// Bytes of one sealed body chunk: STREAM's segment, 32 752 of text and a tag of 16.
pub const BODY_CHUNK_SIZE: usize = 32_768;
/// Bytes that sealing adds to each chunk: the Poly1305 tag.
pub const SEAL_TAG_SIZE: usize = 16;
/// Bytes of text in one full body chunk.
pub const BODY_CHUNK_TEXT_SIZE: usize = BODY_CHUNK_SIZE - SEAL_TAG_SIZE;
/// Bytes of a message's text: 1 GiB, what the program promises to carry.
pub const BODY_TEXT_SIZE_MAX: u64 = 1 << 30;
/// Bytes of a sealed body: the text, the longest envelope and the tags, rounded up.
pub const BODY_SIZE_MAX: u64 = BODY_TEXT_SIZE_MAX + (1 << 20);
/// Bytes of an envelope's head: labels and trace context are short; the payload comes after it.
pub const ENVELOPE_HEAD_SIZE_MAX: usize = 4_096;
/// Labels in one envelope.
pub const LABEL_COUNT_MAX: usize = 32;
/// Bytes of an idempotency key.
pub const IDEMPOTENCY_KEY_SIZE_MAX: usize = 64;
/// Entries of one block: a group commit of 256 is where packing stops paying.
pub const BLOCK_ENTRY_COUNT_MAX: usize = 256;
/// Bytes of one encoded block: the store's largest value.
pub const BLOCK_SIZE_MAX: usize = 65_536;
/// Lowest level of tree nodes kept in a block; below it the leaf hashes are at hand.
pub const BLOCK_NODE_LEVEL_MIN: u8 = 4;
/// Lowest level of tree nodes kept in a block that took the place of others: below it at most 255
/// leaf hashes are at hand.
pub const REWRITTEN_NODE_LEVEL_MIN: u8 = 8;
/// Levels of a Merkle range: a length is a u64.
pub const TREE_LEVEL_MAX: u8 = 63;
/// Peaks of a list of at most 2^64 - 1 leaves: one for each bit of its length.
pub const PEAK_COUNT_MAX: usize = 64;
/// Full subtrees that cover a stretch of a list: two of each level at most.
pub const COVER_COUNT_MAX: usize = 2 * 63;
/// Sends to one recipient for which an idempotency key is remembered.
pub const IDEMPOTENCY_SEND_COUNT_MAX: u64 = 65_536;
/// Milliseconds for which an idempotency key is remembered: 24 h.
pub const IDEMPOTENCY_AGE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Recipients whose idempotency keys are kept in memory: 4 MiB each when all sends are keyed.
pub const IDEMPOTENCY_RECIPIENT_COUNT_MAX: usize = 8;
/// Blocks between two rows of the outbox index: what an open has to scan at most.
pub const OUTBOX_INDEX_BLOCK_COUNT: usize = 256;
/// Places that one write of outbox rows tells of at most, before the block that is due: a batch
/// keeps room for its blocks.
pub const OUTBOX_INDEX_PLACE_COUNT: usize = 8_192;
/// Blocks of one log that its serving keeps parsed: what the hashes of one gap lie in.
pub const BLOCK_CACHE_COUNT: usize = 64;
/// Bytes of blocks that one step of rewriting reads: 2 ms of the storage thread's time.
pub const REWRITE_READ_SIZE: usize = 256 * 1024;
/// Lives of one author that are followed without the user's word.
pub const EPOCH_COUNT_MAX: usize = 16;

// The wire.

/// Bytes of one Noise record with its tag (Noise Protocol Framework rev 34 §3).
pub const NOISE_RECORD_SIZE_MAX: usize = 65_535;
/// Bytes of the first flight, in every version.
pub const FLIGHT_1_SIZE: usize = 128;
/// Bytes of the second flight.
pub const FLIGHT_2_SIZE: usize = 64;
/// Bytes of each end's Auth: a signature and a tag.
pub const AUTH_SIZE: usize = 80;
/// Milliseconds from accept to the end of the handshake, whatever arrives: a stranger's connection
/// is closed within 5 s, also on a busy machine.
pub const HANDSHAKE_MS_MAX: u64 = 4_500;
/// Items of one `Advance`.
pub const ADVANCE_ITEM_COUNT_MAX: usize = 4_096;
/// Bytes of one `Advance` as encoded.
pub const ADVANCE_SIZE_MAX: usize = 262_144;
/// Bytes of the frame around the longest `Advance`: what credit is counted in.
pub const ADVANCE_FRAME_SIZE_MAX: u64 = 262_144 + 5;
/// Bytes of `Advance` frames that may be on their way or waiting in one session: one group in the
/// store and one behind it. The peer's lives share it; past seven of them it is a chunk for each.
pub const CREDIT_WINDOW_SIZE: u64 = 2 << 20;
/// Chunks that share one commit at the receiver.
pub const GROUP_CHUNK_COUNT_MAX: usize = 16;
/// Bytes of the chunks that share one commit at the receiver.
pub const GROUP_SIZE_MAX: usize = 1 << 20;
/// Ranges of each set in one receipt; with more, several receipts with windows of their own.
pub const RECEIPT_RANGE_COUNT_MAX: usize = 256;
/// Receipts a second of one session that are verified and stored, some 50 µs each, and as many at once
/// after a pause; meanwhile newer ones take the place of those that wait. A peer that takes in 100 000
/// messages a second sends some 400.
pub const RECEIPTS_PER_S_MAX: u32 = 2_000;
/// Positions a second of one session for which the store begins to read, some 2 ms each; meanwhile a
/// newer one takes the place of one that waits. A peer sends one for each life of the log, and one
/// whenever it hears of a head further on.
pub const POSITIONS_PER_S_MAX: u32 = 16;
/// Positions for which it begins to read at once after a pause: four of each life.
pub const POSITION_BURST: u32 = 64;
/// Frames a second of one session but chunks, which have credit; past it the peer waits with all that
/// it says. Far more than a peer has to say of as many messages as a store takes one at a time.
pub const FRAMES_PER_S_MAX: u32 = 20_000;
/// Receipts that `Hello` brings back.
pub const HELLO_RECEIPT_COUNT_MAX: usize = 64;
/// Bytes of one `Receipt`: three sets of 256 ranges of two varints, and the fixed fields.
pub const RECEIPT_SIZE_MAX: usize = 3 * RECEIPT_RANGE_COUNT_MAX * 20 + 512;
/// Bytes of one proof: a receipt, a header, and the hashes beside its way to the root, at most 63 on
/// the way and 63 peaks.
pub const PROOF_SIZE_MAX: usize =
    RECEIPT_SIZE_MAX + HEADER_SIZE_MAX + 2 * PEAK_COUNT_MAX * 32 + 128;
/// Bytes of one `Hello`.
pub const HELLO_SIZE_MAX: usize = HELLO_RECEIPT_COUNT_MAX * RECEIPT_SIZE_MAX + 4_096;
/// Tags of followed logs in one `Heads`: 4 KiB.
pub const HEADS_TAG_COUNT_MAX: usize = 256;
/// Heads in one `Heads`: checking all their signatures takes some 4 ms.
pub const HEADS_COUNT_MAX: usize = 64;
/// Logs of others that are compared in one session: what it remembers takes some 300 KiB
/// where each has one life.
pub const FOLLOWED_COUNT_MAX: usize = 1_024;
/// Milliseconds between two looks for heads that have grown since they were told.
pub const HEADS_INTERVAL_MS: u64 = 15_000;
/// Milliseconds with credit and without a full chunk on the way to a checkpoint, after which an
/// author is `Unproven`.
pub const CHECKPOINT_MS_MAX: u64 = 60_000;
/// Checkpoints of one author in a `Position`.
pub const CHECKPOINT_COUNT_MAX: usize = 8;
/// Channels wanted in a `Position`.
pub const CHANNEL_COUNT_MAX: usize = 256;
/// Bytes of any other message.
pub const SMALL_MESSAGE_SIZE_MAX: usize = 16_384;
/// Bytes that a session hands to its stream before the stream has taken them; past it the session
/// loads nothing more.
pub const UNSENT_SIZE_MAX: usize = 512 * 1024;
/// Milliseconds without a byte after which a `Ping` goes out.
pub const PING_AFTER_MS: u64 = 15_000;
/// Milliseconds of an unanswered `Ping`, or of bytes that do not move, after which a session ends.
pub const SILENCE_MS_MAX: u64 = 30_000;
/// Sub-streams of one connection that each side may hold open.
pub const STREAM_COUNT_MAX: usize = 32;
/// Sub-streams at which yamux gives a connection up: those of both sides, and as many again that
/// one side has closed and the other has not yet forgotten.
pub const STREAM_COUNT_FATAL: usize = 3 * STREAM_COUNT_MAX;
/// Bytes of one connection's receive window, over all its sub-streams: yamux promises 256 KiB to
/// each, and may let some grow by what is left.
pub const CONNECTION_WINDOW_SIZE: usize = 32 << 20;
/// Bytes received while a connection does not take ours: past it, two sides that both only write
/// would wait for each other.
pub const READ_AHEAD_SIZE_MAX: usize = 1 << 20;
/// Milliseconds for which a connection that is closed goes on sending what it was given.
pub const CLOSE_MS_MAX: u64 = 1_000;
/// Bytes of a buffer that a connection keeps while nothing passes.
pub const IDLE_BUFFER_SIZE_MAX: usize = 4_096;
/// Milliseconds until the next accept, when there were no descriptors or memory for one.
pub const ACCEPT_PAUSE_MS: u64 = 50;
/// Bytes on their way in one direction of a connection inside a process.
pub const MEMORY_PIPE_SIZE: usize = 65_536;
/// Connections inside a process that wait to be accepted.
pub const MEMORY_BACKLOG_COUNT: usize = 64;

// The queue.

/// Chunks of 65 536 seqs of one log's sets that stay in memory: the default quota's 4 Mi entries,
/// at most 8 KiB for each set and chunk.
pub const LOADED_CHUNK_COUNT_MAX: usize = 64;
/// Runs of archived seqs that stand in a log's tally before the set's chunk is written: the row stays
/// below 1.4 KiB, a sixth of a full chunk.
pub const RECENT_RUN_COUNT_MAX: usize = 64;
/// Addresses remembered of one peer: the interfaces of a machine, and where it was before.
pub const PEER_ADDRESS_COUNT_MAX: usize = 8;
/// Bytes of the smallest entry: a header's version, recipient and seq, and its length. A quota's
/// bound on entries becomes one on bytes with it.
pub const RECEIVED_ENTRY_SIZE_MIN: u64 = 36;
/// Blocks of received entries whose sizes stay in memory: 1 Mi entries, 1 KiB a block.
pub const SIZE_BLOCK_COUNT_MAX: usize = 4_096;
/// Seqs that one mark may name: what it writes stays within a batch, whatever the sets look like
/// and however many of the bodies are long.
pub const MARK_COUNT_MAX: u64 = 65_536;
/// Messages of one page of a list.
pub const PAGE_COUNT_MAX: usize = 256;
/// Bytes of the bodies that come with one page of a list, passed by at most one.
pub const PAGE_SIZE_MAX: usize = 256 * 1024;
/// Chunks of 65 536 seqs that one mark may touch: each rewrites up to three rows of 8 KiB.
pub const MARK_CHUNK_COUNT_MAX: usize = 128;
/// Bytes of a backup that are read from the store in one step: a few milliseconds without a commit.
pub const BACKUP_PIECE_SIZE: usize = 256 * 1024;
/// Bytes of a batch of a restore: one more row still fits into any batch.
pub const BACKUP_BATCH_SIZE: usize = 4 << 20;
/// Bytes of changes that wait for the reader of a backup; beyond, the backup is given up.
pub const BACKUP_PENDING_SIZE_MAX: usize = 64 << 20;
/// Bytes of a batch beyond which no more chunks of useless bodies are removed with it.
pub const SWEEP_SIZE_MAX: usize = 4 << 20;
/// Bytes of keys of useless chunks that are removed with one batch: some 1 000 chunks.
pub const SWEEP_SIZE: usize = 64 * 1024;
/// Entries of no more use from which on a pass over the blocks may be worth its while.
pub const LITTER_COUNT_MIN: u64 = 16_384;
/// Entries that one receipt may span without being broken up by what has changed: 64 chunks of a
/// log's sets, so that one reading loads no more than stays in memory.
pub const RECEIPT_SPAN_MAX: u64 = 4 << 20;
/// Receipts of one reading: what it takes of the storage thread's time, some 0.5 ms.
pub const RECEIPT_READ_COUNT_MAX: usize = 16;
/// Ranges of entries to come, archived or rejected before, that are remembered of one log: all that
/// the receipts of one `Hello` can say of a set.
pub const RECALLED_RANGE_COUNT_MAX: usize = HELLO_RECEIPT_COUNT_MAX * RECEIPT_RANGE_COUNT_MAX;
/// Receipts of one recipient that may speak of other entries than this node's; none is compared after
/// them until the store is opened again, since each may have all leaf hashes read.
pub const DIVERGED_COUNT_MAX: usize = 8;
/// Leaf hashes read at a time to compare with a receipt: 2 MiB.
pub const FOLD_SEQ_COUNT: u64 = 65_536;

// Quotas.

/// Unread bytes that one peer may hold here (header + inline body + held body), unless `--quota`
/// says otherwise.
pub const QUOTA_BYTES_DEFAULT: u64 = 1 << 30;
/// Unread entries that one peer may hold here.
pub const QUOTA_ENTRIES_DEFAULT: u64 = 4 << 20;
/// Bytes of long bodies wanted from one peer and not yet archived.
pub const WANTED_SIZE_MAX: u64 = 1 << 30;
/// Long bodies that are named as wanted at a time.
pub const WANTED_COUNT_MAX: usize = 64;
/// Entries with a missing body that are looked at for those to be fetched.
pub const WANTED_SCAN_COUNT_MAX: u64 = 256;
/// Bytes of a body that is fetched before its reader asks for it.
pub const EAGER_BODY_SIZE_MAX: u64 = 16 << 20;
/// Long bodies of at most [`EAGER_BODY_SIZE_MAX`] fetched from one peer at a time.
pub const EAGER_BODY_COUNT_MAX: usize = 4;
/// Times that a body may come other than it was signed, each the end of a session, before it is not
/// fetched any more until the node starts again.
pub const WRONG_BODY_TRY_COUNT: u32 = 3;
/// Bodies that came other than they were signed, as far as they are kept in mind.
pub const WRONG_BODY_COUNT_MAX: usize = 1_024;
/// Bytes of body chunks in one durable batch.
pub const BODY_BATCH_SIZE_MAX: usize = 4 << 20;

// The node.

/// Jobs that wait for the storage thread; past it whoever asks waits.
pub const STORAGE_JOB_COUNT_MAX: usize = 1_024;
/// Jobs of one turn of the storage thread, so that reads are not kept waiting.
pub const GROUP_JOB_COUNT_MAX: usize = 4_096;
/// Bytes staged after which a group is committed: the largest single job on top still fits the
/// store's largest batch.
pub const GROUP_STAGED_SIZE_MAX: usize = 2 << 20;
/// Pair secrets kept at hand; past it the cache starts anew.
pub const PAIR_SECRET_COUNT_MAX: usize = 4_096;
/// Milliseconds in which an older session must answer a ping to stay beside a newer one.
pub const PROBE_MS_MAX: u64 = 5_000;
/// Bytes free on the disk below which nothing new is taken in: a batch, a new segment of a store, and
/// what peers were granted before still fit.
pub const DISK_FREE_MIN: u64 = 32 << 20;
/// Bytes free from which on it is taken in again: 16 MiB more, so that the node does not waver.
pub const DISK_FREE_AGAIN_MIN: u64 = DISK_FREE_MIN + (16 << 20);
/// Milliseconds between two looks at a disk that is full.
pub const DISK_LOOK_MS: u64 = 1_000;
/// Milliseconds between two syncs of the head mark: one more fsync a second costs a busy node
/// little.
pub const HEAD_MARK_SYNC_MS: u64 = 1_000;
/// Milliseconds after which entries of no more use go, however few: 10 minutes.
pub const RECLAIM_AFTER_MS: u64 = 10 * 60 * 1_000;
/// Milliseconds of uptime after which what has expired goes: a day, for a clock to be put right.
pub const LAPSE_UPTIME_MS: u64 = 24 * 60 * 60 * 1_000;
/// Frames read ahead of a session's machine.
pub const FRAME_COUNT_MAX: usize = 4;
/// Chunks of a long body read from the store at a time: 256 KiB, so that other reads get their turn.
pub const SERVE_CHUNK_COUNT: u32 = 8;
/// Long bodies served to one peer at a time: as many as an honest one fetches. Each may hold
/// [`SERVE_CHUNK_COUNT`] chunks that the peer does not take.
pub const SERVED_BODY_COUNT_MAX: usize = EAGER_BODY_COUNT_MAX + 1;
/// Messages of one group that a reader takes.
pub const READ_GROUP_COUNT_MAX: usize = 256;
/// Bytes of one group that a reader takes, passed by at most one message.
pub const READ_GROUP_SIZE_MAX: usize = 256 * 1024;
/// Addresses of one peer that are tried at once, beside the transports that need none: each is a
/// socket, and anyone on the local network may announce any number.
pub const DIAL_ADDRESS_COUNT_MAX: usize = 16;
/// Texts of one durable step of `send_all`.
pub const SEND_ALL_COUNT: usize = 256;
/// Bytes of the texts of one durable step of `send_all`, passed by at most one text.
pub const SEND_ALL_SIZE: usize = 256 * 1024;
/// Notices that wait for one reader; past it the oldest ones are lost to it.
pub const NOTICE_COUNT_MAX: usize = 256;
/// Questions whether a peer answers that wait at one session.
pub const PROBE_COUNT_MAX: usize = 4;
/// Wishes for long bodies that wait at one session.
pub const PULL_COUNT_MAX: usize = 64;
/// Descriptors that no socket gets, so that the store can always open a file: what fjall keeps open of
/// its tables, and what a merge, a snapshot and a large value open beside them.
pub const STORE_DESCRIPTOR_COUNT: u64 = 32;
/// Descriptors of a node that nobody visits: 26 with an API and discovery, and some for who asks it.
pub const OWN_DESCRIPTOR_COUNT: u64 = 32;
/// Inbound connections that are held, however few descriptors there are: without any of a kind
/// nobody could come in.
pub const CONNECTION_COUNT_MIN: usize = 8;
/// Descriptors that a program asks for where the hard limit is infinite and the system has one all the
/// same: `OPEN_MAX` of macOS (setrlimit(2) there).
pub const RAISED_DESCRIPTOR_COUNT: u64 = 10_240;
/// Connections whose first flight is awaited; past it the oldest makes room. Each holds a descriptor,
/// of which a process may have 1 024 by default (getrlimit(2)): fewer are held where that leaves
/// fewer.
pub const KNOCK_COUNT_MAX: usize = 256;
/// Those among them from one network: an IPv4 address, or the first 64 bits of an IPv6 address.
pub const KNOCK_PREFIX_COUNT_MAX: usize = 8;
/// As many more for networks from which a peer came before.
pub const KNOCK_KNOWN_COUNT_MAX: usize = 64;
/// Such networks that are remembered.
pub const KNOWN_PREFIX_COUNT_MAX: usize = 1_024;
/// First flights a second that are read: each costs two X25519, some 0.1 ms.
pub const FLIGHTS_PER_S_MAX: u32 = 2_000;
/// As many more a second from networks from which a peer came before.
pub const KNOWN_FLIGHTS_PER_S_MAX: u32 = 50;
/// Milliseconds whose flights may be read at once after a pause.
pub const FLIGHT_BURST_MS: u64 = 250;
/// Answered first flights that are remembered, so that none is answered twice: 64 bytes each.
pub const SEEN_FLIGHT_COUNT_MAX: usize = 4_096;
/// Connections that get no answer and are kept open until the deadline, so that silence tells
/// nothing; past it the oldest is closed.
pub const UNANSWERED_COUNT_MAX: usize = 128;
/// Handshakes of one peer that were answered and wait for its Auth: one for each address at which it
/// may have dialled this node.
pub const ANSWERED_COUNT_MAX: usize = DIAL_ADDRESS_COUNT_MAX;
/// Such handshakes of all peers; past it the oldest makes room. At [`FLIGHTS_PER_S_MAX`] they are
/// those of a round trip of 128 ms.
pub const ANSWERED_TOTAL_MAX: usize = 256;
/// Milliseconds between two lines of the log about what may happen at each connection.
pub const TELL_INTERVAL_MS: u64 = 60_000;

// Finding and reaching peers.

/// Milliseconds before the first redial at most.
pub const REDIAL_MS_MIN: u64 = 250;
/// Milliseconds between two redials at most: a dial costs little, a peer that is back is wanted
/// soon.
pub const REDIAL_MS_MAX: u64 = 10_000;
/// Milliseconds of a session after which the failures before it are forgotten.
pub const STEADY_MS: u64 = 10_000;
/// Addresses that are remembered of one peer; the oldest goes first.
pub const BOOK_ADDRESS_COUNT_MAX: usize = 8;
/// Bytes of a rendezvous file that are read: some 20 addresses.
pub const RENDEZVOUS_SIZE_MAX: u64 = 1_024;
/// Milliseconds between two looks for rendezvous files: what a start may add to a meeting.
pub const RENDEZVOUS_POLL_MS: u64 = 250;
/// Days for which a rendezvous file without its writer is kept: nobody looks for an older one.
pub const RENDEZVOUS_AGE_DAYS_MAX: u32 = 2;
/// Addresses that a search of the local network takes in before it forgets those it had: anyone
/// there may announce any number.
pub const MDNS_ADDRESS_COUNT_MAX: usize = 64;
/// Milliseconds for which a goodbye on the local network holds up the end of a node.
pub const MDNS_GOODBYE_MS_MAX: u64 = 250;
/// Milliseconds between two looks at the routes, while a peer is searched for.
pub const NETWORK_CHECK_MS: u64 = 5_000;
/// Milliseconds between two looks at the calendar: a machine may sleep, or its clock be set.
pub const DAY_CHECK_MS: u64 = 60_000;

// This machine.

/// Bytes of a socket's path that every system takes: the shortest has room for 104 with the end
/// mark (unix(7) says 108).
pub const SOCKET_PATH_SIZE_MAX: usize = 100;

// The local API and the program.

/// Milliseconds for which a process that finds the lock held looks for an answer of its holder:
/// longer than a store takes to open after a crash.
pub const ATTACH_MS_MAX: u64 = 10_000;
/// Milliseconds between two looks.
pub const ATTACH_RETRY_MS: u64 = 20;
/// Milliseconds that requests in flight are given when their server ends; those cut off are
/// repeated to the next one.
pub const SERVE_END_MS_MAX: u64 = 1_000;
/// Milliseconds that the tasks of a node whose store is closed are given to end.
pub const TASKS_END_MS_MAX: u64 = 5_000;
/// Bytes of a JSON request body: 10 000 places are far below it.
pub const API_BODY_SIZE_MAX: usize = 2 << 20;
/// Bytes of one line of `send --lines`, which is held in memory whole.
pub const LINE_SIZE_MAX: usize = 16 << 20;
/// Bytes of a text that is written as one JSON object, for which it is held in memory whole.
pub const JSON_TEXT_SIZE_MAX: usize = 16 << 20;
/// Lines that become durable together: one block.
pub const LINE_BATCH_COUNT_MAX: usize = BLOCK_ENTRY_COUNT_MAX;
/// Bytes of lines that become durable together; passed by one line.
pub const LINE_BATCH_SIZE_MAX: usize = 256 * 1024;
/// Batches of lines on their way to the disk at once.
pub const LINE_BATCH_FLIGHT_MAX: usize = 4;
/// Bytes of whole lines that a client reads and hands on at once.
pub const LINE_BLOCK_SIZE: usize = 64 * 1024;
/// Blocks of lines that a client keeps until it knows them durable, to repeat them if need be.
pub const LINE_BLOCK_COUNT_MAX: usize = 64;

/// Bytes of a passphrase: more than anybody types.
pub const PASSPHRASE_SIZE_MAX: usize = 1_024;
/// Memory in KiB that a key file may ask for: 1 GiB, so that a forged one cannot exhaust a machine.
pub const PASSPHRASE_MEMORY_KIB_MAX: u32 = 1 << 20;
/// Passes over that memory: some seconds each at most.
pub const PASSPHRASE_PASS_COUNT_MAX: u32 = 16;
/// Lanes of that memory.
pub const PASSPHRASE_LANE_COUNT_MAX: u32 = 16;
