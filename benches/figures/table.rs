//! Collects what each round measured and prints the medians.

use std::collections::BTreeMap;

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Figures by name, then contender; one value a round.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<String, Vec<Row>>);

#[derive(Debug)]
struct Row {
    contender: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Row {
    fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Table {
    /// Notes one measurement.
    pub(crate) fn add(&mut self, figure: &str, contender: &str, value: f64, unit: &'static str) {
        let rows = self.0.entry(figure.to_owned()).or_default();
        match rows.iter_mut().find(|row| row.contender == contender) {
            Some(row) => row.values.push(value),
            None => rows.push(Row { contender: contender.to_owned(), unit, values: vec![value] }),
        }
    }

    /// Prints every median with its ratios to the others of the same figure.
    pub(crate) fn print(&self, format: Format) {
        for (figure, rows) in &self.0 {
            for row in rows {
                match format {
                    Format::Text => print_text(figure, row, rows),
                    Format::Json => print_json(figure, row),
                }
            }
        }
    }
}

fn print_text(figure: &str, row: &Row, rows: &[Row]) {
    let digits = if row.median() < 100.0 { 2 } else { 0 };
    let (median, unit) = (row.median(), row.unit);
    print!("{figure:<20} {:<24} {median:>12.digits$} {unit:<5}", row.contender);
    for other in rows.iter().filter(|other| other.contender != row.contender) {
        if !other.contender.starts_with("peermq") {
            print!("  {:.2} x {}", median / other.median(), other.contender);
        }
    }
    println!();
}

fn print_json(figure: &str, row: &Row) {
    let line = serde_json::json!({
        "figure": figure,
        "contender": row.contender,
        "unit": row.unit,
        "median": row.median(),
        "rounds": row.values,
    });
    println!("{line}");
}
