//! One attack on a node of its own, and one JSON line of what came of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use peermq::types::Id;
use peermq_hostile::floods::{self, Flood};
use peermq_hostile::liar::unread_session;
use peermq_hostile::lies::{self, LIES};
use peermq_hostile::report::Report;
use peermq_hostile::strangers::{self, Honest, Opening};
use peermq_hostile::target::{Program, Target};
use peermq_hostile::{Outcome, cuts, removal, scenes};

/// Attacks a running node, and counts what comes of it.
#[derive(Debug, Parser)]
#[command(name = "peermq-hostile", version)]
struct Arguments {
    /// The program under attack [default: the one built beside this one].
    #[arg(long, global = true, value_name = "PATH")]
    peermq: Option<PathBuf>,
    /// The core that the node is held to; run this program on another one.
    #[arg(long, global = true, value_name = "NUMBER")]
    core: Option<usize>,
    /// For how many seconds floods last.
    #[arg(long, global = true, default_value_t = 60)]
    seconds: u64,
    #[command(subcommand)]
    case: Case,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Case {
    /// 1 000 handshakes a second by strangers who know the node's id.
    N1,
    /// 10 000 random first flights.
    N2,
    /// 2 000 connections that say one byte.
    N3,
    /// A peer that has everything sent to it, pings, and reads nothing.
    N4,
    /// A false Auth, and a record that declares the longest length, before authentication.
    N6,
    /// A first flight that is replayed.
    N7,
    /// Ephemeral keys of low order.
    N8,
    /// A connection that is cut at each place.
    N9,
    /// A peer that is removed while it is sent to.
    R1,
    /// One receipt of a peer, again and again.
    S1,
    /// Receipts of a peer that grow.
    S2,
    /// Receipts of a peer for other entries.
    S3,
    /// Positions of a peer that want the same.
    S4,
    /// Positions of a peer that want something else each time.
    S5,
    /// Every lie that an authorised peer may tell (also N5).
    M,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peermq-hostile: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Outcome<String> {
    let Arguments { peermq, core, seconds, case } = arguments;
    let program = Program::find(peermq.as_deref(), core)?;
    let mut honest = Honest::new().await?;
    let liars: Vec<Id> = (0..LIES.len() + 7).map(|number| lies::liar(number).id()).collect();
    let peers: Vec<Id> = [honest.node().id()].into_iter().chain(liars).collect();
    let mut target = Target::start(&program, &peers).await?;
    honest.connect(&target).await?;
    target.next_text().await?;
    let mut report = Report::begin(name(case), &target)?;
    let (it, to, peer) = (&mut report, &mut target, &mut honest);
    match case {
        Case::N1 => {
            strangers::flood(it, to, Opening::Stranger, 1_000, 1_000 * seconds, Some(peer)).await?;
        }
        Case::N2 => strangers::flood(it, to, Opening::Noise, 1_000, 10_000, Some(peer)).await?,
        Case::N3 => strangers::flood(it, to, Opening::Slow, 1_000, 2_000, Some(peer)).await?,
        Case::N4 => unread_session(it, to, &lies::liar(0), seconds).await?,
        Case::N6 => strangers::false_auth(it, to, &lies::liar(0)).await?,
        Case::N7 => strangers::replay(it, to, &lies::liar(0)).await?,
        Case::N8 => strangers::flood(it, to, Opening::LowOrder, 100, 700, Some(peer)).await?,
        Case::N9 => cuts::run(it, to, 997).await?,
        Case::R1 => removal::run(it, to, 20_000).await?,
        Case::S1 => floods::run(it, to, &lies::liar(0), peer, Flood::SameReceipt, seconds).await?,
        Case::S2 => {
            floods::run(it, to, &lies::liar(0), peer, Flood::GrowingReceipts, seconds).await?;
        }
        Case::S3 => {
            floods::run(it, to, &lies::liar(0), peer, Flood::OtherReceipts, seconds).await?
        }
        Case::S4 => floods::run(it, to, &lies::liar(0), peer, Flood::SamePosition, seconds).await?,
        Case::S5 => {
            floods::run(it, to, &lies::liar(0), peer, Flood::OtherPositions, seconds).await?;
        }
        Case::M => tell_all(it, to).await?,
    }
    report.line()
}

async fn tell_all(report: &mut Report, target: &mut Target) -> Outcome {
    for (number, lie) in LIES.iter().enumerate() {
        lie.tell(number, target).await?;
        report.add("lies_found_out", 1);
    }
    let mut others = (LIES.len()..).map(lies::liar);
    let mut next = || others.next().ok_or("there are numbers enough");
    scenes::a_false_body(&next()?, target).await?;
    scenes::a_body_withheld(&next()?, target).await?;
    scenes::another_history(&next()?, target).await?;
    scenes::a_log_begun_again(&next()?, target).await?;
    scenes::over_quota(&next()?, target).await?;
    scenes::two_sessions(&next()?, target).await?;
    scenes::bodies_of_others(&next()?, target).await?;
    report.add("lies_found_out", 7);
    report.measure(target)
}

const fn name(case: Case) -> &'static str {
    match case {
        Case::N1 => "n1",
        Case::N2 => "n2",
        Case::N3 => "n3",
        Case::N4 => "n4",
        Case::N6 => "n6",
        Case::N7 => "n7",
        Case::N8 => "n8",
        Case::N9 => "n9",
        Case::R1 => "r1",
        Case::S1 => "s1",
        Case::S2 => "s2",
        Case::S3 => "s3",
        Case::S4 => "s4",
        Case::S5 => "s5",
        Case::M => "m",
    }
}
