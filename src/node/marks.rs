//! Marks: messages that their reader is done with.

use futures::future::try_join_all;

use super::Node;
use super::error::NodeError;
use super::inner::Inner;
use super::message::Places;
use crate::queue::{Mark, Place};

impl Node {
    /// Archives messages: Ok means that it is durable, that none of them is offered again, and that
    /// their senders will be told. Archiving twice is Ok.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "one").await?;
    /// bob.wait(&bob.send(alice.id(), "two").await?, AckLevel::Stored).await?;
    ///
    /// let mut unread = alice.stream(Set::Unread, Mode::Drain);
    /// let one = unread.next_message().await?.expect("two are stored");
    /// alice.archive(&one).await?;
    ///
    /// let all = Place { from: bob.id(), epoch: bob.epoch(), seqs: 0..=1 };
    /// alice.archive(all).await?; // A range, one durable step; twice is Ok.
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Queue`] when a message was never received, or its long body is not here yet:
    /// then nothing is archived.
    pub async fn archive(&self, places: impl Into<Places>) -> Result<(), NodeError> {
        self.inner.mark(places.into(), Mark::Archived).await
    }

    /// Clears messages: as [`Node::archive`], and their bodies go.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "for your eyes only").await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Live);
    /// let message = unread.next_message().await?.expect("a live stream never ends");
    /// alice.clear(&message).await?;
    /// alice.read(bob.id(), None, sent.seq).await.unwrap_err();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Queue`] when a message was never received: then nothing is cleared.
    pub async fn clear(&self, places: impl Into<Places>) -> Result<(), NodeError> {
        self.inner.mark(places.into(), Mark::Cleared).await
    }
}

impl Inner {
    /// Marks messages, all of them or, when one cannot be marked, none. What is too much for one
    /// durable step goes into as few as the storage thread makes of all that wait.
    async fn mark(&self, places: Places, mark: Mark) -> Result<(), NodeError> {
        let places = places.into_vec();
        if Place::fit_one_mark(&places) {
            return self.storage.write(move |queue| queue.mark(&places, mark)).await;
        }
        let all = places.clone();
        self.storage.read(move |queue| queue.check_marks(&all, mark)).await??;
        let groups = Place::groups(places);
        let marked = groups.map(|group| self.storage.write(move |queue| queue.mark(&group, mark)));
        try_join_all(marked).await.map(drop)
    }
}
