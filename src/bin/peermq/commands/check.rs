//! `check` and `repair`: everything in the store looked at, and mended.

use peermq::node::{NodeError, Offline, Salvaged};
use peermq::queue::check::{CheckObserver, Finding};
use serde_json::json;

use crate::context::{Context, blocking};
use crate::error::CliError;
use crate::output::{Lines, Output, remark};
use crate::progress::Progress;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let checked = offline(context, |held, output| {
        let mut report = Report::new(output);
        held.check(&mut report)?;
        Ok(report)
    });
    checked.await?.print().await
}

pub(super) async fn repair(context: &Context) -> Result<(), CliError> {
    let (directory, store) = (context.directory()?, context.store);
    let salvaged = blocking(move || Ok(Offline::salvage(&directory, store)?));
    if let Some(Salvaged { why, aside, rows }) = salvaged.await? {
        remark(&format!("the store is damaged: {why}"));
        let instead = match rows {
            0 => "an empty one is in its place".to_owned(),
            rows => format!("one with {rows} rows that could be read is in its place"),
        };
        remark(&format!("it lies in {aside:?}, and {instead}"));
        remark(LOST_STORE_ADVICE);
    }
    let (mended, aside, left) = offline(context, |held, output| {
        let mut report = Report::new(output);
        held.check(&mut report)?;
        let aside = match &report.findings[..] {
            [] => None,
            findings => held.repair(findings)?,
        };
        let mut left = Report::new(output);
        held.check(&mut left)?;
        Ok((report.findings.len(), aside, left))
    })
    .await?;
    if let Some(path) = &aside {
        remark(&format!("what was taken out of the store lies in {path:?}"));
    }
    if mended > 0 {
        remark(&format!("findings that were mended: {mended}"));
    }
    left.print().await
}

/// Does `work` on the directory while no node runs there.
async fn offline<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&Offline, Output) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, CliError> {
    let (directory, store, output) = (context.directory()?, context.store, context.output);
    blocking(move || Ok(work(&Offline::open(&directory, store)?, output)?)).await
}

/// What a check saw.
#[derive(Debug)]
struct Report {
    entries: u64,
    findings: Vec<Finding>,
    lines: Lines,
    progress: Progress,
    output: Output,
}

impl Report {
    fn new(output: Output) -> Self {
        let (lines, progress) = (Lines::new(output), Progress::messages(None));
        Self { entries: 0, findings: Vec::new(), lines, progress, output }
    }

    async fn print(mut self) -> Result<(), CliError> {
        self.progress.clear();
        let (entries, findings) = (self.entries, self.findings.len());
        if findings == 0 {
            let summary = format!("{entries} messages and all that belongs to them are sound");
            self.lines.push_result(&summary, &json!({ "messages": entries, "findings": 0 }));
        }
        self.output.write(self.lines.bytes).await?;
        match findings {
            0 => Ok(()),
            1 => Err(CliError::Failed("expected a sound store, got 1 finding".into())),
            _ => Err(CliError::Failed(format!("expected a sound store, got {findings} findings"))),
        }
    }
}

impl CheckObserver for Report {
    fn checked(&mut self) {
        self.entries += 1;
        if self.entries.is_multiple_of(PROGRESS_COUNT) {
            self.progress.set(self.entries);
        }
    }

    fn found(&mut self, finding: Finding) {
        let value = json!({
            "part": finding.part.to_string(),
            "key": finding.key.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "fault": finding.fault.to_string(),
            "repair": finding.remedy().to_string(),
        });
        self.lines.push_result(&finding.to_string(), &value);
        self.findings.push(finding);
    }
}

/// What a user can do who has lost part of a store.
const LOST_STORE_ADVICE: &str = "`peermq status` says whether `peermq recover --new-epoch` must begin a \
                                 new log, `peermq peers` who must be added again: peers send what \
                                 this node had not archived or cleared";

/// Messages after which the progress is shown anew.
const PROGRESS_COUNT: u64 = 4_096;
