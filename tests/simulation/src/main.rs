//! Runs seeds, many or one, and says which promise was broken, where and how.
//!
//! ```text
//! peermq-simulation --seeds 100000 [--first N]     that many seeds, from N or from the clock on
//! peermq-simulation --seed N [--trace]             one seed again, with all that happens
//! ```

use std::process::ExitCode;

use peermq_simulation::{Show, fresh_seed, run, run_many};

const USAGE: &str = "usage: peermq-simulation --seeds COUNT [--first SEED] | --seed SEED [--trace]";

/// What was asked for.
enum Request {
    Many { first: u64, count: u64 },
    One { seed: u64, show: Show },
}

fn main() -> ExitCode {
    let Some(request) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = match request {
        Request::Many { first, count } => {
            println!("seeds {first} to {}", first.saturating_add(count));
            run_many(first, count)
                .map(|figures| format!("{count} seeds kept every promise: {figures:?}"))
        }
        Request::One { seed, show } => run(seed, show)
            .map(|run| format!("seed {seed}: trace {}, {:?}", run.trace, run.figures)),
    };
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: impl Iterator<Item = String>) -> Option<Request> {
    let (mut first, mut count, mut seed, mut show) = (None, None, None, Show::Tail);
    let mut args = args;
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse::<u64>().ok());
        match arg.as_str() {
            "--seeds" => count = Some(number()?),
            "--first" => first = Some(number()?),
            "--seed" => seed = Some(number()?),
            "--trace" => show = Show::All,
            _ => return None,
        }
    }
    match (seed, count) {
        (Some(seed), None) => Some(Request::One { seed, show }),
        (None, Some(count)) => {
            Some(Request::Many { first: first.unwrap_or_else(fresh_seed), count })
        }
        _ => None,
    }
}
