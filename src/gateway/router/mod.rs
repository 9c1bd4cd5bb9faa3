//! The router: one file per resource, each a thin shape over one method of the node.

mod connections;
mod error;
mod extract;
mod forks;
mod lines;
mod live;
mod marks;
mod messages;
mod node;
mod peers;
mod receipts;
mod send;
mod stream;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio_util::sync::CancellationToken;

use crate::limits::API_BODY_SIZE_MAX;
use crate::node::Node;

/// The local API of a node. Live streams end, as if cut off, when `stop` is cancelled.
pub fn router(node: Node, stop: CancellationToken) -> Router {
    Router::new()
        .merge(node::routes())
        .merge(peers::routes())
        .merge(send::routes())
        .merge(lines::routes())
        .merge(messages::routes())
        .merge(marks::routes())
        .merge(receipts::routes())
        .merge(forks::routes())
        .merge(stream::routes())
        .merge(connections::routes())
        .fallback(error::unknown)
        .layer(DefaultBodyLimit::max(API_BODY_SIZE_MAX))
        .with_state(Api { node, stop })
}

/// What every handler is given.
#[derive(Debug, Clone)]
struct Api {
    node: Node,
    stop: CancellationToken,
}
