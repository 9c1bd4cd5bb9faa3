//! Why a command ended without having done what was asked, and the exit status that says so.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

/// Why a command ended without having done what was asked.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// Something that was given, or came back, is not what was expected.
    #[error("{0}")]
    Failed(String),
    /// The peer did not get there in time.
    #[error("{0}")]
    TimedOut(String),
    /// Who read the results has gone.
    #[error("the reader of standard output has gone")]
    OutputClosed,
    /// Ctrl-C or SIGTERM, in what goes on until then.
    #[error("interrupted")]
    Interrupted,
    /// Ctrl-C or SIGTERM, in what is done only when it has come to its end.
    #[error("expected to come to the end, got an interruption: run it again")]
    Unfinished,
}

impl CliError {
    /// The exit status: 0 done, 1 failed, 3 timed out (2, wrong usage, is found before any command
    /// runs). A reader that has gone has read all that it wanted.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) | Self::Unfinished => ExitCode::from(1),
            Self::TimedOut(_) => ExitCode::from(3),
            Self::OutputClosed | Self::Interrupted => ExitCode::SUCCESS,
        }
    }

    /// The line for standard error, unless the user need not be told.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::OutputClosed | Self::Interrupted => None,
            Self::Failed(_) | Self::TimedOut(_) | Self::Unfinished => {
                Some(format!("peermq: {}", one_line(&self.to_string())))
            }
        }
    }

    /// What writing to standard output came to.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("expected to write to standard output, got: {error}"))
        }
    }
}

/// Control characters of a path or a message end no line.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    crate::escape::push_escaped(&mut line, text.as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let error = CliError::Failed("expected a, got b\nc".to_owned());
        assert_eq!(error.line().unwrap(), "peermq: expected a, got b\\nc");
        assert_eq!(CliError::OutputClosed.line(), None);
    }
}
