//! `backup` and `restore`: a node as one file, and back.

use std::io::{self, IsTerminal};

use peermq::node::{self, BackupFile, NodeError};

use crate::args::BackupArgs;
use crate::context::{Context, blocking};
use crate::error::CliError;
use crate::progress::Progress;

pub(super) async fn run(context: &Context, args: BackupArgs) -> Result<(), CliError> {
    context
        .with_client(async |client| {
            let mut file = BackupFile::create(&args.path, &context.directory()?)?;
            let progress = io::stderr().is_terminal().then(|| Progress::bytes(None));
            client
                .backup(|bytes| {
                    let size = u64::try_from(bytes.len()).expect("a length in memory fits u64");
                    progress.iter().for_each(|progress| progress.add(size));
                    file.push(bytes).map_err(CliError::from)
                })
                .await?;
            progress.iter().for_each(Progress::clear);
            blocking(move || Ok(file.finish().map(drop)?)).await
        })
        .await
}

pub(super) async fn restore(context: &Context, args: BackupArgs) -> Result<(), CliError> {
    let (directory, store) = (context.directory()?, context.store);
    blocking(move || Ok(node::restore(&args.path, &directory, store)?)).await
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> Self {
        Self::Failed(error.to_string())
    }
}
