//! F2: a small disk, filled and freed while nodes work on it.
//!
//! The receiver is on it, the sender, or both. Each cycle fills it, sometimes to the last byte and
//! sometimes only below the bound at which a node takes nothing new in; both send meanwhile, and now
//! and then one is killed. A node may refuse then, and say so; below the last byte it may not end.
//! Once there is room again, all that was confirmed must arrive, and sends are taken.

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::k1::burst;
use crate::program::Program;
use crate::report::Report;
use crate::rng::Rng;
use crate::side::{Leave, Role};
use crate::site::Pair;
use crate::small_disk::{SmallDisk, enter_namespace};

/// Fills disks, 30 times unless told otherwise.
///
/// # Errors
/// When the nodes cannot be made.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    if let Err(error) = enter_namespace() {
        eprintln!("skipped: {error}");
        report.count("skipped");
        return Ok(());
    }
    let mut rng = Rng::new(options.seed);
    let count = options.count.unwrap_or(CYCLE_COUNT);
    for (number, on_it) in OnIt::ALL.into_iter().enumerate() {
        let cycles = (0..count).filter(|cycle| cycle % 3 == u64::try_from(number).unwrap_or(0));
        let (disk, elsewhere) = (SmallDisk::mount()?, tempfile::tempdir()?);
        let (mut a, mut b) = (elsewhere.path(), elsewhere.path());
        if on_it != OnIt::Sender {
            a = disk.path();
        }
        if on_it != OnIt::Receiver {
            b = disk.path();
        }
        let (a, b) = (a.join("a"), b.join("b"));
        let pair = Pair::make(&program, &a, &b, &elsewhere.path().join("run"))?;
        let mut work = Work { pair, disk, on_it };
        for _ in cycles {
            let survived = work.cycle(&mut rng, report);
            report.count("cycles");
            work.pair.report(report);
            if let Err(error) = survived {
                report.find(format!("{on_it:?} on it: {error}{}", work.pair.describe()));
            }
            if !report.is_good() {
                return Ok(());
            }
        }
        work.pair.count(report);
    }
    Ok(())
}

/// Whose directory is on the small disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnIt {
    Receiver,
    Sender,
    Both,
}

impl OnIt {
    const ALL: [Self; 3] = [Self::Receiver, Self::Sender, Self::Both];
}

/// Two nodes and the disk.
#[derive(Debug)]
struct Work {
    pair: Pair,
    disk: SmallDisk,
    on_it: OnIt,
}

impl Work {
    fn cycle(&mut self, rng: &mut Rng, report: &mut Report) -> Outcome {
        self.pair.keep_running()?;
        let room = match rng.below(4) {
            0 => 0,
            1 => rng.below(1 << 20),
            _ => rng.below(ROOM_TO_GO_ON) + ROOM_TO_WRITE,
        };
        self.give_leave(if room >= ROOM_TO_WRITE {
            Leave::Refuse(SPACE)
        } else {
            Leave::End(SPACE)
        });
        // Some are under way when it fills up, others come when it is full.
        self.send(rng)?;
        self.disk.fill(room)?;
        self.pair.catch_up()?;
        self.send(rng)?;
        self.pair.catch_up()?;
        self.is_refused(report)?;
        if rng.once_in(3) {
            report.add("kills", self.kill(rng)?);
        }
        self.pair.bury(report)?;
        self.disk.clear()?;
        self.pair.bury(report)?;
        self.pair.settle()?;
        // Who was to take over from one that was killed may have met the full disk later than that.
        self.pair.bury(report)?;
        self.give_leave(Leave::Nothing);
        Ok(())
    }

    /// A send on the full disk is refused, by a node that runs and by one that is made for it.
    fn is_refused(&self, report: &mut Report) -> Outcome {
        let (side, other) = match self.on_it {
            OnIt::Receiver => (&self.pair.a, &self.pair.b),
            _ => (&self.pair.b, &self.pair.a),
        };
        let words = ["send", "--to", &other.id, "--message", "there is no room for this"];
        let ended = side.node.start(&words)?.finish()?;
        let said = ended.stderr.join("; ");
        if ended.status != Some(1) || !said.contains(SPACE) || said.contains("panicked") {
            report.find(format!("expected a refusal, got {:?}: {said}", ended.status));
        }
        report.count("refused sends");
        Ok(())
    }

    fn send(&mut self, rng: &mut Rng) -> Outcome {
        self.pair.send_to_a(burst(rng))?;
        self.pair.send_to_b(burst(rng))
    }

    fn kill(&mut self, rng: &mut Rng) -> Outcome<u64> {
        let role = if rng.once_in(2) { Role::Listen } else { Role::Connect };
        let killed = if rng.once_in(2) { self.pair.kill_a(role) } else { self.pair.kill_b(role) };
        Ok(killed?.into())
    }

    fn give_leave(&mut self, leave: Leave) {
        let (a, b) = (&mut self.pair.a, &mut self.pair.b);
        if self.on_it != OnIt::Sender {
            a.give_leave(leave);
        }
        if self.on_it != OnIt::Receiver {
            b.give_leave(leave);
        }
    }
}

/// What a node says when there is no room.
const SPACE: &str = "space";
/// Bytes in which a node goes on with what it has: marks, receipts, what it serves.
const ROOM_TO_WRITE: u64 = 16 << 20;
/// Bytes more, at most, that it is left: it takes nothing in below 32 MiB.
const ROOM_TO_GO_ON: u64 = 12 << 20;
/// Cycles of a run that is not told how many.
const CYCLE_COUNT: u64 = 30;
