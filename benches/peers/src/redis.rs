//! Redis Streams with `appendfsync always`: XADD, then XREADGROUP and XACK in batches.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use futures::{StreamExt, stream};
use redis::aio::MultiplexedConnection;
use redis::streams::StreamReadReply;

use crate::server::Server;
use crate::{IN_FLIGHT_COUNT, Outcome, Work, report};

const READ_COUNT: usize = 1_000;

pub async fn run(work: &Work, dir: &Path) -> Outcome<()> {
    let (_server, port) = Server::start(dir, server)?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let _: () = redis::cmd("XGROUP")
        .arg(&["CREATE", "q", "g", "0", "MKSTREAM"])
        .query_async(&mut connection)
        .await?;

    let start = Instant::now();
    for _ in 0..work.count / 10 {
        add(connection.clone(), &work.body).await;
    }
    report("redis", "V1", work.count / 10, start);

    let _: () = redis::cmd("XTRIM").arg(&["q", "MAXLEN", "0"]).query_async(&mut connection).await?;
    let road = Instant::now();
    stream::iter(0..work.count)
        .map(|_| add(connection.clone(), &work.body))
        .buffer_unordered(IN_FLIGHT_COUNT)
        .for_each(|()| async {})
        .await;
    report("redis", "V2", work.count, road);

    let start = Instant::now();
    receive(&mut connection, work.count).await?;
    report("redis", "read and acknowledge", work.count, start);
    report("redis", "V3", work.count, road);
    Ok(())
}

fn server(dir: &Path, port: u16) -> Outcome<Command> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(dir);
    command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
    Ok(command)
}

async fn add(mut connection: MultiplexedConnection, body: &[u8]) {
    let mut add = redis::cmd("XADD");
    add.arg("q").arg("*").arg("d").arg(body);
    let _: String = add.query_async(&mut connection).await.expect("Redis takes a message");
}

async fn receive(connection: &mut MultiplexedConnection, count: usize) -> Outcome<()> {
    let mut received = 0;
    while received < count {
        let mut read = redis::cmd("XREADGROUP");
        read.arg(&["GROUP", "g", "c", "COUNT"]).arg(READ_COUNT).arg(&["STREAMS", "q", ">"]);
        let reply: StreamReadReply = read.query_async(connection).await?;
        let ids: Vec<String> =
            reply.keys.into_iter().flat_map(|key| key.ids).map(|entry| entry.id).collect();
        if ids.is_empty() {
            return Err(format!("expected {count} messages, got {received}").into());
        }
        received += ids.len();
        let mut acknowledge = redis::pipe();
        for id in &ids {
            acknowledge.cmd("XACK").arg("q").arg("g").arg(id).ignore();
        }
        let _: () = acknowledge.query_async(connection).await?;
    }
    Ok(())
}
