//! Real multicast: on this machine's loopback, and between two hosts where they can be made.

use std::env;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::crypto::Identity;

const TODAY: UtcDay = UtcDay(20_000);
const PATIENCE: Duration = Duration::from_secs(20);

fn id(seed: u8) -> Id {
    Identity::from_seed(&[seed; 32]).id()
}

/// An address on the loopback, so that nothing is announced to the real network.
fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn next(found: &mut Addresses) -> SocketAddr {
    tokio::time::timeout(PATIENCE, found.next()).await.expect("found in time").expect("not ended")
}

#[tokio::test]
async fn who_comes_first_is_found_and_so_is_who_comes_later_and_who_comes_again() {
    let (ours, theirs) = (Mdns::new(), Mdns::new());
    let first = theirs.announce(&id(1), TODAY, loopback(1)).unwrap();
    let mut found_first = ours.find(&id(1), TODAY);
    assert_eq!(next(&mut found_first).await, loopback(1));

    let mut found_later = ours.find(&id(2), TODAY);
    let later = theirs.announce(&id(2), UtcDay(TODAY.0 + 1), loopback(2)).unwrap();
    assert_eq!(next(&mut found_later).await, loopback(2), "by a clock a day ahead");

    let mut found_too = ours.find(&id(1), TODAY);
    assert_eq!(next(&mut found_too).await, loopback(1), "a second search for one id");

    drop(later);
    let _again = theirs.announce(&id(2), UtcDay(TODAY.0 - 1), loopback(2)).unwrap();
    assert_eq!(next(&mut found_later).await, loopback(2), "another try may help");
    drop(first);
    let _moved = theirs.announce(&id(1), TODAY, loopback(3)).unwrap();
    loop {
        if next(&mut found_first).await == loopback(3) {
            break;
        }
    }
}

#[tokio::test]
async fn a_node_that_is_back_without_a_goodbye_is_found_again() {
    let (ours, theirs) = (Mdns::new(), Mdns::new());
    let mut found = ours.find(&id(3), TODAY);
    std::mem::forget(theirs.announce(&id(3), TODAY, loopback(1)).unwrap());
    assert_eq!(next(&mut found).await, loopback(1));
    let back = Mdns::new();
    let _again = back.announce(&id(3), TODAY, loopback(1)).unwrap();
    assert_eq!(next(&mut found).await, loopback(1));
}

#[tokio::test]
async fn the_last_search_to_end_ends_the_asking() {
    let mdns = Mdns::new();
    let found = [mdns.find(&id(4), TODAY), mdns.find(&id(5), TODAY)];
    assert_eq!(lock(&mdns.network).searches.len(), 2);
    let [one, other] = found;
    drop(one);
    assert_eq!(lock(&mdns.network).searches.len(), 1);
    assert!(lock(&mdns.network).daemon.is_some());
    drop(other);
    assert!(lock(&mdns.network).daemon.is_none());
}

#[tokio::test]
async fn a_flood_for_one_name_stays_bounded() {
    let (sender, mut found) = mpsc::channel(MDNS_ADDRESS_COUNT_MAX);
    let names = BlindedId::around(&id(6), TODAY).map(|name| name.to_string());
    let mut search = Search { names, seen: BTreeSet::new(), found: sender };
    for number in 0..10_000_u32 {
        search.on_address(&number.to_string(), loopback(1));
        assert!(search.seen.len() <= MDNS_ADDRESS_COUNT_MAX);
    }
    assert_eq!(found.len(), MDNS_ADDRESS_COUNT_MAX);
    assert_eq!(found.recv().await, Some(loopback(1)));
}

#[test]
fn addresses_that_no_host_has_are_passed_over() {
    let scoped = |text: &str| ScopedIp::from(text.parse::<IpAddr>().unwrap());
    for text in ["0.0.0.0", "224.0.0.251", "::", "ff02::fb"] {
        assert_eq!(address(&scoped(text), 1), None, "{text}");
    }
    assert_eq!(address(&scoped("10.0.0.1"), 0), None);
    assert_eq!(address(&scoped("10.0.0.1"), 1), Some(([10, 0, 0, 1], 1).into()));
}

/// Two hosts joined by one cable: network namespaces and a veth pair.
struct TwoHosts([String; 2]);

impl TwoHosts {
    fn new() -> Result<Self, String> {
        let hosts = ["a", "b"].map(|end| format!("peermq{}{end}", std::process::id()));
        let this = Self(hosts);
        let [a, b] = &this.0;
        ip(&format!("netns add {a}"))?;
        ip(&format!("netns add {b}"))?;
        ip(&format!("-n {a} link add eth0 type veth peer name eth0 netns {b}"))?;
        for (host, address) in [(a, "10.71.0.1/24"), (b, "10.71.0.2/24")] {
            ip(&format!("-n {host} address add {address} dev eth0"))?;
            ip(&format!("-n {host} link set lo up"))?;
            ip(&format!("-n {host} link set eth0 up"))?;
        }
        Ok(this)
    }

    /// This test program once more, on one of the hosts.
    fn start(&self, host: usize, test: &str) -> Child {
        let test = format!("node::discovery::mdns::tests::{test}");
        Command::new("ip")
            .args(["netns", "exec", &self.0[host]])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", &test])
            .env(ON_A_HOST, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        for host in &self.0 {
            let _ = ip(&format!("netns delete {host}"));
        }
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(said)
}

const ON_A_HOST: &str = "PEERMQ_TEST_ON_A_HOST";

#[test]
fn two_hosts_find_each_other_and_dial_what_they_found() {
    let hosts = match TwoHosts::new() {
        Ok(hosts) => hosts,
        Err(error) => return eprintln!("skipped: two hosts cannot be made here: {error}"),
    };
    let mut listening = hosts.start(0, "one_host_listens");
    let dialling = hosts.start(1, "the_other_dials").wait_with_output().unwrap();
    drop(listening.stdin.take());
    listening.wait().unwrap();
    let text = String::from_utf8_lossy(&dialling.stdout).into_owned();
    assert!(dialling.status.success(), "{text}");
    assert!(text.contains("dialled 10.71.0.1:"), "{text}");
    assert!(text.contains("dialled [fe80::"), "{text}");
}

/// Listens on all interfaces until its input ends.
#[tokio::test]
async fn one_host_listens() {
    if env::var_os(ON_A_HOST).is_none() {
        return;
    }
    let listener = TcpListener::bind("[::]:0").unwrap();
    let mdns = Mdns::new();
    let _announcement = mdns.announce(&id(7), TODAY, listener.local_addr().unwrap()).unwrap();
    let until_the_end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(until_the_end).await.unwrap().unwrap();
}

/// Dials what it finds until both an IPv4 and an IPv6 address have answered.
#[tokio::test]
async fn the_other_dials() {
    if env::var_os(ON_A_HOST).is_none() {
        return;
    }
    let mut found = Mdns::new().find(&id(7), TODAY);
    let (mut v4, mut v6) = (false, false);
    while !(v4 && v6) {
        let address = next(&mut found).await;
        if TcpStream::connect_timeout(&address, PATIENCE).is_ok() {
            println!("dialled {address}");
            (v4, v6) = (v4 || address.is_ipv4(), v6 || address.is_ipv6());
        }
    }
}
