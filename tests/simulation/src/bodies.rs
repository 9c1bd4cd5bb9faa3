//! Long bodies on their way: wanted on sub-streams of their own, sent chunk by chunk, held when whole.

use std::collections::VecDeque;

use bytes::Bytes;
use peermq::crypto::Salt;
use peermq::crypto::hash::body_hash;
use peermq::log::Decoded;
use peermq::queue::{Offer, OfferBody, Place, Queue, QueueError, Wanted};
use peermq::sync::body::{BodyCheck, BodyChunk, Progress, Want};
use peermq::sync::{Frame, Message};
use peermq::types::{Epoch, Id, Recipient, Seq};

use crate::invariant::{Checked, Invariant};
use crate::link::End;
use crate::node::Job;
use crate::world::World;

/// One body on its way to the node at an end.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Who fetches it.
    end: End,
    body: Wanted,
    check: BodyCheck,
    /// The next chunk that its author reads.
    next: u32,
    coming: VecDeque<Frame>,
    /// Chunks that are not with the storage thread yet, and the number of the first.
    batch: Vec<Bytes>,
    batch_first: u32,
}

/// What the storage thread does with chunks.
#[derive(Debug)]
pub(crate) enum BodyJob {
    /// Keeps some of a body whose draft comes later.
    Stage { salt: Salt, first: u32, chunks: Vec<Bytes> },
    /// Keeps some of a body that was wanted.
    Hold { peer: Id, epoch: Epoch, seq: Seq, first: u32, chunks: Vec<Bytes>, progress: Progress },
    /// Drops what is held of a body: it is not the one that was signed.
    Forget { peer: Id, epoch: Epoch, seq: Seq },
    /// Its author has a body no more.
    Gone { peer: Id, epoch: Epoch, seq: Seq },
}

impl BodyJob {
    pub(crate) fn stage(self, queue: &mut Queue) -> Result<(), QueueError> {
        match self {
            Self::Stage { salt, first, chunks } => {
                let numbered = (first..).zip(chunks);
                numbered.for_each(|(number, chunk)| queue.stage_body(&salt, number, chunk));
                Ok(())
            }
            Self::Hold { peer, epoch, seq, first, chunks, progress } => {
                queue.hold_chunks(&peer, epoch, seq, first, chunks, progress)
            }
            Self::Forget { peer, epoch, seq } => queue.drop_chunks(&peer, epoch, seq),
            Self::Gone { peer, epoch, seq } => queue.mark_gone(&peer, epoch, seq),
        }
    }
}

impl World {
    /// Some node asks a peer for a body that it lacks.
    pub(crate) fn fetch_some(&mut self) -> Checked {
        let is_whole = |end: &End| self.links[&end.link].ends.iter().all(Option::is_some);
        let ends = self.links.keys().flat_map(|link| [0, 1].map(|side| End { link: *link, side }));
        let ends: Vec<_> = ends.filter(is_whole).collect();
        match self.chance.pick(&ends) {
            Some(end) => self.fetch(end).map(drop),
            None => Ok(()),
        }
    }

    /// The node at an end asks for the oldest body that it lacks and does not wait for. Tells whether
    /// there was one.
    pub(crate) fn fetch(&mut self, end: End) -> Checked<bool> {
        let link = &self.links[&end.link];
        let [at, from] = [link.node(end.side), link.node(1 - end.side)];
        let (me, peer) = (self.nodes[at].id(), self.nodes[from].id());
        let Some(process) = &mut self.nodes[at].process else { return Ok(false) };
        let wanted = process.queue.wanted(&peer).expect("a memory store can be read");
        let is_coming = |body: &Wanted| {
            let mut transfers = self.transfers.values();
            transfers.any(|it| it.end == end && it.body.place() == body.place())
        };
        let Some(body) = wanted.into_iter().find(|body| !is_coming(body)) else {
            return Ok(false);
        };
        let mut check = BodyCheck::new(body.seq, body.len, body.hash);
        for number in 0..body.first_chunk {
            let held = process.queue.held_chunk(&peer, body.epoch, body.seq, number);
            let sealed = held.expect("a memory store can be read").expect("it is counted");
            check.take(&BodyChunk { number, sealed }).expect("what is held was checked");
        }
        let want = Message::Want(Want {
            author: *peer.as_bytes(),
            epoch: body.epoch,
            recipient: Recipient::Peer(*me.as_bytes()),
            seq: body.seq,
            first_chunk: body.first_chunk,
        });
        self.oracle.saw_frame([at, from], &want)?;
        self.trace.note(format_args!("{at} wants {body:?} of {from}"));
        let next = body.first_chunk;
        let (coming, batch) = (VecDeque::new(), Vec::new());
        let transfer = Transfer { end, body, check, next, coming, batch, batch_first: next };
        self.transfers.insert(self.transfer_count, transfer);
        self.transfer_count += 1;
        Ok(true)
    }

    /// Some body comes further.
    pub(crate) fn pass_some(&mut self) -> Checked {
        let under_way: Vec<_> = self.transfers.keys().copied().collect();
        let Some(number) = self.chance.pick(&under_way) else { return Ok(()) };
        let count = 1 + self.chance.below(6);
        (0..count).try_for_each(|_| self.pass(number))
    }

    /// All bodies that are on their way arrive.
    pub(crate) fn pass_all(&mut self) -> Checked {
        while let Some(number) = self.transfers.keys().next().copied() {
            self.pass(number)?;
        }
        Ok(())
    }

    /// One body comes a step further: its author reads chunks, or one arrives.
    fn pass(&mut self, number: u64) -> Checked {
        let Some(transfer) = self.transfers.get_mut(&number) else { return Ok(()) };
        let end = transfer.end;
        let link = self.links.get(&end.link);
        let Some(link) = link.filter(|link| link.ends.iter().all(Option::is_some)) else {
            self.transfers.remove(&number);
            return Ok(());
        };
        let [at, from] = [link.node(end.side), link.node(1 - end.side)];
        match transfer.coming.pop_front() {
            Some(frame) => self.take_chunk(number, [at, from], &frame),
            None => self.serve_chunks(number, [at, from]),
        }
    }

    /// The author reads the next chunks of a body; none when it has them no more.
    fn serve_chunks(&mut self, number: u64, [at, from]: [usize; 2]) -> Checked {
        let peer = self.nodes[at].id();
        let transfer = &self.transfers[&number];
        let Wanted { epoch, seq, .. } = transfer.body;
        let next = transfer.next;
        let count = u32::try_from(1 + self.chance.below(8)).expect("a small number");
        let process = self.nodes[from].process.as_mut().expect("its end of the link lives");
        let chunks = process.queue.own_body_chunks(&peer, epoch, seq, next..next + count);
        let chunks = match chunks {
            Ok(chunks) if chunks.is_empty() => vec![Bytes::new()],
            Ok(chunks) => chunks,
            // The sub-stream ends without a word.
            Err(QueueError::Removed(_)) => {
                self.transfers.remove(&number);
                return Ok(());
            }
            Err(error) => {
                return Invariant::HonestIsNotBlamed
                    .breach(format_args!("{from} could not read a body for {at}: {error}"));
            }
        };
        let mut frames = VecDeque::new();
        for (number, sealed) in (next..).zip(chunks) {
            let message = Message::Body(BodyChunk { number, sealed });
            self.oracle.saw_frame([from, at], &message)?;
            frames.push_back(self.falsify(from, message.encode()));
        }
        self.trace
            .note(format_args!("{from} serves {at} {} chunks of {epoch}.{seq}", frames.len()));
        let transfer = self.transfers.get_mut(&number).expect("it was there above");
        transfer.next += u32::try_from(frames.len()).expect("a small number");
        transfer.coming = frames;
        Ok(())
    }

    /// A chunk arrives at who wants it.
    fn take_chunk(&mut self, number: u64, [at, from]: [usize; 2], frame: &Frame) -> Checked {
        let transfer = self.transfers.get_mut(&number).expect("a frame of it came");
        let Wanted { epoch, seq, .. } = transfer.body;
        let (link, peer) = (transfer.end.link, self.nodes[from].id());
        let Ok(Message::Body(chunk)) = Message::decode(frame) else {
            return self.end_for_body(link, [at, from]);
        };
        if chunk.sealed.is_empty() {
            self.transfers.remove(&number);
            self.trace.note(format_args!("{from} has {epoch}.{seq} to {at} no more"));
            let place = Place { from: peer, epoch, seqs: seq.0..=seq.0 };
            self.oracle.marking((at, from), &[place]);
            self.ask(at, Job::Body(BodyJob::Gone { peer, epoch, seq }));
            return Invariant::ConfirmedIsServed.holds(
                // Who was put back may have archived it before, or sent it.
                [at, from].map(Some).contains(&self.hostile)
                    || [at, from].iter().any(|node| self.oracle.was_put_back(*node)),
                format_args!("{from} has the body of {epoch}.{seq} no more, and {at} wants it"),
            );
        }
        let Ok(progress) = transfer.check.take(&chunk) else {
            self.ask(at, Job::Body(BodyJob::Forget { peer, epoch, seq }));
            return self.end_for_body(link, [at, from]);
        };
        transfer.batch.push(chunk.sealed);
        if progress == Progress::More && !self.chance.one_in(3) {
            return Ok(());
        }
        let chunks = std::mem::take(&mut transfer.batch);
        let first = transfer.batch_first;
        transfer.batch_first += u32::try_from(chunks.len()).expect("a body has fewer chunks");
        if progress == Progress::Whole {
            self.transfers.remove(&number);
            self.figures.bodies += 1;
        }
        let held = BodyJob::Hold { peer, epoch, seq, first, chunks, progress };
        self.ask(at, Job::Body(held));
        Ok(())
    }

    /// A session ends because of a chunk that no honest author sends.
    fn end_for_body(&mut self, link: u64, [at, from]: [usize; 2]) -> Checked {
        self.lose(link);
        Invariant::HonestIsNotBlamed.holds(
            // Who was put back unseen may have written another message there, with another body.
            self.may_fork(from),
            format_args!("{at} got a chunk of {from} that belongs to no body"),
        )
    }

    /// The sealed body of a message that a node offers: whole, and the one that its author signed.
    pub(crate) fn body_of(&self, node: usize, offer: &Offer) -> Checked<Bytes> {
        let process = self.nodes[node].process.as_ref().expect("it has made the offer");
        let Offer { from, epoch, seq, .. } = *offer;
        let chunk = |number| process.queue.held_chunk(&from, epoch, seq, number).ok().flatten();
        let body = match &offer.body {
            OfferBody::Inline(body) => body.clone(),
            OfferBody::Held => (0..).map_while(chunk).collect::<Vec<_>>().concat().into(),
            OfferBody::Long => Bytes::new(),
        };
        let signed = match &offer.header {
            Decoded::Header(header) => header.body_hash == body_hash(&body),
            Decoded::Unsupported { .. } => true,
        };
        Invariant::OfferedIsAuthentic.holds(
            signed,
            format_args!("{node} offers {epoch}.{seq} of {from} with another body"),
        )?;
        Ok(body)
    }
}
