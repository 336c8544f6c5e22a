//! The answer to an address, for whoever serves it.

use crate::shorten;

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
    /// A page, with long texts cut. One that is too large even so is left out; `instead` is shown then.
    pub(crate) fn page(html: &str, instead: impl FnOnce() -> String) -> Self {
        let page = shorten::page(html).or_else(|| shorten::page(&instead()));
        Self::of(200, "text/html; charset=utf-8", page.unwrap_or_default())
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
