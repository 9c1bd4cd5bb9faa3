//! K2: SIGKILL at every call that writes, of a sender and of a receiver, and again while they recover.
//!
//! A sweep runs the same work again and again, and kills it at its first such call, at its second,
//! and so on, until it comes to its end. After each kill a command that only looks is killed as
//! well, at one of its own calls, the next one each time; then what is on the disk is looked at.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use peermq_storage::Kind;
use tempfile::TempDir;

use crate::harness::{Options, Outcome};
use crate::ledger::Ledger;
use crate::program::{Node, PEER, Program};
use crate::report::Report;
use crate::running::Ended;
use crate::site::Pair;
use crate::trace::Traced;

/// Sweeps over the first send in a directory, over sends, over a listener and over a connection.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    let every = options.count.unwrap_or(1).max(1);
    type SweepFn = fn(&mut Sweep<'_>) -> Outcome;
    let sweeps: [(&str, SweepFn); 4] = [
        ("first send", |sweep| sweep.first_sends()),
        ("send", |sweep| sweep.sends()),
        ("listen", |sweep| sweep.listens()),
        ("connect", |sweep| sweep.connects()),
    ];
    for (name, run) in sweeps {
        let mut sweep = Sweep { program: &program, every, at: 0, recovery: 1, name, report };
        if let Err(error) = run(&mut sweep) {
            let at = sweep.at;
            report.find(format!("{name}, call {at}: {error}"));
        }
    }
    Ok(())
}

/// One sweep over the calls of one command.
struct Sweep<'a> {
    program: &'a Program,
    every: u64,
    /// The call at which the command is killed.
    at: u64,
    /// The call at which the command that recovers is killed.
    recovery: u64,
    name: &'static str,
    report: &'a mut Report,
}

/// Whether a sweep has come to the end of its command's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Kill,
    End,
}

impl Sweep<'_> {
    /// The calls that make a directory: key, format, store, and the first message.
    fn first_sends(&mut self) -> Outcome {
        loop {
            self.next();
            let folder = tempfile::tempdir()?;
            let node = self.node(&folder, "b")?;
            let mut ledger = Ledger::new("b");
            let send =
                |text: &str| node.command(&["send", "--to", PEER, "--json", "--message", text]);
            let (_, texts) = ledger.attempt(1);
            let (ended, reached) = self.killed(send(&texts.concat()))?;
            confirm(&mut ledger, 0, &ended);
            self.recover(&node)?;
            let (_, texts) = ledger.attempt(1);
            let words = ["send", "--to", PEER, "--json", "--message", &texts.concat()];
            let seq = node.results(&words)?.first().and_then(|line| ledger.confirm_line(1, line));
            let count = ledger.sender_lists(&node.results(&SENT)?);
            if seq.map(|seq| seq + 1) != Some(count) {
                ledger.find(format!("expected the second send at the end of {count}, got {seq:?}"));
            }
            self.take_findings(&mut ledger);
            if reached == Reached::End {
                return Ok(());
            }
        }
    }

    /// Sends of several lines into one directory, whose messages are all delivered at the end.
    fn sends(&mut self) -> Outcome {
        let (folder, mut pair) = self.pair()?;
        loop {
            self.next();
            let (first, texts) = pair.a.received.attempt(LINES);
            let input = folder.path().join("lines");
            std::fs::write(&input, texts.join("\n"))?;
            let input = input.to_str().ok_or("expected a path of text")?;
            let words = ["send", "--to", &pair.a.id, "--json", "--lines", input];
            let (ended, reached) = self.killed(pair.b.node.command(&words))?;
            confirm(&mut pair.a.received, first, &ended);
            self.recover(&pair.b.node)?;
            pair.inspect_b()?;
            self.take_findings(&mut pair.a.received);
            if reached == Reached::End {
                return self.settle(pair);
            }
        }
    }

    /// A listener that takes in, prints and archives what a connected peer sends.
    fn listens(&mut self) -> Outcome {
        let (_folder, mut pair) = self.pair()?;
        loop {
            self.next();
            pair.connect()?;
            pair.send_to_a(LINES)?;
            pair.catch_up()?;
            let listening = pair.listen_traced(self.at)?;
            let reached = self.exchange(&mut pair, listening)?;
            self.recover(&pair.a.node)?;
            pair.inspect_a()?;
            pair.report(self.report);
            if reached == Reached::End {
                return self.settle(pair);
            }
        }
    }

    /// A connection that passes on what was sent, and takes in receipts.
    fn connects(&mut self) -> Outcome {
        let (_folder, mut pair) = self.pair()?;
        loop {
            self.next();
            pair.listen()?;
            pair.send_to_a(LINES)?;
            pair.catch_up()?;
            let connect = pair.b.node.command(&["connect", &pair.a.id]);
            let reached = self.exchange(&mut pair, Traced::start(connect, self.at)?)?;
            self.recover(&pair.b.node)?;
            pair.inspect_b()?;
            pair.report(self.report);
            if reached == Reached::End {
                return self.settle(pair);
            }
        }
    }

    /// Lets two nodes talk until one is killed, or all that was sent is archived.
    fn exchange(&mut self, pair: &mut Pair, traced: Traced) -> Outcome<Reached> {
        while !traced.is_over() && !pair.is_archived() {
            if let Ok(Some(line)) = traced.stdout.next(TICK) {
                pair.a.received.printed(&line);
            }
            for line in traced.stderr.at_hand() {
                pair.a.received.remarked(&line);
            }
            pair.catch_up()?;
        }
        traced.terminate()?;
        let (ended, count) = traced.finish()?;
        ended.stdout.iter().for_each(|line| pair.a.received.printed(line));
        ended.stderr.iter().for_each(|line| pair.a.received.remarked(line));
        Ok(self.reached(&ended, count))
    }

    /// Runs a command up to the call of this round.
    fn killed(&mut self, command: Command) -> Outcome<(Ended, Reached)> {
        let (ended, count) = Traced::start(command, self.at)?.finish()?;
        let reached = self.reached(&ended, count);
        Ok((ended, reached))
    }

    fn reached(&mut self, ended: &Ended, count: u64) -> Reached {
        if ended.status.is_none() {
            self.report.add("kills", 1);
            return Reached::Kill;
        }
        if ended.status != Some(0) {
            let said = ended.stderr.join("; ");
            self.report.find(format!("{}: ended with {:?}: {said}", self.name, ended.status));
        }
        // At its last call it may have got to its end although that call never returned.
        if count < self.at { Reached::End } else { Reached::Kill }
    }

    /// Opens a node and kills that, at a later call each time.
    fn recover(&mut self, node: &Node) -> Outcome {
        let (ended, count) = Traced::start(node.command(&SENT), self.recovery)?.finish()?;
        if ended.status.is_none() {
            self.report.add("kills in recovery", 1);
        }
        self.recovery = if count < self.recovery { 1 } else { self.recovery + 1 };
        Ok(())
    }

    /// All that was sent arrives.
    fn settle(&mut self, mut pair: Pair) -> Outcome {
        pair.settle()?;
        pair.report(self.report);
        pair.count(self.report);
        Ok(())
    }

    fn next(&mut self) {
        self.at += if self.at == 0 { 1 + self.report.seed() % self.every } else { self.every };
    }

    fn pair(&self) -> Outcome<(TempDir, Pair)> {
        let folder = tempfile::tempdir()?;
        let path = |name| folder.path().join(name);
        let pair = Pair::make(self.program, &path("a"), &path("b"), &path("run"))?;
        Ok((folder, pair))
    }

    fn node(&self, folder: &TempDir, name: &str) -> Outcome<Node> {
        let path: &Path = folder.path();
        Node::new(self.program, path.join(name), &path.join("run"))
    }

    fn take_findings(&mut self, ledger: &mut Ledger) {
        for found in ledger.take_findings() {
            self.report.find(format!("{}, call {}: {found}", self.name, self.at));
        }
    }
}

/// Takes in what a `send` has confirmed before it was killed.
fn confirm(ledger: &mut Ledger, first: u64, ended: &Ended) {
    for (attempt, line) in (first..).zip(&ended.stdout) {
        ledger.confirm_line(attempt, line);
    }
}

/// Messages of one round: some short ones, and now and then one with chunks of its own.
const LINES: u64 = 4;
/// How often two talking nodes are looked at.
const TICK: Duration = Duration::from_millis(5);
/// A command that opens a node and changes nothing.
const SENT: [&str; 4] = ["messages", "--json", "--set", "sent"];
