//! What a search depends on, besides whom it is for: the day, and the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::limits::NETWORK_CHECK_MS;
use crate::node::clock::{Clock, UtcDay};

/// The day, and the addresses from which this machine reaches the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The day by UTC.
    pub(super) day: UtcDay,
    sources: [Option<IpAddr>; 2],
}

impl Surroundings {
    pub(super) fn now(clock: &Clock) -> Self {
        let sources = [
            source(Ipv4Addr::UNSPECIFIED.into(), WORLD_V4.into()),
            source(Ipv6Addr::UNSPECIFIED.into(), WORLD_V6.into()),
        ];
        Self { day: clock.today(), sources }
    }

    /// Waits until something is another, and returns what is then.
    pub(super) async fn changed(self, clock: &Clock) -> Self {
        let ticks = async {
            loop {
                tokio::time::sleep(Duration::from_millis(NETWORK_CHECK_MS)).await;
                let now = Self::now(clock);
                if now != self {
                    return now;
                }
            }
        };
        tokio::select! {
            now = ticks => now,
            _ = clock.day_after(self.day) => Self::now(clock),
        }
    }
}

/// The address that a datagram to `world` would leave from. None is sent: connecting a datagram
/// socket only looks up the route (udp(7)).
fn source(any: IpAddr, world: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(world, DISCARD)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// An address that is nobody's (RFC 5737 §3).
const WORLD_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// An address that is nobody's (RFC 3849 §2).
const WORLD_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The port of the discard service (RFC 863).
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;
    use crate::types::UnixMs;

    #[tokio::test(start_paused = true)]
    async fn a_new_day_is_a_change_and_so_is_nothing_else_here() {
        let clock = Clock::simulated(UnixMs(20_000 * 86_400_000 + 86_300_000));
        let before = Surroundings::now(&clock);
        let after = before.changed(&clock).await;
        assert_eq!(after, Surroundings { day: UtcDay(20_001), ..before });
    }

    #[test]
    fn a_new_network_is_a_change() {
        let test = "node::discovery::surroundings::tests::on_a_host_of_its_own";
        let output = Command::new("unshare")
            .args(["--net"])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(ON_A_HOST, "1")
            .output();
        match output {
            Ok(output) if String::from_utf8_lossy(&output.stderr).contains("unshare failed") => {
                eprintln!("skipped: a host of its own cannot be made here");
            }
            Err(error) => eprintln!("skipped: unshare is not at hand: {error}"),
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            }
        }
    }

    const ON_A_HOST: &str = "PEERMQ_TEST_ON_A_HOST";

    #[tokio::test(start_paused = true)]
    async fn on_a_host_of_its_own() {
        if env::var_os(ON_A_HOST).is_none() {
            return;
        }
        let clock = Clock::system();
        let alone = Surroundings::now(&clock);
        assert_eq!(alone.sources, [None, None]);
        for arguments in [
            "link add eth0 type veth peer name eth1",
            "address add 10.72.0.1/24 dev eth0",
            "link set eth0 up",
            "route add default dev eth0",
        ] {
            assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
        }
        let connected = alone.changed(&clock).await;
        assert_eq!(connected.sources, [Some([10, 72, 0, 1].into()), None]);
    }
}
