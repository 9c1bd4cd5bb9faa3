//! A job queue without a broker: one node makes jobs, another runs them with several workers.
//!
//! Several unread streams of one node compete: a job is with one worker until it is archived. A
//! worker that is dropped gives back what it did not archive.
//!
//! `cargo run --example worker_queue`

use std::error::Error;

use peermq::node::{Mode, Node, NodeError, Options, Set};

const JOB_COUNT: u64 = 20;
const WORKER_COUNT: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (a, b) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let producer = Options::new(a.path()).open().await?;
    let consumer = Options::new(b.path()).open().await?;
    consumer.add_peer(producer.id()).await?;
    let _listening = consumer.listen(None).await?;
    let mut connection = producer.connect(consumer.id(), None).await?;

    for number in 0..JOB_COUNT {
        producer.send(consumer.id(), format!("square {number}")).await?;
    }
    let workers: Vec<_> =
        (0..WORKER_COUNT).map(|number| tokio::spawn(work(consumer.clone(), number))).collect();

    // The producer sees each job done, however the workers shared them.
    let mut done = 0;
    while done < JOB_COUNT {
        let ack = connection.next_ack().await?;
        if ack.level == peermq::node::AckLevel::Archived {
            done += ack.last.0 - ack.first.0 + 1;
            println!("{done} of {JOB_COUNT} done");
        }
    }
    for worker in workers {
        worker.abort();
    }
    producer.shutdown().await?;
    consumer.shutdown().await?;
    Ok(())
}

/// Takes one job at a time, does it, and archives it: only then is it done for good.
async fn work(node: Node, number: usize) -> Result<(), NodeError> {
    let mut jobs = node.stream(Set::Unread, Mode::Live);
    while let Some(job) = jobs.next_message().await? {
        let text = String::from_utf8_lossy(job.text().map_or(&[][..], |text| text)).into_owned();
        if let Some(Ok(n)) = text.strip_prefix("square ").map(str::parse::<u64>) {
            println!("worker {number}: {n} squared is {}", n * n);
        }
        node.archive(&job).await?;
    }
    Ok(())
}
