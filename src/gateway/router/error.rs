//! A refusal: an HTTP status and one sentence.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::gateway::schema::Problem;
use crate::node::NodeError;
use crate::queue::QueueError;

/// Why a request was refused.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    text: String,
}

impl ApiError {
    /// The request does not say what it should.
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// The node is ending; whoever holds the directory next may be asked again.
    pub(super) fn stopping() -> Self {
        Self::from(NodeError::Stopped)
    }

    /// Whether only this node cannot answer, and the next one can.
    pub(super) fn is_stopping(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// What the client is told.
    pub(super) fn into_problem(self) -> Problem {
        Problem { error: self.text }
    }
}

impl From<NodeError> for ApiError {
    fn from(error: NodeError) -> Self {
        let status = match error {
            NodeError::NotFound { .. }
            | NodeError::NothingFrom(_)
            | NodeError::Queue(QueueError::NoFork(_)) => StatusCode::NOT_FOUND,
            NodeError::Removed(_)
            | NodeError::Rejected { .. }
            | NodeError::Queue(QueueError::Stale(_)) => StatusCode::CONFLICT,
            NodeError::TextSize => StatusCode::PAYLOAD_TOO_LARGE,
            NodeError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            NodeError::Queue(QueueError::DiskFull(_)) => StatusCode::INSUFFICIENT_STORAGE,
            NodeError::Storage(_)
            | NodeError::Directory(_)
            | NodeError::Listen { .. }
            | NodeError::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, text: error.to_string() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        (status, axum::Json(self.into_problem())).into_response()
    }
}

/// The answer to a request that the API does not have.
pub(super) async fn unknown(uri: Uri) -> ApiError {
    let text = format!("expected a request of the local API, got {}", uri.path());
    ApiError { status: StatusCode::NOT_FOUND, text }
}
