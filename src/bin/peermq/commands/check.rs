//! `check`: everything in the store looked at, nothing changed.

use peermq::node::{NodeError, Offline};
use peermq::queue::check::{CheckObserver, Finding};
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Lines, Output};
use crate::progress::Progress;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let (directory, store, output) = (context.directory()?, context.store, context.output);
    let checked = tokio::task::spawn_blocking(move || {
        let mut report = Report::new(output);
        Offline::open(&directory, store)?.check(&mut report)?;
        Ok::<_, NodeError>(report)
    });
    let report = checked.await.expect("a check does not panic and is not aborted");
    report?.print().await
}

/// What a check saw.
#[derive(Debug)]
struct Report {
    entries: u64,
    findings: usize,
    lines: Lines,
    progress: Progress,
    output: Output,
}

impl Report {
    fn new(output: Output) -> Self {
        let (lines, progress) = (Lines::new(output), Progress::messages(None));
        Self { entries: 0, findings: 0, lines, progress, output }
    }

    async fn print(mut self) -> Result<(), CliError> {
        self.progress.clear();
        let Self { entries, findings, .. } = self;
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
        self.findings += 1;
        let value = json!({
            "part": finding.part.to_string(),
            "key": finding.key.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "fault": finding.fault.to_string(),
            "repair": finding.remedy().to_string(),
        });
        self.lines.push_result(&finding.to_string(), &value);
    }
}

/// Messages after which the progress is shown anew.
const PROGRESS_COUNT: u64 = 4_096;
