//! `status`: what the node holds and to whom it is connected.

use std::fmt::Write;

use peermq::gateway::schema::{EndedSession, PeerStatus, SessionStatus, Status};

use super::forks;
use crate::context::Context;
use crate::error::CliError;
use crate::escape::push_escaped;
use crate::quantity::show_size;
use crate::time::Rfc3339;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    context
        .with_client(async |client| {
            let status = client.status().await?;
            context.output.result(text(&status).trim_end(), &status).await
        })
        .await
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    let Status { id, epoch, store, health, .. } = status;
    let listening = status.listening.map_or_else(|| "no".to_owned(), |at| format!("on {at}"));
    let lines = format!(
        "id         {id}\nepoch      {epoch}\nstore      {store}, {health}\nlistening  {listening}\n"
    );
    text.push_str(&lines);
    if let Some(stale) = &status.stale {
        writeln!(text, "stale      {stale}").expect("a String takes all that is written");
    }
    if let Some(full) = &status.disk_full {
        writeln!(text, "disk full  {full}").expect("a String takes all that is written");
    }
    for fork in &status.forks {
        writeln!(text, "forked     {}", forks::text(fork))
            .expect("a String takes all that is written");
    }
    for session in &status.sessions {
        push_session(&mut text, session);
    }
    for EndedSession { peer, at, why } in &status.ended {
        let mut line = String::new();
        // The words of a peer's own never come in here; those of the system may.
        push_escaped(&mut line, why.as_bytes());
        writeln!(text, "ended      {peer} at {}: {line}", Rfc3339(*at))
            .expect("a String takes all that is written");
    }
    for peer in &status.peers {
        push_peer(&mut text, peer);
    }
    text
}

fn push_session(text: &mut String, session: &SessionStatus) {
    let SessionStatus { peer, since, .. } = session;
    let address = session.address.map(|address| format!(" at {address}")).unwrap_or_default();
    writeln!(text, "connected  {peer}{address} since {}", Rfc3339(*since))
        .expect("a String takes all that is written");
}

fn push_peer(text: &mut String, peer: &PeerStatus) {
    let PeerStatus { id, unread, unread_bytes, sent, stored, archived, .. } = peer;
    let added = if peer.added { "" } else { " (not added)" };
    let positions: Vec<_> =
        peer.positions.iter().map(|at| format!("{}:{}", at.epoch, at.length)).collect();
    writeln!(
        text,
        "peer       {id}{added}\n           unread {unread} ({}), sent {sent}, stored there \
         {stored}, archived there {archived}\n           its log as far as {}",
        show_size(*unread_bytes),
        if positions.is_empty() { "unknown".to_owned() } else { positions.join(" ") },
    )
    .expect("a String takes all that is written");
}
