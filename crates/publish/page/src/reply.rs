//! The answer to an address, for whoever serves it.

/// The answer to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it stays the same for as long as the program runs.
    pub is_asset: bool,
}

impl Reply {
    /// A page.
    pub(crate) fn page(html: String) -> Self {
        Self::of(200, "text/html; charset=utf-8", html)
    }

    /// JSON for script.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::of(200, "application/json", value.to_string())
    }

    /// Any answer that is not an asset.
    pub(crate) fn of(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), is_asset: false }
    }
}
