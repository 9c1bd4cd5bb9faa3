//! A receiver that comes back from an older copy of its directory.

use std::path::Path;

use crate::fixture::{Host, Net, read, within};
use peermq::node::{Mode, Set};

over_each_transport! {
    async fn a_restored_receiver_does_not_offer_again_what_it_had_archived(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let old = tempfile::tempdir().unwrap();
        let a = a.restart_after(|path| copy(path, old.path())).await;
        for number in 0..3 {
            b.node.send(a.node.id(), format!("{number}")).await.unwrap();
        }
        assert_eq!(meet(&a, &b, 3).await, ["0 0", "1 1", "2 2"]);
        let put_back = |path: &Path| {
            std::fs::remove_dir_all(path.join("store")).unwrap();
            copy(&old.path().join("store"), &path.join("store"));
        };
        let a = a.restart_after(put_back).await;
        b.node.send(a.node.id(), "new").await.unwrap();
        assert_eq!(meet(&a, &b, 1).await, ["3 new"]);
    }
}

/// Brings the two together until `count` messages are read, archived and acknowledged.
async fn meet(reader: &Host, author: &Host, count: usize) -> Vec<String> {
    let listening = reader.listen().await;
    let mut connection = author.connect(reader, &listening).await;
    let mut stream = reader.node.stream(Set::Unread, Mode::Live);
    let texts = read(&reader.node, &mut stream, count).await;
    let last = texts.last().unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    loop {
        let ack = within(connection.next_ack()).await.unwrap();
        if ack.level == peermq::node::AckLevel::Archived && ack.last.0 == last {
            break;
        }
    }
    connection.close().await;
    texts
}

fn copy(from: &Path, to: &Path) {
    let source = from.join(".");
    std::fs::create_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp").arg("-a").args([source.as_path(), to]).status();
    assert!(copied.unwrap().success());
}
