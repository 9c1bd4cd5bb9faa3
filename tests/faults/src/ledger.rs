//! What one node has sent to another, as the outside has seen it: the promises are checked here.
//!
//! Every text bears the number of its attempt, so that a message is known wherever it shows up. An
//! attempt is *confirmed* once `send` has said so; one whose `send` was killed before that may be in
//! the log or not, but never twice.

use std::collections::{BTreeMap, BTreeSet};

/// One direction between two nodes.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The sender's id.
    from: String,
    attempt_count: u64,
    confirmed: BTreeSet<u64>,
    /// Which attempt has which place. Two attempts at one place would be a fork.
    places: BTreeMap<u64, u64>,
    seqs: BTreeMap<u64, u64>,
    epoch: Option<u64>,
    /// What the sender was told to be on the receiver's disk.
    stored: BTreeSet<u64>,
    /// What is known to be archived: it is never offered again.
    archived: BTreeSet<u64>,
    /// The first place that was never printed.
    next: u64,
    pub(crate) repeat_count: u64,
    listener: Listener,
    findings: Vec<String>,
}

/// One listener, from its start to its end.
#[derive(Debug, Default)]
struct Listener {
    /// Places below it were archived when it started.
    archived: u64,
    last: Option<u64>,
}

/// A message as `messages` lists it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Listed {
    epoch: u64,
    seq: u64,
    state: String,
    size: usize,
}

/// A message as `send --json` confirms it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Sent {
    epoch: u64,
    pub(crate) seq: u64,
}

impl Ledger {
    pub(crate) fn new(from: &str) -> Self {
        Self {
            from: from.to_owned(),
            attempt_count: 0,
            confirmed: BTreeSet::new(),
            places: BTreeMap::new(),
            seqs: BTreeMap::new(),
            epoch: None,
            stored: BTreeSet::new(),
            archived: BTreeSet::new(),
            next: 0,
            repeat_count: 0,
            listener: Listener::default(),
            findings: Vec::new(),
        }
    }

    /// Takes the numbers of `count` attempts, and gives their texts.
    pub(crate) fn attempt(&mut self, count: u64) -> (u64, Vec<String>) {
        let first = self.attempt_count;
        self.attempt_count += count;
        (first, (first..self.attempt_count).map(text).collect())
    }

    /// `send` has ended well.
    pub(crate) fn confirm(&mut self, attempt: u64) {
        self.confirmed.insert(attempt);
    }

    /// `send --json` has printed the place of an attempt.
    pub(crate) fn confirm_line(&mut self, attempt: u64, line: &str) -> Option<u64> {
        let Sent { epoch, seq } = self.parsed(line)?;
        self.confirm(attempt);
        self.saw_epoch(epoch);
        self.place(seq, attempt);
        Some(seq)
    }

    /// A `send --json` that began with an attempt has printed these lines before it ended.
    pub(crate) fn confirm_lines(&mut self, first: u64, lines: &[String]) {
        for (attempt, line) in (first..).zip(lines) {
            self.confirm_line(attempt, line);
        }
    }

    /// A listener starts; whatever is known to be archived must not be offered to it.
    pub(crate) fn listener_started(&mut self) {
        let archived = self.archived.last().map_or(0, |last| last + 1);
        self.listener = Listener { archived, last: None };
    }

    /// The listener has printed a line.
    pub(crate) fn printed(&mut self, line: &str) {
        let from = format!("MESSAGE {}@", self.from);
        let place = line.strip_prefix(&from).and_then(|rest| rest.split_once(' '));
        let Some((Ok(seq), shown)) = place.map(|(seq, text)| (seq.parse::<u64>(), text)) else {
            return self.find(format!("expected a message, got the line {}", head(line)));
        };
        match shown.split_once(':').and_then(|(number, _)| number.parse().ok()) {
            Some(attempt) if attempt < self.attempt_count && shown == text(attempt) => {
                self.place(seq, attempt);
            }
            _ => self.find(format!("{seq}: expected a text that was sent, got {}", head(shown))),
        }
        self.offered(seq);
    }

    /// The order of what is printed: on from the last one, or from what may not be archived yet.
    fn offered(&mut self, seq: u64) {
        let Listener { archived, last } = self.listener;
        match last {
            Some(last) if seq != last + 1 => {
                self.find(format!("{seq} was printed after {last} by one listener"));
            }
            None if seq > self.next => {
                self.find(format!("{seq} was printed before {}", self.next));
            }
            _ if seq < archived => {
                self.find(format!("{seq} was offered although it had been archived"));
            }
            _ => {}
        }
        self.repeat_count += u64::from(seq < self.next);
        self.next = self.next.max(seq + 1);
        self.listener.last = Some(seq);
    }

    /// The sender has printed a line for people, perhaps an acknowledgement.
    pub(crate) fn remarked(&mut self, line: &str) {
        let ack = line.strip_prefix("ACK ").and_then(|rest| rest.split_once('@'));
        let Some((range, state)) = ack.and_then(|(_, place)| place.split_once(' ')) else { return };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else {
            return self.find(format!("expected an acknowledgement, got {line}"));
        };
        match state {
            "stored" => self.stored.extend(first..=last),
            "archived" => self.archived.extend(first..=last),
            _ => self.find(format!("expected stored or archived, got {line}")),
        }
    }

    /// The places of what a receiver lists as unread.
    pub(crate) fn unread(&mut self, lines: &[String]) -> Vec<u64> {
        self.listed(lines).iter().map(|one| one.seq).collect()
    }

    /// `archive` has ended well.
    pub(crate) fn archived_at(&mut self, seq: u64) {
        self.archived.insert(seq);
    }

    /// Whether all that was confirmed was printed, and the sender was told that it is archived.
    pub(crate) fn is_all_archived(&self) -> bool {
        let last = self.places.last_key_value().map(|(seq, _)| *seq);
        last.is_none_or(|last| self.next > last && self.archived.contains(&last))
    }

    /// The first place that was never printed.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// What the sender lists: all places up to the last, and every one that was ever seen.
    pub(crate) fn sender_lists(&mut self, lines: &[String]) -> u64 {
        let listed = self.listed(lines);
        let count = self.check_dense(&listed);
        self.sender_has(&listed, count)
    }

    /// What a sender lists that may have freed space, and how many it says it has sent. What it has
    /// freed must be archived: the receiver's next list is held against that.
    pub(crate) fn sender_lists_some(&mut self, lines: &[String], count: u64) -> u64 {
        let listed = self.listed(lines);
        self.check_known(&listed);
        let kept: BTreeSet<_> = listed.iter().map(|one| one.seq).collect();
        let freed = (0..count).filter(|seq| !kept.contains(seq));
        let freed: Vec<_> = freed.collect();
        self.stored.extend(&freed);
        self.archived.extend(&freed);
        self.sender_has(&listed, count)
    }

    fn sender_has(&mut self, listed: &[Listed], count: u64) -> u64 {
        let seen = self.places.last_key_value().map_or(0, |(last, _)| last + 1).max(self.next);
        if count < seen {
            self.find(format!("the sender lists {count} messages, and {seen} were seen"));
        }
        let is_acked = |listed: &&Listed| !matches!(&*listed.state, "sent" | "rejected");
        let acked: Vec<_> = listed.iter().filter(is_acked).map(|listed| listed.seq).collect();
        self.stored.extend(acked);
        count
    }

    /// What the receiver lists: all that it acknowledged, and each in one set.
    pub(crate) fn receiver_lists(&mut self, unread: &[String], archived: &[String]) {
        let (unread, archived) = (self.listed(unread), self.listed(archived));
        let seqs = |listed: &[Listed]| listed.iter().map(|one| one.seq).collect::<BTreeSet<_>>();
        let (unread_seqs, archived_seqs) = (seqs(&unread), seqs(&archived));
        for twice in unread_seqs.intersection(&archived_seqs) {
            self.find(format!("{twice} is both unread and archived"));
        }
        let here: BTreeSet<_> = unread_seqs.union(&archived_seqs).copied().collect();
        for lost in self.stored.difference(&here).copied().collect::<Vec<_>>() {
            self.find(format!("{lost} was acknowledged, and is lost"));
        }
        for lost in self.archived.difference(&archived_seqs).copied().collect::<Vec<_>>() {
            self.find(format!("{lost} was archived, and is not any more"));
        }
        let mut all: Vec<_> = unread.into_iter().chain(archived).collect();
        all.sort_by_key(|listed| listed.seq);
        self.check_dense(&all);
        self.archived = archived_seqs;
    }

    /// All is delivered: what was confirmed has a place, and was printed.
    pub(crate) fn settled(&mut self, sent_count: u64) {
        if self.next != sent_count {
            self.find(format!("{sent_count} messages were sent, and {} printed", self.next));
        }
        let lost = self.confirmed.iter().filter(|attempt| !self.seqs.contains_key(attempt));
        for attempt in lost.copied().collect::<Vec<_>>() {
            self.find(format!("attempt {attempt} was confirmed, and is lost"));
        }
    }

    /// How many attempts were confirmed.
    pub(crate) fn confirmed_count(&self) -> u64 {
        count(self.confirmed.len())
    }

    /// What was found since the last time.
    pub(crate) fn take_findings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.findings)
    }

    pub(crate) fn find(&mut self, what: String) {
        self.findings.push(what);
    }

    /// An attempt shows up at a place: always the same one, and at no other.
    fn place(&mut self, seq: u64, attempt: u64) {
        let before = *self.places.entry(seq).or_insert(attempt);
        if before != attempt {
            self.find(format!("{seq} was attempt {before}, and is now attempt {attempt}: a fork"));
        }
        let place = *self.seqs.entry(attempt).or_insert(seq);
        if place != seq {
            self.find(format!("attempt {attempt} is at {place} and at {seq}"));
        }
    }

    fn saw_epoch(&mut self, epoch: u64) {
        let known = *self.epoch.get_or_insert(epoch);
        if known != epoch {
            self.find(format!("expected epoch {known}, got {epoch}"));
        }
    }

    fn listed(&mut self, lines: &[String]) -> Vec<Listed> {
        lines.iter().filter_map(|line| self.parsed(line)).collect()
    }

    /// All places up to the last, each with its size.
    fn check_dense(&mut self, listed: &[Listed]) -> u64 {
        let gap = (0..).zip(listed).find(|(expected, listed)| *expected != listed.seq);
        if let Some((expected, Listed { seq, .. })) = gap {
            self.find(format!("expected {expected} in a list, got {seq}"));
        }
        self.check_known(listed);
        count(listed.len())
    }

    /// Each place of a list with its size.
    fn check_known(&mut self, listed: &[Listed]) {
        for Listed { epoch, seq, size, .. } in listed {
            self.saw_epoch(*epoch);
            let text_size = self.places.get(seq).map(|attempt| text_size(*attempt));
            if text_size.is_some_and(|text_size| text_size != *size) {
                self.find(format!("{seq}: expected {text_size:?} bytes, got {size}"));
            }
        }
    }

    fn parsed<T: serde::de::DeserializeOwned>(&mut self, line: &str) -> Option<T> {
        let parsed = serde_json::from_str(line);
        parsed
            .map_err(|error| self.find(format!("expected JSON, got {}: {error}", head(line))))
            .ok()
    }
}

/// The text of an attempt: most are short, some have chunks of their own on disk, a few have two, and
/// a very few so many that they lie in a file.
fn text(attempt: u64) -> String {
    let size = letter_count(attempt);
    let letters = "abcdefghijklmnopqrstuvwxyz".repeat(size / 26 + 2);
    let from = usize::try_from(attempt % 26).expect("a remainder of 26");
    format!("{attempt}:{}", letters.get(from..from + size).expect("there are more letters"))
}

/// Bytes of the text of an attempt.
fn text_size(attempt: u64) -> usize {
    attempt.to_string().len() + 1 + letter_count(attempt)
}

fn letter_count(attempt: u64) -> usize {
    match attempt {
        _ if attempt % 97 == 5 => 300_000,
        _ if attempt % 61 == 60 => 40_000,
        _ if attempt % 17 == 16 => 5_000,
        _ => usize::try_from(attempt * 7_919 % 300).expect("a remainder of 300"),
    }
}

fn head(text: &str) -> String {
    text.chars().take(80).collect()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new("b");
        ledger.attempt(10);
        for attempt in 0..3 {
            ledger.confirm(attempt);
        }
        ledger.listener_started();
        ledger
    }

    fn line(seq: u64, attempt: u64) -> String {
        format!("MESSAGE b@{seq} {}", text(attempt))
    }

    fn listed(seqs: impl IntoIterator<Item = u64>) -> Vec<String> {
        let one = |seq| {
            let size = text(seq).len();
            format!(
                r#"{{"from":"b","epoch":1,"seq":{seq},"state":"unread","size":{size},"time":0}}"#
            )
        };
        seqs.into_iter().map(one).collect()
    }

    #[test]
    fn a_good_run_finds_nothing() {
        let mut ledger = ledger();
        (0..3).for_each(|seq| ledger.printed(&line(seq, seq)));
        ledger.remarked("ACK a@0-2 stored");
        ledger.receiver_lists(&listed(1..3), &listed(0..1));
        ledger.listener_started();
        (1..3).for_each(|seq| ledger.printed(&line(seq, seq)));
        assert_eq!(ledger.sender_lists(&listed(0..3)), 3);
        ledger.settled(3);
        assert_eq!(ledger.take_findings(), [""; 0]);
        assert_eq!(ledger.repeat_count, 2);
    }

    #[test]
    fn each_broken_promise_is_found() {
        type Break = fn(&mut Ledger);
        let breaks: [(&str, Break); 8] = [
            ("a fork", |l| [line(0, 0), line(0, 1)].iter().for_each(|line| l.printed(line))),
            ("is at 0 and at 1", |l| [0, 1].iter().for_each(|seq| l.printed(&line(*seq, 0)))),
            ("after 0 by one", |l| [0, 2].iter().for_each(|seq| l.printed(&line(*seq, *seq)))),
            ("a text that was sent", |l| l.printed("MESSAGE b@0 1:z")),
            ("acknowledged, and is lost", |l| {
                l.remarked("ACK a@0-1 stored");
                l.receiver_lists(&listed(0..1), &[]);
            }),
            ("it had been archived", |l| {
                l.printed(&line(0, 0));
                l.remarked("ACK a@0 archived");
                l.listener_started();
                l.printed(&line(0, 0));
            }),
            ("confirmed, and is lost", |l| {
                l.printed(&line(0, 0));
                l.printed(&line(1, 2));
                l.settled(2);
            }),
            ("the sender lists 1", |l| {
                [0, 1].iter().for_each(|seq| l.printed(&line(*seq, *seq)));
                l.sender_lists(&listed(0..1));
            }),
        ];
        for (expected, break_it) in breaks {
            let mut ledger = ledger();
            break_it(&mut ledger);
            let found = ledger.take_findings();
            assert!(found.iter().any(|found| found.contains(expected)), "{expected}: {found:?}");
        }
    }
}
