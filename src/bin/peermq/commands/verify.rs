//! `verify`: whether a proof holds, on any machine and without a data directory.

use crate::args::VerifyArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::proof::{self, Finding};

pub(super) async fn run(context: &Context, args: VerifyArgs) -> Result<(), CliError> {
    let bytes = proof::read(&args.proof).await?;
    let finding = Finding::of(&bytes)?;
    context.output.result(&finding.to_string(), &finding).await
}
