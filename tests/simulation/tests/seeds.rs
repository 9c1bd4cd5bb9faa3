//! Fresh seeds keep every promise, and a seed is a whole run.

use peermq_simulation::{Show, fresh_seed, run, run_many};

/// What an unoptimised build runs in a minute and a half on two processors: 0.08 s of one for each.
const SEED_COUNT: u64 = 2_000;

#[test]
fn fresh_seeds_keep_every_promise() {
    let first = fresh_seed();
    println!("seeds from {first} on");
    if let Err(failure) = run_many(first, SEED_COUNT) {
        panic!("{failure}");
    }
}

#[test]
fn one_seed_gives_one_trace_and_another_gives_another() {
    let traces = [1, 2, 1].map(|seed| run(seed, Show::Tail).unwrap().trace);
    assert_eq!(traces[0], traces[2]);
    assert_ne!(traces[0], traces[1]);
}
