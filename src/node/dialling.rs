//! Staying connected: dial wherever the peer may be, all at once, and again for ever.
//!
//! While a session is live, whoever began it, nothing is dialled. When it ends, everything known
//! is tried again at once, then after a jittered back-off, which begins anew on another network; an
//! address that discovery brings up is tried the moment it comes.

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backoff::Backoff;
use super::inner::Inner;
use super::link::{Link, LinkError, socket};
use super::transport::Addr;
use crate::limits::{DIAL_ADDRESS_COUNT_MAX, REDIAL_MS_MAX, REDIAL_MS_MIN, STEADY_MS};
use crate::types::Id;

/// The peers that are being stayed connected to; each once, however many ask.
#[derive(Debug, Default)]
pub(super) struct Dials {
    table: Mutex<BTreeMap<Id, Entry>>,
}

/// One peer's dialling, as the table knows it.
#[derive(Debug)]
struct Entry {
    dial: Weak<Dial>,
    /// Cancelled when nothing is dialled any more, and nothing that was is under way.
    ended: CancellationToken,
}

/// A wish to stay connected to a peer, for as long as it is held.
#[derive(Debug)]
pub(super) struct Dial {
    hints: watch::Sender<Vec<Addr>>,
    removed: CancellationToken,
    _cancel: DropGuard,
}

impl Dials {
    /// Stays connected to `to` until the returned wish is dropped by everyone.
    pub(super) fn dial(&self, node: &Arc<Inner>, to: Id, hint: Option<Addr>) -> Arc<Dial> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, entry| !entry.ended.is_cancelled());
        let dial = table.get(&to).and_then(|entry| entry.dial.upgrade()).unwrap_or_else(|| {
            let (dial, entry) = begin(node, to);
            table.insert(to, entry);
            dial
        });
        if let Some(hint) = hint {
            dial.hints.send_modify(|hints| {
                hints.retain(|known| *known != hint);
                hints.insert(0, hint);
                hints.truncate(DIAL_ADDRESS_COUNT_MAX);
            });
        }
        dial
    }

    /// The peer was removed: nobody stays connected to it. What is returned waits until nothing is
    /// dialled any more; a session that was must be cut meanwhile.
    pub(super) fn end(&self, peer: &Id) -> impl Future<Output = ()> + use<> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = table.remove(peer);
        if let Some(dial) = entry.as_ref().and_then(|entry| entry.dial.upgrade()) {
            dial.removed.cancel();
        }
        async move {
            if let Some(entry) = entry {
                entry.ended.cancelled().await;
            }
        }
    }
}

/// Begins to dial a peer.
fn begin(node: &Arc<Inner>, to: Id) -> (Arc<Dial>, Entry) {
    let cancel = node.stopping.child_token();
    let [removed, ended] = [(); 2].map(|()| CancellationToken::new());
    let dial = Arc::new(Dial {
        hints: watch::Sender::default(),
        removed: removed.clone(),
        _cancel: cancel.clone().drop_guard(),
    });
    let entry = Entry { dial: Arc::downgrade(&dial), ended: ended.clone() };
    let dialler = Dialler::new(Arc::clone(node), to, dial.hints.subscribe(), removed);
    node.tasks.spawn(async move {
        let _ended = ended.drop_guard();
        cancel.run_until_cancelled(dialler.run()).await;
    });
    (dial, entry)
}

impl Dial {
    /// Waits until the peer is removed.
    pub(super) async fn removed(&self) {
        self.removed.cancelled().await;
    }
}

/// One peer's dialling.
struct Dialler {
    node: Arc<Inner>,
    to: Id,
    /// Where it is by the word of the user, newest first.
    hints: watch::Receiver<Vec<Addr>>,
    removed: CancellationToken,
    /// Where else it may be, newest first. Anyone on the local network may announce any number of
    /// addresses: the oldest one makes room.
    found: VecDeque<Addr>,
    backoff: Backoff,
}

/// An address, or a transport that needs none, and what came of trying it.
type Tried = (Option<Addr>, Result<Link, LinkError>);

type Attempt = BoxFuture<'static, Result<Link, LinkError>>;

/// What is being tried, each address once.
#[derive(Default)]
struct Attempts(Vec<(Option<Addr>, Attempt)>);

impl Attempts {
    /// Tries an address, anew if it is being tried.
    fn push(&mut self, at: Option<Addr>, attempt: Attempt) {
        self.0.retain(|(other, _)| *other != at);
        self.0.push((at, attempt));
    }

    /// Ends the attempts at addresses that are not wanted.
    fn keep(&mut self, mut is_wanted: impl FnMut(&Addr) -> bool) {
        self.0.retain(|(at, _)| at.as_ref().is_none_or(&mut is_wanted));
    }

    fn has(&self, at: &Option<Addr>) -> bool {
        self.0.iter().any(|(other, _)| other == at)
    }

    /// What comes of the first one that ends; `None` when there is none. Loses nothing when it is
    /// dropped.
    async fn next(&mut self) -> Option<Tried> {
        let first_ended = future::poll_fn(|context| {
            let polled = self.0.iter_mut().map(|(_, attempt)| attempt.poll_unpin(context));
            let ended = polled.enumerate().find_map(|(place, polled)| match polled {
                Poll::Ready(result) => Some((place, result)),
                Poll::Pending => None,
            });
            match ended {
                Some((place, result)) => Poll::Ready(Some((self.0.remove(place).0, result))),
                None if self.0.is_empty() => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        first_ended.await
    }
}

impl Dialler {
    fn new(
        node: Arc<Inner>,
        to: Id,
        mut hints: watch::Receiver<Vec<Addr>>,
        removed: CancellationToken,
    ) -> Self {
        hints.mark_changed();
        let [first, longest] = [REDIAL_MS_MIN, REDIAL_MS_MAX].map(Duration::from_millis);
        let backoff = Backoff::new(first, longest);
        Self { node, to, hints, removed, found: VecDeque::new(), backoff }
    }

    async fn run(mut self) {
        let mut found = self.node.find(self.to);
        let mut networks = self.node.discoveries.changes();
        let mut sessions = self.node.sessions.watch();
        let mut attempts = Attempts::default();
        let mut pause = pin!(tokio::time::sleep_until(self.next_try()));
        while !self.removed.is_cancelled() {
            sessions.mark_unchanged();
            if self.node.sessions.is_live(self.to) {
                attempts = Attempts::default();
                if sessions.changed().await.is_err() {
                    return;
                }
                pause.as_mut().reset(self.next_try());
                continue;
            }
            tokio::select! {
                Some(address) = found.next() => self.learn(address.into(), &mut attempts),
                Ok(()) = self.hints.changed() => {
                    let hints = self.hints.borrow_and_update().clone();
                    hints.into_iter().for_each(|hint| self.try_now(hint, &mut attempts));
                }
                Some((at, result)) = attempts.next() => match result {
                    Ok(link) => {
                        attempts = Attempts::default();
                        self.use_link(link, at).await;
                        pause.as_mut().reset(self.next_try());
                    }
                    Err(error) => tracing::debug!(to = %self.to, ?at, %error, "not reached"),
                },
                () = &mut pause => {
                    self.try_again(&mut attempts);
                    pause.as_mut().reset(self.next_try());
                }
                Some(_) = networks.next() => {
                    // What failed there may work here, and what was begun there may hang.
                    attempts = Attempts::default();
                    self.backoff.reset();
                    pause.as_mut().reset(self.next_try());
                }
                Ok(()) = sessions.changed() => {}
                () = self.removed.cancelled() => {}
            }
        }
    }

    /// Runs a session over the link that was reached first, until it ends.
    async fn use_link(&mut self, link: Link, at: Option<Addr>) {
        if let Some(address) = at.and_then(socket) {
            self.node.remember(self.to, address);
        }
        let began = self.node.clock.now();
        self.node.run_link(link, None).await;
        if self.node.clock.now().since(began) >= Duration::from_millis(STEADY_MS) {
            self.backoff.reset();
        }
    }

    /// Takes in an address that was found, and tries it at once.
    fn learn(&mut self, address: Addr, attempts: &mut Attempts) {
        self.found.retain(|known| *known != address);
        self.found.push_front(address.clone());
        self.found.truncate(DIAL_ADDRESS_COUNT_MAX);
        self.try_now(address, attempts);
    }

    /// Tries an address anew, and none any longer that others have displaced.
    fn try_now(&self, address: Addr, attempts: &mut Attempts) {
        attempts.push(Some(address.clone()), self.attempt(Some(address)));
        let hints = self.hints.borrow();
        attempts.keep(|at| hints.contains(at) || self.found.contains(at));
    }

    /// Tries everything known that is not being tried: an address that does not answer takes minutes,
    /// and holds up no other.
    fn try_again(&self, attempts: &mut Attempts) {
        let hints = self.hints.borrow().clone();
        for at in hints.iter().chain(&self.found).cloned().map(Some).chain([None]) {
            if !attempts.has(&at) {
                attempts.push(at.clone(), self.attempt(at));
            }
        }
    }

    /// When everything known is tried again.
    fn next_try(&mut self) -> Instant {
        Instant::now() + self.backoff.wait(random_number())
    }

    /// Tries an address, or without one the transports that need none.
    fn attempt(&self, at: Option<Addr>) -> Attempt {
        let (node, to) = (Arc::clone(&self.node), self.to);
        async move { Link::dial(&node, to, at).await }.boxed()
    }
}

/// Jitter. Without the system's random bytes the wait is the shortest, which harms nobody.
fn random_number() -> u64 {
    getrandom::u64().unwrap_or(0)
}
