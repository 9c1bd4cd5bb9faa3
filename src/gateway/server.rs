//! Holding a directory: the node, its router, and the socket through which others use them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

use super::access::Opening;
use super::error::ClientError;
use super::{router, socket};
use crate::limits::SERVE_END_MS_MAX;
use crate::node::directory::{Directory, Lock};
use crate::node::{Node, NodeError};

/// The one process that holds a directory, seen from inside.
#[derive(Debug)]
pub(super) struct Holder {
    node: Node,
    router: Router,
    directory: Directory,
    stop: CancellationToken,
    server: tokio::sync::Mutex<Option<Server>>,
    /// A holder that is just dropped serves nobody either.
    _stops: DropGuard,
}

/// What listens on the socket.
#[derive(Debug)]
struct Server {
    task: JoinHandle<()>,
    /// A node that has failed lets go of its directory, which is still this one's until the socket is
    /// gone: the next holder's has the same name.
    _lock: Option<Arc<Lock>>,
}

impl Holder {
    /// Opens the node under a lock that is held, and serves it.
    pub(super) async fn start(
        directory: Directory,
        lock: Lock,
        opening: &Opening,
    ) -> Result<Self, ClientError> {
        let node = opening.options().lock(lock).open().await?;
        let stop = CancellationToken::new();
        let router = router(node.clone(), stop.clone());
        let path = directory.socket_path()?;
        let listener = socket::bind(path.as_ref())
            .map_err(|source| ClientError::Socket { path: directory.path().to_owned(), source })?;
        let serving = axum::serve(listener, router.clone())
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the local API ended");
            }
        });
        let _stops = stop.clone().drop_guard();
        let server = Server { task, _lock: node.hold() };
        let server = tokio::sync::Mutex::new(Some(server));
        Ok(Self { node, router, directory, stop, server, _stops })
    }

    /// Answers a request without a socket in between.
    pub(super) async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Ends in order: nobody new, those in flight, the node, the lock.
    pub(super) async fn close(&self) -> Result<(), NodeError> {
        if let Some(mut server) = self.server.lock().await.take() {
            let unlinked = self.directory.socket_path().map(|path| socket::unlink(path.as_ref()));
            if !matches!(unlinked, Ok(Ok(()))) {
                tracing::warn!("the socket stays behind; the next holder takes it away");
            }
            self.stop.cancel();
            let end = Duration::from_millis(SERVE_END_MS_MAX);
            if tokio::time::timeout(end, &mut server.task).await.is_err() {
                server.task.abort();
            }
        }
        self.node.clone().shutdown().await
    }
}
