//! Auth: each end's signature over the handshake, and the keys that it vouches for.

use std::sync::Arc;

use snow::HandshakeState;
use zeroize::Zeroize;

use super::{RecordOpener, RecordSealer, Session};
use crate::crypto::{CryptoError, Domain, Identity, PairSecret, Signature, Statement};
use crate::limits::{AUTH_SIZE, SEAL_TAG_SIZE};
use crate::types::Id;

/// Which end of a handshake.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Initiator,
    Responder,
}

/// A handshake whose Noise part is done, while the other end's signature is still to come.
#[derive(Debug)]
pub(super) struct Unproven {
    identity: Arc<Identity>,
    pair: Arc<PairSecret>,
    role: Role,
    session: Session,
}

impl Unproven {
    /// Noise's `Split()`. The keys are taken raw, since snow's transport state seals from one
    /// buffer into another and cannot be given to two owners.
    pub(super) fn split(
        mut noise: HandshakeState,
        identity: Arc<Identity>,
        pair: Arc<PairSecret>,
        role: Role,
    ) -> Self {
        let hash = noise.get_handshake_hash().first_chunk();
        let handshake_hash = *hash.expect("BLAKE2s gives 32 bytes");
        let (mut forth, mut back) = noise.dangerously_get_raw_split();
        let (send, receive) = match role {
            Role::Initiator => (&forth, &back),
            Role::Responder => (&back, &forth),
        };
        let (send, receive) = (RecordSealer::new(send), RecordOpener::new(receive));
        forth.zeroize();
        back.zeroize();
        let session = Session { peer: pair.peer(), send, receive, handshake_hash };
        Self { identity, pair, role, session }
    }

    /// This end's Auth.
    pub(super) fn sign(&mut self) -> Result<[u8; AUTH_SIZE], CryptoError> {
        let statement = self.statement(self.role, &self.identity.id(), &self.session.peer);
        let Signature(mut text) = self.identity.sign(&statement);
        let tag = self.session.send.seal_separately(&mut text)?;
        let mut auth = [0; AUTH_SIZE];
        let (sealed, tag_room) = auth.split_at_mut(Signature::SIZE);
        sealed.copy_from_slice(&text);
        tag_room.copy_from_slice(&tag);
        Ok(auth)
    }

    /// Checks the other end's Auth.
    pub(super) fn verify(&mut self, auth: &[u8; AUTH_SIZE]) -> Result<(), CryptoError> {
        let mut auth = *auth;
        let text = self.session.receive.open(&mut auth)?;
        let signature = Signature((&*text).try_into().map_err(|_| CryptoError::Record)?);
        let role = self.role.other();
        let statement = self.statement(role, &self.session.peer, &self.identity.id());
        self.pair.verifier().verify(&statement, &signature)
    }

    /// The session, after `verify`.
    pub(super) fn into_session(self) -> Session {
        self.session
    }

    fn statement(&self, role: Role, signer: &Id, other: &Id) -> Statement {
        let statement = Statement::new(Domain::SESSION).tag(role.tag());
        let statement = statement.raw(&self.session.handshake_hash);
        statement.raw(signer.as_bytes()).raw(other.as_bytes())
    }
}

impl Role {
    const fn tag(self) -> u8 {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

const _: () = assert!(AUTH_SIZE == Signature::SIZE + SEAL_TAG_SIZE);
