//! How long the parts take of which a message's way is made, each by itself, for a full block of
//! 256 messages of 100 bytes: `cargo bench -p peermq-measures`.

use divan::{Bencher, black_box};
use peermq::crypto::Verifier;
use peermq::crypto::hash::Hash;
use peermq::log::{LogTree, Peaks, fold};
use peermq::sync::{Frame, Message, UnverifiedAdvance};
use peermq::types::Id;
use peermq_measures::{GROUP_COUNT, Node, Pair};

fn main() {
    divan::main();
}

mod tree {
    use super::*;

    #[divan::bench]
    fn push_256_leaves(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(Peaks::<LogTree>::new).bench_local_values(|mut peaks| {
            for _ in 0..GROUP_COUNT {
                peaks.push_leaf(black_box(Hash([7; 32])), |_, _| ());
            }
            peaks
        });
    }

    #[divan::bench]
    fn root(bencher: Bencher<'_, '_>) {
        let mut peaks = Peaks::<LogTree>::new();
        (0..GROUP_COUNT - 1).for_each(|_| peaks.push_leaf(Hash([7; 32]), |_, _| ()));
        bencher.bench_local(|| black_box(&peaks).root());
    }
}

mod send {
    use super::*;

    #[divan::bench]
    fn seal_256_texts(bencher: Bencher<'_, '_>) {
        let mut node = sender();
        bencher.bench_local(|| node.seal(GROUP_COUNT).expect("a short text seals"));
    }

    #[divan::bench]
    fn append_256_texts(bencher: Bencher<'_, '_>) {
        bencher
            .with_inputs(|| {
                let mut node = sender();
                let drafts = node.seal(GROUP_COUNT).expect("a short text seals");
                (node, drafts)
            })
            .bench_local_values(|(mut node, drafts)| {
                node.append(drafts).expect("a store in memory takes all");
                node
            });
    }
}

mod advance {
    use super::*;

    #[divan::bench]
    fn encode(bencher: Bencher<'_, '_>) {
        let (_, advance) = advance();
        let message = Message::Advance(advance);
        bencher.bench_local(|| black_box(&message).encode());
    }

    #[divan::bench]
    fn decode(bencher: Bencher<'_, '_>) {
        let (_, advance) = advance();
        let frame = Message::Advance(advance).encode();
        bencher.bench_local(|| Message::decode(black_box(&frame)).expect("it was encoded here"));
    }

    #[divan::bench]
    fn fold_onto_peaks(bencher: Bencher<'_, '_>) {
        let (author, advance) = advance();
        let UnverifiedAdvance { items, head, .. } = advance;
        bencher.with_inputs(|| items.clone()).bench_local_values(|items| {
            fold(&Peaks::new(), &author, head.epoch, head.length, items).expect("a true chunk")
        });
    }

    #[divan::bench]
    fn verify_the_head(bencher: Bencher<'_, '_>) {
        let (author, advance) = advance();
        let verifier = Verifier::new(&author);
        bencher.bench_local(|| black_box(&advance.head).verify(&verifier).expect("a true head"));
    }
}

mod sets {
    use super::*;

    #[divan::bench]
    fn archive_256_in_one_range(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(receiver).bench_local_values(|mut node| {
            node.archive(0..=255).expect("all of them came");
            node
        });
    }

    #[divan::bench]
    fn archive_256_one_by_one(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(receiver).bench_local_values(|mut node| {
            (0..=255).for_each(|seq| node.archive(seq..=seq).expect("all of them came"));
            node
        });
    }
}

fn sender() -> Node {
    Pair::new().expect("a store in memory opens").sender
}

/// A node that has received a full block.
fn receiver() -> Node {
    pair_in_step(|_| ()).receiver
}

/// The chunk of one full block, and whose it is.
fn advance() -> (Id, UnverifiedAdvance) {
    let mut advance = None;
    let pair = pair_in_step(|frame| {
        if let Ok(Message::Advance(chunk)) = Message::decode(frame) {
            advance = Some(chunk);
        }
    });
    (pair.sender.id(), advance.expect("a block goes in a chunk"))
}

/// A pair whose receiver has a full block; `seen` is shown the chunks.
fn pair_in_step(mut seen: impl FnMut(&Frame)) -> Pair {
    let mut pair = Pair::new().expect("a store in memory opens");
    pair.sender.send(GROUP_COUNT).expect("a store in memory takes all");
    let synced = pair.sync(|node, frame| {
        seen(&frame);
        node.receive(frame)
    });
    synced.expect("both are honest");
    pair
}
