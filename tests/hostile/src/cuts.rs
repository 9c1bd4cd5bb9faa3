//! N9: a connection that is cut at every place, and again at every place.

use peermq::node::transport::Addr;
use tokio::time::timeout;

use crate::Outcome;
use crate::proxy::{Cut, Proxy};
use crate::report::Report;
use crate::strangers::Honest;
use crate::target::{PATIENCE, Target};

/// Sends short messages and a long one over connections that are cut after `step`, 2 `step`, …
/// bytes, until all has come through: each once, whole and in order.
///
/// # Errors
/// When something else is printed, or nothing.
pub async fn run(report: &mut Report, target: &mut Target, step: u64) -> Outcome {
    // It knows no way to the node but the one that is cut.
    let honest = Honest::added_to(target).await?;
    let node = honest.node();
    let long = "x".repeat(100_000);
    let texts: Vec<String> =
        (0..20).map(|number| number.to_string()).chain([long, "last".to_owned()]).collect();
    for text in &texts {
        node.send(target.id, text.clone()).await?;
    }
    let proxy = Proxy::new(target.address).await?;
    let mut after = step;
    proxy.cut(Cut::After(after));
    let at = Addr::Socket(proxy.address);
    let mut connection = node.connect(target.id, Some(at.clone())).await?;
    let (mut printed, mut cuts) = (Vec::new(), 0);
    while printed.len() < texts.len() {
        tokio::select! {
            text = target.next_text() => printed.push(text?),
            cut = proxy.until(|proxy| proxy.cuts() > cuts) => {
                cut?;
                cuts = proxy.cuts();
                after += step;
                proxy.cut(Cut::After(after));
                // Anew, without the pauses of who is redialling.
                connection.close().await;
                connection = node.connect(target.id, Some(at.clone())).await?;
            }
        }
    }
    report.add("cuts", proxy.cuts());
    report.add("bytes_to_the_node", proxy.to_node());
    if printed != texts {
        return Err(format!("expected each message once and in order, got {printed:?}").into());
    }
    report.add("messages", u64::try_from(printed.len())?);
    proxy.cut(Cut::Never);
    while timeout(PATIENCE, connection.next_ack()).await??.last.0 + 1 < report.count("messages") {}
    report.measure(target)
}
