//! A small disk that can be filled and freed: a tmpfs, in a mount namespace of the harness's own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::Outcome;

/// Runs this program again where it may mount, unless it runs there already.
///
/// # Errors
/// When this system lets nobody do that.
pub(crate) fn enter_namespace() -> Outcome {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let unshared = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user"]).env(INSIDE, "1");
        command
    };
    if !unshared().arg("true").status()?.success() {
        return Err("expected to be let mount: see unshare(1)".into());
    }
    let arguments = std::env::args_os().skip(1);
    Err(unshared().arg(std::env::current_exe()?).args(arguments).exec().into())
}

/// A mounted tmpfs.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub(crate) fn mount() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder.path());
        if !mount.status()?.success() {
            return Err("expected a tmpfs to be mounted".into());
        }
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it but for `room` bytes, as far as others leave it that.
    ///
    /// # Errors
    /// What is not for want of space.
    pub(crate) fn fill(&self, room: u64) -> io::Result<()> {
        let mut filler = File::options().append(true).create(true).open(self.filler())?;
        let piece = vec![0; PIECE_SIZE];
        let wanted = self.free()?.saturating_sub(room);
        let mut missing = usize::try_from(wanted).unwrap_or(usize::MAX);
        while missing > 0 {
            match filler.write(piece.get(..missing.min(PIECE_SIZE)).unwrap_or(&piece)) {
                Ok(size) => missing -= size,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes away what filled it.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn clear(&self) -> io::Result<()> {
        fs::remove_file(self.filler())
    }

    fn free(&self) -> io::Result<u64> {
        let disk = nix::sys::statvfs::statvfs(self.path())?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The namespace goes with its last process, and this with it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Says that this process is in the namespace.
const INSIDE: &str = "PEERMQ_FAULTS_INSIDE";
/// Room for two nodes, and for a few MiB of what they exchange.
const SIZE: &str = "size=384m";
const PIECE_SIZE: usize = 64 << 10;
