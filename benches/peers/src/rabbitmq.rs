//! RabbitMQ with a quorum queue of one member, which syncs its log before it confirms: publish, then
//! consume and acknowledge. Acknowledgements are entries of that log, without an answer of their own;
//! a message that is confirmed after them shows that they are synced.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use futures::{StreamExt, stream};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

use crate::server::{self, Server, free_port};
use crate::{IN_FLIGHT_COUNT, Outcome, Work, report};

/// Messages that are under way to a consumer at once.
const PREFETCH_COUNT: u16 = 1_000;
/// Messages that one acknowledgement is for.
const GROUP_COUNT: usize = 100;

pub async fn run(work: &Work, dir: &Path) -> Outcome<()> {
    let (_names, names_port) = Server::start(dir, |_, port| Ok(names(port)))?;
    let (_server, port) = Server::start(dir, |dir, port| broker(dir, port, names_port))?;
    let address = format!("amqp://127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    declare(&channel).await?;

    let start = Instant::now();
    for _ in 0..work.count / 10 {
        publish(&channel, &work.body).await;
    }
    report("rabbitmq", "V1", work.count / 10, start);

    channel.queue_purge("q".into(), QueuePurgeOptions::default()).await?;
    let road = Instant::now();
    stream::iter(0..work.count)
        .map(|_| publish(&channel, &work.body))
        .buffer_unordered(IN_FLIGHT_COUNT)
        .for_each(|()| async {})
        .await;
    report("rabbitmq", "V2", work.count, road);

    channel.basic_qos(PREFETCH_COUNT, BasicQosOptions::default()).await?;
    let consumer = channel
        .basic_consume(
            "q".into(),
            "c".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    receive(consumer, work.count).await?;
    publish(&channel, &work.body).await;
    report("rabbitmq", "V3", work.count, road);
    Ok(())
}

/// Erlang's server of names, which Erlang starts as a daemon when it finds none.
fn names(port: u16) -> Command {
    let mut command = Command::new("epmd");
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    command
}

/// The broker in the foreground, with nothing of this machine's own settings.
fn broker(dir: &Path, port: u16, names_port: u16) -> Outcome<Command> {
    let plugins = dir.join("plugins");
    std::fs::write(&plugins, "[].\n")?;
    let mut command = Command::new(script()?);
    command
        .env("HOME", dir)
        .env("ERL_EPMD_PORT", names_port.to_string())
        .env("RABBITMQ_ALLOW_INPUT", "1")
        .env("RABBITMQ_CONFIG_FILE", dir.join("none"))
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("none"))
        .env("RABBITMQ_DIST_PORT", free_port()?.to_string())
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
        .env("RABBITMQ_LOG_BASE", dir)
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_MNESIA_BASE", dir)
        .env("RABBITMQ_NODENAME", "peer@localhost")
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_PID_FILE", dir.join("pid"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-noinput");
    Ok(command)
}

/// RabbitMQ's own script. Its packages put another on the path, which goes on as another user.
fn script() -> Outcome<PathBuf> {
    let packaged = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    if packaged.is_file() {
        return Ok(packaged);
    }
    server::find("rabbitmq-server").ok_or_else(|| "rabbitmq-server is not on the path".into())
}

async fn declare(channel: &Channel) -> Outcome<()> {
    let mut kind = FieldTable::default();
    kind.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare("q".into(), QueueDeclareOptions::durable(), kind).await?;
    Ok(())
}

async fn publish(channel: &Channel, body: &[u8]) {
    let options = BasicPublishOptions::default();
    let durable = BasicProperties::default().with_delivery_mode(2);
    let sent = channel
        .basic_publish("".into(), "q".into(), options, body, durable)
        .await
        .expect("RabbitMQ takes a message");
    assert!(sent.await.expect("RabbitMQ answers").is_ack(), "RabbitMQ stores a message");
}

async fn receive(mut consumer: Consumer, count: usize) -> Outcome<()> {
    for number in 1..=count {
        let delivery = consumer.next().await.ok_or("the stream ended")??;
        if number % GROUP_COUNT == 0 || number == count {
            delivery.ack(BasicAckOptions { multiple: true }).await?;
        }
    }
    Ok(())
}
