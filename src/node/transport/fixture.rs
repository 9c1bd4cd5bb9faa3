//! Two nodes and a connection between them, over each transport, for tests.

use std::sync::Arc;

use super::{
    Addr, Connection, Incoming, Knock, ListenAt, Listener, MemoryNetwork, Secured, TcpTransport,
    Transport, initiate,
};
use crate::crypto::noise::{Network, Responder};
use crate::crypto::{Identity, PairSecret};

/// Which transport a test runs over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Over {
    Memory,
    Tcp,
}

/// Makes a test of each `async fn(Over)`, over memory and over TCP.
macro_rules! over_every_transport {
    ($($test:ident),+ $(,)?) => {
        mod over_memory {
            $(#[tokio::test] async fn $test() {
                super::$test($crate::node::transport::fixture::Over::Memory).await;
            })+
        }
        mod over_tcp {
            $(#[tokio::test] async fn $test() {
                super::$test($crate::node::transport::fixture::Over::Tcp).await;
            })+
        }
    };
}
pub(crate) use over_every_transport;

/// A node that dials and one that listens and knows it.
pub(crate) struct Ends {
    pub(crate) dialler: Arc<Identity>,
    pub(crate) dialled: Arc<Identity>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) network: MemoryNetwork,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) listener: Box<dyn Listener>,
}

pub(crate) fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

pub(crate) fn pair(ours: &Identity, other: &Identity) -> Arc<PairSecret> {
    Arc::new(PairSecret::new(ours, &other.id()).unwrap())
}

impl Ends {
    pub(crate) async fn new(over: Over) -> Self {
        let (dialler, dialled) = (identity(1), identity(2));
        let known = Arc::new(pair(&dialled, &dialler));
        let responder = Arc::new(Responder::new(&dialled, known, &Network::default()));
        let network = MemoryNetwork::new();
        let transport = |id| -> Box<dyn Transport> {
            match over {
                Over::Memory => Box::new(network.transport(id)),
                Over::Tcp => Box::new(TcpTransport),
            }
        };
        let at = ListenAt::Addr("127.0.0.1:0".parse().unwrap());
        let listener = transport(dialled.id()).listen(&at).await.unwrap();
        let transport = transport(dialler.id());
        Self { dialler, dialled, responder, network, transport, listener }
    }

    /// Where the dialled node is.
    pub(crate) fn hints(&self) -> Vec<Addr> {
        self.listener.local_addr().into_iter().collect()
    }

    /// The dialler's and the dialled node's end of a new connection.
    pub(crate) async fn connect(&mut self) -> (Box<dyn Connection>, Box<dyn Connection>) {
        let hints = self.hints();
        let id = self.dialled.id();
        let (ours, theirs) = tokio::join!(self.transport.dial(&id, &hints), self.listener.accept());
        let Incoming { connection, .. } = theirs.unwrap();
        (ours.unwrap(), connection)
    }

    /// The same, secured.
    pub(crate) async fn secure(&mut self) -> (Secured, Secured) {
        let (ours, theirs) = self.connect().await;
        let (pair, network) = (pair(&self.dialler, &self.dialled), Network::default());
        let (ours, theirs) = tokio::join!(
            initiate(ours, &self.dialler, &pair, &network),
            respond(theirs, &self.responder),
        );
        (ours.unwrap(), theirs)
    }
}

/// Lets in whoever dialled, whom `responder` knows.
async fn respond(connection: Box<dyn Connection>, responder: &Responder) -> Secured {
    let knock = Knock::hear(connection, responder).await.unwrap();
    knock.read(responder).unwrap().answer().await.unwrap()
}
