//! Two nodes against a model: whatever their users do, in whatever order, sends, marks, rights and
//! restarts come out as one line of state each.
//!
//! `PROPTEST_CASES=2000 cargo test --test node model` tries more histories.

use peermq::node::{AckLevel, Mode, NodeError, Place, Sent, Set};
use peermq::queue::QueueError;
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::fixture::{Host, Net, within};

/// What a user does at one of the nodes.
#[derive(Debug, Clone)]
enum Step {
    Send {
        from: usize,
        count: usize,
    },
    /// Connects to the other, which listens, until each has all that it may have.
    Meet {
        from: usize,
    },
    Archive {
        at: usize,
        seq: usize,
    },
    Clear {
        at: usize,
        seq: usize,
    },
    /// Reads all that is unread, and all that is archived.
    Drain {
        at: usize,
    },
    Add {
        at: usize,
    },
    Remove {
        at: usize,
    },
    Restart {
        at: usize,
    },
}

/// What a node knows of the other, and has of it.
#[derive(Debug, Clone, Default)]
struct Side {
    right: Right,
    sent: usize,
    received: Vec<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Right {
    #[default]
    Unknown,
    Added,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Unread,
    Archived,
    Cleared,
}

/// Both nodes as they should be.
#[derive(Debug, Clone, Default)]
struct Model([Side; 2]);

impl Model {
    /// Whether one may dial the other and is let in.
    fn may_meet(&self, from: usize) -> bool {
        self.0[from].right != Right::Removed && self.0[1 - from].right == Right::Added
    }

    fn meet(&mut self) {
        for at in 0..2 {
            if self.0[at].right == Right::Added {
                let sent = self.0[1 - at].sent;
                self.0[at].received.resize(sent, Word::Unread);
            }
        }
    }

    fn mark(&mut self, at: usize, seq: usize, to: Word) {
        if let Some(word) = self.0[at].received.get_mut(seq) {
            *word = to.max(*word);
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let (node, seq) = (0usize..2, 0usize..8);
        prop_oneof![
            4 => (node.clone(), 1usize..4).prop_map(|(from, count)| Step::Send { from, count }),
            4 => node.clone().prop_map(|from| Step::Meet { from }),
            3 => (node.clone(), seq.clone()).prop_map(|(at, seq)| Step::Archive { at, seq }),
            2 => (node.clone(), seq).prop_map(|(at, seq)| Step::Clear { at, seq }),
            3 => node.clone().prop_map(|at| Step::Drain { at }),
            4 => node.clone().prop_map(|at| Step::Add { at }),
            1 => node.clone().prop_map(|at| Step::Remove { at }),
            1 => node.prop_map(|at| Step::Restart { at }),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        match *step {
            Step::Send { from, count } if model.0[from].right != Right::Removed => {
                model.0[from].sent += count;
            }
            Step::Meet { .. } => model.meet(),
            Step::Archive { at, seq } => model.mark(at, seq, Word::Archived),
            Step::Clear { at, seq } => model.mark(at, seq, Word::Cleared),
            Step::Add { at } => model.0[at].right = Right::Added,
            Step::Remove { at } => model.0[at].right = Right::Removed,
            Step::Send { .. } | Step::Drain { .. } | Step::Restart { .. } => {}
        }
        model
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        !matches!(step, Step::Meet { from } if !model.may_meet(*from))
    }
}

/// Two real nodes, and what their sends gave.
struct Run {
    runtime: Runtime,
    hosts: [Option<Host>; 2],
    sent: [Vec<Sent>; 2],
}

impl StateMachineTest for Run {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        let net = Net::memory();
        let hosts = runtime.block_on(async { [net.host().await, net.host().await] });
        Self { runtime, hosts: hosts.map(Some), sent: [Vec::new(), Vec::new()] }
    }

    fn apply(mut run: Self, model: &Model, step: Step) -> Self {
        let runtime = run.runtime.handle().clone();
        runtime.block_on(run.step(model, step));
        run
    }

    fn check_invariants(run: &Self, model: &Model) {
        for at in 0..2 {
            let peers = run.runtime.block_on(run.host(at).node.peers()).unwrap();
            let is_added = peers.iter().any(|peer| peer.id == run.host(1 - at).node.id());
            assert_eq!(is_added, model.0[at].right == Right::Added);
        }
    }

    fn teardown(mut run: Self, model: Model) {
        for at in 0..2 {
            run = Self::apply(run, &model, Step::Restart { at });
            run = Self::apply(run, &model, Step::Drain { at });
        }
    }
}

impl Run {
    fn host(&self, at: usize) -> &Host {
        self.hosts[at].as_ref().unwrap()
    }

    /// Does a step; `model` is as it is after it.
    async fn step(&mut self, model: &Model, step: Step) {
        match step {
            Step::Send { from, count } => self.send(model, from, count).await,
            Step::Meet { from } => self.meet(model, from).await,
            Step::Archive { at, seq } => {
                let place = self.place(at, seq);
                let marked = self.host(at).node.archive(place).await;
                assert_eq!(marked.is_ok(), seq < model.0[at].received.len(), "{marked:?}");
            }
            Step::Clear { at, seq } => {
                let place = self.place(at, seq);
                let marked = self.host(at).node.clear(place).await;
                assert_eq!(marked.is_ok(), seq < model.0[at].received.len(), "{marked:?}");
            }
            Step::Drain { at } => {
                for (set, word) in [(Set::Unread, Word::Unread), (Set::Archived, Word::Archived)] {
                    self.drain(model, at, set, word).await;
                }
            }
            Step::Add { at } => {
                let other = self.host(1 - at).node.id();
                self.host(at).node.add_peer(other).await.unwrap();
            }
            Step::Remove { at } => {
                let other = self.host(1 - at).node.id();
                self.host(at).node.remove_peer(other).await.unwrap();
            }
            Step::Restart { at } => {
                let host = self.hosts[at].take().unwrap();
                self.hosts[at] = Some(host.restart().await);
            }
        }
    }

    async fn send(&mut self, model: &Model, from: usize, count: usize) {
        let to = self.host(1 - from).node.id();
        for _ in 0..count {
            let number = self.sent[from].len();
            let sent = self.host(from).node.send(to, format!("{from} {number}")).await;
            match model.0[from].right {
                Right::Removed => assert!(
                    matches!(sent, Err(NodeError::Queue(QueueError::Removed(_)))),
                    "{sent:?}"
                ),
                _ => self.sent[from].push(sent.unwrap()),
            }
        }
        let seqs = self.sent[from].iter().map(|sent| sent.seq.0);
        assert!(seqs.eq(0..u64::try_from(model.0[from].sent).unwrap()), "from 0 and without gaps");
    }

    /// Connects, and waits for what the model says: all that was sent is stored where it is let in,
    /// and what was archived or cleared there is known here.
    async fn meet(&self, model: &Model, from: usize) {
        let (dialler, listener) = (self.host(from), self.host(1 - from));
        let listening = within(listener.node.listen(None)).await.unwrap();
        let connection = dialler.connect(listener, &listening).await;
        for at in 0..2 {
            let author = self.host(1 - at);
            for (sent, word) in self.sent[1 - at].iter().zip(&model.0[at].received) {
                let level = match word {
                    Word::Unread => AckLevel::Stored,
                    Word::Archived | Word::Cleared => AckLevel::Archived,
                };
                within(author.node.wait(sent, level)).await.unwrap();
            }
        }
        within(connection.close()).await;
    }

    fn place(&self, at: usize, seq: usize) -> Place {
        let author = &self.host(1 - at).node;
        let seq = u64::try_from(seq).unwrap();
        Place { from: author.id(), epoch: author.epoch(), seqs: seq..=seq }
    }

    /// A set is read in order, each message with the text that was sent.
    async fn drain(&self, model: &Model, at: usize, set: Set, word: Word) {
        let words = model.0[at].received.iter().enumerate().filter(|(_, other)| **other == word);
        let expected: Vec<_> =
            words.map(|(seq, _)| (seq, format!("{} {seq}", 1 - at).into_bytes())).collect();
        let mut stream = self.host(at).node.stream(set, Mode::Drain);
        let mut found = Vec::new();
        while let Some(message) = within(stream.next_message()).await.unwrap() {
            let seq = usize::try_from(message.seq.0).unwrap();
            found.push((seq, message.text().unwrap().to_vec()));
        }
        assert_eq!(found, expected, "{set:?} at {at}");
    }
}

/// Histories of one test run, unless `PROPTEST_CASES` says otherwise: some ten seconds.
const CASE_COUNT: u32 = 12;

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").map(|count| count.parse().unwrap());
    Config { failure_persistence: None, ..Config::with_cases(cases.unwrap_or(CASE_COUNT)) }
}

prop_state_machine! {
    #![proptest_config(config())]
    #[test]
    fn two_nodes_follow_their_model(sequential 1..25 => Run);
}
