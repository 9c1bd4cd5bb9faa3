//! SIGKILL at any point: nothing is lost, and only what a killed listener had printed and not yet
//! archived is printed again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;

use serde_json::Value;

use crate::support::{Machine, Running};

/// Lines that a listener prints before it archives them: one group.
const GROUP: usize = 256;

/// A little randomness, whose seed is shown when a test fails (xorshift64, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = RandomState::new().hash_one(0) | 1;
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn seq(line: &str, from: &str) -> usize {
    let rest = line.strip_prefix(&format!("MESSAGE {from}@")).unwrap_or_else(|| panic!("{line}"));
    let (seq, text) = rest.split_once(' ').unwrap();
    assert_eq!(text, format!("text {seq}"));
    seq.parse().unwrap()
}

/// What has been seen of one sender's messages.
struct Seen {
    next: usize,
    /// How far the next listener may go back.
    from: usize,
}

impl Seen {
    fn see(&mut self, seq: usize) {
        assert!(
            seq == self.next || (self.from..self.next).contains(&seq),
            "expected {}, or a repeat from {} on, got {seq}",
            self.next,
            self.from
        );
        // After a repeat the same listener goes on in order.
        self.next = seq + 1;
        self.from = self.next;
    }

    fn listener_was_killed(&mut self) {
        self.from = self.next.saturating_sub(GROUP);
    }
}

#[test]
fn nothing_is_lost_and_nothing_is_repeated_without_need() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let mut dice = Dice::new();
    let count = 3_000;
    let input: String = (0..count).map(|number| format!("text {number}\n")).collect();
    let words = ["send", "--to", &a_id, "--lines", "-"];
    b.run_with(&words, input.as_bytes()).succeeded(&words);
    let mut seen = Seen { next: 0, from: 0 };
    let mut listener = a.start(&["listen"]);
    let mut connection = b.start(&["connect", &a_id]);
    while seen.next < count {
        for _ in 0..=dice.below(500).min(count - seen.next - 1) {
            seen.see(seq(&listener.line(), &b_id));
        }
        if dice.below(2) == 0 {
            connection = restart(connection, || b.start(&["connect", &a_id]));
        } else {
            listener.signal("KILL");
            for line in String::from_utf8(listener.finish().stdout).unwrap().lines() {
                seen.see(seq(line, &b_id));
            }
            seen.listener_was_killed();
            listener = a.start(&["listen"]);
        }
    }
    drop(connection);
    assert!(listener.lines_at_hand().iter().all(|line| seq(line, &b_id) >= seen.from));
}

fn restart(running: Running, start: impl Fn() -> Running) -> Running {
    running.kill();
    start()
}

#[test]
fn what_a_killed_sender_had_confirmed_is_kept_in_order() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let mut dice = Dice::new();
    let mut count = 0;
    for _ in 0..5 {
        let mut sending = b.start_piped(&["send", "--to", &a_id, "--lines", "-", "--json"]);
        let mut input = sending.child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            for number in count.. {
                if writeln!(input, "text {number}").is_err() {
                    return;
                }
            }
        });
        for _ in 0..dice.below(2_000) {
            sending.line();
        }
        sending.signal("KILL");
        let confirmed = sending.finish().stdout;
        writer.join().unwrap();
        let listed = b.succeeds(&["messages", "--set", "sent", "--json"]);
        let seqs: Vec<_> = listed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
            .collect();
        assert!(seqs.iter().copied().eq(0..u64::try_from(seqs.len()).unwrap()));
        if let Some(last) = String::from_utf8(confirmed).unwrap().lines().last() {
            let last: Value = serde_json::from_str(last).unwrap();
            assert!(last["seq"].as_u64() <= seqs.last().copied());
        }
        count = seqs.len();
    }
    let listener = a.start(&["listen"]);
    let _connection = b.start(&["connect", &a_id]);
    for number in 0..count {
        assert_eq!(seq(&listener.line(), &b_id), number);
    }
}
