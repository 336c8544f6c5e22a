//! What became of a request.

use serde::{Deserialize, Serialize};

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name of the host has no address.
    Resolve,
    /// Nothing listens at the address.
    Refused,
    /// The network or the host cannot be reached.
    Unreachable,
    /// The peer ended the connection by a reset.
    Reset,
    /// The peer closed the connection before the response was complete.
    Closed,
    /// The response is not HTTP, or contradicts itself.
    Malformed,
    /// The head of the response is too long, or has too many lines.
    HeadTooLarge,
    /// TLS failed: the certificate, the version, or the handshake.
    Tls,
    /// The peer did not agree to HTTP/2.
    #[serde(rename = "no-http2")]
    NoHttp2,
    /// This machine has no file descriptor or port left for another connection.
    Local,
    /// The run was interrupted while the request was under way.
    Interrupted,
    /// Anything else that the system reported.
    Other,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Resolve,
        Self::Refused,
        Self::Unreachable,
        Self::Reset,
        Self::Closed,
        Self::Malformed,
        Self::HeadTooLarge,
        Self::Tls,
        Self::NoHttp2,
        Self::Local,
        Self::Interrupted,
        Self::Other,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::HeadTooLarge => "head-too-large",
            Self::Tls => "tls",
            Self::NoHttp2 => "no-http2",
            Self::Local => "local",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Resolve => "the name of the host has no address",
            Self::Refused => "connection refused: nothing listens there",
            Self::Unreachable => "the host or its network cannot be reached",
            Self::Reset => "the peer reset the connection",
            Self::Closed => "the peer closed the connection before the response was complete",
            Self::Malformed => "the response is not valid HTTP",
            Self::HeadTooLarge => "the head of the response is too large",
            Self::Tls => "TLS failed",
            Self::NoHttp2 => "the peer does not speak HTTP/2",
            Self::Local => "this machine has no file descriptor or port left for another connection",
            Self::Interrupted => "the run was interrupted",
            Self::Other => "another error of the system",
        }
    }

    /// What an error of a stream means. TLS reports its own as invalid data.
    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        if let Some(error) = rustix::io::Errno::from_io_error(error) {
            return Self::of(error);
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Self::Reset,
            ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::InvalidData => Self::Tls,
            ErrorKind::Unsupported => Self::NoHttp2,
            _ => Self::Other,
        }
    }

    /// What an error of the system means.
    pub(crate) fn of(error: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        match error {
            Errno::CONNREFUSED => Self::Refused,
            Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED => Self::Reset,
            Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN | Errno::TIMEDOUT => Self::Unreachable,
            Errno::MFILE | Errno::NFILE | Errno::ADDRNOTAVAIL | Errno::NOBUFS | Errno::NOMEM => Self::Local,
            _ => Self::Other,
        }
    }
}

/// What became of a request that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response with this status.
    Response(u16),
    /// No complete response.
    Failed(Failure),
    /// No complete response in time.
    TimedOut,
}
