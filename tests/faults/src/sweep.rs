//! Sweeps over the calls of a fixed work: it is done again and again, and harmed at its first call, at
//! its second, and so on, until it comes to its end.
//!
//! After each harm what is on the disk is looked at, and at last all that was sent must arrive.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use peermq_storage::Kind;
use tempfile::TempDir;

use crate::harness::{Options, Outcome};
use crate::ledger::Ledger;
use crate::program::{Node, PEER, Program};
use crate::report::Report;
use crate::running::{Ended, PATIENCE, StreamEnded};
use crate::side::Role;
use crate::site::Pair;
use crate::trace::{Calls, Harm, Traced};

/// Does harm to the first send in a directory, to sends, to a listener and to a connection.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, harm: Harm, report: &mut Report) -> Outcome {
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
        let mut sweep = Sweep { program: &program, harm, every, at: 0, recovery: 1, name, report };
        if let Err(error) = run(&mut sweep) {
            let at = sweep.at;
            report.find(format!("{name}, {harm:?} {at}: {error}"));
        }
    }
    Ok(())
}

/// One sweep over the calls of one command.
struct Sweep<'a> {
    program: &'a Program,
    harm: Harm,
    every: u64,
    /// The call at which the harm is done.
    at: u64,
    /// The call at which the command that recovers is killed.
    recovery: u64,
    name: &'static str,
    report: &'a mut Report,
}

/// Whether a sweep has come to the end of its command's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Harm,
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
            let (ended, reached, calls) = self.harmed(send(&texts.concat()))?;
            ledger.confirm_lines(0, &ended.stdout);
            if calls.is_told && calls.harmed.as_deref().is_some_and(is_vital) {
                ledger.find(format!("it was confirmed after an error of {:?}", calls.harmed));
            }
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
            let (ended, reached, _) = self.harmed(pair.b.node.command(&words))?;
            pair.a.received.confirm_lines(first, &ended.stdout);
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
            pair.send_to_a(LINES)?;
            pair.catch_up()?;
            let listening = pair.listen_traced(self.harm, self.at)?;
            let reached = self.exchange(&mut pair, listening)?;
            // One that is left alone would take longer from dial to dial.
            pair.kill_b(Role::Connect)?;
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
            let reached = self.exchange(&mut pair, Traced::start(connect, self.harm, self.at)?)?;
            self.recover(&pair.b.node)?;
            pair.inspect_b()?;
            pair.report(self.report);
            if reached == Reached::End {
                return self.settle(pair);
            }
        }
    }

    /// Lets two nodes talk until one has ended, or all that was sent is archived.
    fn exchange(&mut self, pair: &mut Pair, traced: Traced) -> Outcome<Reached> {
        let mut is_over = false;
        for _ in 0..PATIENCE.as_millis() / TICK.as_millis() {
            if is_over || pair.is_archived() {
                break;
            }
            match traced.stdout.next(TICK) {
                Ok(Some(line)) => pair.a.received.printed(&line),
                Ok(None) => {}
                // What it has still said, and how it ended, is looked at below.
                Err(StreamEnded) => is_over = true,
            }
            for line in traced.stderr.at_hand() {
                if line.starts_with("listening on ") {
                    pair.connect()?;
                }
                pair.a.received.remarked(&line);
            }
            pair.catch_up()?;
        }
        if !is_over && !pair.is_archived() {
            self.find("nothing comes of it".to_owned());
        }
        // What is harmed while it ends by itself need not be noticed.
        let harmed = traced.harmed().filter(|file| is_vital(file));
        if !is_over {
            traced.terminate()?;
        }
        let (ended, calls) = traced.finish()?;
        ended.stdout.iter().for_each(|line| pair.a.received.printed(line));
        ended.stderr.iter().for_each(|line| pair.a.received.remarked(line));
        if let Some(file) = harmed.filter(|_| ended.status == Some(0)) {
            self.find(format!("it went on after an error of {file}"));
        }
        Ok(self.reached(&ended, &calls))
    }

    /// Runs a command that is harmed at the call of this round.
    fn harmed(&mut self, command: Command) -> Outcome<(Ended, Reached, Calls)> {
        let (ended, calls) = Traced::start(command, self.harm, self.at)?.finish()?;
        let reached = self.reached(&ended, &calls);
        Ok((ended, reached, calls))
    }

    fn reached(&mut self, ended: &Ended, calls: &Calls) -> Reached {
        match (self.harm, ended.status) {
            (Harm::Kill, None) => {
                self.report.count("kills");
                return Reached::Harm;
            }
            (Harm::Kill, Some(0)) => {}
            (_, Some(0 | 1)) if calls.harmed.is_some() => self.report.count("faults"),
            (_, Some(0)) => {}
            (_, status) => {
                let said = ended.stderr.join("; ");
                self.find(format!("ended with {status:?}: {said}"));
            }
        }
        if ended.stderr.iter().any(|line| line.contains("panicked")) {
            self.find(format!("it panicked: {}", ended.stderr.join("; ")));
        }
        // At its last call it may have got to its end although that call never returned.
        if calls.count < self.at { Reached::End } else { Reached::Harm }
    }

    /// Opens a node; where commands are killed that one is, too, at a later call each time.
    fn recover(&mut self, node: &Node) -> Outcome {
        if self.harm != Harm::Kill {
            return node.results(&SENT).map(drop);
        }
        let traced = Traced::start(node.command(&SENT), Harm::Kill, self.recovery)?;
        let (ended, Calls { count, .. }) = traced.finish()?;
        if ended.status.is_none() {
            self.report.count("kills in recovery");
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

    fn find(&mut self, what: String) {
        self.report.find(format!("{}, {:?} {}: {what}", self.name, self.harm, self.at));
    }

    fn take_findings(&mut self, ledger: &mut Ledger) {
        for found in ledger.take_findings() {
            self.report.find(format!("{}, call {}: {found}", self.name, self.at));
        }
    }
}

/// Whether a file is one that an answer waits for: sled's log, redb's pages, fjall's journal, large
/// values.
fn is_vital(file: &str) -> bool {
    file.contains("/store/")
        && (file.contains("/apart/")
            || ["/db", "/pairs.redb", ".jnl"].iter().any(|end| file.ends_with(end)))
}

/// Messages of one round: some short ones, and now and then one with chunks of its own.
const LINES: u64 = 4;
/// How often two talking nodes are looked at.
const TICK: Duration = Duration::from_millis(5);
/// A command that opens a node and changes nothing.
const SENT: [&str; 4] = ["messages", "--json", "--set", "sent"];
