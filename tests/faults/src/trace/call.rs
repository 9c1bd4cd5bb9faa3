//! The calls of a traced thread: what they write, and to what file.

use std::fs;

use nix::libc;
use nix::unistd::Pid;

use super::Harm;

/// A call that a thread is about to make.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) thread: Pid,
    number: libc::c_long,
    arguments: Vec<u64>,
}

/// What a call does to the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Changes them.
    Written,
    /// Makes all of them durable.
    Synced,
    Other,
}

impl Call {
    pub(super) fn of(thread: Pid) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{thread}/syscall")).ok()?;
        let mut words = line.split(' ');
        let number = words.next()?.parse().ok()?;
        let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        Some(Self { thread, number, arguments: words.map_while(hex).collect() })
    }

    fn argument(&self, place: usize) -> u64 {
        self.arguments.get(place).copied().unwrap_or_default()
    }

    pub(super) fn is_harmed_by(&self, harm: Harm) -> bool {
        match harm {
            Harm::Kill => self.writes(),
            Harm::FailSync => SYNC_CALLS.contains(&self.number),
            Harm::FailWrite => {
                FILE_CALLS.contains(&self.number)
                    && !SYNC_CALLS.contains(&self.number)
                    && self.file().starts_with('/')
                    && !self.file().starts_with("/dev/")
            }
        }
    }

    /// Whether it leaves something behind outside its process.
    fn writes(&self) -> bool {
        if self.number == libc::SYS_openat {
            let flags = libc::O_CREAT | libc::O_TRUNC;
            return u64::try_from(flags).is_ok_and(|flags| self.argument(2) & flags != 0);
        }
        let is_inward = || self.file().starts_with("anon_inode:");
        PATH_CALLS.contains(&self.number) || FILE_CALLS.contains(&self.number) && !is_inward()
    }

    /// What it does to the bytes of the file that it is about.
    pub(super) fn effect(&self) -> Effect {
        match self.number {
            libc::SYS_fsync | libc::SYS_fdatasync if self.is_of_a_file() => Effect::Synced,
            number if SYNC_CALLS.contains(&number) => Effect::Other,
            number if FILE_CALLS.contains(&number) => Effect::Written,
            _ => Effect::Other,
        }
    }

    /// Whether it is a result that is told.
    pub(super) fn is_told(&self) -> bool {
        self.number == libc::SYS_write && self.argument(0) == 1
    }

    fn is_of_a_file(&self) -> bool {
        fs::metadata(self.descriptor()).is_ok_and(|found| found.is_file())
    }

    fn descriptor(&self) -> String {
        format!("/proc/{}/fd/{}", self.thread, self.argument(0))
    }

    /// What its descriptor stands for.
    pub(super) fn file(&self) -> String {
        let link = fs::read_link(self.descriptor());
        link.map(|target| target.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Calls that change directories.
const PATH_CALLS: [libc::c_long; 12] = [
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_linkat,
];

/// Calls that write to what their first argument describes, or make it durable.
const FILE_CALLS: [libc::c_long; 12] = [
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
];

/// Calls that make what was written durable.
const SYNC_CALLS: [libc::c_long; 3] =
    [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range];
