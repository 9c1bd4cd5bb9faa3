//! `receipt`: a proof that a message is at its recipient.

use crate::args::ReceiptArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::place::Place;
use crate::proof;

pub(super) async fn run(context: &Context, args: ReceiptArgs) -> Result<(), CliError> {
    let place = Place::parse(&args.place)?;
    proof::check_target(context.output, args.out.as_deref())?;
    context
        .with_client(async |client| {
            let bytes = client.receipt(place.from, place.epoch, place.seq).await?;
            proof::deliver(context.output, args.out.as_deref(), &bytes).await
        })
        .await
}
