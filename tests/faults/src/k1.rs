//! K1: SIGKILL of senders and receivers at random instants, again and again on the same directories.
//!
//! Both nodes listen, one is connected to the other, and both send. Each cycle starts what does not
//! run, lets it run for a random time, and kills some of it. Now and then a node whose processes
//! are all dead is inspected, and now and then all that was sent must arrive.

use std::thread::sleep;
use std::time::Duration;

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::program::Program;
use crate::report::Report;
use crate::rng::Rng;
use crate::side::Role;
use crate::site::Pair;

/// Kills processes, 500 times over unless told otherwise.
///
/// # Errors
/// When the nodes cannot be made.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    let folder = tempfile::tempdir()?;
    let path = |name| folder.path().join(name);
    let mut pair = Pair::make(&program, &path("a"), &path("b"), &path("run"))?;
    let mut rng = Rng::new(options.seed);
    for number in 1..=options.count.unwrap_or(CYCLE_COUNT) {
        let survived = cycle(&mut pair, &mut rng, report)
            .and_then(|()| if number % SETTLE_EVERY == 0 { pair.settle() } else { Ok(()) });
        report.count("cycles");
        if !went_on(survived, &mut pair, report) {
            break;
        }
    }
    let settled = pair.settle();
    went_on(settled, &mut pair, report);
    pair.count(report);
    Ok(())
}

/// A command that failed or hung is a finding, too, and the end.
fn went_on(step: Outcome, pair: &mut Pair, report: &mut Report) -> bool {
    pair.report(report);
    if let Err(error) = step {
        report.find(format!("{error}{}", pair.describe()));
    }
    report.is_good()
}

fn cycle(pair: &mut Pair, rng: &mut Rng, report: &mut Report) -> Outcome {
    match rng.below(4) {
        0 => pair.leave_unread_at_a()?,
        1 => pair.leave_unread_at_b()?,
        _ => {}
    }
    pair.keep_running()?;
    pair.send_to_a(burst(rng))?;
    if rng.once_in(2) {
        pair.send_to_b(burst(rng))?;
    }
    if rng.once_in(3) {
        if rng.once_in(2) {
            pair.free_at_a()?
        } else {
            pair.free_at_b()?
        };
    }
    // Nothing is waited for here: the kills come at a random instant, and anything may be under way.
    sleep(instant(rng));
    if rng.once_in(4) {
        return kill_after_an_answer(pair, report);
    }
    // Of eight processes some are killed, and at least one.
    let victims = 1 + rng.below(255);
    for (bit, role) in (0..).step_by(2).zip(Role::ALL) {
        if victims >> bit & 1 == 1 {
            report.add("kills", pair.kill_a(role)?.into());
        }
        if victims >> (bit + 1) & 1 == 1 {
            report.add("kills", pair.kill_b(role)?.into());
        }
    }
    pair.catch_up()?;
    match rng.below(4) {
        0 => stop_a(pair, report),
        1 => stop_b(pair, report),
        _ => Ok(()),
    }
}

/// Kills a node at once after it has answered that a message is archived.
fn kill_after_an_answer(pair: &mut Pair, report: &mut Report) -> Outcome {
    pair.catch_up()?;
    let archived = pair.archive_at_a()?;
    report.add("archives", archived);
    if archived > 0 {
        return stop_a(pair, report);
    }
    report.add("archives", pair.archive_at_b()?);
    stop_b(pair, report)
}

/// Kills all that runs on `a`, and looks what is on its disk.
fn stop_a(pair: &mut Pair, report: &mut Report) -> Outcome {
    for role in Role::ALL {
        report.add("kills", pair.kill_a(role)?.into());
    }
    pair.inspect_a()
}

/// As [`stop_a`].
fn stop_b(pair: &mut Pair, report: &mut Report) -> Outcome {
    for role in Role::ALL {
        report.add("kills", pair.kill_b(role)?.into());
    }
    pair.inspect_b()
}

/// One message, a few or many.
pub(crate) fn burst(rng: &mut Rng) -> u64 {
    let most = match rng.below(3) {
        0 => 1,
        1 => 8,
        _ => 60,
    };
    1 + rng.below(most)
}

/// How long all runs: much happens in the first milliseconds, and much after a while.
fn instant(rng: &mut Rng) -> Duration {
    let longest = 1 << (2 + rng.below(9));
    Duration::from_millis(rng.below(longest))
}

/// Cycles after which all must arrive.
const SETTLE_EVERY: u64 = 8;
/// Cycles of a run that is not told how many.
const CYCLE_COUNT: u64 = 500;
