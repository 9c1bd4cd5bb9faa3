//! `show`: one message's text, whatever its size.

use crate::args::PlaceArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::place::Place;

pub(super) async fn run(context: &Context, args: PlaceArgs) -> Result<(), CliError> {
    let place = Place::parse(&args.place)?;
    context
        .with_client(async |client| {
            let mut text = client.text(place.from, place.epoch, place.seq);
            let mut rest = Vec::new();
            while let Some(piece) = text.next().await? {
                context.output.write_text(&piece, &mut rest).await?;
            }
            context.output.write(rest).await
        })
        .await
}
