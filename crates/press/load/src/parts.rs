//! One request in its parts, whatever protocol carries it, and what HTTP/1.1 and HTTP/2 make of it.

use crate::target::Target;
use bytes::Bytes;
use http::Request;
use std::borrow::Cow;

/// Who sends the requests.
const USER_AGENT: &str = concat!("casebook/", env!("CARGO_PKG_VERSION"));
/// The headers that HTTP/2 does not have (RFC 9113, section 8.2.2).
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Why a request cannot be written as HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Http2Error {
    /// A header that only HTTP/1.1 has.
    #[error("HTTP/2 has no header `{0}`: leave it out, or leave out --http2")]
    OfConnections(String),
    /// A part that is not valid.
    #[error("the request is not valid: {0}")]
    Invalid(String),
}

impl Http2Error {
    /// Whether HTTP/2 has a header.
    pub(crate) fn check(header: &str) -> Result<(), Self> {
        let is_of_connections = OF_CONNECTIONS.iter().any(|of| header.eq_ignore_ascii_case(of));
        if is_of_connections { Err(Self::OfConnections(header.to_owned())) } else { Ok(()) }
    }
}

/// The parts of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) method: Cow<'a, str>,
    /// The path with its query.
    pub(crate) path: Cow<'a, str>,
    /// Headers, besides those that every request has. No value contains a line end.
    pub(crate) headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) body: Cow<'a, [u8]>,
}

/// A request of HTTP/2.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) head: Request<()>,
    pub(crate) body: Bytes,
}

impl Parts<'_> {
    /// Whether the response has no body, whatever it says.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|(of, _)| of.eq_ignore_ascii_case(header))
    }

    /// Whether the request has a body, or could have had one: then its length is said.
    fn takes_body(&self) -> bool {
        !self.body.is_empty() || matches!(&*self.method, "POST" | "PUT" | "PATCH")
    }

    /// Appends the bytes of the request in HTTP/1.1.
    pub(crate) fn http1(&self, authority: &str, keeps_alive: bool, out: &mut Vec<u8>) {
        for part in [&*self.method, " ", &*self.path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let mut line = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        };
        if !self.has("host") {
            line("Host", authority);
        }
        if !self.has("user-agent") {
            line("User-Agent", USER_AGENT);
        }
        if !self.has("accept") {
            line("Accept", "*/*");
        }
        if !keeps_alive && !self.has("connection") {
            line("Connection", "close");
        }
        if self.takes_body() && !self.has("content-length") && !self.has("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }

    /// The request in HTTP/2.
    pub(crate) fn http2(&self, target: &Target) -> Result<Message, Http2Error> {
        let host = self.headers.iter().find(|(of, _)| of.eq_ignore_ascii_case("host"));
        let authority = host.map_or(target.authority.as_str(), |(_, value)| value);
        let scheme = if target.is_tls { "https" } else { "http" };
        let mut head =
            Request::builder().method(&*self.method).uri(format!("{scheme}://{authority}{}", self.path));
        if !self.has("user-agent") {
            head = head.header("user-agent", USER_AGENT);
        }
        if !self.has("accept") {
            head = head.header("accept", "*/*");
        }
        if self.takes_body() && !self.has("content-length") {
            head = head.header("content-length", self.body.len());
        }
        for (name, value) in self.headers.iter().filter(|(of, _)| !of.eq_ignore_ascii_case("host")) {
            Http2Error::check(name)?;
            // The only encoding of a transfer that HTTP/2 has (RFC 9113, section 8.2.2).
            if name.eq_ignore_ascii_case("te") && !value.trim().eq_ignore_ascii_case("trailers") {
                return Err(Http2Error::OfConnections(format!("{name}: {value}")));
            }
            head = head.header(&**name, &**value);
        }
        let head = head.body(()).map_err(|error| Http2Error::Invalid(error.to_string()))?;
        Ok(Message { head, body: Bytes::copy_from_slice(&self.body) })
    }
}
