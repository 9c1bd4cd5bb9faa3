//! Every byte of a backup.
//!
//! `peermq backup` writes one file, of mode 0600, since it holds the node's key:
//!
//! | size | field |
//! |---|---|
//! | 8 | `peermqb2` |
//! | 105 or 173 | the file `key`: `peermqk1` 8, kind 1 (0 plain, 1 under a passphrase), and the rest |
//! | | records, one after the other |
//! | 41 | the end |
//!
//! The records and the end are what the local API gives under `/v1/backup`.
//!
//! # Record
//!
//! | size | field |
//! |---|---|
//! | 1 | 1 put, 2 remove |
//! | 1 | length of the key, 1 to 128 |
//! | | the key, as in [`disk`](super::disk) |
//! | 4 | put: length of the value, at most 65 536 |
//! | | put: the value |
//!
//! Taken in order they make the store as it was at the backup's end: rows come in the order of their
//! keys, and what changed before its place was passed comes again, as it was committed.
//!
//! # What a repair sets aside
//!
//! `peermq repair` writes each row that it takes out of the store to a file under `aside/` in the data
//! directory, named by the Unix milliseconds: `peermqa2`, then records and the end as above. A row
//! that could not be read is a record of kind 2. A store that does not open is moved to
//! `aside/store-` and the milliseconds, as it is.
//!
//! # End
//!
//! | size | field |
//! |---|---|
//! | 1 | 0 |
//! | 8 | how many records there are |
//! | 32 | BLAKE3 of all records and the nine bytes before |
//!
//! A file without an end, with another hash, or with bytes after it is no backup, and nothing of it
//! is restored.
