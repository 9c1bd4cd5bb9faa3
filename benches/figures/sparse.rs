//! Catching up with a log that is nearly all for others.

use std::path::Path;
use std::time::Instant;

use peermq::limits::ADVANCE_SIZE_MAX;
use peermq::log::Item;
use peermq::node::directory::Directory;
use peermq::node::transport::Addr;
use peermq::node::{Listening, Mode, Node, Options, Set};
use peermq::queue::Queue;
use peermq::types::{Id, UnixMs};
use peermq_storage::Kind;

use crate::pair::stranger;
use crate::raw::forget_cached;
use crate::{Outcome, float, message, texts};

/// Messages for each reader, whatever the length of the log.
pub(crate) const OWN_COUNT: usize = 1_000;

/// What it takes to catch up with [`OWN_COUNT`] messages.
pub(crate) struct CatchUp {
    /// Hashes that stand for all other entries, a message.
    pub(crate) hashes: f64,
    /// Milliseconds from the dial to the last message at the reader, of an author that was just
    /// opened and whose files are not in the page cache.
    pub(crate) cold_ms: f64,
    /// The same for the next reader.
    pub(crate) warm_ms: f64,
}

/// A node that follows the log.
struct Reader {
    node: Node,
    listening: Listening,
}

/// Lets two readers catch up, one after the other, with a log of some `count` entries.
pub(crate) async fn measure(store: Kind, count: usize, dir: &Path) -> Outcome<CatchUp> {
    let author_dir = dir.join("author");
    let author = Options::new(&author_dir).store(store).open().await?;
    let first = Reader::open(store, &dir.join("first"), author.id()).await?;
    let second = Reader::open(store, &dir.join("second"), author.id()).await?;
    let to = stranger(dir).await?;
    let gap = (count / OWN_COUNT).saturating_sub(2);
    for _ in 0..OWN_COUNT {
        // Staged together, so that what is for the readers lies among what is not.
        tokio::try_join!(
            author.send_all(to, texts(gap / 2)),
            author.send(first.node.id(), message()),
            author.send(second.node.id(), message()),
            author.send_all(to, texts(gap - gap / 2)),
        )?;
    }
    author.shutdown().await?;
    let hashes = hashes(store, &author_dir, first.node.id())?;
    forget_cached(&author_dir)?;
    let author = Options::new(&author_dir).store(store).open().await?;
    let cold_ms = first.catch_up(&author).await?;
    let warm_ms = second.catch_up(&author).await?;
    author.shutdown().await?;
    Ok(CatchUp { hashes, cold_ms, warm_ms })
}

impl Reader {
    async fn open(store: Kind, dir: &Path, author: Id) -> Outcome<Self> {
        let node = Options::new(dir).store(store).open().await?;
        node.add_peer(author).await?;
        let listening = node.listen(Some(([127, 0, 0, 1], 0).into())).await?;
        Ok(Self { node, listening })
    }

    /// Milliseconds from the author's dial until all messages were read here; ends the node.
    async fn catch_up(self, author: &Node) -> Outcome<f64> {
        let mut unread = self.node.stream(Set::Unread, Mode::Live);
        let hint = self.listening.address().map(Addr::Socket);
        let start = Instant::now();
        let connection = author.connect(self.node.id(), hint).await?;
        let mut count = 0;
        while count < OWN_COUNT {
            count += unread.next_group().await?.ok_or("the stream ended")?.len();
        }
        let elapsed = start.elapsed();
        drop(unread);
        connection.close().await;
        self.node.shutdown().await?;
        Ok(elapsed.as_secs_f64() * 1_000.0)
    }
}

/// Hashes a message that stand for the entries between, as the author would serve them.
fn hashes(store: Kind, author: &Path, reader: Id) -> Outcome<f64> {
    let directory = Directory::open(author)?;
    let _lock = directory.lock()?;
    let me = directory.id(|| [0; 32])?;
    let opened = peermq_storage::open(store, &directory.store(), &directory.poison())?;
    let mut queue = Queue::open(opened.store, me, UnixMs(0))?;
    let (mut from, mut hash_count, mut entry_count) = (0, 0, 0);
    while let Some(chunk) = queue.chunk(&reader, queue.epoch(), from, &[], ADVANCE_SIZE_MAX)? {
        let is_hash = |item: &&Item| matches!(item, Item::Skip { .. });
        let hashes = chunk.items.iter().filter(is_hash).count();
        hash_count += hashes;
        entry_count += chunk.items.len() - hashes;
        from = chunk.to;
    }
    queue.close()?;
    if entry_count != OWN_COUNT {
        return Err(format!("expected {OWN_COUNT} entries, got {entry_count}").into());
    }
    Ok(float(hash_count) / float(entry_count))
}
