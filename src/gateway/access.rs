//! Getting to a directory's node: becoming it, or finding who is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use peermq_storage::Kind;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::request;
use super::error::ClientError;
use super::server::Holder;
use super::socket::{self, Cut};
use crate::limits::{ATTACH_MS_MAX, ATTACH_RETRY_MS};
use crate::node::Options;
use crate::node::directory::{AskPassphrase, Directory, DirectoryError};

/// Which directory, and how its node is opened if nobody has.
#[derive(Debug, Clone)]
pub struct Opening {
    directory: PathBuf,
    store: Option<Kind>,
    passphrase: Option<AskPassphrase>,
}

impl Opening {
    /// The node of a directory, as it is by default.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, store: None, passphrase: None }
    }

    /// Asks for a store; a directory that has another one refuses.
    #[must_use]
    pub const fn store(mut self, kind: Kind) -> Self {
        self.store = Some(kind);
        self
    }

    /// Where to get the passphrase, if the directory's key is under one.
    #[must_use]
    pub fn passphrase(mut self, ask: AskPassphrase) -> Self {
        self.passphrase = Some(ask);
        self
    }

    /// Where.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn options(&self) -> Options {
        let options = Options::new(&self.directory);
        let options = self.store.into_iter().fold(options, Options::store);
        self.passphrase.iter().cloned().fold(options, Options::passphrase)
    }

    /// Becomes the directory's node, or attaches to it.
    pub(super) async fn open(&self) -> Result<Access, ClientError> {
        let directory = Directory::open_or_create(&self.directory)?;
        let deadline = Instant::now() + Duration::from_millis(ATTACH_MS_MAX);
        loop {
            let holder = match directory.lock() {
                Ok(lock) => return Ok(Access::Here(Holder::start(directory, lock, self).await?)),
                Err(DirectoryError::Held { pid, .. }) => pid,
                Err(error) => return Err(error.into()),
            };
            let asked = socket::call(&directory, request::info());
            if let Ok(Ok(_)) = timeout_at(deadline, asked).await {
                self.store.map_or(Ok(()), |store| directory.expect_store(store))?;
                return Ok(Access::There(directory));
            }
            if Instant::now() >= deadline {
                let holder =
                    holder.map_or_else(|| "the process".to_owned(), |pid| format!("process {pid}"));
                return Err(ClientError::Silent { holder, path: self.directory.clone() });
            }
            sleep(Duration::from_millis(ATTACH_RETRY_MS)).await;
        }
    }
}

/// The way to a directory's node.
#[derive(Debug)]
pub(super) enum Access {
    /// This process is it.
    Here(Holder),
    /// Another process is it.
    There(Directory),
}

impl Access {
    /// Asks the node.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Cut> {
        match self {
            Self::Here(holder) => Ok(holder.call(request).await),
            Self::There(directory) => socket::call(directory, request).await,
        }
    }

    /// Whether another process may answer better.
    pub(super) const fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }
}
