//! What a run does: its requests, its schedule, its connections.

use crate::http2::Message;
use crate::schedule::Schedule;
use crate::target::Target;
use crate::tls::Trust;
use bytes::Bytes;
use http::Request;
use std::time::Duration;

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

/// What drives requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Drive {
    /// A schedule, whatever the service does: an open loop.
    Schedule(Schedule),
    /// Users who each wait for an answer, think, and ask again: a closed loop. A slow service gets fewer requests, and the time in
    /// which it would have got more is not measured.
    Users {
        /// How many.
        users: u32,
        /// How long each thinks between an answer and the next request.
        think: Duration,
    },
    /// All connections ask again as soon as they have an answer: a closed loop without thinking.
    Max,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2: several requests at once on each connection, without TLS from the first byte (prior knowledge).
    Http2 {
        /// How many at once, if the peer allows so many.
        streams: u32,
    },
}

impl Protocol {
    /// How many requests may be under way at once on a connection.
    pub fn streams(self) -> u32 {
        match self {
            Self::Http1 => 1,
            Self::Http2 { streams } => streams,
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// How requests are written.
    pub protocol: Protocol,
    /// The method.
    pub method: String,
    /// Headers, besides those that every request has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What drives requests.
    pub drive: Drive,
    /// How long requests are due.
    pub duration: Duration,
    /// How many connections there may be.
    pub connections: u32,
    /// How many threads send.
    pub threads: usize,
    /// How long a request may take from when it is sent.
    pub timeout: Duration,
    /// Whose certificates are accepted, if the target is encrypted.
    pub trust: Trust,
    /// Whether a connection takes more than one request.
    pub keeps_alive: bool,
}

impl Plan {
    /// How many requests are planned. `None` in a closed loop, which sends as many as are answered.
    pub fn planned(&self) -> Option<u64> {
        match &self.drive {
            Drive::Schedule(schedule) => Some(schedule.planned(nanoseconds(self.duration))),
            Drive::Users { .. } | Drive::Max => None,
        }
    }

    /// The requests per second that are asked for, on average. `None` in a closed loop.
    pub fn asked_rate(&self) -> Option<f64> {
        match &self.drive {
            Drive::Schedule(schedule) => Some(schedule.mean_rate(nanoseconds(self.duration))),
            Drive::Users { .. } | Drive::Max => None,
        }
    }

    /// A request of HTTP/2.
    pub(crate) fn message(&self) -> Result<Message, Http2Error> {
        let has = |name: &str| self.headers.iter().any(|(of, _)| of.eq_ignore_ascii_case(name));
        let host = self.headers.iter().find(|(of, _)| of.eq_ignore_ascii_case("host"));
        let authority = host.map_or(self.target.authority.as_str(), |(_, value)| value.as_str());
        let scheme = if self.target.is_tls { "https" } else { "http" };
        let mut head = Request::builder()
            .method(self.method.as_str())
            .uri(format!("{scheme}://{authority}{}", self.target.path));
        if !has("user-agent") {
            head = head.header("user-agent", USER_AGENT);
        }
        if !has("accept") {
            head = head.header("accept", "*/*");
        }
        if self.takes_body() && !has("content-length") {
            head = head.header("content-length", self.body.len());
        }
        for (name, value) in self.headers.iter().filter(|(of, _)| !of.eq_ignore_ascii_case("host")) {
            if OF_CONNECTIONS.iter().any(|of| name.eq_ignore_ascii_case(of)) {
                return Err(Http2Error::OfConnections(name.clone()));
            }
            head = head.header(name, value);
        }
        let head = head.body(()).map_err(|error| Http2Error::Invalid(error.to_string()))?;
        Ok(Message { head, body: Bytes::copy_from_slice(&self.body) })
    }

    fn takes_body(&self) -> bool {
        !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")
    }

    /// The bytes of a request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(of, _)| of.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target.path);
        let mut line = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        if !has("host") {
            line("Host", &self.target.authority);
        }
        if !has("user-agent") {
            line("User-Agent", USER_AGENT);
        }
        if !has("accept") {
            line("Accept", "*/*");
        }
        if !self.keeps_alive && !has("connection") {
            line("Connection", "close");
        }
        if self.takes_body() && !has("content-length") && !has("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&self.body);
        request
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_headers_that_it_needs_and_those_that_the_user_gave() {
        let plan = |method: &str, headers: &[(&str, &str)], body: &str, keeps_alive| Plan {
            target: Target::parse("http://127.0.0.1:80/a?b").unwrap(),
            protocol: Protocol::Http1,
            method: method.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            drive: Drive::Max,
            duration: Duration::from_secs(1),
            connections: 1,
            threads: 1,
            timeout: Duration::from_secs(1),
            keeps_alive,
            trust: Trust::System,
        };
        let text = |plan: Plan| String::from_utf8(plan.request()).unwrap();
        let get = text(plan("GET", &[("host", "shop"), ("X-A", "1")], "", true));
        assert!(
            get.starts_with("GET /a?b HTTP/1.1\r\nUser-Agent: casebook/")
                && get.ends_with("host: shop\r\nX-A: 1\r\n\r\n"),
            "{get}"
        );
        let post = text(plan("POST", &[("user-agent", "me"), ("Accept", "text/plain")], "hello", false));
        let expected = "POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\nContent-Length: 5\r\nuser-agent: me\r\n\
                        Accept: text/plain\r\n\r\nhello";
        assert_eq!(post, expected);
    }
}
