//! The answer of a site.

use hyper::StatusCode;
use hyper::body::Bytes;

/// An answer. The server adds the headers that keep it safe.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: StatusCode,
    /// The media type of the body, with the charset if it is text.
    pub content_type: &'static str,
    /// The body, not compressed. The server compresses it for clients that accept gzip.
    pub body: Bytes,
    /// Whether a browser may keep the body forever, because its address never has another body. Pages of a recording
    /// are not kept.
    pub is_asset: bool,
    /// Further headers. Their values come only from this crate.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Response {
    /// An answer that browsers do not keep.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, body: body.into(), is_asset: false, headers: Vec::new() }
    }

    /// An answer that browsers keep forever. Its address must change with it.
    pub fn asset(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { is_asset: true, ..Self::new(StatusCode::OK, content_type, body) }
    }
}
