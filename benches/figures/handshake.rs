//! What it costs two nodes to prove to each other who they are.

use std::sync::Arc;
use std::time::Instant;

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use peermq::crypto::noise::{Network, Responder};
use peermq::crypto::{Identity, PairSecret};
use peermq::node::transport::{
    Addr, Knock, ListenAt, Secured, TcpTransport, Transport as _, initiate,
};

use crate::Outcome;

/// Milliseconds of one handshake, with its connection.
pub(crate) struct Handshake {
    /// On a processor, both ends together.
    pub(crate) cpu_ms: f64,
    /// From the dial until both ends have verified the other.
    pub(crate) wall_ms: f64,
}

/// Handshakes over loopback TCP, both ends in one thread.
pub(crate) fn measure() -> Outcome<Handshake> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let [dialler, dialled] = [1, 2].map(|seed| Arc::new(Identity::from_seed(&[seed; 32])));
        let pair = Arc::new(PairSecret::new(&dialler, &dialled.id())?);
        let back = Arc::new(PairSecret::new(&dialled, &dialler.id())?);
        let network = Network::default();
        let responder = Responder::new(&dialled, Arc::new(back), &network);
        let at = ListenAt::Addr(Addr::Socket(([127, 0, 0, 1], 0).into()));
        let mut listener = TcpTransport.listen(&at).await?;
        let hint = listener.local_addr().ok_or("expected an address")?;
        let to = dialled.id();
        let (start, cpu_start) = (Instant::now(), cpu_ms()?);
        for _ in 0..HANDSHAKE_COUNT {
            let dial = async {
                let connection = TcpTransport.dial(&to, std::slice::from_ref(&hint)).await?;
                Outcome::<Secured>::Ok(initiate(connection, &dialler, &pair, &network).await?)
            };
            let accept = async {
                let incoming = listener.accept().await?;
                // The stages that a node's listener goes through.
                let knock = Knock::hear(incoming.connection, &responder).await;
                match knock.and_then(|knock| knock.read(&responder)) {
                    Ok(claim) => Outcome::<Secured>::Ok(claim.answer().await?),
                    Err(unanswered) => Err(unanswered.wait().await.into()),
                }
            };
            let _ends = tokio::try_join!(dial, accept)?;
        }
        let (cpu_ms, wall_ms) = (cpu_ms()? - cpu_start, start.elapsed().as_secs_f64() * 1_000.0);
        let each = f64::from(HANDSHAKE_COUNT);
        Ok(Handshake { cpu_ms: cpu_ms / each, wall_ms: wall_ms / each })
    })
}

/// Milliseconds on a processor of the operations on curves that a handshake is made of: each end
/// makes a key and agrees on three secrets (the fourth is kept), signs, and verifies.
pub(crate) fn bare() -> Outcome<f64> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let mut scalar = [3; 32];
    let start = cpu_ms()?;
    for _ in 0..2 * HANDSHAKE_COUNT {
        let mut point = MontgomeryPoint::mul_base_clamped(scalar);
        for _ in 0..3 {
            point = point.mul_clamped(scalar);
        }
        scalar = point.to_bytes();
        let signature = key.sign(&scalar);
        key.verifying_key().verify_strict(&scalar, &signature)?;
    }
    Ok((cpu_ms()? - start) / f64::from(HANDSHAKE_COUNT))
}

/// Milliseconds that this thread has been on a processor: the first number, in ns, of what the
/// scheduler tells (Documentation/scheduler/sched-stats.rst of Linux).
fn cpu_ms() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns: f64 = stat.split(' ').next().ok_or("expected a time")?.parse()?;
    Ok(ns / 1_000_000.0)
}

const HANDSHAKE_COUNT: u32 = 500;
