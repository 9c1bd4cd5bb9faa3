//! Nodes of one user on one machine meet by files.
//!
//! A listening node writes `<blinded id>` into a folder that only its user can enter: its
//! addresses, one a line. The file is written aside and renamed, so that nobody reads half of it.
//! What a killed node left behind is replaced when it listens again; until then it costs a dial
//! that fails.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::stream::{self, StreamExt};
use tokio::net::UnixStream;
use tokio::time::MissedTickBehavior;

use super::{Addresses, Announcement, BlindedId, Discovery, DiscoveryError};
use crate::limits::{RENDEZVOUS_AGE_DAYS_MAX, RENDEZVOUS_POLL_MS, RENDEZVOUS_SIZE_MAX};
use crate::node::clock::UtcDay;
use crate::node::files;
use crate::types::{Id, UnixMs};

/// A folder in which nodes of one user find each other.
#[derive(Debug)]
pub struct Rendezvous {
    folder: PathBuf,
}

impl Rendezvous {
    /// The folder of this process's user: `$XDG_RUNTIME_DIR/peermq`, or `/tmp/peermq-<uid>` where
    /// that cannot be used. Called within a tokio runtime.
    ///
    /// # Errors
    /// [`DiscoveryError::NotPrivate`] and [`DiscoveryError::NotFolder`] when another user was there
    /// first, or [`DiscoveryError::Io`].
    pub fn of_this_user() -> Result<Self, DiscoveryError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        Self::beneath(runtime, Path::new("/tmp"))
    }

    fn beneath(runtime: Option<PathBuf>, shared: &Path) -> Result<Self, DiscoveryError> {
        if let Some(runtime) = runtime.filter(|path| path.is_absolute())
            && let Ok(rendezvous) = Self::in_folder(runtime.join("peermq"))
        {
            return Ok(rendezvous);
        }
        let uid = own_uid().map_err(at(shared))?;
        Self::in_folder(shared.join(format!("peermq-{uid}")))
    }

    /// A folder of the caller's choice, made with mode 0700 when there is none. Called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// As [`Rendezvous::of_this_user`].
    pub fn in_folder(folder: PathBuf) -> Result<Self, DiscoveryError> {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(at(&folder))?,
        }
        let metadata = fs::symlink_metadata(&folder).map_err(at(&folder))?;
        if !metadata.is_dir() {
            return Err(DiscoveryError::NotFolder { path: folder });
        }
        let uid = own_uid().map_err(at(&folder))?;
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        if owner != uid || mode & 0o077 != 0 {
            return Err(DiscoveryError::NotPrivate { path: folder, uid, owner, mode });
        }
        Ok(Self { folder })
    }

    /// Removes what nodes left behind that never came back: nobody looks for a name so old. What
    /// cannot be removed stays.
    fn remove_stale(&self, day: UtcDay) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let is_stale = |time| day_of(time).0.saturating_add(RENDEZVOUS_AGE_DAYS_MAX) < day.0;
            if modified.is_ok_and(is_stale) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Discovery for Rendezvous {
    fn announce(
        &self,
        id: &Id,
        day: UtcDay,
        listening: SocketAddr,
    ) -> Result<Announcement, DiscoveryError> {
        self.remove_stale(day);
        let [yesterday, today, tomorrow] =
            BlindedId::around(id, day).map(|name| self.folder.join(name.to_string()));
        let lines = on_this_machine(listening).into_iter().map(|address| format!("{address}\n"));
        let written = files::replace(&today, lines.collect::<String>().as_bytes());
        let written = written.and_then(|()| Mark::of(&today)).map_err(at(&today))?;
        for other_day in [yesterday, tomorrow] {
            remove_if_there(&other_day).map_err(at(&other_day))?;
        }
        Ok(Announcement::new(move || {
            if Mark::of(&today).is_ok_and(|found| found == written) {
                // Left behind, it would cost a dial that fails, and no more.
                let _ = remove_if_there(&today);
            }
        }))
    }

    fn find(&self, id: &Id, day: UtcDay) -> Addresses {
        let names = BlindedId::around(id, day);
        let looks = names.map(|name| Look { path: self.folder.join(name.to_string()), seen: None });
        let mut ticks = tokio::time::interval(Duration::from_millis(RENDEZVOUS_POLL_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stream::unfold((ticks, looks), |(mut ticks, mut looks)| async move {
            ticks.tick().await;
            let look = move || {
                let found: Vec<_> = looks.iter_mut().flat_map(Look::again).collect();
                (found, looks)
            };
            let (found, looks) = tokio::task::spawn_blocking(look).await.ok()?;
            Some((stream::iter(found), (ticks, looks)))
        })
        .flatten()
        .boxed()
    }
}

/// A file that may come, and what it was when it was read last.
struct Look {
    path: PathBuf,
    seen: Option<Mark>,
}

impl Look {
    /// The addresses in the file, when it is a new one.
    fn again(&mut self) -> Vec<SocketAddr> {
        let found = Mark::of(&self.path).ok();
        if found == self.seen {
            return Vec::new();
        }
        self.seen = found;
        let bytes = files::read_start(&self.path, RENDEZVOUS_SIZE_MAX).ok().flatten();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// What tells one writing of a file from the next.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    modified: SystemTime,
}

impl Mark {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { inode: metadata.ino(), modified: metadata.modified()? })
    }
}

/// Where this machine dials an address that is listened on.
fn on_this_machine(listening: SocketAddr) -> Vec<SocketAddr> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, listening.port()));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, listening.port()));
    match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![v4],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![v6, v4],
        _ => vec![listening],
    }
}

/// This process's user, as the other end of a socket of its own sees it.
fn own_uid() -> io::Result<u32> {
    let (ours, _theirs) = UnixStream::pair()?;
    Ok(ours.peer_cred()?.uid())
}

fn day_of(time: SystemTime) -> UtcDay {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)).into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DiscoveryError {
    let path = path.to_owned();
    move |source| DiscoveryError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::crypto::Identity;

    const TODAY: UtcDay = UtcDay(20_000);

    fn id() -> Id {
        Identity::from_seed(&[1; 32]).id()
    }

    fn address(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    #[tokio::test]
    async fn a_searcher_finds_who_comes_later_and_who_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = Rendezvous::in_folder(folder.path().join("peermq")).unwrap();
        let mut found = place.find(&id(), TODAY);
        let announcement = place.announce(&id(), TODAY, "[::]:7".parse().unwrap()).unwrap();
        assert_eq!(found.next().await, Some((Ipv6Addr::LOCALHOST, 7).into()));
        assert_eq!(found.next().await, Some(address(7)));
        let again = place.announce(&id(), TODAY, address(7)).unwrap();
        assert_eq!(found.next().await, Some(address(7)), "another try may help");

        drop(announcement);
        let mut late = place.find(&id(), TODAY);
        assert_eq!(late.next().await, Some(address(7)), "what was announced anew stays");
        drop(again);
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn clocks_may_be_a_day_apart() {
        let folder = tempfile::tempdir().unwrap();
        let place = Rendezvous::in_folder(folder.path().join("peermq")).unwrap();
        for day in [19_999, 20_001] {
            let _announcement = place.announce(&id(), UtcDay(day), address(1)).unwrap();
            assert_eq!(place.find(&id(), TODAY).next().await, Some(address(1)));
        }
    }

    #[tokio::test]
    async fn what_killed_nodes_left_behind_goes() {
        let folder = tempfile::tempdir().unwrap();
        let place = Rendezvous::in_folder(folder.path().join("peermq")).unwrap();
        let announce = |id, day, port| place.announce(&id, UtcDay(day), address(port)).unwrap();
        std::mem::forget(announce(id(), 19_999, 1));
        std::mem::forget(announce(id(), 20_000, 2));
        assert_eq!(place.find(&id(), TODAY).next().await, Some(address(2)), "its own at once");

        let written = day_of(fs::metadata(folder.path()).unwrap().modified().unwrap()).0;
        let other = Identity::from_seed(&[2; 32]).id();
        let _soon = announce(other, written + RENDEZVOUS_AGE_DAYS_MAX, 3);
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 2, "it may be back");
        let _later = announce(other, written + RENDEZVOUS_AGE_DAYS_MAX + 1, 4);
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 1, "nobody looks for it");
    }

    #[tokio::test]
    async fn a_file_that_holds_anything_else_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = Rendezvous::in_folder(folder.path().join("peermq")).unwrap();
        let [yesterday, today, tomorrow] = BlindedId::around(&id(), TODAY);
        symlink("/dev/zero", place.folder.join(yesterday.to_string())).unwrap();
        fs::write(place.folder.join(tomorrow.to_string()), vec![0xff; 1 << 20]).unwrap();
        let text = format!("nonsense\n127.0.0.1:99999\n{}\n", address(5));
        fs::write(place.folder.join(today.to_string()), text).unwrap();
        assert_eq!(place.find(&id(), TODAY).next().await, Some(address(5)));
    }

    #[tokio::test]
    async fn a_folder_that_others_can_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o711)).unwrap();
        let refused = Rendezvous::in_folder(open).unwrap_err();
        assert!(matches!(refused, DiscoveryError::NotPrivate { mode: 0o711, .. }), "{refused}");

        let private = folder.path().join("private");
        Rendezvous::in_folder(private.clone()).unwrap();
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o7777, 0o700);
        let link = folder.path().join("link");
        symlink(&private, &link).unwrap();
        let refused = Rendezvous::in_folder(link).unwrap_err();
        assert!(matches!(refused, DiscoveryError::NotFolder { .. }), "{refused}");
    }

    #[tokio::test]
    async fn the_users_runtime_folder_comes_first_and_the_shared_one_else() {
        let shared = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir().unwrap();
        let uid = fs::metadata(shared.path()).unwrap().uid();
        let place = Rendezvous::beneath(Some(runtime.path().into()), shared.path()).unwrap();
        assert_eq!(place.folder, runtime.path().join("peermq"));
        for unusable in [None, Some("relative".into()), Some(runtime.path().join("not/there"))] {
            let place = Rendezvous::beneath(unusable, shared.path()).unwrap();
            assert_eq!(place.folder, shared.path().join(format!("peermq-{uid}")));
        }
    }

    #[tokio::test]
    async fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        Rendezvous::in_folder(theirs.clone()).unwrap();
        if std::os::unix::fs::chown(&theirs, Some(12_345), None).is_err() {
            eprintln!("skipped: only root can give a folder to another user");
            return;
        }
        let refused = Rendezvous::in_folder(theirs).unwrap_err();
        assert!(matches!(refused, DiscoveryError::NotPrivate { owner: 12_345, .. }), "{refused}");
    }
}
