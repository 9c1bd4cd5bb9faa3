//! C3: an older copy of a data directory goes on while peers hold newer heads of its log.
//!
//! Each round an author sends, is copied, and sends more. Then the copy takes its place, in one of
//! five ways; more is sent from it than was lost, where it is taken, so that heads at used lengths,
//! were they signed, would reach those who hold the others. It must be stale, at once or by the first
//! word of a peer, and nothing of it may arrive until a new life has begun.

use std::fs;
use std::process::Command;

use peermq_storage::Kind;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Options, Outcome};
use crate::program::{Node, Program};
use crate::report::Report;
use crate::rng::Rng;
use crate::running::{PATIENCE, Running, WAIT};
use crate::sample::copy_tree;

/// Puts copies in place, 50 times unless told otherwise.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    let mut rng = Rng::new(options.seed);
    let count = options.count.unwrap_or(RESTORE_COUNT);
    for (number, way) in (0..count).zip(Way::ALL.into_iter().cycle()) {
        let found = Round::new(&program, way).and_then(|mut round| round.run(&mut rng, report));
        report.count("restores");
        if let Err(error) = found {
            report.find(format!("round {number}, {way:?}: {error}"));
        }
    }
    Ok(())
}

/// How an older copy takes the author's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The store alone: the head mark is ahead of it.
    Store,
    /// Store and head mark, into the files that are there: nothing on this machine can tell.
    InPlace,
    /// The store, and the head mark is lost.
    Unmarked,
    /// The whole directory, at another place.
    Elsewhere,
    /// From a backup.
    Backup,
}

impl Way {
    const ALL: [Self; 5] =
        [Self::Store, Self::InPlace, Self::Unmarked, Self::Elsewhere, Self::Backup];
}

/// One author, one reader, and an older copy.
#[derive(Debug)]
struct Round {
    way: Way,
    folder: TempDir,
    author: Node,
    reader: Node,
    author_id: String,
    reader_id: String,
    listener: Running,
    sent: u64,
}

impl Round {
    fn new(program: &Program, way: Way) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let node = |name| Node::new(program, folder.path().join(name), &folder.path().join("run"));
        let (author, reader) = (node("author")?, node("reader")?);
        let (author_id, reader_id) = (author.id()?, reader.id()?);
        author.results(&["add-peer", &reader_id])?;
        reader.results(&["add-peer", &author_id])?;
        let listener = reader.start(&["listen"])?;
        Ok(Self { way, folder, author, reader, author_id, reader_id, listener, sent: 0 })
    }

    fn run(&mut self, rng: &mut Rng, report: &mut Report) -> Outcome {
        self.deliver(1 + rng.below(4))?;
        self.take_copy(rng)?;
        let lost = 1 + rng.below(4);
        self.deliver(lost)?;
        self.put_in_place()?;
        if self.way == Way::InPlace {
            for _ in 0..=lost + rng.below(3) {
                self.author.results(&["send", "--to", &self.reader_id, "--message", "never"])?;
            }
            self.meets_its_reader(rng)?;
            report.count("stale by a peer's word");
        } else {
            self.is_stale()?.ok_or("expected a stale node, got one that goes on")?;
            report.count("stale at once");
            self.refuses_to_send()?;
            let _connection = self.author.start(&["connect", &self.reader_id])?;
        }
        self.refuses_to_send()?;
        self.begins_anew()?;
        self.was_read()
    }

    /// Sends, and waits until all of it is archived at the reader.
    fn deliver(&mut self, count: u64) -> Outcome {
        for number in 1..=count {
            let text = self.sent.to_string();
            let mut words = vec!["send", "--to", &self.reader_id, "--message", &text];
            if number == count {
                words.extend(["--wait", "archived", "--timeout", WAIT]);
            }
            self.author.results(&words)?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Takes the copy, sometimes from under a node that was killed.
    fn take_copy(&self, rng: &mut Rng) -> Outcome {
        let old = self.folder.path().join("old");
        if self.way == Way::Backup {
            let path = old.to_str().ok_or("expected a path of text")?;
            return self.author.results(&["backup", path]).map(drop);
        }
        if rng.once_in(2) {
            self.author.start(&["connect", &self.reader_id])?.kill()?;
        }
        Ok(copy_tree(&self.author.directory, &old)?)
    }

    fn put_in_place(&mut self) -> Outcome {
        let old = self.folder.path().join("old");
        let new = self.folder.path().join("new");
        let here = self.author.directory.clone();
        match self.way {
            Way::Backup => {
                self.author.directory = new;
                let path = old.to_str().ok_or("expected a path of text")?;
                return self.author.results(&["restore", path]).map(drop);
            }
            Way::Elsewhere => {
                let copied = Command::new("cp").arg("-a").args([&old, &new]).status()?;
                self.author.directory = new;
                return copied.success().then_some(()).ok_or_else(|| "expected a copy".into());
            }
            Way::Store | Way::InPlace | Way::Unmarked => {}
        }
        fs::remove_dir_all(here.join("store"))?;
        copy_tree(&old.join("store"), &here.join("store"))?;
        match self.way {
            // Written into the file that is there, which stays the same one.
            Way::InPlace => fs::write(here.join(MARK), fs::read(old.join(MARK))?)?,
            Way::Unmarked => fs::remove_file(here.join(MARK))?,
            _ => {}
        }
        Ok(())
    }

    /// The two meet, whoever dials; the author hears from its reader what it has signed.
    fn meets_its_reader(&self, rng: &mut Rng) -> Outcome {
        let [at_author, _other] = if rng.once_in(2) {
            [self.author.start(&["connect", &self.reader_id])?, self.author.start(&["listen"])?]
        } else {
            [self.author.start(&["listen"])?, self.reader.start(&["connect", &self.author_id])?]
        };
        while let Ok(Some(line)) = at_author.stderr.next(PATIENCE) {
            if line.starts_with(STALE) {
                return self.is_stale()?.map(drop).ok_or_else(|| "it says so, and goes on".into());
            }
        }
        Err("expected a stale node, got one that goes on beside a peer".into())
    }

    /// Why the author signs nothing, if that is so.
    fn is_stale(&self) -> Outcome<Option<String>> {
        let status: Value =
            serde_json::from_str(&self.author.results(&["status", "--json"])?.concat())?;
        Ok(status.get("stale").and_then(Value::as_str).map(str::to_owned))
    }

    fn refuses_to_send(&self) -> Outcome {
        let words = ["send", "--to", &self.reader_id, "--message", "refused"];
        let ended = self.author.start(&words)?.finish()?;
        let said = ended.stderr.join("; ");
        if ended.status != Some(1) || !said.contains("peermq recover") {
            return Err(format!("expected a refusal, got {:?}: {said}", ended.status).into());
        }
        Ok(())
    }

    /// A new life begins, and its first message arrives.
    fn begins_anew(&self) -> Outcome {
        self.author.results(&["recover", "--new-epoch"])?;
        let words = ["send", "--to", &self.reader_id, "--message", "anew", "--wait", "archived"];
        self.author.results(&[&words[..], &["--timeout", WAIT]].concat()).map(drop)
    }

    /// The reader has read what was sent, each once, and of the copy nothing but its new life; and
    /// nobody has two versions of anything.
    fn was_read(&self) -> Outcome {
        for node in [&self.author, &self.reader] {
            let forks = node.results(&["forks"])?;
            if !forks.is_empty() {
                return Err(format!("a second signature at a used length: {forks:?}").into());
            }
        }
        let place = |seq: u64| format!("MESSAGE {}@{seq} {seq}", self.author_id);
        let mut expected: Vec<_> = (0..self.sent).map(place).collect();
        let next = |_| self.listener.stdout.next(PATIENCE).ok().flatten();
        let mut lines: Vec<_> = (0..=self.sent).map_while(next).collect();
        // More than these there may not be.
        lines.extend(self.listener.stdout.at_hand());
        let last = lines.last().cloned().unwrap_or_default();
        if last.starts_with(&format!("MESSAGE {}@", self.author_id)) && last.ends_with(".0 anew") {
            expected.push(last);
        }
        if lines != expected || expected.len().try_into() != Ok(self.sent + 1) {
            return Err(
                format!("expected {} messages and a new life, got {lines:?}", self.sent).into()
            );
        }
        Ok(())
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        // The folder goes before the listener would: it is killed now.
        let _ = self.listener.child.kill();
    }
}

const MARK: &str = "head-mark";
/// What `listen` and `connect` say of a node that signs nothing.
const STALE: &str = "peermq: nothing is sent from here: ";
/// Copies of a run that is not told how many.
const RESTORE_COUNT: u64 = 50;
