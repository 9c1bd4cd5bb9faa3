//! sled's log, read by ourselves before sled sees it.
//!
//! sled takes the first damaged message of a segment for the segment's end and goes on with the
//! next one, so a single flipped bit gives pages as they were long ago beside new ones, without a
//! word. It has a reason: a power cut may leave a freed segment half overwritten. This audit tells
//! the two apart: what a damaged segment lost is harmless when later messages replaced each of its
//! pages, as they have in every freed segment; otherwise it is damage, and nothing is touched.
//!
//! ```text
//! file     = segment*                          each SEGMENT_SIZE long, in any order
//! segment  = crc32 4 | lsn 8 | stable lsn 8 | message*
//! message  = crc32 4 | kind 1 | size varint | segment number varint | page varint | body
//! ```
//!
//! Numbers are little-endian; both lsn are kept as their difference to `i64::MAX`. A message's lsn
//! is its segment's and its offset there. From the newest header's stable lsn on, sled itself keeps
//! the log up to the first damage only: a state that was there before. (sled 0.34.7,
//! `pagecache/logger.rs`, `pagecache/iterator.rs`, `serialization.rs`.)

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{Range, RangeInclusive};

use crc32fast::Hasher;

use super::SEGMENT_SIZE;
use crate::OpenError;
use crate::mark::Seal;

/// How far a log reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The lsn after its last whole message.
    pub(super) end: u64,
    /// Bytes of its file.
    pub(super) size: u64,
}

impl Extent {
    /// Whether the log reaches at least as far as an earlier one.
    pub(super) const fn covers(self, earlier: Self) -> bool {
        self.end >= earlier.end && self.size >= earlier.size
    }

    /// Both numbers, big-endian.
    pub(super) fn to_seal(self) -> Seal {
        ((u128::from(self.end) << 64) | u128::from(self.size)).to_be_bytes()
    }

    /// The extent that a seal tells.
    pub(super) fn from_seal(seal: Seal) -> Self {
        let [end, size] = [0, 8].map(|from| {
            seal.iter().skip(from).take(8).fold(0, |number, &byte| (number << 8) | u64::from(byte))
        });
        Self { end, size }
    }
}

/// The lsn of a snapshot, told by its name; none when the file is not whole: its last 12 bytes are
/// the size and the checksum of the others.
pub(super) fn snapshot_lsn(name: &str, bytes: &[u8]) -> Option<u64> {
    let lsn = u64::from_str_radix(name.strip_prefix("snap.")?, 16).ok()?;
    let (rest, checksum) = bytes.split_last_chunk()?;
    let (content, _) = rest.split_last_chunk::<8>()?;
    (crc32fast::hash(content) == u32::from_le_bytes(*checksum)).then_some(lsn)
}

/// Checks the log from a snapshot's lsn on, or from its beginning. A log that does not even reach
/// the snapshot is not judged by it: the caller sees that in the extent.
pub(super) fn audit(data: &File, snapshot: u64) -> Result<Extent, OpenError> {
    let log = Log::scan(data)?;
    let from = segment_of(snapshot);
    let tail = segment_of(log.stable.max(snapshot));
    let mut damaged = log.headless(from..tail)?;
    for (&lsn, &slot) in log.slots.range(from..tail) {
        if let End::Damage(offset) = log.read(lsn, slot)?.end() {
            damaged.insert(lsn, (slot, offset));
        }
    }
    let extent = log.extent(tail)?;
    if extent.end >= snapshot && !damaged.is_empty() {
        log.weigh(from..extent.end, &damaged)?;
    }
    Ok(extent)
}

/// How far the log reaches, without a look at what lies before its tail.
pub(super) fn extent(data: &File) -> Result<Extent, OpenError> {
    let log = Log::scan(data)?;
    Ok(log.extent(segment_of(log.stable))?)
}

/// The segments of a log, by their headers.
struct Log<'a> {
    data: &'a File,
    size: u64,
    /// Where each segment lies in the file, by its lsn.
    slots: BTreeMap<u64, u64>,
    /// Places of the file whose header is no header.
    blank: Vec<u64>,
    /// Up to here the log was whole when the newest segment was begun.
    stable: u64,
}

/// Damaged segments by lsn: where they lie, and from which offset on sled drops them.
type Damaged = BTreeMap<u64, (u64, usize)>;

impl<'a> Log<'a> {
    fn scan(data: &'a File) -> io::Result<Self> {
        let size = data.metadata()?.len();
        let mut log = Self { data, size, slots: BTreeMap::new(), blank: Vec::new(), stable: 0 };
        let mut slot = 0;
        while slot < size {
            match header(&log.bytes(slot, SEGMENT_HEADER_SIZE)?) {
                Some((lsn, stable)) if lsn % SEGMENT_STEP == 0 => {
                    log.slots.insert(lsn, slot);
                    log.stable = log.stable.max(stable);
                }
                _ => log.blank.push(slot),
            }
            slot += SEGMENT_STEP;
        }
        Ok(log)
    }

    /// Segments of a range whose header is lost, found by the number that their messages bear.
    fn headless(&self, range: Range<u64>) -> io::Result<Damaged> {
        let mut found = Damaged::new();
        for &slot in &self.blank {
            let bytes = self.bytes(slot, SEGMENT_SIZE)?;
            let number = offsets(SEGMENT_HEADER_SIZE).find_map(|offset| {
                let message = Message::parse(&bytes, offset, None)?;
                message.is_whole.then_some(message.number)
            });
            let lsn = number.and_then(|number| number.checked_mul(SEGMENT_STEP));
            if let Some(lsn) = lsn.filter(|lsn| range.contains(lsn)) {
                found.insert(lsn, (slot, SEGMENT_HEADER_SIZE));
            }
        }
        Ok(found)
    }

    /// Follows the tail to its first damage or gap, as sled does.
    fn extent(&self, tail: u64) -> io::Result<Extent> {
        let mut end = tail;
        while let Some(&slot) = self.slots.get(&end) {
            match self.read(end, slot)?.end() {
                End::Full => end += SEGMENT_STEP,
                End::Damage(offset) => {
                    end += step(offset);
                    break;
                }
            }
        }
        Ok(Extent { end, size: self.size })
    }

    /// Refuses the log if anything that damaged segments lost is missed in a range of it.
    fn weigh(&self, range: Range<u64>, damaged: &Damaged) -> Result<(), OpenError> {
        let mut replaced = HashMap::new();
        for (&lsn, &slot) in self.slots.range(range.clone()) {
            let segment = self.read(lsn, slot)?;
            for message in segment.messages().filter(Message::replaces_page) {
                let at = lsn + step(message.offset);
                if at < range.end {
                    replaced.insert(message.page, at);
                }
            }
        }
        for (&lsn, &(slot, offset)) in damaged {
            let segment = self.read(lsn, slot)?;
            for message in segment.remains(offset).filter(Message::concerns_page) {
                let at = lsn + step(message.offset);
                if replaced.get(&message.page).is_none_or(|&newest| newest <= at) {
                    let page = message.page;
                    return Err(corrupt(format!("expected page {page} whole at {at} of its log")));
                }
            }
        }
        Ok(())
    }

    fn read(&self, lsn: u64, slot: u64) -> io::Result<Segment> {
        Ok(Segment { number: lsn / SEGMENT_STEP, bytes: self.bytes(slot, SEGMENT_SIZE)? })
    }

    /// Bytes from a place of the file on, as far as it reaches.
    fn bytes(&self, from: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut data = self.data;
        data.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::with_capacity(size);
        data.take(step(size)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The bytes of one segment.
struct Segment {
    number: u64,
    bytes: Vec<u8>,
}

/// How a segment ends.
enum End {
    /// With a message that says so, or without room for another one.
    Full,
    /// At an offset where no whole message is.
    Damage(usize),
}

impl Segment {
    /// The messages up to the end or the first damage.
    fn messages(&self) -> impl Iterator<Item = Message> {
        let mut offset = SEGMENT_HEADER_SIZE;
        std::iter::from_fn(move || {
            let message = Message::parse(&self.bytes, offset, Some(self.number))?;
            offset = message.end();
            (message.is_whole && message.kind != CAP).then_some(message)
        })
    }

    fn end(&self) -> End {
        let offset = self.messages().last().map_or(SEGMENT_HEADER_SIZE, |last| last.end());
        if offset > MESSAGE_OFFSET_MAX {
            return End::Full;
        }
        match Message::parse(&self.bytes, offset, Some(self.number)) {
            Some(cap) if cap.is_whole && cap.kind == CAP => End::Full,
            _ => End::Damage(offset),
        }
    }

    /// What can still be told of the messages from a damage on: the damaged one, if its header
    /// makes sense, and all whole ones.
    fn remains(&self, damage: usize) -> impl Iterator<Item = Message> {
        let at = |offset| Message::parse(&self.bytes, offset, Some(self.number));
        let mut next = damage;
        let whole = std::iter::from_fn(move || {
            let message = offsets(next).filter_map(at).find(|message| message.is_whole)?;
            next = message.end();
            Some(message)
        });
        at(damage).filter(|message| !message.is_whole).into_iter().chain(whole)
    }
}

/// A message of a segment.
#[derive(Debug)]
struct Message {
    offset: usize,
    size: usize,
    kind: u8,
    number: u64,
    page: u64,
    /// Whether its checksum holds.
    is_whole: bool,
}

impl Message {
    /// Reads a message that is of a known kind, of a segment's number and inside its segment.
    fn parse(bytes: &[u8], offset: usize, number: Option<u64>) -> Option<Self> {
        if offset > MESSAGE_OFFSET_MAX {
            return None;
        }
        let from = bytes.get(offset..)?;
        let (checksum, rest) = from.split_first_chunk()?;
        let (&kind, rest) = rest.split_first().filter(|(kind, _)| KINDS.contains(kind))?;
        let (size, rest) = varint(rest)?;
        let (own_number, rest) = varint(rest)?;
        if number.is_some_and(|number| number != own_number) {
            return None;
        }
        let (page, rest) = varint(rest)?;
        let header_size = from.len().checked_sub(rest.len())?;
        let size = header_size.checked_add(usize::try_from(size).ok()?)?;
        if offset.checked_add(size)? > SEGMENT_SIZE {
            return None;
        }
        let is_whole = from.get(..size).is_some_and(|message| {
            let (header, body) = message.split_at(header_size);
            let mut hasher = Hasher::new();
            hasher.update(body);
            hasher.update(header.get(checksum.len()..).unwrap_or_default());
            hasher.finalize() == !u32::from_le_bytes(*checksum)
        });
        Some(Self { offset, size, kind, number: own_number, page, is_whole })
    }

    const fn end(&self) -> usize {
        self.offset + self.size
    }

    /// Whether it is about a page: neither padding nor the note of a batch.
    const fn concerns_page(&self) -> bool {
        self.kind >= FREE
    }

    /// Whether it makes all earlier messages about its page void.
    fn replaces_page(&self) -> bool {
        self.concerns_page() && !LINKS.contains(&self.kind)
    }
}

/// A segment's lsn, and up to where the log was whole then.
fn header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (checksum, rest) = bytes.split_first_chunk()?;
    let (lsn, rest) = rest.split_first_chunk()?;
    let (stable, _) = rest.split_first_chunk()?;
    let number = |bytes: &[u8; 8]| i64::MAX.checked_sub_unsigned(u64::from_le_bytes(*bytes));
    let whole = crc32fast::hash(bytes.get(checksum.len()..)?) == !u32::from_le_bytes(*checksum);
    let (lsn, stable) = (number(lsn)?, number(stable)?);
    // Before the first write, sled calls -1 stable.
    whole.then_some((u64::try_from(lsn).ok()?, u64::try_from(stable).unwrap_or(0)))
}

/// sled's numbers of varying width: 1 byte up to 240, 2 up to 2 287, 3 up to 67 823, then a byte
/// that tells how many follow.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=240 => Some((u64::from(first), rest)),
        241..=248 => {
            let (&low, rest) = rest.split_first()?;
            Some((240 + 256 * (u64::from(first) - 241) + u64::from(low), rest))
        }
        249 => {
            let ([high, low], rest) = rest.split_first_chunk()?;
            Some((2_288 + 256 * u64::from(*high) + u64::from(*low), rest))
        }
        250.. => {
            let (low_first, rest) = rest.split_at_checked(usize::from(first) - 247)?;
            let number =
                low_first.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte));
            Some((number, rest))
        }
    }
}

const fn corrupt(what: String) -> OpenError {
    OpenError::Corrupt(what)
}

const fn segment_of(lsn: u64) -> u64 {
    lsn - lsn % SEGMENT_STEP
}

/// Every place from an offset on where a message may begin.
const fn offsets(from: usize) -> RangeInclusive<usize> {
    from..=MESSAGE_OFFSET_MAX
}

/// A size of memory as a distance in the log.
fn step(size: usize) -> u64 {
    u64::try_from(size).expect("a size of memory fits into 64 bits")
}

const SEGMENT_STEP: u64 = 8 << 20;
const _: () = assert!(SEGMENT_STEP == 8 << 20 && SEGMENT_SIZE == 8 << 20);
const SEGMENT_HEADER_SIZE: usize = 20;
/// The last offset where sled begins a message: it leaves room for the longest header.
const MESSAGE_OFFSET_MAX: usize = SEGMENT_SIZE - 32;
/// What sled knows but 0: damaged.
const KINDS: RangeInclusive<u8> = 1..=11;
const CAP: u8 = 2;
const FREE: u8 = 4;
const LINKS: RangeInclusive<u8> = 10..=11;
