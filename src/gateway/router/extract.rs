//! What a request carries, refused in the API's own words when it does not parse.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::limits::IDEMPOTENCY_KEY_SIZE_MAX;
use crate::types::Epoch;

/// A JSON body.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let parsed = axum::Json::from_request(request, state).await;
        parsed.map(|axum::Json(value)| Self(value)).map_err(|error| refusal(&error))
    }
}

/// The query's fields.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parsed = axum::extract::Query::from_request_parts(parts, state).await;
        parsed.map(|axum::extract::Query(value)| Self(value)).map_err(|error| refusal(&error))
    }
}

/// Which life of a log the query means; the resource says which one when it names none.
#[derive(Debug, Deserialize)]
pub(super) struct Life {
    pub(super) epoch: Option<Epoch>,
}

/// The path's variables.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parsed = axum::extract::Path::from_request_parts(parts, state).await;
        parsed.map(|axum::extract::Path(value)| Self(value)).map_err(|error| refusal(&error))
    }
}

/// The header `Idempotency-Key`, when there is one.
#[derive(Debug)]
pub(super) struct IdempotencyKey(pub(super) Option<Bytes>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let key = idempotency_key(&parts.headers);
        let size = key.as_ref().map_or(0, Bytes::len);
        if size > IDEMPOTENCY_KEY_SIZE_MAX {
            return Err(ApiError::bad_request(format!(
                "expected an idempotency key of at most {IDEMPOTENCY_KEY_SIZE_MAX} bytes, got {size}"
            )));
        }
        Ok(Self(key))
    }
}

fn idempotency_key(headers: &HeaderMap) -> Option<Bytes> {
    headers.get("idempotency-key").map(|value| Bytes::copy_from_slice(value.as_bytes()))
}

fn refusal(error: &impl ToString) -> ApiError {
    ApiError::bad_request(error.to_string())
}
