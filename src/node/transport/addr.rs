//! Where a node may be reached.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;

/// Where a node may be reached: `HOST:PORT`, with brackets around an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Addr {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A name that is looked up when it is dialled, and a port.
    Host(String, u16),
}

/// Why text is not an [`Addr`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected HOST:PORT, got {got:?}")]
pub struct AddrError {
    /// The text.
    pub got: String,
}

impl Addr {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Socket(addr) => addr.port(),
            Self::Host(_, port) => *port,
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Self::Socket(addr)
    }
}

impl FromStr for Addr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        if let Ok(addr) = text.parse() {
            return Ok(Self::Socket(addr));
        }
        let wrong = || AddrError { got: text.to_owned() };
        let (name, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
        if name.is_empty() || name.len() > NAME_SIZE_MAX || !is_name(name) {
            return Err(wrong());
        }
        Ok(Self::Host(name.to_owned(), port))
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(addr) => addr.fmt(f),
            Self::Host(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Bytes of a host name (RFC 1035 §2.3.4).
const NAME_SIZE_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_as_they_are_written() {
        for text in ["127.0.0.1:80", "[::1]:0", "localhost:65535", "mail.example.org:7"] {
            assert_eq!(text.parse::<Addr>().unwrap().to_string(), text);
        }
        assert_eq!("[::]:9".parse::<Addr>().unwrap().port(), 9);
        assert_eq!("host:9".parse::<Addr>().unwrap().port(), 9);
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "host", ":80", "host:65536", "::1:80", "a b:1", "http://host:80"] {
            let refused = text.parse::<Addr>().unwrap_err();
            assert_eq!(refused.to_string(), format!("expected HOST:PORT, got {text:?}"));
        }
    }
}
