//! What a process of the kind of [`Child`](crate::child::Child) does: it runs nodes, and obeys.

use std::io::stdin;
use std::path::{Path, PathBuf};
use std::str::SplitWhitespace;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use peermq::node::transport::Addr;
use peermq::node::{AckLevel, Connection, Listening, Mode, Node, Options, SendOptions, Sent, Set};
use peermq::types::Id;
use peermq_storage::Kind;
use tokio::io::AsyncReadExt as _;

use crate::{Outcome, texts};

/// The nodes of this process; the first is the one that acts where one is enough.
struct Actor {
    nodes: Vec<Node>,
    listening: Option<Listening>,
    connections: Vec<Connection>,
    sent: Option<Sent>,
}

/// Runs nodes as the arguments say, until the input ends.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let mut next = || arguments.next().ok_or("expected a store, a directory and a count");
    let (store, dir, count) = (next()?.parse()?, PathBuf::from(next()?), next()?.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut actor = runtime.block_on(Actor::open(store, &dir, count))?;
    for request in stdin().lines() {
        println!("{}", runtime.block_on(actor.answer(&request?))?);
    }
    runtime.block_on(actor.close())
}

impl Actor {
    async fn open(store: Kind, dir: &Path, count: usize) -> Outcome<Self> {
        let open = |number: usize| {
            let options = Options::new(dir.join(number.to_string())).store(store);
            // A crowd stays off the local network.
            let options = if count > 1 { options.discoveries(Vec::new()) } else { options };
            options.open()
        };
        let nodes = stream::iter(0..count).map(open).buffered(AT_ONCE_COUNT).try_collect().await?;
        Ok(Self { nodes, listening: None, connections: Vec::new(), sent: None })
    }

    async fn answer(&mut self, request: &str) -> Outcome<String> {
        let mut words = request.split_whitespace();
        let done = |()| "done".to_owned();
        match words.next().unwrap_or_default() {
            "ids" => {
                let ids: Vec<_> = self.nodes.iter().map(|node| node.id().to_string()).collect();
                Ok(ids.join(" "))
            }
            "memory" => memory(),
            "listen" => self.listen().await,
            "expect-sessions" => self.expect_sessions(word(&mut words)?).await.map(done),
            "add" => self.add(words).await.map(done),
            "connect" => self.connect(word(&mut words)?, word(&mut words)?).await.map(done),
            "send" => self.send(word(&mut words)?, word(&mut words)?).await.map(done),
            "send-body" => self.send_body(word(&mut words)?, word(&mut words)?).await.map(done),
            "await-stored" => self.await_stored().await.map(done),
            "take" => self.take(word(&mut words)?).await.map(done),
            "read-body" => self.read_body().await,
            other => Err(format!("expected a request, got {other:?}").into()),
        }
    }

    async fn listen(&mut self) -> Outcome<String> {
        let listening = self.node()?.listen(Some(([127, 0, 0, 1], 0).into())).await?;
        let address = listening.address().ok_or("expected an address")?;
        self.listening = Some(listening);
        Ok(address.to_string())
    }

    async fn add(&self, ids: SplitWhitespace<'_>) -> Outcome<()> {
        let ids: Result<Vec<Id>, _> = ids.map(str::parse).collect();
        Ok(self.node()?.add_peers(ids?).await?)
    }

    /// Connects every node, a few at a time, and waits until all have a session.
    async fn connect(&mut self, to: Id, at: std::net::SocketAddr) -> Outcome<()> {
        let connect = |node: &Node| {
            let node = node.clone();
            async move {
                let connection = node.connect(to, Some(Addr::Socket(at))).await?;
                while !connection.is_live() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok::<_, peermq::node::NodeError>(connection)
            }
        };
        let connections = stream::iter(&self.nodes).map(connect).buffered(AT_ONCE_COUNT);
        self.connections = connections.try_collect().await?;
        Ok(())
    }

    async fn expect_sessions(&self, count: usize) -> Outcome<()> {
        let live = self.node()?.status().await?.sessions.len();
        if live == count {
            return Ok(());
        }
        Err(format!("expected {count} sessions, got {live}").into())
    }

    async fn send(&mut self, to: Id, count: usize) -> Outcome<()> {
        self.sent = self.node()?.send_all(to, texts(count)).await?.pop();
        Ok(())
    }

    async fn send_body(&mut self, to: Id, mib: u64) -> Outcome<()> {
        let text = tokio::io::repeat(7).take(mib << 20);
        self.sent = Some(self.node()?.send_stream(to, text, SendOptions::default()).await?);
        Ok(())
    }

    /// Waits until all that was sent is durable at its recipient.
    async fn await_stored(&self) -> Outcome<()> {
        let sent = self.sent.ok_or("expected something to have been sent")?;
        let all = 0..=sent.seq.0;
        Ok(self.node()?.wait_all(sent.to, sent.epoch, all, AckLevel::Stored).await?)
    }

    /// Reads so many unread messages, and archives none.
    async fn take(&self, count: usize) -> Outcome<()> {
        let mut unread = self.node()?.stream(Set::Unread, Mode::Live);
        let mut taken = 0;
        while taken < count {
            taken += unread.next_group().await?.ok_or("the stream ended")?.len();
        }
        Ok(())
    }

    /// Reads the next message to its end, and tells its size.
    async fn read_body(&self) -> Outcome<String> {
        let node = self.node()?;
        let mut unread = node.stream(Set::Unread, Mode::Live);
        let message = unread.next_message().await?.ok_or("the stream ended")?;
        let mut body = node.read(message.from, Some(message.epoch), message.seq).await?;
        let mut size = 0;
        while let Some(bytes) = body.next_bytes().await? {
            size += bytes.len();
        }
        Ok(size.to_string())
    }

    fn node(&self) -> Outcome<&Node> {
        Ok(self.nodes.first().ok_or("expected a node")?)
    }

    async fn close(self) -> Outcome<()> {
        drop((self.listening, self.connections));
        for node in self.nodes {
            node.shutdown().await?;
        }
        Ok(())
    }
}

/// The next word of a request.
fn word<T: std::str::FromStr>(words: &mut SplitWhitespace<'_>) -> Outcome<T>
where
    T::Err: std::error::Error + 'static,
{
    Ok(words.next().ok_or("expected one more word")?.parse()?)
}

/// What this process has resident, and the most it ever had, in KiB (proc(5)).
fn memory() -> Outcome<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|sizes| sizes.split_whitespace().next()).ok_or("expected a size in KiB")
    };
    Ok(format!("{} {}", size("VmRSS:")?, size("VmHWM:")?))
}

/// Nodes that are opened, or connected, at once: as many as may knock from one address.
const AT_ONCE_COUNT: usize = 8;
