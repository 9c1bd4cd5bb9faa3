//! `archive` and `clear`: messages that their reader is done with.

use peermq::gateway::schema::Places;

use crate::args::PlaceArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::place::Place;

pub(super) async fn archive(context: &Context, args: PlaceArgs) -> Result<(), CliError> {
    let places = places(&args)?;
    context.with_client(async |client| Ok(client.archive(&places).await?)).await
}

pub(super) async fn clear(context: &Context, args: PlaceArgs) -> Result<(), CliError> {
    let places = places(&args)?;
    context.with_client(async |client| Ok(client.clear(&places).await?)).await
}

fn places(args: &PlaceArgs) -> Result<Places, CliError> {
    Ok(Places { places: vec![Place::parse(&args.place)?.range()] })
}
