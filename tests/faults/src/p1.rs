//! P1: power cuts around two nodes that send and receive.
//!
//! `power-cut.py` gives each cut a disk of its own. The sender is on it, or the receiver, or both;
//! who is not on it goes on from where it was when the others froze, and knows more than they do
//! unless they kept their word. What the processes printed before the cut stands in files that no cut
//! touches: it is what the world was told.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::ledger::Ledger;
use crate::program::{Node, Program};
use crate::report::Report;
use crate::running::{Ended, Running};
use crate::site::Pair;

/// Cuts the power, 100 times unless told otherwise.
///
/// # Errors
/// When power cannot be cut here.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    let child = |word: &str| -> Outcome<String> {
        let (this, peermq) = (std::env::current_exe()?, program.path.display());
        let store = store.name();
        Ok(format!("{} {word} --store {store} --peermq {peermq} --cut {{cut}}", this.display()))
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("power-cut.py");
    let ended = Command::new("python3")
        .arg(script)
        .args(["--write", &format!("{} {{dir}} {{ack}}", child("p1-write")?)])
        .args(["--verify", &format!("{} {{dir}} {{ack}}", child("p1-verify")?)])
        .args(["--cuts", &options.count.unwrap_or(CUT_COUNT).to_string()])
        .args(["--seed", &options.seed.to_string()])
        .args(["--size", "256M", "--longest", "1", "--from-first"])
        .output()?;
    let text = String::from_utf8_lossy(&ended.stdout);
    let mut is_whole = false;
    for line in text.lines() {
        if let Some(acked) = line.strip_prefix("operations acknowledged in all: ") {
            report.add("confirmed sends", acked.parse()?);
        } else if let Some((cuts, bad)) = cut_counts(line) {
            report.add("cuts", cuts);
            report.add("bad cuts", bad);
            is_whole = true;
        } else {
            report.find(line.to_owned());
        }
    }
    if !is_whole || ended.status.code() == Some(2) {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("the power could not be cut: {}", said.trim_end()).into());
    }
    Ok(())
}

/// The last line of `power-cut.py`.
fn cut_counts(line: &str) -> Option<(u64, u64)> {
    let (cuts, bad) = line.strip_prefix("cuts ")?.split_once(" bad ")?;
    Some((cuts.parse().ok()?, bad.parse().ok()?))
}

/// One cut: what its two children are told.
#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// The kind of the stores.
    #[arg(long)]
    store: Kind,
    /// The program under test.
    #[arg(long)]
    peermq: PathBuf,
    /// The number of the cut, which says who is on the disk.
    #[arg(long)]
    cut: u64,
    /// The disk.
    dir: PathBuf,
    /// The file that takes the number of each confirmed message; what outlives the cut lies beside.
    ack: PathBuf,
}

impl Cut {
    /// Sends, receives and archives until the power goes.
    ///
    /// # Errors
    /// When a process ends before that.
    pub(crate) fn write(&self) -> Outcome {
        drop(fs::remove_dir_all(self.kept()));
        fs::create_dir_all(self.kept())?;
        let (a, b) = self.nodes()?;
        let (a_id, b_id) = (a.id()?, b.id()?);
        a.results(&["add-peer", &b_id])?;
        b.results(&["add-peer", &a_id])?;
        let (told, news) = channel();
        // Straight to a file: in a pipe, lines would wait that are archived already.
        let listened = OpenOptions::new().append(true).create(true).open(self.listened())?;
        let mut listen = a.command(&["listen"]);
        let mut listener = listen.stdout(listened.try_clone()?).stderr(listened).spawn()?;
        follow(b.start(&["connect", &a_id])?, &told);
        let (_, texts) = Ledger::new(&b_id).attempt(TEXT_COUNT);
        let words = ["send", "--to", &a_id, "--json", "--lines", "-"];
        follow(b.start_with(&words, texts.join("\n").into_bytes())?, &told);
        drop(told);
        if self.frees() {
            for node in [a, b] {
                thread::spawn(move || free(&node));
            }
        }
        let mut acks = OpenOptions::new().append(true).create(true).open(&self.ack)?;
        let mut journal = fs::File::create(self.kept().join("journal"))?;
        let mut confirmed = 0;
        for line in news {
            if let Some(status) = listener.try_wait()? {
                return Err(format!("the listener ended by itself: {status}").into());
            }
            writeln!(journal, "{line}")?;
            if line.starts_with('{') {
                writeln!(acks, "{confirmed}")?;
                confirmed += 1;
            }
        }
        Err("expected to run until the power went".into())
    }

    /// Looks whether what the world was told is still so, and goes on.
    ///
    /// # Errors
    /// What was found.
    pub(crate) fn verify(&self) -> Outcome {
        let (a, b) = self.nodes()?;
        let mut pair = Pair::open(a, b)?;
        let mut report = Report::new("p1", self.store.name(), self.cut);
        pair.a.received.attempt(TEXT_COUNT);
        (pair.a.has_freed, pair.b.has_freed) = (self.frees(), self.frees());
        let journal = fs::read_to_string(self.kept().join("journal"))?;
        pair.a.received.listener_started();
        let mut attempt = 0;
        let listened = fs::read_to_string(self.listened())?;
        for line in whole(&journal).chain(whole(&listened)) {
            if line.starts_with('{') {
                pair.a.received.confirm_line(attempt, line);
                attempt += 1;
            } else if line.starts_with("MESSAGE ") {
                pair.a.received.printed(line);
            } else {
                pair.b.remarked(&[line.to_owned()], &mut pair.a.received);
            }
        }
        pair.inspect_a()?;
        pair.inspect_b()?;
        let settled = pair.settle();
        pair.report(&mut report);
        settled?;
        if report.is_good() { Ok(()) } else { Err("it has broken its word".into()) }
    }

    /// Receiver and sender.
    fn nodes(&self) -> Outcome<(Node, Node)> {
        let program = Program::find(Some(&self.peermq), self.store)?;
        let kept = self.kept();
        let (a, b) = match self.cut % 3 {
            0 => (&self.dir, &self.dir),
            1 => (&self.dir, &kept),
            _ => (&kept, &self.dir),
        };
        let runtime = kept.join("run");
        Ok((
            Node::new(&program, a.join("a"), &runtime)?,
            Node::new(&program, b.join("b"), &runtime)?,
        ))
    }

    /// Whether space is freed meanwhile: at every other turn of those three.
    const fn frees(&self) -> bool {
        self.cut / 3 % 2 == 1
    }

    /// What the listener has printed.
    fn listened(&self) -> PathBuf {
        self.kept().join("listened")
    }

    /// The folder that no cut touches.
    fn kept(&self) -> PathBuf {
        self.ack.with_extension("kept")
    }
}

/// The lines of a text; a torn last one was told to nobody.
fn whole(text: &str) -> impl Iterator<Item = &str> {
    text.rsplit_once('\n').map_or("", |(whole, _)| whole).lines()
}

/// Passes on what a process prints, for as long as it runs, and that it has failed if it has.
fn follow(running: Running, told: &Sender<String>) {
    let told = told.clone();
    thread::spawn(move || {
        loop {
            let result = running.stdout.next(TICK);
            let news = running.stderr.at_hand().into_iter().chain(result.clone().ok().flatten());
            if !news.map(|line| told.send(line)).all(|sent| sent.is_ok()) {
                return;
            }
            if result.is_err() {
                break;
            }
        }
        let words = running.words.clone();
        let ended = running.finish();
        if !matches!(ended, Ok(Ended { status: Some(0), .. })) {
            // Nobody listens any more when the power went first.
            let _ = told.send(format!("peermq: {words}: {ended:?}"));
        }
    });
}

/// Frees space again and again, so that blocks are written anew when the power goes.
fn free(node: &Node) {
    while node.results(&["gc"]).is_ok() {}
}

/// Cuts of a run that is not told how many.
const CUT_COUNT: u64 = 100;
/// More texts than anyone sends before the power goes.
const TEXT_COUNT: u64 = 10_000;
/// How often what people are told is looked at while there are no results.
const TICK: Duration = Duration::from_millis(5);
