//! One node, the processes that run on it, and what they may do.

use serde_json::Value;

use crate::harness::Outcome;
use crate::ledger::Ledger;
use crate::program::Node;
use crate::running::{Ended, PATIENCE, Running, StreamEnded, WAIT};

/// One node, what runs on it, and what it receives from the other.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) node: Node,
    pub(crate) id: String,
    pub(crate) listening: Option<Running>,
    pub(crate) connected: Option<Running>,
    sending: Option<Sending>,
    freeing: Option<Running>,
    /// Whether it may have freed space: then its lists are not whole.
    pub(crate) has_freed: bool,
    /// Whether what its listener prints stays unread.
    pub(crate) leaves_unread: bool,
    pub(crate) received: Ledger,
    leave: Leave,
    /// Whether a process has named the harm since leave was given.
    has_named: bool,
}

/// What processes may do because of the harm that is being done to them, if a line of theirs holds
/// the words that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Nothing: they run until they are killed, and do what they are told.
    Nothing,
    /// They may refuse what they are told.
    Refuse(&'static str),
    /// They may end, too.
    End(&'static str),
}

impl Leave {
    /// Whether a line is about the harm.
    fn covers(self, line: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Refuse(words) | Self::End(words) => {
                line.contains(words) && !line.contains("panicked")
            }
        }
    }
}

/// A `send` under way.
#[derive(Debug)]
struct Sending {
    running: Running,
    first: u64,
    count: u64,
}

/// What can be killed on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Listen,
    Connect,
    Send,
    Free,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Listen, Self::Connect, Self::Send, Self::Free];
}

impl Side {
    pub(crate) fn new(name: &'static str, node: Node, id: &str, peer: &str) -> Self {
        let received = Ledger::new(peer);
        Self {
            name,
            node,
            id: id.to_owned(),
            listening: None,
            connected: None,
            sending: None,
            freeing: None,
            has_freed: false,
            leaves_unread: false,
            received,
            leave: Leave::Nothing,
            has_named: false,
        }
    }

    /// From now on its processes may do so much without a finding.
    pub(crate) const fn give_leave(&mut self, leave: Leave) {
        self.leave = leave;
        self.has_named = false;
    }

    pub(crate) fn keep_listening(&mut self) -> Outcome {
        if self.listening.is_none() {
            self.received.listener_started();
            self.listening = Some(self.node.start(&["listen"])?);
            self.leaves_unread = false;
        }
        Ok(())
    }

    pub(crate) fn keep_connected(&mut self, to: &str) -> Outcome {
        if self.connected.is_none() {
            self.connected = Some(self.node.start(&["connect", to])?);
        }
        Ok(())
    }

    /// Starts a `send` of one message or of several lines.
    pub(crate) fn send(&mut self, to: &str, received: &mut Ledger, count: u64) -> Outcome {
        let (first, texts) = received.attempt(count);
        let words = ["send", "--to", to, "--json", "--lines", "-"];
        // A message alone comes without the last two; it may be too long for an argument.
        let words = if count == 1 { words.split_at(4).0 } else { &words };
        let running = self.node.start_with(words, texts.join("\n").into_bytes())?;
        self.sending = Some(Sending { running, first, count });
        Ok(())
    }

    pub(crate) fn kill(&mut self, role: Role, sent: &mut Ledger) -> Outcome<bool> {
        let running = match role {
            Role::Listen => self.listening.take(),
            Role::Connect => self.connected.take(),
            Role::Free => {
                let ended = self.freeing.take().map(Running::kill).transpose()?;
                return Ok(ended.is_some_and(|ended| ended.status.is_none()));
            }
            Role::Send => match self.sending.take() {
                Some(Sending { running, first, .. }) => {
                    let ended = running.kill()?;
                    sent.confirm_lines(first, &ended.stdout);
                    return Ok(ended.status.is_none());
                }
                None => None,
            },
        };
        let Some(running) = running else { return Ok(false) };
        let words = running.words.clone();
        let ended = running.kill()?;
        self.look_at_end(&words, &ended, sent);
        Ok(ended.status.is_none())
    }

    pub(crate) fn bury(&mut self, sent: &mut Ledger) -> Outcome<u64> {
        let mut count = 0;
        for role in [Role::Listen, Role::Connect] {
            let slot = if role == Role::Listen { &mut self.listening } else { &mut self.connected };
            let Some(running) = slot else { continue };
            if running.child.try_wait()?.is_some() {
                self.kill(role, sent)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// What a process that should run for ever has left behind.
    pub(crate) fn look_at_end(&mut self, words: &str, ended: &Ended, sent: &mut Ledger) {
        self.take_in(ended, sent);
        let has_leave = matches!(self.leave, Leave::End(_)) && self.has_named;
        if let Some(status) = ended.status
            && !(has_leave && status == 1)
        {
            let said = ended.stderr.join("; ");
            sent.find(format!("{words} on {} ended with {status}: {said}", self.name));
        }
    }

    /// What a listener or a connection has printed.
    pub(crate) fn take_in(&mut self, ended: &Ended, sent: &mut Ledger) {
        ended.stdout.iter().for_each(|line| self.received.printed(line));
        self.remarked(&ended.stderr, sent);
    }

    /// Lines for people that processes on this side have printed.
    pub(crate) fn remarked(&mut self, lines: &[String], sent: &mut Ledger) {
        for line in lines {
            let is_bad = ["panicked", "ERROR"].iter().any(|word| line.contains(word));
            let is_covered = self.leave.covers(line);
            if (is_bad || line.starts_with("peermq:")) && !is_covered {
                sent.find(format!("on standard error: {line}"));
            }
            self.has_named |= is_covered;
            sent.remarked(line);
        }
    }

    pub(crate) fn read(&mut self, sent: &mut Ledger) {
        if let Some(listening) = &self.listening {
            listening.stdout.at_hand().iter().for_each(|line| self.received.printed(line));
        }
        for role in [Role::Listen, Role::Connect] {
            let running = if role == Role::Listen { &self.listening } else { &self.connected };
            let lines = running.as_ref().map(|running| running.stderr.at_hand());
            self.remarked(&lines.unwrap_or_default(), sent);
        }
    }

    /// Reads the listener's lines up to a place.
    pub(crate) fn read_to(&mut self, last: u64) -> Outcome {
        let Some(listening) = &self.listening else { return Ok(()) };
        while self.received.next() <= last {
            match listening.stdout.next(PATIENCE) {
                Ok(Some(line)) => self.received.printed(&line),
                Ok(None) | Err(StreamEnded) => {
                    let expected = self.received.next();
                    return Err(format!(
                        "{}: expected the line of {expected}, got none",
                        self.name
                    )
                    .into());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish_sending(&mut self, sent: &mut Ledger) -> Outcome {
        let Some(Sending { running, first, count }) = self.sending.take() else { return Ok(()) };
        let words = running.words.chars().take(100).collect::<String>();
        let ended = running.finish()?;
        sent.confirm_lines(first, &ended.stdout);
        let is_whole = ended.status == Some(0)
            && ended.stderr.is_empty()
            && ended.stdout.len().try_into() == Ok(count);
        let is_refused =
            ended.status == Some(1) && ended.stderr.iter().any(|line| self.leave.covers(line));
        if !is_whole && !is_refused {
            let (status, lines, said) = (ended.status, ended.stdout.len(), ended.stderr.join("; "));
            sent.find(format!("{words}: {status:?} after {lines} of {count}: {said}"));
        }
        Ok(())
    }

    pub(crate) fn free(&mut self) -> Outcome {
        self.has_freed = true;
        self.freeing = Some(self.node.start(&["gc"])?);
        Ok(())
    }

    pub(crate) fn finish_freeing(&mut self) -> Outcome {
        let Some(freeing) = self.freeing.take() else { return Ok(()) };
        let ended = freeing.finish()?;
        if ended.status != Some(0) {
            let (status, said) = (ended.status, ended.stderr.join("; "));
            self.received.find(format!("gc on {} ended with {status:?}: {said}", self.name));
        }
        Ok(())
    }

    pub(crate) fn leave_unread(&mut self) -> Outcome {
        if self.listening.is_none() {
            self.received.listener_started();
            self.listening = Some(self.node.start(&["listen", "--no-archive"])?);
            self.leaves_unread = true;
        }
        Ok(())
    }

    /// Archives what was printed and is unread, some of it, oldest first.
    pub(crate) fn archive(&mut self, from: &str) -> Outcome<u64> {
        let unread = self.node.results(&["messages", "--json", "--set", "unread"])?;
        let mut seqs = self.received.unread(&unread);
        seqs.retain(|seq| *seq < self.received.next());
        seqs.truncate(ARCHIVE_COUNT);
        for seq in &seqs {
            self.node.results(&["archive", &format!("{from}@{seq}")])?;
            self.received.archived_at(*seq);
        }
        Ok(seqs.len().try_into()?)
    }

    pub(crate) fn send_and_wait(&self, to: &str, received: &mut Ledger) -> Outcome<u64> {
        let (attempt, texts) = received.attempt(1);
        let words = ["send", "--to", to, "--json", "--wait", "archived", "--timeout", WAIT];
        let lines = self.node.results_with(&words, texts.concat().into_bytes())?;
        let seq = lines.first().and_then(|line| received.confirm_line(attempt, line));
        seq.ok_or_else(|| "expected the place of a message".into())
    }

    /// Looks what is on the disk.
    pub(crate) fn inspect(&mut self, sent: &mut Ledger) -> Outcome<u64> {
        let list = |set| self.node.results(&["messages", "--json", "--set", set]);
        let (unread, archived, sent_lines) = (list("unread")?, list("archived")?, list("sent")?);
        self.received.receiver_lists(&unread, &archived);
        if !self.has_freed {
            return Ok(sent.sender_lists(&sent_lines));
        }
        let status: Value =
            serde_json::from_str(&self.node.results(&["status", "--json"])?.concat())?;
        let count = status.pointer("/peers/0/sent").and_then(Value::as_u64);
        Ok(sent.sender_lists_some(&sent_lines, count.ok_or("expected a count of what was sent")?))
    }

    pub(crate) fn check_settled(&mut self, sent: &mut Ledger) -> Outcome {
        let count = self.inspect(sent)?;
        sent.settled(count);
        Ok(())
    }
}

/// Messages that one turn archives at most.
const ARCHIVE_COUNT: usize = 3;
