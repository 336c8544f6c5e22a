//! What a site answers.

use hyper::StatusCode;
use hyper::body::Bytes;

/// An answer. The server adds what keeps it safe.
#[derive(Debug, Clone)]
pub struct Response {
    /// What became of the request.
    pub status: StatusCode,
    /// The media type of the body, with its charset where it is text.
    pub content_type: &'static str,
    /// The body, unpacked. It is packed for those who take gzip.
    pub body: Bytes,
    /// Whether a browser may keep the body for good: its address is never that of another body. What shows a recording is
    /// not kept.
    pub is_asset: bool,
    /// Further headers. Values come from this crate only.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Response {
    /// An answer that is not kept.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, body: body.into(), is_asset: false, headers: Vec::new() }
    }

    /// Something that is kept for good, at an address that changes with it.
    pub fn asset(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { is_asset: true, ..Self::new(StatusCode::OK, content_type, body) }
    }
}
