//! R1: a peer that is removed while it is sent to as fast as it reads.

use peermq::node::transport::Addr;
use tokio::time::Instant;

use crate::Outcome;
use crate::proxy::Proxy;
use crate::report::Report;
use crate::strangers::Honest;
use crate::target::Target;

/// Has the node send so many messages to a peer, and removes the peer once they flow.
///
/// # Errors
/// When they do not flow, or the command fails.
pub async fn run(report: &mut Report, target: &Target, count: usize) -> Outcome {
    // It knows no way to the node but the one that is counted.
    let honest = Honest::added_to(target).await?;
    honest.node().add_peer(target.id).await?;
    let id = honest.node().id();
    target.send_many(id, count).await?;
    let proxy = Proxy::new(target.address).await?;
    let hint = Some(Addr::Socket(proxy.address));
    let _connection = honest.node().connect(target.id, hint).await?;
    // The first of them are on their way.
    proxy.until(|proxy| proxy.from_node() >= 5_000).await?;
    let ended = proxy.ended();
    target.run(&["remove-peer", &id.to_string()]).await?;
    let (returned, at_return) = (Instant::now(), proxy.from_node());
    proxy.until(|proxy| proxy.ended() > ended).await?;
    report.add("bytes_before", at_return);
    report.add("closed_within_ms", u64::try_from(returned.elapsed().as_millis())?);
    // The peer dials again, and that ends, too.
    proxy.until(|proxy| proxy.ended() > ended + 1).await?;
    report.add("bytes_after", proxy.from_node() - at_return);
    report.measure(target)
}
