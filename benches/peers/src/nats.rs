//! NATS JetStream with `sync_interval: always`: publish, then pull and acknowledge. Its
//! acknowledgements are not synced; the last is answered, and those before it are taken in by then.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use async_nats::jetstream::{self, Context, consumer::pull, stream::Config};
use futures::{StreamExt, stream};

use crate::server::Server;
use crate::{IN_FLIGHT_COUNT, Outcome, Work, report};

pub async fn run(work: &Work, dir: &Path) -> Outcome<()> {
    let (_server, port) = Server::start(dir, server)?;
    let context = jetstream::new(async_nats::connect(format!("127.0.0.1:{port}")).await?);
    let settings = Config { name: "Q".into(), subjects: vec!["q".into()], ..Config::default() };
    let queue = context.create_stream(settings).await?;

    let start = Instant::now();
    for _ in 0..work.count / 10 {
        publish(&context, &work.body).await;
    }
    report("nats", "V1", work.count / 10, start);

    queue.purge().await?;
    let road = Instant::now();
    stream::iter(0..work.count)
        .map(|_| publish(&context, &work.body))
        .buffer_unordered(IN_FLIGHT_COUNT)
        .for_each(|()| async {})
        .await;
    report("nats", "V2", work.count, road);

    let settings = pull::Config {
        durable_name: Some("c".into()),
        max_ack_pending: 10_000,
        ..pull::Config::default()
    };
    let consumer = queue.create_consumer(settings).await?;
    let mut messages = consumer.stream().max_messages_per_batch(1_000).messages().await?;
    for number in 1..=work.count {
        let message = messages.next().await.ok_or("the stream ended")??;
        let acknowledged =
            if number < work.count { message.ack().await } else { message.double_ack().await };
        acknowledged.map_err(|error| error.to_string())?;
    }
    report("nats", "V3", work.count, road);
    Ok(())
}

fn server(dir: &Path, port: u16) -> Outcome<Command> {
    let settings = dir.join("nats.conf");
    let store = dir.join("nats");
    std::fs::write(
        &settings,
        format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {store:?}, sync_interval: always }}\n"
        ),
    )?;
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(settings);
    Ok(command)
}

async fn publish(context: &Context, body: &[u8]) {
    let sent = context.publish("q", body.to_vec().into()).await.expect("NATS takes a message");
    sent.await.expect("NATS stores a message");
}
