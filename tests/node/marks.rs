//! Archived and cleared are final; unread ones are shared.

use std::iter;

use peermq::node::{Mode, Place, Places, Set};
use peermq::types::Seq;

use crate::fixture::{Net, text, within};

over_each_transport! {
    async fn two_readers_share_the_unread_and_one_that_goes_gives_back(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        b.node.send(a.node.id(), "job").await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut first = a.node.stream(Set::Unread, Mode::Live);
        let job = within(first.next_message()).await.unwrap().unwrap();
        let mut second = a.node.stream(Set::Unread, Mode::Live);
        let mut drained = a.node.stream(Set::Unread, Mode::Drain);
        assert_eq!(within(drained.next_message()).await.unwrap(), None, "the first one has it");
        drop(first);
        let again = within(second.next_message()).await.unwrap().unwrap();
        assert_eq!(again, job);
        a.node.archive(&again).await.unwrap();
    }

    async fn archived_and_cleared_messages_never_come_back(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        for n in 0..4 {
            b.node.send(a.node.id(), n.to_string()).await.unwrap();
        }
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let mut messages = Vec::new();
        while messages.len() < 4 {
            messages.push(within(unread.next_message()).await.unwrap().unwrap());
        }
        a.node.archive(&messages[0]).await.unwrap();
        a.node.archive(&messages[0]).await.unwrap();
        a.node.clear(&messages[1]).await.unwrap();
        a.node.archive(&messages[2]).await.unwrap();
        a.node.clear(&messages[2]).await.unwrap();
        let epoch = messages[0].epoch;
        let never = Place { from: b.node.id(), epoch, seqs: 9..=9 };
        a.node.archive(never).await.unwrap_err();
        drop((unread, listening));

        let a = a.restart().await;
        let mut unread = a.node.stream(Set::Unread, Mode::Drain);
        assert_eq!(text(&within(unread.next_message()).await.unwrap().unwrap()), "3 3");
        assert_eq!(within(unread.next_message()).await.unwrap(), None);
        let mut archived = a.node.stream(Set::Archived, Mode::Drain);
        assert_eq!(text(&within(archived.next_message()).await.unwrap().unwrap()), "0 0");
        assert_eq!(within(archived.next_message()).await.unwrap(), None);
        a.node.read(b.node.id(), None, Seq(1)).await.unwrap_err();
    }

    async fn one_that_never_came_leaves_a_batch_of_any_size_unread(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        b.node.send(a.node.id(), "wanted").await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let message = within(unread.next_message()).await.unwrap().unwrap();
        drop(unread);

        let never = Place { seqs: 9..=9, ..message.place() };
        // More than one durable step takes, and the last of it cannot be.
        let batch = iter::repeat_n(message.place(), 65_536).chain([never]);
        a.node.archive(batch.collect::<Places>()).await.unwrap_err();
        let endless = Place { seqs: 0..=u64::MAX, ..message.place() };
        a.node.clear(endless).await.unwrap_err();

        let mut unread = a.node.stream(Set::Unread, Mode::Drain);
        assert_eq!(within(unread.next_message()).await.unwrap(), Some(message.clone()));
        let batch = iter::repeat_n(message.place(), 65_537);
        a.node.archive(batch.collect::<Places>()).await.unwrap();
    }
}
