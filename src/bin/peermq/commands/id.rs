//! `id`: who this node is. Neither the lock nor the store is touched.

use peermq::node::directory::Directory;
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| CliError::Failed(format!("expected random bytes, got: {error}")))?;
    let id = Directory::open_or_create(&context.directory()?)
        .and_then(|directory| directory.identity(|| seed))
        .map_err(|error| CliError::Failed(error.to_string()))?
        .id()
        .to_string();
    context.output.result(&id, &json!({ "id": id })).await
}
