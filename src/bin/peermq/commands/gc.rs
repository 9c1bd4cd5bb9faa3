//! `gc`: space of what is of no more use.

use peermq::gateway::schema::Keep;
use peermq::node::{self, Intent};
use serde_json::json;

use crate::args::{GcArgs, KeepLevel};
use crate::context::{Context, blocking};
use crate::error::CliError;
use crate::quantity::show_size;

pub(super) async fn run(context: &Context, args: GcArgs) -> Result<(), CliError> {
    let intent = if args.dry_run { Intent::Tell } else { Intent::Free };
    let keep = match args.keep {
        KeepLevel::Archived => Keep::Archived,
        KeepLevel::Stored => Keep::Stored,
    };
    let mut bytes = 0;
    let reclaimed = context.with_client(async |client| {
        bytes = client.reclaim(intent, keep).await?.bytes;
        Ok(())
    });
    reclaimed.await?;
    let size = show_size(bytes);
    if intent == Intent::Tell {
        let text = format!("{size} would be freed");
        return context.output.result(&text, &json!({ "bytes": bytes })).await;
    }
    let (directory, store) = (context.directory()?, context.store);
    let shrunk = blocking(move || Ok(node::shrink(&directory, store)?)).await?;
    let (text, value) = match shrunk {
        None => (format!("{size} freed"), json!({ "bytes": bytes })),
        Some(shrunk) => (
            format!(
                "{size} freed; the store's files take {}, not {}",
                show_size(shrunk.after),
                show_size(shrunk.before)
            ),
            json!({ "bytes": bytes, "before": shrunk.before, "after": shrunk.after }),
        ),
    };
    context.output.result(&text, &value).await
}
