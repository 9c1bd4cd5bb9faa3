//! Where the local API's socket is bound and dialled.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::DirectoryError;
use crate::limits::SOCKET_PATH_SIZE_MAX;

/// A path to `api.sock` that fits a socket address; good for as long as this lives.
///
/// A socket address holds little over 100 bytes of path (unix(7)). A longer one goes by a
/// descriptor of the directory, where the system has `/proc/self/fd`.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    #[expect(dead_code, reason = "a path by descriptor is good while the directory is open")]
    directory: Option<File>,
}

impl SocketPath {
    pub(super) fn new(directory: &Path, name: &str) -> Result<Self, DirectoryError> {
        let path = directory.join(name);
        let size = path.as_os_str().len();
        if size <= SOCKET_PATH_SIZE_MAX {
            return Ok(Self { path, directory: None });
        }
        let descriptors = Path::new("/proc/self/fd");
        if !descriptors.exists() {
            return Err(DirectoryError::SocketPath { path, size });
        }
        let opened = File::open(directory).map_err(DirectoryError::at(directory))?;
        let path = descriptors.join(opened.as_raw_fd().to_string()).join(name);
        Ok(Self { path, directory: Some(opened) })
    }
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
