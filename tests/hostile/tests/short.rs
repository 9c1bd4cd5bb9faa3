//! Each attack, a little: what is asserted are bytes, counts and effects. What they cost is measured
//! by the program.

#![expect(clippy::indexing_slicing, reason = "tests may, where bounds are at hand")]
#![expect(clippy::unwrap_used, reason = "tests may: a panic is a failure")]

use peermq::limits::{POSITION_BURST, POSITIONS_PER_S_MAX};
use peermq::types::Id;
use peermq_hostile::floods::{self, FLOODS};
use peermq_hostile::liar::unread_session;
use peermq_hostile::lies::{self, LIES};
use peermq_hostile::report::Report;
use peermq_hostile::strangers::{self, Honest, Opening};
use peermq_hostile::target::{Program, Target};
use peermq_hostile::{cuts, removal, scenes};

/// A node that has added an honest peer, to whom it has spoken, and all liars.
async fn stage() -> (Target, Honest) {
    let peermq = peermq_program::beside(env!("CARGO_BIN_EXE_peermq-hostile")).unwrap();
    let program = Program::find(Some(&peermq), None).unwrap();
    let mut honest = Honest::new().await.unwrap();
    let liars = (0..LIES.len() + 6).map(|number| lies::liar(number).id());
    let peers: Vec<Id> = [honest.node().id()].into_iter().chain(liars).collect();
    let mut target = Target::start(&program, &peers).await.unwrap();
    honest.connect(&target).await.unwrap();
    assert_eq!(target.next_text().await.unwrap(), "hello");
    (target, honest)
}

/// So many connections of strangers get no byte, and a peer gets through.
async fn is_silent_to(opening: Opening, count: u64) {
    let (target, mut honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    let flood = strangers::flood(&mut report, &target, opening, 400, count, Some(&mut honest));
    flood.await.unwrap();
    assert_eq!(report.count("connections"), count);
    assert_eq!(report.count("bytes_received"), 0);
    assert_ne!(report.count("honest_connects"), 0);
    let status = target.status().await.unwrap();
    assert_eq!(status["sessions"].as_array().unwrap().len(), 0, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_know_the_id_get_no_byte() {
    is_silent_to(Opening::Stranger, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_gets_no_byte() {
    is_silent_to(Opening::Noise, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_lock_nobody_out() {
    is_silent_to(Opening::Slow, 600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_low_order_get_no_byte() {
    is_silent_to(Opening::LowOrder, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_flight_gets_no_byte() {
    let (target, _honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    strangers::replay(&mut report, &target, &lies::liar(0)).await.unwrap();
    assert_eq!((report.count("bytes_to_the_first"), report.count("bytes_to_the_replay")), (64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_the_handshake_gets_no_more_than_flight_2() {
    let (target, _honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    strangers::false_auth(&mut report, &target, &lies::liar(0)).await.unwrap();
    assert_eq!((report.count("connections"), report.count("bytes_after_flight_2")), (2, 0));
    let status = target.status().await.unwrap();
    assert_eq!(status["sessions"].as_array().unwrap().len(), 0, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_reads_nothing_costs_little_memory() {
    let (target, _honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    unread_session(&mut report, &target, &lies::liar(0), 3).await.unwrap();
    assert_ne!(report.count("pings"), 0);
    // A debug build on a busy machine: a queue without a bound grows by far more.
    assert!(report.count("grown_kib") < 8 << 10, "{}", report.line().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_is_found_out_by_name_and_hurts_nobody_else() {
    let (mut target, mut honest) = stage().await;
    for (number, lie) in LIES.iter().enumerate() {
        lie.tell(number, &mut target).await.unwrap();
    }
    honest.connect(&target).await.unwrap();
    assert_eq!(target.next_text().await.unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_liar_several_sessions_is_found_out_too() {
    let (mut target, mut honest) = stage().await;
    let to = &mut target;
    let liars: Vec<_> = (LIES.len()..LIES.len() + 6).map(lies::liar).collect();
    scenes::a_false_body(&liars[0], to).await.unwrap();
    scenes::another_history(&liars[1], to).await.unwrap();
    scenes::a_log_begun_again(&liars[2], to).await.unwrap();
    scenes::over_quota(&liars[3], to).await.unwrap();
    scenes::two_sessions(&liars[4], to).await.unwrap();
    scenes::bodies_of_others(&liars[5], to).await.unwrap();
    honest.connect(to).await.unwrap();
    assert_eq!(to.next_text().await.unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_credit_covers_is_taken_in_at_a_pace_and_others_get_through() {
    let (target, mut honest) = stage().await;
    for (number, flood) in FLOODS.into_iter().enumerate() {
        let mut report = Report::begin("short", &target).unwrap();
        let peer = lies::liar(number);
        floods::run(&mut report, &target, &peer, &mut honest, flood, 2).await.unwrap();
        let line = report.line().unwrap();
        assert!(report.count("honest_connects") >= 3, "{flood:?}: {line}");
        let seconds = report.count("elapsed_ms").div_ceil(1_000) + 1;
        let most = u64::from(POSITION_BURST) + seconds * u64::from(POSITIONS_PER_S_MAX);
        assert!(report.count("positions_answered") <= most, "{flood:?}: {line}");
    }
    // Nobody was taken for a liar, and nothing is broken.
    let status = target.status().await.unwrap();
    assert_eq!(status["ended"].as_array().unwrap().len(), FLOODS.len() + 1, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_anywhere_loses_and_repeats_nothing() {
    let (mut target, _honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    cuts::run(&mut report, &mut target, 20_011).await.unwrap();
    assert_ne!(report.count("cuts"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_peer_gets_nothing_more() {
    let (target, _honest) = stage().await;
    let mut report = Report::begin("short", &target).unwrap();
    removal::run(&mut report, &target, 2_000).await.unwrap();
    assert_eq!(report.count("bytes_after"), 0, "{}", report.line().unwrap());
}
