//! Other queues, by the program in `benches/peers`.

use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::table::Table;

/// Lets one of them do the work, when its server is on the path.
pub(crate) fn measure(peer: &str, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    if Command::new(format!("{peer}-server")).arg("--version").output().is_err() {
        eprintln!("{peer}-server is not on the path: not measured");
        return Ok(());
    }
    let scratch = tempfile::tempdir_in(&arguments.dir)?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--", peer])
        .arg(arguments.messages.to_string())
        .arg(scratch.path())
        .output()?;
    if !output.status.success() {
        return Err(format!("{peer}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let figure: Value = serde_json::from_str(line)?;
        let name =
            figure.get("figure").and_then(Value::as_str).ok_or("expected a figure's name")?;
        let rate = figure.get("rate").and_then(Value::as_f64).ok_or("expected a rate")?;
        if arguments.wants_any(&[name]) {
            table.add(name, peer, rate, "/s");
        }
    }
    Ok(())
}
