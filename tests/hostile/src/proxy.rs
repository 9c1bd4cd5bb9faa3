//! A wire between two nodes that can be cut, and that counts what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::Outcome;
use crate::target::PATIENCE;

/// Where a connection through the wire is cut, on its way to the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Never,
    /// After so many bytes.
    After(u64),
}

/// A wire to a node.
#[derive(Debug)]
pub struct Proxy {
    /// Where it is entered.
    pub address: SocketAddr,
    cut: watch::Sender<Cut>,
    counted: Arc<Counted>,
    _accepting: AbortOnDropHandle<()>,
}

/// What has passed, and a word whenever that changes.
#[derive(Debug, Default)]
struct Counted {
    from_node: AtomicU64,
    to_node: AtomicU64,
    cuts: AtomicU64,
    ended: AtomicU64,
    changed: Notify,
}

impl Counted {
    fn add(&self, what: &AtomicU64, number: usize) {
        what.fetch_add(u64::try_from(number).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.changed.notify_one();
    }
}

impl Proxy {
    /// A wire to `target`, whole.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn new(target: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cut, counted) = (watch::Sender::new(Cut::Never), Arc::new(Counted::default()));
        let (cuts, counts) = (cut.subscribe(), Arc::clone(&counted));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (cut, counted) = (*cuts.borrow(), Arc::clone(&counts));
                tokio::spawn(async move {
                    // However it ends, both ends are closed.
                    let _ = relay(stream, target, cut, &counted).await;
                    counted.add(&counted.ended, 1);
                });
            }
        });
        Ok(Self { address, cut, counted, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Cuts the connections to come.
    pub fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }

    /// Bytes that the node has sent.
    #[must_use]
    pub fn from_node(&self) -> u64 {
        self.counted.from_node.load(Ordering::Relaxed)
    }

    /// Bytes that the node was sent.
    #[must_use]
    pub fn to_node(&self) -> u64 {
        self.counted.to_node.load(Ordering::Relaxed)
    }

    /// Connections that were cut.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.counted.cuts.load(Ordering::Relaxed)
    }

    /// Connections that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.counted.ended.load(Ordering::Relaxed)
    }

    /// Waits until so much has passed.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until(&self, is_enough: impl Fn(&Self) -> bool) -> Outcome {
        let waiting = async {
            while !is_enough(self) {
                self.counted.changed.notified().await;
            }
        };
        Ok(timeout(PATIENCE, waiting).await?)
    }
}

async fn relay(from: TcpStream, target: SocketAddr, cut: Cut, counted: &Counted) -> Outcome {
    let to = TcpStream::connect(target).await?;
    let ((mut from_read, mut from_write), (mut to_read, mut to_write)) =
        (from.into_split(), to.into_split());
    let there = async {
        let mut left = match cut {
            Cut::Never => u64::MAX,
            Cut::After(bytes) => bytes,
        };
        let mut buffer = vec![0; 65_536];
        loop {
            let size = from_read.read(&mut buffer).await?;
            let passed = size.min(usize::try_from(left).unwrap_or(usize::MAX));
            to_write.write_all(buffer.get(..passed).unwrap_or_default()).await?;
            counted.add(&counted.to_node, passed);
            left -= u64::try_from(passed)?;
            if left == 0 {
                counted.add(&counted.cuts, 1);
            }
            if size == 0 || left == 0 {
                return Outcome::Ok(());
            }
        }
    };
    let back = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let size = to_read.read(&mut buffer).await?;
            counted.add(&counted.from_node, size);
            if size == 0 {
                return Outcome::Ok(());
            }
            from_write.write_all(buffer.get(..size).unwrap_or_default()).await?;
        }
    };
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
    }
}
