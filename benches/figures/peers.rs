//! Other queues, by the program in `benches/peers`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::table::Table;

/// Lets one of them do the work, when its server is on the path.
pub(crate) fn measure(peer: &str, arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let server = format!("{peer}-server");
    if !is_on_the_path(&server) {
        eprintln!("{server} is not on the path: not measured");
        return Ok(());
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml");
    let mut process = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--", peer])
        .arg(arguments.messages.to_string())
        .arg(&arguments.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // It ends with its input, so also when this program is killed.
    let input = process.stdin.take();
    let output = process.wait_with_output()?;
    drop(input);
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

/// Looks for the file only: RabbitMQ's starts a server, whatever its arguments.
fn is_on_the_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
