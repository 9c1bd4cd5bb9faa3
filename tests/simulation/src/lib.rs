//! Deterministic simulation: a few nodes built of peermq's pure layers, on disks that fail and a
//! network that does its worst, all from one seed.
//!
//! ```text
//! seed → Chance → World { nodes: Queue over FaultyDisk, links: two Sessions and frames between }
//!                   │ step … step … step        after each: Oracle
//!                   └ heal: everything works again and must converge
//! ```
//!
//! Real are queue, log, sync and crypto; simulated are the storage thread (jobs, groups, commits),
//! the driver (frames, losses), the user and the clock. A process may die at any step, with or
//! without its disk; a commit may fail with or without effect. What nodes promise is checked by an
//! [oracle](Invariant) that has seen all there is to see.
//!
//! Frames of one stream come once and in order, as Noise over TCP has it: a link that breaks loses
//! all that is under way, and what a later session says again is all that comes twice. Sub-streams,
//! one for a session and one for each body, overtake one another. Only a node that lies repeats and
//! exchanges frames. Wall clocks jump to and fro within 12 hours; the clock of timers only goes on.
//!
//! *Invariant*: one seed gives one trace, whatever the machine, the time and the seeds before.

#![expect(clippy::indexing_slicing, reason = "nodes and readers are named by their places")]

mod bodies;
mod chance;
mod chores;
mod habits;
mod heal;
mod hostile;
mod invariant;
mod link;
mod node;
mod oracle;
mod reading;
mod restoring;
mod sending;
mod sessions;
mod silence;
mod storage;
mod trace;
mod twins;
mod view;
mod world;

pub use invariant::{Breach, Invariant};
pub use trace::Show;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::SystemTime;

use world::World;

/// A run that kept every promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Hash of all that happened.
    pub trace: String,
    /// What was exercised, in numbers.
    pub figures: Figures,
}

/// What a run exercised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Steps, without those of healing.
    pub steps: u64,
    /// Messages whose send was confirmed.
    pub confirmed: u64,
    /// Messages that were offered to a consumer.
    pub offered: u64,
    /// Frames that arrived.
    pub frames: u64,
    /// Commits.
    pub commits: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Connections made.
    pub connections: u64,
    /// Logs that a reader found to have two versions.
    pub forks: u64,
    /// Authors that were said not to lead to a head that they had signed.
    pub accused: u64,
    /// Long bodies that arrived whole.
    pub bodies: u64,
    /// Stores that were put back to an earlier copy.
    pub restores: u64,
}

/// A run that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it began with.
    pub seed: u64,
    /// Where it ended.
    pub step: u64,
    /// What was broken.
    pub breach: Breach,
    /// The last lines of the trace.
    pub tail: Vec<String>,
}

/// Runs one seed.
///
/// # Errors
/// [`Failure`] when a promise was broken.
pub fn run(seed: u64, show: Show) -> Result<Run, Box<Failure>> {
    let mut world = World::new(seed, show);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    match ended.unwrap_or_else(|_| Invariant::NobodyPanics.breach(format_args!("see above"))) {
        Ok(()) => Ok(Run { trace: world.trace.hash(), figures: world.figures }),
        Err(breach) => {
            let (step, tail) = (world.figures.steps, world.trace.tail());
            Err(Box::new(Failure { seed, step, breach, tail }))
        }
    }
}

/// Runs `count` seeds from `first` on, on all processors.
///
/// # Errors
/// The [`Failure`] of one of the seeds that broke a promise.
pub fn run_many(first: u64, count: u64) -> Result<Figures, Box<Failure>> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut figures = Figures::default();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return Ok(figures);
            }
            match run(first.wrapping_add(place), Show::Tail) {
                Ok(run) => figures.add(&run.figures),
                Err(failure) => {
                    next.store(count, Ordering::Relaxed);
                    return Err(failure);
                }
            }
        }
    };
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let mut figures = Figures::default();
        for worker in workers {
            figures.add(&worker.join().expect("a run ends with a result")?);
        }
        Ok(figures)
    })
}

/// A seed that no run before had.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "chance begins somewhere, and the seed is printed")]
pub fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| (u64::from(since.subsec_nanos()) << 20) ^ since.as_secs())
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.confirmed += other.confirmed;
        self.offered += other.offered;
        self.frames += other.frames;
        self.commits += other.commits;
        self.crashes += other.crashes;
        self.connections += other.connections;
        self.forks += other.forks;
        self.accused += other.accused;
        self.bodies += other.bodies;
        self.restores += other.restores;
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, step, breach, tail } = self;
        writeln!(f, "seed {seed}, step {step}: {breach}\n\nthe trace's tail:")?;
        tail.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        write!(f, "\nreplay: cargo run --release -p peermq-simulation -- --seed {seed} --trace")
    }
}
