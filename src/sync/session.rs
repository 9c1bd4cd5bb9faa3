//! The machine: dispatches each input to the half that it concerns, and queues what comes out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::acknowledgements::Acknowledgements;
use super::advance::UnverifiedAdvance;
use super::comparing::Comparing;
use super::credit::Granted;
use super::error::{Misbehaviour, SyncError};
use super::exchange::{
    Event, Grant, Held, Input, Load, Loaded, Opening, Output, Reason, Receipts, Refusal, Store,
    Stored,
};
use super::frame::{Frame, Kind};
use super::greeting::{Greeting, second_hello};
use super::heads::Forked;
use super::incoming::Incoming;
use super::liveness::Liveness;
use super::message::{Credit, Hello, Life, Message, Position};
use super::outgoing::Outgoing;
use super::pace::Pace;
use super::receipt::{Receipt, SignedReceipt};
use crate::crypto::{Identity, Verifier};
use crate::limits::{
    EPOCH_COUNT_MAX, FRAMES_PER_S_MAX, POSITION_BURST, POSITIONS_PER_S_MAX, UNSENT_SIZE_MAX,
};
use crate::log::{Chunk, SignedHead};
use crate::types::{Epoch, Id, Instant, Recipient};

/// Who is at the two ends, and what the peer may do.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// This node's identity: it signs heads and receipts.
    pub identity: Arc<Identity>,
    /// The authenticated peer.
    pub peer: Id,
    /// The user's word about it.
    pub grant: Grant,
    /// The hash of the handshake, which no other session has.
    pub session_hash: [u8; 32],
}

/// One peer's session, both directions at once.
///
/// Drain [`Session::poll_output`] to `None` after every [`Session::handle`]; nothing is done that
/// has not come out.
#[derive(Debug)]
pub struct Session {
    pub(super) config: SessionConfig,
    verifier: Verifier,
    stage: Stage,
    liveness: Liveness,
    outgoing: Vec<Outgoing>,
    pub(super) incoming: Vec<Incoming>,
    pub(super) comparing: Comparing,
    /// Lives of the peer's log that are not followed on.
    pub(super) forked: Vec<Forked>,
    /// Checkpoints that came before the peer's logs were followed.
    pub(super) early: Vec<(Epoch, Vec<SignedHead>)>,
    acknowledgements: Acknowledgements,
    /// Frames that no credit covers.
    frames: Pace,
    /// Positions for which the store begins to read.
    positions: Pace,
    /// Lives of the peer's log for which a receipt is due.
    receipts_due: Vec<Epoch>,
    receipts_loading: bool,
    /// The newest ping that is not answered yet.
    ping: Option<u64>,
    pub(super) outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Stage {
    Greeting(Box<Greeting>),
    Open(Peer),
    Closed,
}

/// What the opening told of the peer's logs.
#[derive(Debug)]
struct Peer {
    lives: Vec<Life>,
    held: Vec<Held>,
    room: u64,
}

impl Session {
    /// A session that has authenticated both ends and said nothing yet.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        Self {
            verifier: Verifier::new(&config.peer),
            comparing: Comparing::new(config.session_hash),
            config,
            stage: Stage::Greeting(Box::default()),
            liveness: Liveness::new(now),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            forked: Vec::new(),
            early: Vec::new(),
            acknowledgements: Acknowledgements::default(),
            frames: Pace::new(FRAMES_PER_S_MAX, FRAMES_PER_S_MAX),
            positions: Pace::new(POSITIONS_PER_S_MAX, POSITION_BURST),
            receipts_due: Vec::new(),
            receipts_loading: false,
            ping: None,
            outputs: VecDeque::from([Output::Load(Load::Opening)]),
        }
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// [`SyncError`] says who failed and how. The session is over then: [`Session::poll_output`]
    /// gives [`Output::Close`] with the same reason, and nothing after it.
    pub fn handle(&mut self, input: Input, now: Instant) -> Result<(), SyncError> {
        if matches!(self.stage, Stage::Closed) {
            return Ok(());
        }
        let result = self.dispatch(input, now).and_then(|()| self.start_work(now));
        if let Err(error) = &result {
            self.close(Reason::Failed(error.clone()));
        }
        result
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`], unless something else comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let forks = self.comparing.timeout().into_iter();
        let due = forks.chain(self.incoming.iter().filter_map(Incoming::timeout));
        let due = due.chain(self.next_turn()).min();
        let liveness = self.liveness.timeout();
        (!matches!(self.stage, Stage::Closed)).then(|| due.map_or(liveness, |it| it.min(liveness)))
    }

    /// From when on the next frame is to be handed in. What comes before waits where it is, so that
    /// a peer that says too much is not listened to for a while.
    #[must_use]
    pub fn receives_from(&self) -> Instant {
        self.frames.free_at()
    }

    /// When work is due that only waits for its turn.
    fn next_turn(&self) -> Option<Instant> {
        if !matches!(self.stage, Stage::Open(_)) {
            return None;
        }
        let may_load = self.liveness.unsent() < UNSENT_SIZE_MAX;
        let waits = may_load && self.outgoing.iter().any(Outgoing::waits_for_turn);
        let position = waits.then(|| self.positions.free_at());
        position.into_iter().chain(self.acknowledgements.timeout()).min()
    }

    fn dispatch(&mut self, input: Input, now: Instant) -> Result<(), SyncError> {
        match input {
            Input::Received(frame) => self.on_frame(&frame, now)?,
            Input::Regrant(grant) => self.on_regrant(grant, now),
            Input::LocalHead(life) => self.on_local_head(life),
            Input::LocalMarks(epoch) => self.on_local_marks(epoch),
            Input::Checkpoints { epoch, heads } => self.on_checkpoints(epoch, heads, now),
            Input::Forked(forked) => self.on_forked(forked),
            Input::Forks => self.on_forks(),
            Input::Room => self.on_room(),
            Input::Loaded(Loaded::Followed(followed)) => self.on_followed(followed, now),
            Input::Loaded(Loaded::Opening(opening)) => self.on_opening(opening, now)?,
            Input::Loaded(Loaded::Chunk { epoch, from, chunk }) => {
                self.on_chunk(epoch, from, chunk, now);
            }
            Input::Loaded(Loaded::Receipts(receipts)) => {
                self.receipts_loading = false;
                self.on_receipts(receipts, now);
            }
            Input::Stored(stored) => self.on_stored(stored, now)?,
            Input::Flushed(size) => self.liveness.on_flushed(size, now),
            Input::Probe => {
                let ping = Message::Ping(self.liveness.on_probe(now));
                self.transmit_after_hello(ping, now);
            }
            Input::Timeout => self.on_timeout(now)?,
        }
        Ok(())
    }

    fn on_frame(&mut self, frame: &Frame, now: Instant) -> Result<(), SyncError> {
        self.liveness.on_received(now);
        if frame.kind != Kind::Advance {
            self.frames.take(1, now);
        }
        let message = Message::decode(frame)?;
        if let Stage::Greeting(greeting) = &self.stage
            && !greeting.is_answered()
            && frame.kind != Kind::Hello
        {
            return Err(Misbehaviour::OutOfTurn { expected: "a Hello", got: frame.kind }.into());
        }
        match message {
            Message::Hello(hello) => self.on_hello(hello, now),
            Message::Ping(number) => {
                self.ping = Some(number);
                Ok(())
            }
            Message::Pong(_) => Ok(()),
            Message::Position(position) => self.on_position(position),
            Message::Advance(advance) => self.on_advance(advance, frame.size(), now),
            Message::Receipt(receipt) => self.on_receipt(receipt),
            Message::Credit(credit) => self.on_credit(credit),
            Message::Heads(heads) => self.on_heads(heads, now),
            Message::Evidence(evidence) => self.on_evidence(*evidence),
            Message::Want(_) | Message::Body(_) => {
                let expected = "a message of the sync sub-stream";
                Err(Misbehaviour::OutOfTurn { expected, got: frame.kind }.into())
            }
        }
    }

    fn on_hello(&mut self, hello: Hello, now: Instant) -> Result<(), SyncError> {
        let Stage::Greeting(greeting) = &mut self.stage else { return Err(second_hello()) };
        greeting.on_hello(hello)?;
        self.open_when_ready(now)
    }

    fn on_opening(&mut self, opening: Opening, now: Instant) -> Result<(), SyncError> {
        let Stage::Greeting(greeting) = &mut self.stage else { return Ok(()) };
        let (hello, held) = greeting.on_opening(opening);
        for life in &hello.lives {
            self.on_local_head(*life);
        }
        self.transmit(&Message::Hello(hello), now);
        held.iter().for_each(|message| self.transmit(message, now));
        self.open_when_ready(now)
    }

    fn open_when_ready(&mut self, now: Instant) -> Result<(), SyncError> {
        let Stage::Greeting(greeting) = &mut self.stage else { return Ok(()) };
        let me = Verifier::new(&self.config.identity.id());
        if let Some(returned) = greeting.returned(&me, self.config.peer)? {
            self.outputs.push_back(Output::Store(Store::Returned(Box::new(returned))));
        }
        let Some((opening, hello)) = greeting.take_if_ready() else { return Ok(()) };
        let (lives, peer) = (hello.lives, self.config.peer);
        self.stage =
            Stage::Open(Peer { lives: lives.clone(), held: opening.held, room: opening.room });
        self.outputs.push_back(Output::Event(Event::Established { peer, lives }));
        self.forked.extend(opening.forked);
        self.follow(now);
        self.compare(hello.features, opening.followed, now);
        Ok(())
    }

    /// Asks for the peer's logs, once that is allowed, and says what is held of them.
    fn follow(&mut self, now: Instant) {
        let Stage::Open(Peer { lives, held, room }) = &mut self.stage else { return };
        if self.config.grant != Grant::Receive || !self.incoming.is_empty() {
            return;
        }
        let (mut lives, mut held, room) = (std::mem::take(lives), std::mem::take(held), *room);
        // What the peer does not name it has lost, and could not tell what a receipt speaks of.
        held.retain(|held| lives.iter().any(|life| life.epoch == held.epoch));
        lives.retain(|life| !self.forked.iter().any(|forked| forked.blocks(life.epoch)));
        let life_count = lives.len();
        for Life { epoch, .. } in lives {
            let known = held.iter().find(|held| held.epoch == epoch).cloned();
            let known = known.unwrap_or_else(|| Held { epoch, ..Held::default() });
            let granted = Granted::sharing(life_count);
            let mut log = Incoming::new(self.config.peer, known, granted, now);
            self.transmit(&Message::Position(log.position()), now);
            if let Some(credit) = log.credit(room, now) {
                self.transmit(&Message::Credit(credit), now);
            }
            self.incoming.push(log);
        }
        for (epoch, heads) in std::mem::take(&mut self.early) {
            self.on_checkpoints(epoch, heads, now);
        }
        self.early.clear();
        for held in held {
            self.transmit_receipts(held.receipts, now);
            // A set in many pieces is not told at once.
            self.on_local_marks(held.epoch);
        }
    }

    fn on_position(&mut self, position: Position) -> Result<(), SyncError> {
        let (author, epoch) = (position.author, position.epoch);
        self.served(Kind::Position, &author, epoch)?.on_position(position)
    }

    fn on_credit(&mut self, credit: Credit) -> Result<(), SyncError> {
        let log = self.served(Kind::Credit, &credit.author, credit.epoch)?;
        Ok(log.on_credit(credit.total)?)
    }

    fn on_advance(
        &mut self,
        advance: UnverifiedAdvance,
        size: usize,
        now: Instant,
    ) -> Result<(), SyncError> {
        let me = self.config.identity.id();
        let log = self.incoming.iter_mut().find(|log| log.is(&advance.author, advance.head.epoch));
        let log = log.ok_or(Misbehaviour::ForeignLog(Kind::Advance))?;
        if let Some(fork) = log.on_advance(advance, size, me, now)? {
            log.freeze();
            self.outputs.push_back(Output::Store(Store::Fork(Box::new(fork))));
        }
        Ok(())
    }

    fn on_receipt(&mut self, receipt: SignedReceipt) -> Result<(), SyncError> {
        let said = receipt.unverified();
        let (author, epoch) = (said.author, said.epoch);
        let of_the_peer = said.receiver == *self.config.peer.as_bytes()
            && said.recipient == Recipient::Peer(said.receiver);
        if author != *self.config.identity.id().as_bytes() {
            return Err(Misbehaviour::ForeignLog(Kind::Receipt).into());
        }
        if !of_the_peer {
            return Err(Misbehaviour::ForeignEntry.into());
        }
        // A peer remembers lives that this node has lost.
        if self.outgoing.iter().any(|log| log.epoch() == epoch) {
            self.acknowledgements.add(receipt);
        }
        Ok(())
    }

    fn on_chunk(&mut self, epoch: Epoch, from: u64, chunk: Option<Chunk>, now: Instant) {
        let log = self.outgoing.iter_mut().find(|log| log.epoch() == epoch);
        let Some(log) = log else { return };
        if let Some(message) = log.on_chunk(from, chunk, &self.config.identity) {
            let frame = message.encode();
            log.on_sent(frame.size());
            self.transmit_frame(frame, now);
        }
    }

    fn on_stored(&mut self, stored: Stored, now: Instant) -> Result<(), SyncError> {
        match stored {
            Stored::Received(receipts) => {
                let mut logs = self.incoming.iter_mut();
                if let Some(log) = logs.find(|log| log.epoch() == receipts.epoch) {
                    log.on_stored();
                }
                self.on_receipts(receipts, now);
            }
            Stored::Receipts => self.acknowledgements.on_stored(),
            Stored::Returned => {
                if let Stage::Greeting(greeting) = &mut self.stage {
                    greeting.on_judged();
                }
                self.open_when_ready(now)?;
            }
            Stored::Refused(Refusal::Misbehaved(what)) => return Err(what.into()),
            Stored::Refused(Refusal::Removed) => self.close(Reason::Removed),
            Stored::Refused(Refusal::PassesCheckpoint(epoch)) => self.on_passes(epoch, now),
            Stored::Refused(Refusal::Forked(epoch)) => self.on_refused(epoch),
            Stored::Heads => self.comparing.on_stored(),
            Stored::Fork => {}
        }
        Ok(())
    }

    /// The store told what it holds of the peer's log: the peer may know, and may send more.
    fn on_receipts(&mut self, read: Receipts, now: Instant) {
        // What one life has freed, others may have waited for.
        let credits = self.incoming.iter_mut().filter_map(|log| log.credit(read.room, now));
        let credits: Vec<_> = credits.collect();
        self.transmit_receipts(read.receipts, now);
        if read.more {
            self.on_local_marks(read.epoch);
        }
        for credit in credits {
            self.transmit(&Message::Credit(credit), now);
        }
    }

    fn on_regrant(&mut self, grant: Grant, now: Instant) {
        self.config.grant = grant;
        self.follow(now);
    }

    fn on_local_head(&mut self, life: Life) {
        match self.outgoing.iter_mut().find(|log| log.epoch() == life.epoch) {
            Some(log) => log.on_local_head(life.length),
            None => self.outgoing.push(Outgoing::new(life)),
        }
    }

    fn on_local_marks(&mut self, epoch: Epoch) {
        if !self.receipts_due.contains(&epoch) && self.receipts_due.len() < EPOCH_COUNT_MAX {
            self.receipts_due.push(epoch);
        }
    }

    /// Credit is given with the answer to a reading of receipts.
    fn on_room(&mut self) {
        let epochs: Vec<_> = self.incoming.iter().map(Incoming::epoch).collect();
        epochs.into_iter().for_each(|epoch| self.on_local_marks(epoch));
    }

    fn on_timeout(&mut self, now: Instant) -> Result<(), SyncError> {
        if let Some(number) = self.liveness.on_timeout(now)? {
            self.transmit_after_hello(Message::Ping(number), now);
        }
        self.look_for_forks(now);
        Ok(())
    }

    /// Starts what the input made possible. Reads wait while the stream has enough to send, and the
    /// answer to a ping while it has anything, which answers it too: so a peer that does not read
    /// costs no memory here.
    fn start_work(&mut self, now: Instant) -> Result<(), SyncError> {
        if self.liveness.unsent() == 0
            && let Some(number) = self.ping.take()
        {
            self.transmit_after_hello(Message::Pong(number), now);
        }
        if !matches!(self.stage, Stage::Open(_)) {
            return Ok(());
        }
        let indebted =
            self.incoming.iter_mut().filter_map(|log| log.take_debt().then_some(log.epoch()));
        let indebted: Vec<_> = indebted.collect();
        indebted.into_iter().for_each(|epoch| self.on_local_marks(epoch));
        for log in &mut self.incoming {
            if let Some(received) = log.next_group()? {
                self.outputs.push_back(Output::Store(Store::Received(Box::new(received))));
            }
        }
        if let Some(receipts) = self.acknowledgements.next_batch(&self.verifier, now)? {
            self.outputs.push_back(Output::Store(Store::Receipts(receipts)));
        }
        if let Some(heads) = self.comparing.next_batch() {
            self.outputs.push_back(Output::Store(Store::Heads(heads)));
        }
        if self.liveness.unsent() >= UNSENT_SIZE_MAX {
            return Ok(());
        }
        if !self.receipts_loading
            && let Some(epoch) = self.receipts_due.pop()
        {
            self.receipts_loading = true;
            self.outputs.push_back(Output::Load(Load::Receipts { epoch }));
        }
        let positions = &mut self.positions;
        let loads = self.outgoing.iter_mut().filter_map(|log| log.next_load(positions, now));
        self.outputs.extend(loads.map(Output::Load));
        Ok(())
    }

    /// The log of ours that a message speaks of.
    fn served(
        &mut self,
        kind: Kind,
        author: &[u8; 32],
        epoch: Epoch,
    ) -> Result<&mut Outgoing, Misbehaviour> {
        let me = self.config.identity.id();
        let log = self.outgoing.iter_mut().find(|log| log.is(me, author, epoch));
        log.ok_or(Misbehaviour::ForeignLog(kind))
    }

    fn transmit_receipts(&mut self, receipts: Vec<Receipt>, now: Instant) {
        for receipt in receipts {
            self.transmit(&Message::Receipt(receipt.sign(&self.config.identity)), now);
        }
    }

    /// Sends a message that may be due before the store has told what to say hello with.
    fn transmit_after_hello(&mut self, message: Message, now: Instant) {
        match &mut self.stage {
            Stage::Greeting(greeting) if !greeting.has_spoken() => greeting.hold(message),
            _ => self.transmit(&message, now),
        }
    }

    pub(super) fn transmit(&mut self, message: &Message, now: Instant) {
        self.transmit_frame(message.encode(), now);
    }

    fn transmit_frame(&mut self, frame: Frame, now: Instant) {
        self.liveness.on_transmit(frame.size(), now);
        self.outputs.push_back(Output::Transmit(frame));
    }

    fn close(&mut self, reason: Reason) {
        self.stage = Stage::Closed;
        self.outputs.clear();
        self.outputs.push_back(Output::Close(reason));
    }
}
