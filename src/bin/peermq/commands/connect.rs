//! `connect`: stay connected to a peer.

use peermq::gateway::Client;
use peermq::gateway::schema::{Ack, Level};
use peermq::node::transport::Addr;
use peermq::types::Id;

use crate::args::ConnectArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{ack_line, remark};
use crate::place;
use crate::progress::Progress;

pub(super) async fn run(context: &Context, args: ConnectArgs) -> Result<(), CliError> {
    let to = place::id(&args.id)?;
    let hint = args.addr.map(|text| text.parse::<Addr>()).transpose();
    let hint = hint.map_err(|error| CliError::Failed(error.to_string()))?;
    context
        .with_client(async |client| {
            let mut backlog = Progress::catch_up(async || backlog(client, to).await).await?;
            let mut acks = client.connect(to, hint.as_ref());
            while let Some(ack) = acks.next().await? {
                let line = ack_line(context.output, &ack);
                match &backlog {
                    Some(progress) => progress.remark(&line),
                    None => remark(&line),
                }
                backlog.take_if(|progress| {
                    progress.add(done_with(&ack));
                    progress.is_done()
                });
            }
            Ok(())
        })
        .await
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
