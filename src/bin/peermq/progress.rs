//! Progress of what takes long, on standard error when that is a terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::CliError;
use crate::output::remark;

/// A bar, or a count when the end is unknown. It shows itself only once it has taken a while.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many bytes.
    pub(crate) fn bytes(size: Option<u64>) -> Self {
        let template = match size {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{bytes} {bytes_per_sec}",
        };
        Self::new(size, template)
    }

    /// Of so many messages.
    pub(crate) fn messages(count: Option<u64>) -> Self {
        let template = match count {
            Some(_) => "{bar:30} {pos}/{len} messages {per_sec} {eta}",
            None => "{pos} messages {per_sec}",
        };
        Self::new(count, template)
    }

    /// Of messages that wait, of which `count` asks; nothing when they are few or nobody watches.
    pub(crate) async fn catch_up(
        count: impl AsyncFnOnce() -> Result<u64, CliError>,
    ) -> Result<Option<Self>, CliError> {
        if !io::stderr().is_terminal() {
            return Ok(None);
        }
        let count = count().await?;
        Ok((count >= CATCH_UP_COUNT_MIN).then(|| Self::messages(Some(count))))
    }

    /// Prints a line above it.
    pub(crate) fn remark(&self, line: &str) {
        self.bar.suspend(|| remark(line));
    }

    /// Whether it has come to its end; then it goes.
    pub(crate) fn is_done(&self) -> bool {
        let is_done = self.bar.length().is_some_and(|length| self.bar.position() >= length);
        if is_done {
            self.bar.finish_and_clear();
        }
        is_done
    }

    /// Sets how far it has come.
    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
        self.show_when_late();
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Goes on by so many.
    pub(crate) fn add(&self, count: u64) {
        self.bar.inc(count);
        self.show_when_late();
    }

    fn new(length: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        bar.set_style(style);
        Self { bar }
    }

    fn show_when_late(&self) {
        if self.bar.is_hidden() && self.bar.elapsed() > SHOWN_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// What is done sooner needs no bar.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
/// Fewer messages need no bar.
const CATCH_UP_COUNT_MIN: u64 = 1_000;
