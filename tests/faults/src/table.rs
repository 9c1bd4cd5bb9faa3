//! Reports as the table that the README shows.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::harness::Outcome;
use crate::report::Line;

/// One row for each harness and store, over all its reports, in the order in which they first come.
pub(crate) fn render(files: &[PathBuf]) -> Outcome<String> {
    let mut rows = Vec::new();
    for file in files {
        for line in fs::read_to_string(file)?.lines() {
            add(&mut rows, serde_json::from_str(line)?);
        }
    }
    let head =
        "| harness | store | seeds | counts | findings |\n|---|---|---|---|---|\n".to_owned();
    Ok(rows.iter().map(Row::to_string).fold(head, |text, row| text + &row))
}

/// The reports of one harness on one store.
struct Row {
    harness: String,
    store: String,
    seeds: Vec<u64>,
    counts: BTreeMap<String, u64>,
}

/// Counts a report in.
fn add(rows: &mut Vec<Row>, line: Line) {
    let Line { harness, store, seed, counts } = line;
    let found = rows.iter_mut().find(|row| row.harness == harness && row.store == store);
    let Some(row) = found else {
        return rows.push(Row { harness, store, seeds: vec![seed], counts });
    };
    row.seeds.push(seed);
    for (what, count) in counts {
        *row.counts.entry(what).or_default() += count;
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { harness, store, seeds, counts } = self;
        let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
        let findings = counts.get(FINDINGS).copied().unwrap_or(0);
        let counts = counts.iter().filter(|(what, _)| *what != FINDINGS);
        let counts: Vec<_> = counts.map(|(what, count)| format!("{count} {what}")).collect();
        let (seeds, counts) = (seeds.join(", "), counts.join(", "));
        writeln!(f, "| {harness} | {store} | {seeds} | {counts} | {findings} |")
    }
}

/// What a report calls what must not be.
const FINDINGS: &str = "findings";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn reports_of_one_harness_on_one_store_are_one_row() {
        let mut rows = Vec::new();
        for (store, seed, kills) in [("sled", 7, 3), ("redb", 7, 4), ("sled", 8, 5)] {
            let mut report = Report::new("k1", store, seed);
            report.add("kills", kills);
            report.add("messages", 40);
            if seed == 8 {
                report.find("one was lost".into());
            }
            let line = serde_json::to_string(&report).unwrap();
            add(&mut rows, serde_json::from_str(&line).unwrap());
        }
        let rows: Vec<_> = rows.iter().map(Row::to_string).collect();
        assert_eq!(
            rows,
            [
                "| k1 | sled | 7, 8 | 8 kills, 80 messages | 1 |\n",
                "| k1 | redb | 7 | 4 kills, 40 messages | 0 |\n"
            ]
        );
    }
}
