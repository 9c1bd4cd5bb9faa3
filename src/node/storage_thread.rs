//! The one thread that owns the store: it groups all writes that wait into one durable batch.
//!
//! ```text
//! jobs that wait → staged one by one → one commit (fsync) → every answer → notice → reads
//! ```
//!
//! While one group is being fsynced the next one gathers by itself, so a busy node commits a few
//! hundred writes at a time and an idle one a single write at once. Reads run between commits and
//! see durable state alone.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::audience::Audience;
use super::clock::Clock;
use super::error::NodeError;
use super::standing::Standing;
use crate::limits::{GROUP_JOB_COUNT_MAX, GROUP_STAGED_SIZE_MAX, STORAGE_JOB_COUNT_MAX};
use crate::planted;
use crate::queue::{Queue, QueueError};

/// A way to the storage thread; it ends when the last one is dropped or after
/// [`Storage::shutdown`].
#[derive(Clone)]
pub(super) struct Storage {
    jobs: mpsc::Sender<Job>,
    failure: Arc<OnceLock<Failure>>,
    /// Cancelled once the thread has ended and said why.
    ended: CancellationToken,
}

/// Why the storage thread stopped: every later job gets the same answer.
pub(super) type Failure = Arc<QueueError>;

enum Job {
    Write(StageFn),
    Read(ReadFn),
    Shutdown(oneshot::Sender<Result<(), Failure>>),
}

/// Stages a write and gives what to do once it is durable; nothing when it was refused. An error is
/// the store's: nothing staged before or after it is to be written.
type StageFn = Box<dyn FnOnce(&mut Queue) -> Result<Option<CompleteFn>, Failure> + Send>;
type CompleteFn = Box<dyn FnOnce(Result<&mut Queue, Failure>) + Send>;
type ReadFn = Box<dyn FnOnce(&mut Queue) + Send>;

impl Storage {
    /// Starts the thread, which tells `audience` of each commit and of its own end.
    pub(super) fn start(standing: Standing, clock: Clock, audience: Audience) -> Self {
        let (jobs, waiting) = mpsc::channel(STORAGE_JOB_COUNT_MAX);
        let (audience, failure) = (Arc::new(audience), Arc::new(OnceLock::new()));
        let ended = CancellationToken::new();
        let farewell = Farewell {
            audience: Arc::clone(&audience),
            failure: Arc::clone(&failure),
            _ended: ended.clone().drop_guard(),
        };
        let told = Arc::clone(&failure);
        let worker = Worker { standing, clock, waiting, audience, failure: told };
        let run = move || {
            // Dropped after the worker, with its end of the jobs, however that ends.
            let _farewell = farewell;
            worker.run();
        };
        thread::Builder::new()
            .name("peermq-storage".to_owned())
            .spawn(run)
            .expect("a process that starts can start a thread");
        Self { jobs, failure, ended }
    }

    /// Runs `stage`, and answers when what it staged is durable.
    ///
    /// # Errors
    /// What `stage` refused with, or [`NodeError::Storage`] and [`NodeError::Stopped`] when it is
    /// unknown whether the write is durable.
    pub(super) fn write<T: Send + 'static>(
        &self,
        stage: impl FnOnce(&mut Queue) -> Result<T, QueueError> + Send + 'static,
    ) -> impl Future<Output = Result<T, NodeError>> + Send {
        self.write_then(stage, |_, staged| staged)
    }

    /// Runs `stage`, and once what it staged is durable `then`, which reads the answer.
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub(super) fn write_then<S, T>(
        &self,
        stage: impl FnOnce(&mut Queue) -> Result<S, QueueError> + Send + 'static,
        then: impl FnOnce(&mut Queue, S) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, NodeError>> + Send
    where
        S: Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, NodeError>>();
        let job: StageFn = Box::new(move |queue| match stage(queue) {
            Ok(staged) if planted::is("early-answer") => {
                let _ = answer.send(Ok(then(queue, staged)));
                Ok(None)
            }
            Ok(staged) => Ok(Some(Box::new(move |durable: Result<&mut Queue, Failure>| {
                let outcome = durable.map(|queue| then(queue, staged));
                // Whoever asked may have gone; the write stands all the same.
                let _ = answer.send(outcome.map_err(NodeError::Storage));
            }))),
            Err(error) if error.is_fatal() => {
                let failure = Arc::new(error);
                let _ = answer.send(Err(NodeError::Storage(Arc::clone(&failure))));
                Err(failure)
            }
            Err(refused) => {
                let _ = answer.send(Err(refused.into()));
                Ok(None)
            }
        });
        // The closures stay out of the future, which whoever has many of them in flight moves about.
        async move { self.ask(Job::Write(job), answered).await? }
    }

    /// Runs `read` between two commits.
    ///
    /// # Errors
    /// [`NodeError::Storage`] or [`NodeError::Stopped`] when the thread has ended.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Queue) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        let (answer, answered) = oneshot::channel();
        let job: ReadFn = Box::new(move |queue| {
            let _ = answer.send(read(queue));
        });
        self.ask(Job::Read(job), answered).await
    }

    /// Has something done between two commits, without waiting for it; a thread that is too busy to
    /// take it has `job` wait in a task.
    pub(super) fn post(&self, job: impl FnOnce(&mut Queue) + Send + 'static) {
        let jobs = self.jobs.clone();
        if let Err(mpsc::error::TrySendError::Full(job)) = jobs.try_send(Job::Read(Box::new(job)))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { jobs.send(job).await });
        }
    }

    /// Finishes the writes that wait, closes the store and ends the thread.
    ///
    /// # Errors
    /// [`NodeError::Storage`] when the last commit failed.
    pub(super) async fn shutdown(&self) -> Result<(), NodeError> {
        let (answer, answered) = oneshot::channel();
        match self.ask(Job::Shutdown(answer), answered).await {
            Ok(closed) => closed.map_err(NodeError::Storage),
            Err(NodeError::Stopped) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    /// Hands a job over and waits for its answer. A thread that ends without one says why, after
    /// all that it had in hand is dropped.
    async fn ask<T>(&self, job: Job, answered: oneshot::Receiver<T>) -> Result<T, NodeError> {
        let is_sent = match self.jobs.try_send(job) {
            // So many wait already that this one waits for its place.
            Err(mpsc::error::TrySendError::Full(job)) => self.jobs.send(job).await.is_ok(),
            sent => sent.is_ok(),
        };
        if is_sent && let Ok(answer) = answered.await {
            return Ok(answer);
        }
        self.ended.cancelled().await;
        let failure = self.failure.get();
        Err(failure.map_or(NodeError::Stopped, |failure| NodeError::Storage(Arc::clone(failure))))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("failure", &self.failure.get()).finish_non_exhaustive()
    }
}

/// The thread's side.
struct Worker {
    standing: Standing,
    clock: Clock,
    waiting: mpsc::Receiver<Job>,
    audience: Arc<Audience>,
    failure: Arc<OnceLock<Failure>>,
}

/// Says that the thread has ended, also when it panicked.
struct Farewell {
    audience: Arc<Audience>,
    failure: Arc<OnceLock<Failure>>,
    _ended: DropGuard,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if thread::panicking() {
            self.failure.get_or_init(|| Arc::new(QueueError::Broken));
        }
        self.audience.on_end();
    }
}

/// The jobs of one turn.
struct Turn {
    /// Whether all of it is staged; after an error of the store there is nothing to commit.
    staged: Result<(), Failure>,
    completions: Vec<CompleteFn>,
    reads: Vec<ReadFn>,
    shutdown: Option<oneshot::Sender<Result<(), Failure>>>,
}

impl Turn {
    const fn new() -> Self {
        Self { staged: Ok(()), completions: Vec::new(), reads: Vec::new(), shutdown: None }
    }

    /// Runs one job's staging, or keeps the job for after the commit.
    fn take(&mut self, job: Job, queue: &mut Queue) {
        match job {
            Job::Write(stage) => match stage(queue) {
                Ok(complete) => self.completions.extend(complete),
                Err(failure) => self.staged = Err(failure),
            },
            Job::Read(read) => self.reads.push(read),
            Job::Shutdown(answer) => self.shutdown = Some(answer),
        }
    }

    /// Whether nothing may follow in this turn.
    const fn is_last(&self) -> bool {
        self.staged.is_err() || self.shutdown.is_some()
    }
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.waiting.blocking_recv() {
            self.standing.look_at_disk();
            let turn = self.gather(first);
            if self.commit(turn.staged, turn.completions).is_err() {
                return;
            }
            for read in turn.reads {
                read(&mut self.standing.queue);
            }
            while self.standing.queue.has_leftovers() && self.waiting.is_empty() {
                if self.commit(Ok(()), Vec::new()).is_err() {
                    return;
                }
            }
            if let Some(answer) = turn.shutdown {
                let _ = answer.send(self.standing.close().map_err(Arc::new));
                return;
            }
        }
        if let Err(error) = self.standing.close() {
            tracing::error!(%error, "the store was not closed in order");
        }
    }

    /// Takes what waits, up to the size of a group.
    fn gather(&mut self, first: Job) -> Turn {
        let mut turn = Turn::new();
        let mut next = Some(first);
        let mut count = 0;
        while let Some(job) = next {
            turn.take(job, &mut self.standing.queue);
            count += 1;
            let full = count >= GROUP_JOB_COUNT_MAX
                || self.standing.queue.staged_size() >= GROUP_STAGED_SIZE_MAX;
            next = if full || turn.is_last() { None } else { self.waiting.try_recv().ok() };
        }
        turn
    }

    /// Makes what is staged durable, then tells everyone. An error ends the thread: what the disk
    /// holds is known again only after the next open.
    fn commit(
        &mut self,
        staged: Result<(), Failure>,
        completions: Vec<CompleteFn>,
    ) -> Result<(), Failure> {
        if planted::is("early-answer") {
            // Wide enough for a kill at a random instant.
            thread::sleep(std::time::Duration::from_millis(50));
        }
        match staged.and_then(|()| self.standing.commit(&self.clock).map_err(Arc::new)) {
            Ok(changes) => {
                for complete in completions {
                    complete(Ok(&mut self.standing.queue));
                }
                if !changes.is_empty() {
                    self.audience.on_commit(changes);
                }
                Ok(())
            }
            Err(failure) => {
                tracing::error!(%failure, "the store failed: the node takes nothing more");
                let failure = Arc::clone(self.failure.get_or_init(|| failure));
                for complete in completions {
                    complete(Err(Arc::clone(&failure)));
                }
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use peermq_storage::MemoryStore;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::crypto::Identity;
    use crate::node::directory::Directory;
    use crate::node::sessions::Sessions;
    use crate::types::UnixMs;

    #[tokio::test]
    async fn whoever_comes_after_a_failed_store_hears_the_first_cause() {
        let me = Identity::from_seed(&[1; 32]).id();
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open_or_create(folder.path()).unwrap();
        let (lock, store) = (directory.lock().unwrap(), Box::new(MemoryStore::new()));
        let standing = Standing::open(&directory, lock, store, me, UnixMs(1)).unwrap();
        let (sessions, stopping) = (Arc::new(Sessions::new(me, 1)), CancellationToken::new());
        let audience = Audience { sessions, news: Arc::default(), stopping: stopping.clone() };
        let mut waiting = audience.news.unread();
        let storage = Storage::start(standing, Clock::system(), audience);
        let peer = Identity::from_seed(&[2; 32]).id();
        let damaged = |_: &mut Queue| Err::<(), _>(QueueError::Damaged("a row"));
        let add = move |queue: &mut Queue| queue.add_peer(&peer, None);
        let (first, beside) = tokio::join!(storage.write(damaged), storage.write(add));
        for failed in [first, beside, storage.write(add).await, storage.shutdown().await] {
            let Err(NodeError::Storage(cause)) = failed else {
                panic!("expected the failed store")
            };
            assert!(matches!(*cause, QueueError::Damaged("a row")), "{cause}");
        }
        // Whoever waits, waits no longer.
        waiting.changed().await.unwrap();
        stopping.cancelled().await;
        assert!(directory.lock().is_ok());
    }
}
