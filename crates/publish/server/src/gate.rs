//! The checks that every request has to pass, whatever the door is, and then the door.
//!
//! ```text
//!  host ─▶ method ─▶ body ─▶ length ─▶ text ─▶ Door::decide ─▶ site
//!  421      405      413      414      400     the door's own
//! ```
//!
//! Before all of them, [`takes`] decides whether a body is read at all.
//!
//! This module has no socket and no state. The door comes last, so that a malformed request changes nothing there: it
//! cannot use up a token.

use crate::door::{Door, Head, Verdict};
use crate::limits::Limits;
use crate::listen::ServerOptions;
use crate::refusal::Refusal;
use crate::request::{Gone, Request};
use crate::target;
use hyper::body::Bytes;
use hyper::header;
use hyper::http::request::Parts;
use hyper::{Method, Uri};

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Body {
    /// There is none.
    Empty,
    /// The body of a `POST` that the door takes.
    Taken(Bytes),
    /// A body that the door does not take, that is too long for it, or that broke off.
    Unwanted,
}

/// How many bytes of body to read before [`decide`]. `None` for every request but a `POST` to our own host that the
/// door takes.
pub(crate) fn takes(door: &impl Door, parts: &Parts) -> Option<usize> {
    let is_ours = host(parts).is_some_and(|host| door.is_for_us(&host));
    if is_ours && parts.method == Method::POST { door.takes(parts.uri.path()) } else { None }
}

/// Runs the checks, and asks the door if all of them pass.
pub(crate) fn decide(door: &impl Door, parts: &Parts, body: &Body, options: &ServerOptions) -> Verdict {
    let Some(host) = host(parts).filter(|host| door.is_for_us(host)) else {
        return Verdict::Refuse(door.misdirected());
    };
    let is_taken = takes(door, parts).is_some();
    match request(parts, is_taken, body, &options.limits) {
        Ok((request, body)) => {
            let Parts { method, uri, headers, .. } = parts;
            door.decide(&Head { method, host: &host, uri, headers, body }, request)
        }
        Err(refusal) => Verdict::Refuse(refusal.response(options.program)),
    }
}

/// The requested host in lower case. `None` unless there is exactly one and it is text.
fn host(parts: &Parts) -> Option<String> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host = host.to_str().ok()?.to_ascii_lowercase();
    agrees(&parts.uri, &host).then_some(host)
}

/// Whether a target that names scheme and host names the right ones. The scheme must be `http`, since the server does
/// no TLS.
fn agrees(uri: &Uri, host: &str) -> bool {
    let is_http = uri.scheme_str().is_none_or(|scheme| scheme == "http");
    is_http && uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(host))
}

/// The decoded request and its body, if it is well-formed and within the limits.
fn request<'a>(
    parts: &Parts,
    is_taken: bool,
    body: &'a Body,
    limits: &Limits,
) -> Result<(Request, &'a [u8]), Refusal> {
    if !is_taken && !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(Refusal::Method);
    }
    let body: &[u8] = match body {
        Body::Empty => &[],
        Body::Taken(body) => body,
        Body::Unwanted => return Err(Refusal::Body),
    };
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    if path.len().saturating_add(query.len()) > limits.uri_bytes {
        return Err(Refusal::LongTarget);
    }
    let pairs = target::query(query).ok_or(Refusal::Target)?;
    let path = target::path(path).ok_or(Refusal::Target)?;
    let query = pairs.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Ok((Request { path, query, gone: Gone::default() }, body))
}
