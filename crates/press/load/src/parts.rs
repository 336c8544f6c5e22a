//! One request in its parts, whatever protocol carries it, and its bytes in HTTP/1.1.

use std::borrow::Cow;

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

impl Parts<'_> {
    /// Whether the response has no body, whatever it says.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Appends the bytes of the request in HTTP/1.1.
    pub(crate) fn http1(&self, authority: &str, keeps_alive: bool, out: &mut Vec<u8>) {
        let has = |name: &str| self.headers.iter().any(|(of, _)| of.eq_ignore_ascii_case(name));
        for part in [&*self.method, " ", &*self.path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let mut line = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        };
        if !has("host") {
            line("Host", authority);
        }
        if !has("user-agent") {
            line("User-Agent", concat!("casebook/", env!("CARGO_PKG_VERSION")));
        }
        if !has("accept") {
            line("Accept", "*/*");
        }
        if !keeps_alive && !has("connection") {
            line("Connection", "close");
        }
        let takes_body = !self.body.is_empty() || matches!(&*self.method, "POST" | "PUT" | "PATCH");
        if takes_body && !has("content-length") && !has("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}
