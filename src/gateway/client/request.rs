//! Requests of the local API, as HTTP.

use std::fmt::{Display, Write};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Builder;
use axum::http::{HeaderName, Method, Request};
use serde::Serialize;

use crate::types::UnixMs;

/// Who the node is.
pub(in crate::gateway) fn info() -> Request<Body> {
    get("/v1/node")
}

/// A request without a body.
pub(super) fn get(path: &str) -> Request<Body> {
    finish(builder(Method::GET, path), Body::empty())
}

/// A request that takes something away.
pub(super) fn delete(path: &str) -> Request<Body> {
    finish(builder(Method::DELETE, path), Body::empty())
}

/// A request with a JSON body.
pub(super) fn post(path: &str, value: &impl Serialize) -> Request<Body> {
    let json = serde_json::to_vec(value).expect("the schema's types are JSON");
    let builder = builder(Method::POST, path).header(CONTENT_TYPE, "application/json");
    finish(builder, Body::from(json))
}

/// A request with a body that may be asked for twice.
pub(super) fn post_once(path: &str, key: &str, body: Body) -> Request<Body> {
    finish(builder(Method::POST, path).header(IDEMPOTENCY_KEY, key), body)
}

fn builder(method: Method, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(HOST, "peermq")
}

fn finish(builder: Builder, body: Body) -> Request<Body> {
    builder.body(body).expect("paths are made of ids, numbers and escapes, keys of hex digits")
}

/// `path?address=…`, or `path` without an address.
pub(super) fn with_address(path: &str, address: Option<&impl Display>) -> String {
    address.map_or_else(
        || path.to_owned(),
        |address| format!("{path}?address={}", escape(&address.to_string())),
    )
}

/// The field of a query that says from when on nobody should read a message.
pub(super) fn until(expires: Option<UnixMs>) -> String {
    expires.map_or_else(String::new, |UnixMs(ms)| format!("&expires={ms}"))
}

/// Percent-encodes everything but letters, digits and `.` (RFC 3986 §2.1).
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a String takes all that is written");
        }
    }
    escaped
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
