//! The Unix socket in the data directory: served by who holds the lock, asked by everyone else.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

use crate::node::directory::Directory;

/// The connection ended before the answer did, or there was none.
#[derive(Debug, Error)]
#[error("cut off: {0}")]
pub(super) struct Cut(String);

impl Cut {
    pub(super) fn new(error: &impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// Binds the socket, for this user alone. Who calls this holds the lock, so what lies there is left
/// over from a holder that was killed.
///
/// # Errors
/// What the file system says.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    unlink(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes the socket away.
///
/// # Errors
/// What the file system says, but for its not being there.
pub(super) fn unlink(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Asks whoever serves the socket. Each request has a connection of its own, so that dropping its
/// answer ends it on the other side too.
///
/// # Errors
/// [`Cut`] when nobody serves it, or no longer.
pub(super) async fn call(
    directory: &Directory,
    request: Request<Body>,
) -> Result<Response<Body>, Cut> {
    let path = directory.socket_path().map_err(|error| Cut::new(&error))?;
    let stream = UnixStream::connect(&path).await.map_err(|error| Cut::new(&error))?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| Cut::new(&error))?;
    // It ends with the answer; an error of its own shows in the answer, too.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| Cut::new(&error))?;
    Ok(response.map(Body::new))
}
