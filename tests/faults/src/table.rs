//! Reports as the table that the README shows.

use std::fs;
use std::path::PathBuf;

use crate::harness::Outcome;
use crate::report::Line;

/// One row a report, in the order of the files.
pub(crate) fn render(files: &[PathBuf]) -> Outcome<String> {
    let mut text =
        String::from("| harness | store | seed | counts | findings |\n|---|---|---|---|---|\n");
    for file in files {
        for line in fs::read_to_string(file)?.lines() {
            text.push_str(&row(&serde_json::from_str(line)?));
        }
    }
    Ok(text)
}

fn row(line: &Line) -> String {
    let Line { harness, store, seed, counts } = line;
    let findings = counts.get("findings").copied().unwrap_or(0);
    let counts: Vec<_> = counts
        .iter()
        .filter(|(what, _)| *what != "findings")
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    format!("| {harness} | {store} | {seed} | {} | {findings} |\n", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn a_report_is_a_row() {
        let mut report = Report::new("k1", "sled", 7);
        report.add("kills", 3);
        report.add("messages", 40);
        report.find("one was lost".into());
        let line = serde_json::to_string(&report).unwrap();
        assert_eq!(
            row(&serde_json::from_str(&line).unwrap()),
            "| k1 | sled | 7 | 3 kills, 40 messages | 1 |\n"
        );
    }
}
