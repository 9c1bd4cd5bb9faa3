//! Long bodies on their way out: read from the store chunk by chunk, as fast as the peer takes them.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::session_task::{SessionEnd, read_owed_frame};
use super::storage_thread::Storage;
use crate::limits::SERVE_CHUNK_COUNT;
use crate::sync::body::{BodyChunk, Want};
use crate::sync::{Message, Misbehaviour, SyncError};
use crate::types::{Id, Recipient};

/// Answers the one `Want` that a sub-stream brings. Who asks for what is not its own gets the same
/// answer as who asks for what is gone.
pub(super) async fn serve_body(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    storage: &Storage,
    me: Id,
    peer: Id,
) -> Result<(), SessionEnd> {
    let want = match Message::decode(&read_owed_frame(&mut stream).await?) {
        Ok(Message::Want(want)) => want,
        Ok(other) => {
            let (expected, got) = ("a Want", other.kind());
            return Err(SyncError::from(Misbehaviour::OutOfTurn { expected, got }).into());
        }
        Err(malformed) => return Err(SyncError::from(malformed).into()),
    };
    let mut next = want.first_chunk;
    loop {
        let chunks = chunks_from(storage, me, peer, &want, next).await?;
        let ended = chunks.is_empty();
        for sealed in chunks {
            write_chunk(&mut stream, next, sealed).await?;
            next += 1;
        }
        if ended {
            // After the last chunk the peer has gone already; before it, this says that there is
            // no more.
            write_chunk(&mut stream, next, Bytes::new()).await.ok();
            stream.shutdown().await.ok();
            return Ok(());
        }
    }
}

/// The next few chunks of a body, read between two commits.
async fn chunks_from(
    storage: &Storage,
    me: Id,
    peer: Id,
    want: &Want,
    next: u32,
) -> Result<Vec<Bytes>, SessionEnd> {
    let rightful =
        want.author == *me.as_bytes() && want.recipient == Recipient::Peer(*peer.as_bytes());
    if !rightful {
        return Ok(Vec::new());
    }
    let (epoch, seq) = (want.epoch, want.seq);
    let numbers = next..next.saturating_add(SERVE_CHUNK_COUNT);
    let read = storage.read(move |queue| queue.own_body_chunks(&peer, epoch, seq, numbers)).await?;
    Ok(read.map_err(super::NodeError::from)?)
}

async fn write_chunk(
    stream: &mut (impl AsyncWrite + Unpin),
    number: u32,
    sealed: Bytes,
) -> Result<(), SessionEnd> {
    let frame = Message::Body(BodyChunk { number, sealed }).encode();
    stream.write_all(&frame.header()).await?;
    stream.write_all(&frame.payload).await?;
    stream.flush().await?;
    Ok(())
}
