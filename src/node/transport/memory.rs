//! A network inside one process: for tests, and for programs that hold several nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::duplex;
use tokio::sync::mpsc;

use super::connection::Abortable;
use super::{Aborter, Addr, Connection, Incoming, ListenAt, Listener, Transport};
use crate::limits::{MEMORY_BACKLOG_COUNT, MEMORY_PIPE_SIZE};
use crate::types::Id;

/// A network inside one process. Clones are the same network.
#[derive(Clone, Default)]
pub struct MemoryNetwork(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    listeners: BTreeMap<Id, mpsc::Sender<Incoming>>,
    /// Pairs that cannot reach each other, the smaller id first.
    cut: BTreeSet<[Id; 2]>,
    live: Vec<([Id; 2], Aborter)>,
}

impl MemoryNetwork {
    /// A network without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of the node `id` in this network.
    #[must_use]
    pub fn transport(&self, id: Id) -> MemoryTransport {
        MemoryTransport { network: self.clone(), id }
    }

    /// Ends all connections between two nodes, and lets them make none until
    /// [`MemoryNetwork::heal`].
    pub fn cut(&self, a: &Id, b: &Id) {
        let pair = in_order(a, b);
        let mut state = self.lock();
        state.cut.insert(pair);
        let (ended, live) = std::mem::take(&mut state.live).into_iter().partition(|c| c.0 == pair);
        state.live = live;
        drop(state);
        let ended: Vec<([Id; 2], Aborter)> = ended;
        ended.iter().for_each(|(_, aborter)| aborter.abort());
    }

    /// Lets two nodes connect again.
    pub fn heal(&self, a: &Id, b: &Id) {
        self.lock().cut.remove(&in_order(a, b));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both ends of a new connection and who takes the second.
    fn connect(&self, from: &Id, to: &Id) -> io::Result<(Pipe, Pipe, mpsc::Sender<Incoming>)> {
        let mut state = self.lock();
        let pair = in_order(from, to);
        let listener = state.listeners.get(to).filter(|_| !state.cut.contains(&pair));
        let listener = listener.cloned().ok_or_else(refused)?;
        let (ours, theirs) = duplex(MEMORY_PIPE_SIZE);
        let ends = [ours, theirs].map(|end| Abortable::new(end, |_| ()));
        state.live.retain(|(_, aborter)| !aborter.is_spent());
        state.live.extend(ends.iter().map(|end| (pair, end.aborter())));
        let [ours, theirs] = ends;
        Ok((ours, theirs, listener))
    }
}

/// One node's place in a [`MemoryNetwork`]. Needs no addresses: the id is enough.
#[derive(Debug, Clone)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    id: Id,
}

impl Transport for MemoryTransport {
    fn dial<'a>(
        &'a self,
        id: &'a Id,
        _hints: &'a [Addr],
    ) -> BoxFuture<'a, io::Result<Box<dyn Connection>>> {
        async move {
            let (ours, theirs, listener) = self.network.connect(&self.id, id)?;
            let incoming = Incoming { connection: Box::new(theirs), from: None };
            listener.send(incoming).await.map_err(|_| refused())?;
            let ours: Box<dyn Connection> = Box::new(ours);
            Ok(ours)
        }
        .boxed()
    }

    fn listen<'a>(&'a self, _at: &'a ListenAt) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move {
            let mut state = self.network.lock();
            if state.listeners.get(&self.id).is_some_and(|listener| !listener.is_closed()) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let (sender, receiver) = mpsc::channel(MEMORY_BACKLOG_COUNT);
            state.listeners.insert(self.id, sender);
            let listener: Box<dyn Listener> = Box::new(Accepting(receiver));
            Ok(listener)
        }
        .boxed()
    }
}

#[derive(Debug)]
struct Accepting(mpsc::Receiver<Incoming>);

impl Listener for Accepting {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        async move { self.0.recv().await.ok_or_else(refused) }.boxed()
    }

    fn local_addr(&self) -> Option<Addr> {
        None
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNetwork").finish_non_exhaustive()
    }
}

type Pipe = Abortable<tokio::io::DuplexStream>;

fn in_order(a: &Id, b: &Id) -> [Id; 2] {
    [*a.min(b), *a.max(b)]
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, "no node listens there")
}
