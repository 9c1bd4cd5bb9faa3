//! What every command is given: the data directory, the way to its node, and the output.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use peermq::gateway::{Client, ClientError, Opening};
use peermq::node::raise_descriptor_limit;
use peermq_storage::Kind;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::GlobalArgs;
use crate::error::CliError;
use crate::output::Output;
use crate::passphrase;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    datadir: Option<PathBuf>,
    pub(crate) store: Option<Kind>,
    pub(crate) output: Output,
}

impl Context {
    /// Takes the flags that every verb has.
    pub(crate) fn new(global: GlobalArgs) -> Self {
        let GlobalArgs { datadir, json, store } = global;
        Self { datadir, store, output: Output::new(json) }
    }

    /// The data directory: the one that was named, or the user's own.
    pub(crate) fn directory(&self) -> Result<PathBuf, CliError> {
        self.datadir.clone().map_or_else(default_directory, Ok)
    }

    /// Does `work` with the directory's node, and ends in order whatever came of it. Ctrl-C, SIGTERM
    /// and a closed pipe end it early, wherever it is: but for the pipe it is not done then.
    pub(crate) async fn with_client(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut is_done = false;
        let worked = self.with_client_until(async |client, stop| {
            tokio::select! {
                worked = work(client) => {
                    is_done = true;
                    worked
                }
                early = stop.wait() => Err(early),
            }
        });
        let worked = worked.await;
        worked.map_err(|error| match error {
            CliError::Interrupted if !is_done => CliError::Unfinished,
            other => other,
        })
    }

    /// As [`Context::with_client`], for work without an end, or that ends early only where it looks
    /// for it.
    pub(crate) async fn with_client_until(
        &self,
        work: impl AsyncFnOnce(&Client, &mut Stop) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        if let Err(error) = raise_descriptor_limit() {
            tracing::warn!(%error, "the descriptor limit stays as it is");
        }
        let mut stop = Stop { interrupt: Interrupt::new()?, output: self.output };
        let opening = Opening::new(self.directory()?).passphrase(passphrase::current());
        let opening = self.store.into_iter().fold(opening, Opening::store);
        let opened = stop.interrupt.or(Client::open(opening)).await;
        let client = opened.ok_or(CliError::Interrupted)??;
        let worked = work(&client, &mut stop).await;
        let closed = stop.interrupt.or(client.close()).await;
        worked?;
        closed.ok_or(CliError::Interrupted)?.map_err(CliError::from)
    }
}

/// Why a command may end early.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Interrupt,
    output: Output,
}

impl Stop {
    /// Waits for Ctrl-C, SIGTERM, or the end of whoever reads the results.
    pub(crate) async fn wait(&mut self) -> CliError {
        tokio::select! {
            closed = self.output.closed() => closed,
            () = self.interrupt.next() => CliError::Interrupted,
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Ctrl-C and SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupt {
    ctrl_c: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, CliError> {
        let catch = |kind| {
            signal(kind).map_err(|error| {
                CliError::Failed(format!("expected to catch signals, got: {error}"))
            })
        };
        let ctrl_c = catch(SignalKind::interrupt())?;
        Ok(Self { ctrl_c, terminate: catch(SignalKind::terminate())? })
    }

    /// Waits for either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does `work`; `None` when either comes first.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            worked = work => Some(worked),
            () = self.next() => None,
        }
    }
}

/// Does work that blocks, unless Ctrl-C or SIGTERM comes first: then the program ends in the middle
/// of it, which leaves a disk as a kill does.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let worked = Interrupt::new()?.or(tokio::task::spawn_blocking(work)).await;
    worked.ok_or(CliError::Unfinished)?.expect("such work does not panic and is not aborted")
}

/// Where the user's programs keep their data, by the conventions of the system.
fn default_directory() -> Result<PathBuf, CliError> {
    match etcetera::choose_base_strategy() {
        Ok(strategy) => Ok(strategy.data_dir().join("peermq")),
        Err(_) => Err(CliError::Failed(
            "expected a home directory to keep the data in, got none: name one with -d DIR".into(),
        )),
    }
}
