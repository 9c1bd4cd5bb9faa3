//! The local API: requests of any shape to the router of a running node.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{Method, Request, Response, StatusCode};
use futures::FutureExt;
use peermq::node::directory::Directory;
use peermq::node::transport::MemoryNetwork;
use peermq::node::{Node, Options};
use peermq_storage::Kind;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Reads the bytes as `METHOD PATH`, header lines, an empty line and a body, and asks a node that. It
/// answers; it never says that it failed.
pub fn api(bytes: &[u8]) {
    let Some(request) = request(bytes) else { return };
    SERVED.with_borrow_mut(|served| served.ask(request));
}

fn judge(method: &Method, (status, text): (StatusCode, Vec<u8>)) {
    assert!(!status.is_server_error(), "{status}: {}", String::from_utf8_lossy(&text));
    // A refusal to HEAD has the head of one to GET, and no body.
    if status == StatusCode::BAD_REQUEST && method != Method::HEAD {
        let problem: serde_json::Value = serde_json::from_slice(&text).expect("a refusal is JSON");
        assert!(problem["error"].is_string(), "a refusal says what is wrong: {problem}");
    }
}

/// The status, and as much of the body as is there at once.
fn read(answer: Response<Body>) -> (StatusCode, Vec<u8>) {
    let status = answer.status();
    let (mut body, mut text) = (answer.into_body(), Vec::new());
    for _ in 0..FRAME_COUNT_MAX {
        let frame = std::future::poll_fn(|context| {
            HttpBody::poll_frame(std::pin::Pin::new(&mut body), context)
        });
        match frame.now_or_never() {
            Some(Some(Ok(frame))) => text.extend(frame.into_data().unwrap_or_default()),
            _ => break,
        }
    }
    (status, text)
}

fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let mut lines = str::from_utf8(head).ok()?.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).ok()?);
    // Ids are written short, so that changing bytes finds them.
    let uri = IDS.iter().fold(uri.to_owned(), |uri, (short, id)| uri.replace(short, id));
    request = request.uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    let body = body.get(2..).unwrap_or_default();
    let body = match str::from_utf8(body) {
        Ok(text) => {
            let text =
                IDS.iter().fold(text.to_owned(), |text, (short, id)| text.replace(short, id));
            Body::from(text)
        }
        Err(_) => Body::from(body.to_vec()),
    };
    request.body(body).ok()
}

/// A node, its router and what they run on.
struct Served {
    runtime: Runtime,
    router: Router,
    node: Node,
    _directory: TempDir,
    /// Requests so far.
    count: u32,
}

thread_local! {
    /// The node that this thread asks; its directory goes with the thread.
    static SERVED: RefCell<Served> = RefCell::new(Served::start());
}

impl Served {
    /// A node on a network of its own: whatever a request names, nothing outside is dialled.
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be had");
        let directory = tempfile::tempdir().expect("there is room for a small node");
        let id = Directory::open_or_create(directory.path()).and_then(|made| made.id(|| [1; 32]));
        let id = id.expect("a fresh directory takes a key");
        let network = MemoryNetwork::new();
        let options = Options::new(directory.path())
            .store(Kind::Redb)
            .discoveries(Vec::new())
            .transport(Arc::new(network.transport(id)));
        let node = runtime.block_on(options.open()).expect("a fresh node opens");
        let router = peermq::gateway::router(node.clone(), CancellationToken::new());
        Self { runtime, router, node, _directory: directory, count: 0 }
    }

    fn ask(&mut self, request: Request<Body>) {
        let holds = HOLDING.iter().any(|path| request.uri().path().starts_with(path));
        let method = request.method().clone();
        let answer = self.router.clone().oneshot(request);
        let answer = answer.map(|answer| read(answer.unwrap_or_else(|never| match never {})));
        let answered = self.runtime.block_on(async {
            match holds {
                true => self.let_go(answer).await,
                false => Some(timeout(PATIENCE, answer).await.expect("it is answered")),
            }
        });
        if let Some(answered) = answered {
            judge(&method, answered);
        }
        self.count += 1;
        if self.count == REQUEST_COUNT_MAX {
            // What requests have left behind goes.
            *self = Self::start();
        }
    }

    /// The answer, if it takes no more than what the node does of itself: a request that holds is let
    /// go when all that it asked for at first is done.
    async fn let_go<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        for _ in 0..TURN_COUNT {
            if let Some(answered) = answer.as_mut().now_or_never() {
                return Some(answered);
            }
            // The node does one thing after the other, and this is the last that it was asked.
            self.node.status().await.expect("a node tells its status");
        }
        None
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.node.clone().shutdown()).expect("a node ends in order");
    }
}

/// Paths of requests that may hold for as long as they live.
const HOLDING: [&str; 5] = ["/v1/listen", "/v1/connect", "/v1/wait", "/v1/notices", "/v1/stream"];
/// What a request that holds may ask of the node, one thing after the other, before it is let go.
const TURN_COUNT: usize = 4;
/// Within this any other is answered: only one that hangs is not.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pieces of a body that are read.
const FRAME_COUNT_MAX: usize = 16;
/// Requests to one node.
const REQUEST_COUNT_MAX: u32 = 2_000;
/// The ids of seeds 1, 2 and 3.
const IDS: [(&str, &str); 3] = [
    ("{me}", "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
    ("{a}", "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
    ("{b}", "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"),
];
