//! `id`: who this node is. No store is opened; one that is named is remembered.

use std::path::Path;

use peermq::node::directory::{Directory, DirectoryError};
use peermq_storage::Kind;
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| CliError::Failed(format!("expected random bytes, got: {error}")))?;
    let id = identity(&context.directory()?, context.store, seed)
        .map_err(|error| CliError::Failed(error.to_string()))?;
    context.output.result(&id, &json!({ "id": id })).await
}

fn identity(path: &Path, store: Option<Kind>, seed: [u8; 32]) -> Result<String, DirectoryError> {
    let directory = Directory::open_or_create(path)?;
    store.map_or(Ok(()), |store| directory.expect_store(store))?;
    Ok(directory.id(|| seed)?.to_string())
}
