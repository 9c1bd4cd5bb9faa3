//! `messages`: what is stored, one line each.

use peermq::gateway::schema::ListSet;

use crate::args::{MessagesArgs, SetName};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Lines;

pub(super) async fn run(context: &Context, args: MessagesArgs) -> Result<(), CliError> {
    let set = match args.set {
        SetName::Unread => ListSet::Unread,
        SetName::Archived => ListSet::Archived,
        SetName::Sent => ListSet::Sent,
    };
    context
        .with_client(async |client| {
            let mut next = None;
            loop {
                let page = client.messages(set, next.as_deref()).await?;
                let mut lines = Lines::new(context.output);
                for run in &page.runs {
                    for listed in &run.messages {
                        lines.push_listed(run, listed);
                    }
                }
                context.output.write(lines.bytes).await?;
                match page.next {
                    Some(cursor) => next = Some(cursor),
                    None => return Ok(()),
                }
            }
        })
        .await
}
