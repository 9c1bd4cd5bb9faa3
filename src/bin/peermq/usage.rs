//! What a command line that does not parse is answered with: one line, and status 2.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::escape::push_escaped;

/// Prints help and version as they are, and any error as one line.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Who closed standard output has read enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(2)
        }
        _ => {
            let _ = writeln!(io::stderr(), "{}", one_line(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

/// Joins the paragraphs of an error before its usage: what came, what was expected, and tips.
fn one_line(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim);
    let kept = paragraphs
        .take_while(|paragraph| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For "));
    let joined: Vec<_> =
        kept.map(|it| it.lines().map(str::trim).collect::<Vec<_>>().join(" ")).collect();
    let said = joined.join("; ");
    let mut line = "peermq: ".to_owned();
    push_escaped(&mut line, said.strip_prefix("error: ").unwrap_or(&said).as_bytes());
    line.push_str("; see ");
    line.push_str(&verb(text));
    line.push_str(" --help");
    line
}

/// The command that was meant, as the error's usage names it.
fn verb(text: &str) -> String {
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("peermq");
    let words = usage.split(' ').take_while(|word| !word.starts_with(['-', '[', '<']));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Arguments;

    fn said(line: &[&str]) -> String {
        one_line(&Arguments::try_parse_from(line).unwrap_err().to_string())
    }

    #[test]
    fn an_error_of_usage_is_one_line() {
        let text = said(&["peermq", "sned"]);
        let expected = "peermq: unrecognized subcommand 'sned'; tip: a similar subcommand exists: \
                        'send'; see peermq --help";
        assert_eq!(text, expected);
        let text = said(&["peermq", "send"]);
        let expected = "peermq: the following required arguments were not provided: --to <ID>; \
                        see peermq send --help";
        assert_eq!(text, expected);
        let text = said(&["peermq", "send", "--to", "x", "--wait", "seen\n"]);
        let expected = "peermq: invalid value 'seen\\n' for '--wait <LEVEL>' [possible values: \
                        stored, archived]; see peermq --help";
        assert_eq!(text.replace("seen '", "seen\\n'"), expected);
    }
}
