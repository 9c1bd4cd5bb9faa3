//! `show`: one message's text, whatever its size.

use peermq::gateway::TextReader;
use peermq::gateway::schema::Content;
use peermq::limits::JSON_TEXT_SIZE_MAX;
use peermq::types::{Epoch, Seq};
use serde::Serialize;

use crate::args::PlaceArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::place::Place;

pub(super) async fn run(context: &Context, args: PlaceArgs) -> Result<(), CliError> {
    let place = Place::parse(&args.place)?;
    let output = context.output;
    context
        .with_client(async |client| {
            let text = client.text(place.from, place.epoch, place.seq);
            if output.is_json() {
                object(output, &place, text).await
            } else {
                raw(output, text).await
            }
        })
        .await
}

async fn raw(output: Output, mut text: TextReader<'_>) -> Result<(), CliError> {
    let mut rest = Vec::new();
    while let Some(piece) = text.next().await? {
        output.write_text(&piece, &mut rest).await?;
    }
    output.write(rest).await
}

/// One object, which is held in memory whole and therefore has a bound.
async fn object(output: Output, place: &Place, mut text: TextReader<'_>) -> Result<(), CliError> {
    let mut whole = Vec::new();
    while let Some(piece) = text.next().await? {
        whole.extend_from_slice(&piece);
        if whole.len() > JSON_TEXT_SIZE_MAX {
            return Err(CliError::Failed(format!(
                "expected a text of at most {JSON_TEXT_SIZE_MAX} bytes for --json, got a longer one: \
                 leave --json out"
            )));
        }
    }
    let content = match String::from_utf8(whole) {
        Ok(text) => Content::Text(text),
        Err(error) => Content::Base64(error.into_bytes().into()),
    };
    let Place { from, epoch, seq } = *place;
    output.result("", &Shown { from: from.to_string(), epoch, seq, content }).await
}

/// A message's text as one object.
#[derive(Debug, Serialize)]
struct Shown {
    from: String,
    /// Absent when the place named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    seq: Seq,
    #[serde(flatten)]
    content: Content,
}
