//! `add-peer`, `remove-peer` and `peers`.

use peermq::gateway::schema::{NewPeers, Quota};
use peermq::limits::QUOTA_ENTRIES_DEFAULT;
use peermq::types::Id;

use crate::args::{AddPeerArgs, RemovePeerArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Lines;
use crate::place;

pub(super) async fn add(context: &Context, args: AddPeerArgs) -> Result<(), CliError> {
    let quota = args.quota.map(|quota| Quota {
        bytes: quota.bytes,
        entries: quota.messages.unwrap_or(QUOTA_ENTRIES_DEFAULT),
    });
    let peers = NewPeers { ids: ids(&args.ids)?, quota };
    context.with_client(async |client| Ok(client.add_peers(&peers).await?)).await
}

pub(super) async fn remove(context: &Context, args: RemovePeerArgs) -> Result<(), CliError> {
    let ids = ids(&args.ids)?;
    context
        .with_client(async |client| {
            for id in ids {
                client.remove_peer(id).await?;
            }
            Ok(())
        })
        .await
}

pub(super) async fn list(context: &Context) -> Result<(), CliError> {
    context
        .with_client(async |client| {
            let mut lines = Lines::new(context.output);
            for peer in client.peers().await? {
                lines.push_result(&peer.id.to_string(), &peer);
            }
            context.output.write(lines.bytes).await
        })
        .await
}

fn ids(texts: &[String]) -> Result<Vec<Id>, CliError> {
    texts.iter().map(|text| place::id(text)).collect()
}
