//! What `send` reads: a text, a file, lines, or standard input.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use peermq::limits::BODY_TEXT_SIZE_MAX;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

use crate::args::SendArgs;
use crate::error::CliError;
use crate::output::remark;
use crate::progress::Progress;

/// What is to be sent.
pub(crate) enum Source {
    /// One message.
    Text(Text),
    /// A message a line.
    Lines(Box<dyn AsyncRead + Unpin>),
}

impl Source {
    /// Opens what the command line names; what cannot be read is found out before anything is sent.
    pub(crate) async fn open(args: SendArgs) -> Result<Self, CliError> {
        if let Some(message) = args.message {
            return Ok(Self::Text(Text::Whole(message.into_vec().into())));
        }
        if let Some(path) = args.file {
            return Text::file(path).map(Self::Text);
        }
        match args.lines {
            Some(path) if path != Path::new("-") => {
                let file = open(&path)?;
                Ok(Self::Lines(Box::new(tokio::fs::File::from_std(file))))
            }
            Some(_) => Ok(Self::Lines(Box::new(stdin("messages, one a line")))),
            None => Text::stream(stdin("the message")).await.map(Self::Text),
        }
    }
}

/// The text of one message, of any size.
pub(crate) enum Text {
    /// In memory.
    Whole(Bytes),
    /// In a file, which is opened for each try.
    File { path: PathBuf, size: u64 },
    /// From something that can be read only once.
    Once { body: Option<Body> },
}

impl Text {
    /// Bytes, when they are known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Self::File { size, .. } => Some(*size),
            Self::Once { .. } => None,
        }
    }

    /// The text as a request's body; `None` when it was given before and cannot be given again.
    pub(crate) fn body(&mut self, progress: &Progress) -> Option<Body> {
        progress.set(0);
        let body = match self {
            Self::Whole(bytes) => return Some(Body::from(bytes.clone())),
            Self::File { path, .. } => file_body(path),
            Self::Once { body } => body.take()?,
        };
        let progress = progress.clone();
        let counted = body.into_data_stream().inspect_ok(move |piece| {
            progress.add(u64::try_from(piece.len()).expect("a piece fits in memory"));
        });
        Some(Body::from_stream(counted))
    }

    fn file(path: PathBuf) -> Result<Self, CliError> {
        let file = open(&path)?;
        let metadata = file.metadata().map_err(|error| unreadable(&path, &error))?;
        if !metadata.is_file() {
            let body = Some(body_of(tokio::fs::File::from_std(file)));
            return Ok(Self::Once { body });
        }
        let size = metadata.len();
        if size > BODY_TEXT_SIZE_MAX {
            return Err(CliError::Failed(format!(
                "expected a text of at most {BODY_TEXT_SIZE_MAX} bytes, got {size} in {path:?}"
            )));
        }
        Ok(Self::File { path, size })
    }

    /// Reads ahead: what ends soon can be sent again, if need be.
    async fn stream(mut input: impl AsyncRead + Send + Unpin + 'static) -> Result<Self, CliError> {
        let mut start = BytesMut::with_capacity(READ_AHEAD_SIZE);
        while start.len() < READ_AHEAD_SIZE {
            let read = input.read_buf(&mut start).await;
            if read.map_err(|error| unreadable(Path::new("-"), &error))? == 0 {
                return Ok(Self::Whole(start.freeze()));
            }
        }
        Ok(Self::Once { body: Some(body_of(io::Cursor::new(start.freeze()).chain(input))) })
    }
}

/// Opens a file, but no directory.
fn open(path: &Path) -> Result<File, CliError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(unreadable(path, &io::ErrorKind::IsADirectory.into()))
        }
        Ok(_) => Ok(file),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> CliError {
    CliError::Failed(format!("expected to read {path:?}, got: {error}"))
}

fn file_body(path: &Path) -> Body {
    match File::open(path) {
        Ok(file) => body_of(tokio::fs::File::from_std(file)),
        Err(error) => Body::from_stream(futures::stream::iter([Err::<Bytes, _>(error)])),
    }
}

fn body_of(input: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(input, PIECE_SIZE))
}

/// Standard input; whoever sits at a terminal is told what it is read for.
fn stdin(what: &str) -> tokio::io::Stdin {
    if io::stdin().is_terminal() {
        remark(&format!("reading {what} from the terminal; Ctrl-D ends it"));
    }
    tokio::io::stdin()
}

/// Bytes of standard input that are kept until the message is durable.
const READ_AHEAD_SIZE: usize = 1 << 20;
/// Bytes that are read from a file at once.
const PIECE_SIZE: usize = 128 * 1024;
