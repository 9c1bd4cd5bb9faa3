//! Two nodes that send to each other, and the processes that run on them.

use std::path::Path;

use crate::harness::Outcome;
use crate::ledger::Ledger;
use crate::program::{Node, Program};
use crate::report::Report;
use crate::running::{Ended, PATIENCE, Running, StreamEnded};
use crate::trace::Traced;

/// One node, what runs on it, and what it receives from the other.
#[derive(Debug)]
pub(crate) struct Side {
    name: &'static str,
    pub(crate) node: Node,
    pub(crate) id: String,
    pub(crate) listening: Option<Running>,
    pub(crate) connected: Option<Running>,
    sending: Option<Sending>,
    pub(crate) received: Ledger,
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
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Listen, Self::Connect, Self::Send];
}

/// The two sides: `b` connects to `a`, and each sends to the other.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: Side,
    pub(crate) b: Side,
}

impl Pair {
    /// Makes two nodes that have added each other.
    pub(crate) fn make(program: &Program, a: &Path, b: &Path, runtime: &Path) -> Outcome<Self> {
        let a = Node::new(program, a.to_owned(), runtime)?;
        let b = Node::new(program, b.to_owned(), runtime)?;
        let pair = Self::open(a, b)?;
        pair.a.node.results(&["add-peer", &pair.b.id])?;
        pair.b.node.results(&["add-peer", &pair.a.id])?;
        Ok(pair)
    }

    /// Two nodes that exist.
    pub(crate) fn open(a: Node, b: Node) -> Outcome<Self> {
        let (a_id, b_id) = (a.id()?, b.id()?);
        let (a, b) = (Side::new("a", a, &a_id, &b_id), Side::new("b", b, &b_id, &a_id));
        Ok(Self { a, b })
    }

    /// Starts what should run for ever and does not.
    pub(crate) fn keep_running(&mut self) -> Outcome {
        self.listen()?;
        self.b.keep_listening()?;
        self.connect()
    }

    /// `a` listens.
    pub(crate) fn listen(&mut self) -> Outcome {
        self.a.keep_listening()
    }

    /// `b` is connected to `a`.
    pub(crate) fn connect(&mut self) -> Outcome {
        self.b.keep_connected(&self.a.id)
    }

    /// `b` sends to `a`.
    pub(crate) fn send_to_a(&mut self, count: u64) -> Outcome {
        self.b.send(&self.a.id, &mut self.a.received, count)
    }

    /// `a` sends to `b`.
    pub(crate) fn send_to_b(&mut self, count: u64) -> Outcome {
        self.a.send(&self.b.id, &mut self.b.received, count)
    }

    /// Kills one process, if it runs; tells whether it did.
    pub(crate) fn kill_a(&mut self, role: Role) -> Outcome<bool> {
        self.a.kill(role, &mut self.b.received)
    }

    /// As [`Pair::kill_a`].
    pub(crate) fn kill_b(&mut self, role: Role) -> Outcome<bool> {
        self.b.kill(role, &mut self.a.received)
    }

    /// Reads what was printed, and waits for every `send` that was not killed: it must end well.
    pub(crate) fn catch_up(&mut self) -> Outcome {
        self.a.finish_sending(&mut self.b.received)?;
        self.b.finish_sending(&mut self.a.received)?;
        self.a.read(&mut self.b.received);
        self.b.read(&mut self.a.received);
        Ok(())
    }

    /// Looks what `a` has on its disk; no process runs on it.
    pub(crate) fn inspect_a(&mut self) -> Outcome {
        self.a.inspect(&mut self.b.received).map(drop)
    }

    /// As [`Pair::inspect_a`].
    pub(crate) fn inspect_b(&mut self) -> Outcome {
        self.b.inspect(&mut self.a.received).map(drop)
    }

    /// Sends one more message each way and waits until it is archived: all before it are then, too.
    pub(crate) fn settle(&mut self) -> Outcome {
        self.keep_running()?;
        let last = self.b.send_and_wait(&self.a.id, &mut self.a.received)?;
        self.a.read_to(last)?;
        let last = self.a.send_and_wait(&self.b.id, &mut self.b.received)?;
        self.b.read_to(last)?;
        self.catch_up()?;
        self.a.check_settled(&mut self.b.received)?;
        self.b.check_settled(&mut self.a.received)
    }

    /// Whether `b` was told that all it has sent is archived at `a`.
    pub(crate) fn is_archived(&self) -> bool {
        self.a.received.is_all_archived()
    }

    /// Starts `a`'s listener, to be killed at one of its calls.
    pub(crate) fn listen_traced(&mut self, at: u64) -> Outcome<Traced> {
        self.a.received.listener_started();
        Traced::start(self.a.node.command(&["listen"]), at)
    }

    /// Moves what was found to the report.
    pub(crate) fn report(&mut self, report: &mut Report) {
        for side in [&mut self.a, &mut self.b] {
            for found in side.received.take_findings() {
                report.find(format!("to {}: {found}", side.name));
            }
        }
    }

    /// What the processes that should run for ever are doing, for whoever looks for a cause.
    pub(crate) fn describe(&mut self) -> String {
        let mut text = String::new();
        for side in [&mut self.a, &mut self.b] {
            for running in [&mut side.listening, &mut side.connected].into_iter().flatten() {
                let status = running.child.try_wait();
                let said = running.stderr.at_hand().join("; ");
                let words = &running.words;
                text.push_str(&format!("\n  {}: {words}: {status:?}: {said}", side.name));
            }
        }
        text
    }

    /// Counts what was exchanged.
    pub(crate) fn count(&self, report: &mut Report) {
        for ledger in [&self.a.received, &self.b.received] {
            report.add("confirmed sends", ledger.confirmed_count());
            report.add("messages", ledger.next());
            report.add("repeated lines", ledger.repeat_count);
        }
    }
}

impl Side {
    fn new(name: &'static str, node: Node, id: &str, peer: &str) -> Self {
        let received = Ledger::new(peer);
        let (listening, connected, sending) = (None, None, None);
        Self { name, node, id: id.to_owned(), listening, connected, sending, received }
    }

    fn keep_listening(&mut self) -> Outcome {
        if self.listening.is_none() {
            self.received.listener_started();
            self.listening = Some(self.node.start(&["listen"])?);
        }
        Ok(())
    }

    fn keep_connected(&mut self, to: &str) -> Outcome {
        if self.connected.is_none() {
            self.connected = Some(self.node.start(&["connect", to])?);
        }
        Ok(())
    }

    /// Starts a `send` of one message or of several lines.
    fn send(&mut self, to: &str, received: &mut Ledger, count: u64) -> Outcome {
        let (first, texts) = received.attempt(count);
        let running = match &*texts {
            [text] => self.node.start(&["send", "--to", to, "--json", "--message", text])?,
            texts => {
                let input = texts.join("\n").into_bytes();
                self.node.start_with(&["send", "--to", to, "--json", "--lines", "-"], input)?
            }
        };
        self.sending = Some(Sending { running, first, count });
        Ok(())
    }

    fn kill(&mut self, role: Role, sent: &mut Ledger) -> Outcome<bool> {
        let running = match role {
            Role::Listen => self.listening.take(),
            Role::Connect => self.connected.take(),
            Role::Send => match self.sending.take() {
                Some(Sending { running, first, .. }) => {
                    let ended = running.kill()?;
                    confirm(sent, first, &ended);
                    return Ok(ended.status.is_none());
                }
                None => None,
            },
        };
        let Some(running) = running else { return Ok(false) };
        let words = running.words.clone();
        let ended = running.kill()?;
        self.take_in(&ended, sent);
        if let Some(status) = ended.status {
            let said = ended.stderr.join("; ");
            sent.find(format!("{words} on {} ended with {status}: {said}", self.name));
        }
        Ok(ended.status.is_none())
    }

    /// What a listener or a connection has printed.
    pub(crate) fn take_in(&mut self, ended: &Ended, sent: &mut Ledger) {
        ended.stdout.iter().for_each(|line| self.received.printed(line));
        ended.stderr.iter().for_each(|line| remarked(sent, line));
    }

    fn read(&mut self, sent: &mut Ledger) {
        if let Some(listening) = &self.listening {
            listening.stdout.at_hand().iter().for_each(|line| self.received.printed(line));
        }
        for running in [&self.listening, &self.connected].into_iter().flatten() {
            running.stderr.at_hand().iter().for_each(|line| remarked(sent, line));
        }
    }

    /// Reads the listener's lines up to a place.
    fn read_to(&mut self, last: u64) -> Outcome {
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

    fn finish_sending(&mut self, sent: &mut Ledger) -> Outcome {
        let Some(Sending { running, first, count }) = self.sending.take() else { return Ok(()) };
        let words = running.words.chars().take(100).collect::<String>();
        let ended = running.finish()?;
        confirm(sent, first, &ended);
        if ended.status != Some(0)
            || !ended.stderr.is_empty()
            || ended.stdout.len().try_into() != Ok(count)
        {
            let (status, lines, said) = (ended.status, ended.stdout.len(), ended.stderr.join("; "));
            sent.find(format!("{words}: {status:?} after {lines} of {count}: {said}"));
        }
        Ok(())
    }

    fn send_and_wait(&self, to: &str, received: &mut Ledger) -> Outcome<u64> {
        let (attempt, texts) = received.attempt(1);
        let text = texts.concat();
        let words =
            ["send", "--to", to, "--json", "--wait", "archived", "--timeout", "60s", "--message"];
        let lines = self.node.results(&[&words[..], &[&text]].concat())?;
        let seq = lines.first().and_then(|line| received.confirm_line(attempt, line));
        seq.ok_or_else(|| "expected the place of a message".into())
    }

    /// Looks what is on the disk.
    fn inspect(&mut self, sent: &mut Ledger) -> Outcome<u64> {
        let list = |set| self.node.results(&["messages", "--json", "--set", set]);
        let (unread, archived, sent_lines) = (list("unread")?, list("archived")?, list("sent")?);
        self.received.receiver_lists(&unread, &archived);
        Ok(sent.sender_lists(&sent_lines))
    }

    fn check_settled(&mut self, sent: &mut Ledger) -> Outcome {
        let count = self.inspect(sent)?;
        sent.settled(count);
        Ok(())
    }
}

/// Takes in what a `send` has confirmed before it ended.
fn confirm(sent: &mut Ledger, first: u64, ended: &Ended) {
    for (attempt, line) in (first..).zip(&ended.stdout) {
        sent.confirm_line(attempt, line);
    }
}

fn remarked(sent: &mut Ledger, line: &str) {
    if line.contains("panicked") || line.contains("ERROR") || line.starts_with("peermq:") {
        sent.find(format!("on standard error: {line}"));
    }
    sent.remarked(line);
}
