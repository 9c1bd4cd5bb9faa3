//! What is printed: results on standard output, as text or JSON; all else on standard error.

use std::fmt::{self, Write as _};
use std::future;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use peermq::gateway::schema::{Ack, Content, Direction, Listed, Message, Run};
use peermq::types::{Epoch, Seq};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe;

use crate::error::CliError;
use crate::escape::{push_escaped, push_text, unfinished};
use crate::time::Rfc3339;

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    form: Form,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For people: nothing in a text can steer the terminal.
    Terminal,
    /// For programs that read lines: texts as they are.
    Plain,
    /// One object a line.
    Json,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let form = match json {
            true => Form::Json,
            false if io::stdout().is_terminal() => Form::Terminal,
            false => Form::Plain,
        };
        Self { form }
    }

    /// Prints one result: `text` for people, `value` as JSON.
    pub(crate) async fn result(self, text: &str, value: &impl Serialize) -> Result<(), CliError> {
        let mut lines = Lines::new(self);
        lines.push_result(text, value);
        self.write(lines.bytes).await
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// Text in bold, where that can be seen and is wanted (no-color.org).
    pub(crate) fn emphasised(self, text: &str) -> String {
        let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if self.is_terminal() && is_wanted {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Whether results scroll over the same terminal as remarks.
    pub(crate) fn is_terminal(self) -> bool {
        self.form == Form::Terminal
    }

    /// Writes bytes, and returns when standard output has taken them.
    pub(crate) async fn write(self, bytes: Vec<u8>) -> Result<(), CliError> {
        let written = tokio::task::spawn_blocking(move || {
            let mut output = io::stdout().lock();
            output.write_all(&bytes).and_then(|()| output.flush())
        });
        let written = written.await.expect("writing does not panic and is not aborted");
        written.map_err(|error| CliError::output(&error))
    }

    /// Writes a piece of one text. A terminal is given it with its control characters escaped but
    /// for line feeds and tabs, and up to the last whole character: `rest` keeps what is over.
    pub(crate) async fn write_text(self, piece: &[u8], rest: &mut Vec<u8>) -> Result<(), CliError> {
        if !self.is_terminal() {
            return self.write(piece.to_vec()).await;
        }
        rest.extend_from_slice(piece);
        let whole = rest.len() - unfinished(rest);
        let mut shown = String::new();
        push_text(&mut shown, rest.get(..whole).unwrap_or_default());
        rest.drain(..whole);
        self.write(shown.into_bytes()).await
    }

    /// Returns when whoever reads standard output has gone; a file has nobody to go.
    pub(crate) async fn closed(self) -> CliError {
        let output = io::stdout().as_fd().try_clone_to_owned();
        // Only its errors are looked at, and so it may be any descriptor and stays blocking.
        let output = output.and_then(pipe::Sender::from_owned_fd_unchecked);
        if let Ok(output) = output
            && output.ready(Interest::ERROR).await.is_ok()
        {
            return CliError::OutputClosed;
        }
        future::pending().await
    }
}

/// Prints a remark for people.
pub(crate) fn remark(text: &str) {
    // There is nowhere left to say that standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Lines that are printed together.
#[derive(Debug)]
pub(crate) struct Lines {
    output: Output,
    pub(crate) bytes: Vec<u8>,
}

impl Lines {
    pub(crate) const fn new(output: Output) -> Self {
        Self { output, bytes: Vec::new() }
    }

    /// Appends a message that is offered: `MESSAGE <from>@<seq> <text>`.
    pub(crate) fn push_message(&mut self, run: &Run<Message>, message: &Message) {
        let place = PlaceText { run, seq: message.seq };
        match self.output.form {
            Form::Json => self.push_json(&MessageJson::new(run, message)),
            Form::Terminal => self.push(&message_line(&place, &message.content)),
            Form::Plain => self.push_plain(&place, &message.content),
        }
    }

    /// A text to a pipe goes as it is.
    fn push_plain(&mut self, place: &PlaceText<'_, Message>, content: &Content) {
        let text: &[u8] = match content {
            Content::Text(text) => text.as_bytes(),
            Content::Base64(bytes) => bytes,
            Content::Size(_) | Content::Unsupported(_) => {
                return self.push(&message_line(place, content));
            }
        };
        write!(self.bytes, "MESSAGE {place} ").expect("memory takes all that is written");
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
    }

    /// Appends a message that is listed.
    pub(crate) fn push_listed(&mut self, run: &Run<Listed>, listed: &Listed) {
        if self.output.is_json() {
            return self.push_json(&ListedJson { peer: run.peer, epoch: run.epoch, listed });
        }
        let place = PlaceText { run, seq: listed.seq };
        let (state, size, time) = (&listed.state, listed.size, Rfc3339(listed.time));
        self.push(&format!("{place} {state} {size} {time}"));
    }

    /// Appends one result: `text` for people, `value` as JSON.
    pub(crate) fn push_result(&mut self, text: &str, value: &impl Serialize) {
        match self.output.form {
            Form::Json => self.push_json(value),
            Form::Terminal | Form::Plain => self.push(text),
        }
    }

    fn push(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }

    /// Appends one object.
    pub(crate) fn push_json(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.bytes, value).expect("what is printed is JSON");
        self.bytes.push(b'\n');
    }
}

/// `ACK <to>@<first>[-<last>] stored|archived|rejected`, or its JSON.
pub(crate) fn ack_line(output: Output, ack: &Ack) -> String {
    if output.is_json() {
        return serde_json::to_string(ack).expect("what is printed is JSON");
    }
    let Ack { to, first, last, state, .. } = ack;
    if first == last {
        format!("ACK {to}@{first} {state}")
    } else {
        format!("ACK {to}@{first}-{last} {state}")
    }
}

/// A message's line for a terminal.
fn message_line(place: &PlaceText<'_, Message>, content: &Content) -> String {
    let mut line = format!("MESSAGE {place} ");
    match content {
        Content::Text(text) => push_escaped(&mut line, text.as_bytes()),
        Content::Base64(bytes) => push_escaped(&mut line, bytes),
        Content::Size(size) => {
            write!(line, "[{size} bytes: peermq show {place}]").expect("a String takes all");
        }
        Content::Unsupported(size) => {
            write!(line, "[{size} bytes that this version cannot read]")
                .expect("a String takes all");
        }
    }
    line
}

/// A place as `show` takes it.
pub(crate) struct PlaceText<'a, T> {
    pub(crate) run: &'a Run<T>,
    pub(crate) seq: Seq,
}

impl<T> fmt::Display for PlaceText<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Direction::From(peer) | Direction::To(peer)) = self.run.peer;
        if self.run.later_life {
            write!(f, "{peer}@{}.{}", self.run.epoch, self.seq)
        } else {
            write!(f, "{peer}@{}", self.seq)
        }
    }
}

/// A message as one object.
#[derive(Debug, Serialize)]
struct MessageJson<'a> {
    #[serde(flatten)]
    peer: Direction,
    epoch: Epoch,
    #[serde(flatten)]
    message: &'a Message,
}

impl<'a> MessageJson<'a> {
    const fn new(run: &Run<Message>, message: &'a Message) -> Self {
        Self { peer: run.peer, epoch: run.epoch, message }
    }
}

/// A listed message as one object.
#[derive(Debug, Serialize)]
struct ListedJson<'a> {
    #[serde(flatten)]
    peer: Direction,
    epoch: Epoch,
    #[serde(flatten)]
    listed: &'a Listed,
}
