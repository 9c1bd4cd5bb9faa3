//! Draws how costs grow: reads the JSON lines that `figures` prints, writes one SVG a chart.
//!
//! ```text
//! cargo bench --bench figures -- G1 G2 G3 --messages 1000000 --json > growth.jsonl
//! cargo run -p peermq-measures --example chart -- growth.jsonl benches/charts
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Medians by how much there was, for each line of a chart.
type Lines = BTreeMap<String, BTreeMap<u32, f64>>;

/// What a chart shows: the figure that it is made of, the file it becomes, and its words.
struct Chart {
    figure: &'static str,
    file: &'static str,
    title: &'static str,
    of: &'static str,
}

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [from, to] = words.as_slice() else { return Err("usage: chart JSON-LINES FOLDER".into()) };
    let text = std::fs::read_to_string(from)?;
    for chart in CHARTS {
        let lines = lines_of(&text, chart.figure)?;
        if !lines.is_empty() {
            draw(&chart, &lines, &Path::new(to).join(chart.file))?;
        }
    }
    Ok(())
}

/// The lines of one chart: figures are named `<figure> @ <how much there was>`.
fn lines_of(text: &str, figure: &str) -> Outcome<Lines> {
    let mut lines = Lines::new();
    for row in text.lines() {
        let row: Value = serde_json::from_str(row)?;
        let word = |key: &str| row.get(key).and_then(Value::as_str).ok_or("expected a word");
        let Some(size) = word("figure")?.strip_prefix(figure) else { continue };
        let Some(size) = size.strip_prefix(" @ ") else { continue };
        let median = row.get("median").and_then(Value::as_f64).ok_or("expected a median")?;
        let line = lines.entry(word("contender")?.to_owned()).or_default();
        line.insert(size.parse()?, median);
    }
    Ok(lines)
}

fn draw(chart: &Chart, lines: &Lines, path: &Path) -> Outcome<()> {
    let points = || lines.values().flatten();
    let first = points().map(|(size, _)| *size).min().unwrap_or(1);
    let last = points().map(|(size, _)| *size).max().unwrap_or(1).max(first + 1);
    let highest = points().map(|(_, cost)| *cost).fold(0.0, f64::max);
    let area = SVGBackend::new(path, (640, 360)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut context = ChartBuilder::on(&area)
        .caption(chart.title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d((first..last).log_scale(), 0.0..highest * 1.15)?;
    context.configure_mesh().disable_x_mesh().x_desc(chart.of).draw()?;
    for (number, (name, line)) in lines.iter().enumerate() {
        let color = COLORS.into_iter().cycle().nth(number).unwrap_or(BLACK);
        let dots = line.iter().map(|(size, cost)| (*size, *cost));
        context
            .draw_series(LineSeries::new(dots, color.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    // Costs start at 0 and lie far above: there is room below.
    context.configure_series_labels().position(SeriesLabelPosition::LowerRight).draw()?;
    Ok(area.present()?)
}

/// One for each line.
const COLORS: [RGBColor; 3] =
    [RGBColor(0x1f, 0x77, 0xb4), RGBColor(0xd6, 0x27, 0x28), RGBColor(0x2c, 0xa0, 0x2c)];
const CHARTS: [Chart; 3] = [
    Chart {
        figure: "G1",
        file: "log.svg",
        title: "send, sync, store, receipt, archive: µs of a processor a message, both ends",
        of: "messages in the log",
    },
    Chart {
        figure: "G2",
        file: "peers.svg",
        title: "durable send, to each peer in turn: µs of a processor a message",
        of: "peers",
    },
    Chart {
        figure: "G3",
        file: "sessions.svg",
        title: "receive and store, beside idle sessions: µs of a processor a message",
        of: "idle sessions",
    },
];
