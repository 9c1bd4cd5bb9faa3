//! Two nodes that send to each other, and the processes that run on them.

use std::path::Path;

use crate::harness::Outcome;
use crate::program::{Node, Program};
use crate::report::Report;
use crate::side::{Role, Side};
use crate::trace::{Harm, Traced};

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

    /// `a` frees space.
    pub(crate) fn free_at_a(&mut self) -> Outcome {
        self.a.free()
    }

    /// `b` frees space.
    pub(crate) fn free_at_b(&mut self) -> Outcome {
        self.b.free()
    }

    /// From its next start on, `a`'s listener only prints, until all is to settle.
    pub(crate) fn leave_unread_at_a(&mut self) -> Outcome {
        self.a.leave_unread()
    }

    /// As [`Pair::leave_unread_at_a`].
    pub(crate) fn leave_unread_at_b(&mut self) -> Outcome {
        self.b.leave_unread()
    }

    /// Archives at `a`, each by a command of its own, and tells how many.
    pub(crate) fn archive_at_a(&mut self) -> Outcome<u64> {
        self.a.archive(&self.b.id)
    }

    /// As [`Pair::archive_at_a`].
    pub(crate) fn archive_at_b(&mut self) -> Outcome<u64> {
        self.b.archive(&self.a.id)
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
        self.a.finish_freeing()?;
        self.b.finish_freeing()?;
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
        if self.a.leaves_unread {
            self.kill_a(Role::Listen)?;
        }
        if self.b.leaves_unread {
            self.kill_b(Role::Listen)?;
        }
        self.keep_running()?;
        let last = self.b.send_and_wait(&self.a.id, &mut self.a.received)?;
        self.a.read_to(last)?;
        let last = self.a.send_and_wait(&self.b.id, &mut self.b.received)?;
        self.b.read_to(last)?;
        self.catch_up()?;
        self.a.check_settled(&mut self.b.received)?;
        self.b.check_settled(&mut self.a.received)
    }

    /// Takes away what has ended by itself, and counts it; whether it had leave to is looked at.
    pub(crate) fn bury(&mut self, report: &mut Report) -> Outcome {
        let Self { a, b } = self;
        report.add("ended by themselves", a.bury(&mut b.received)? + b.bury(&mut a.received)?);
        Ok(())
    }

    /// Whether `b` was told that all it has sent is archived at `a`.
    pub(crate) fn is_archived(&self) -> bool {
        self.a.received.is_all_archived()
    }

    /// Starts `a`'s listener, to be harmed at one of its calls.
    pub(crate) fn listen_traced(&mut self, harm: Harm, at: u64) -> Outcome<Traced> {
        self.a.received.listener_started();
        Traced::start(self.a.node.command(&["listen"]), harm, at)
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
