//! Forks, and what else the user has to know.

use bytes::Bytes;

use super::{Client, Live, request};
use crate::gateway::error::ClientError;
use crate::gateway::events;
use crate::gateway::schema::{Fork, Notice};
use crate::types::{Epoch, Id};

impl Client {
    /// What the user has to know: what stands, then whatever comes.
    pub fn notices(&self) -> Live<'_, Notice> {
        Live::new(self, "/v1/notices".to_owned(), events::NOTICE)
    }

    /// The authors that have signed two versions of their log.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn forks(&self) -> Result<Vec<Fork>, ClientError> {
        self.ask(|| request::get("/v1/forks")).await
    }

    /// A proof of an author's newest fork, or of the one in one life of its log, as the bytes of its
    /// file.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::Refused`] also when there is none.
    pub async fn fork_proof(&self, author: Id, epoch: Option<Epoch>) -> Result<Bytes, ClientError> {
        let path = path(author, "proof", epoch);
        loop {
            if let Some(proof) = self.try_bytes(request::get(&path)).await? {
                return Ok(proof);
            }
        }
    }

    /// The user knows of an author's forks, or of the one in one life of its log.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::Refused`] also when there is none.
    pub async fn acknowledge_fork(
        &self,
        author: Id,
        epoch: Option<Epoch>,
    ) -> Result<(), ClientError> {
        let path = path(author, "acknowledge", epoch);
        self.tell(|| request::post(&path, &())).await
    }
}

fn path(author: Id, what: &str, epoch: Option<Epoch>) -> String {
    let epoch = epoch.map(|epoch| format!("?epoch={epoch}")).unwrap_or_default();
    format!("/v1/forks/{author}/{what}{epoch}")
}
