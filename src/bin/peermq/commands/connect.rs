//! `connect`: stay connected to a peer.

use peermq::gateway::Client;
use peermq::gateway::schema::{Ack, Level};
use peermq::node::transport::Addr;
use peermq::types::Id;

use crate::args::ConnectArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::notices::Notices;
use crate::output::{ack_line, remark};
use crate::place;
use crate::progress::Progress;

pub(super) async fn run(context: &Context, args: ConnectArgs) -> Result<(), CliError> {
    let to = place::id(&args.id)?;
    let hint = args.addr.map(|text| text.parse::<Addr>()).transpose();
    let hint = hint.map_err(|error| CliError::Failed(error.to_string()))?;
    context
        .with_client_until(async |client, stop| {
            let mut backlog = Progress::catch_up(async || backlog(client, to).await).await?;
            let mut acks = client.connect(to, hint.as_ref());
            let mut notices = Notices::new(client, context.output);
            loop {
                let ack = tokio::select! {
                    ack = acks.next() => ack?,
                    Some(notice) = notices.next() => {
                        say(backlog.as_ref(), &notice?);
                        continue;
                    }
                    early = stop.wait() => return Err(early),
                };
                let Some(ack) = ack else { return Ok(()) };
                say(backlog.as_ref(), &ack_line(context.output, &ack));
                backlog.take_if(|progress| {
                    progress.add(done_with(&ack));
                    progress.is_done()
                });
            }
        })
        .await
}

/// Prints a line, above the progress if that is shown.
fn say(progress: Option<&Progress>, line: &str) {
    match progress {
        Some(progress) => progress.remark(line),
        None => remark(line),
    }
}

/// How many messages the peer is not done with.
async fn backlog(client: &Client, to: Id) -> Result<u64, CliError> {
    let status = client.status().await?;
    let peer = status.peers.iter().find(|peer| peer.id == to);
    Ok(peer.map_or(0, |peer| peer.sent.saturating_sub(peer.archived + peer.rejected)))
}

/// How many messages the peer is done with now.
fn done_with(ack: &Ack) -> u64 {
    match ack.state {
        Level::Stored => 0,
        Level::Archived | Level::Rejected => (ack.last.0 + 1).saturating_sub(ack.first.0),
    }
}
