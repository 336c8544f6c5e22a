//! The answer to an address, for whoever serves it.

use crate::shorten;
use views::tables;

/// The answer to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it stays the same as long as the program runs, so that browsers may keep it.
    pub is_asset: bool,
}

impl Reply {
    /// A page, with long texts cut. If it is too large even so, `instead` takes its place.
    pub(crate) fn page(html: &str, instead: impl FnOnce() -> String) -> Self {
        let page = shorten::page(html).or_else(|| shorten::page(&instead()));
        Self::of(200, "text/html; charset=utf-8", page.unwrap_or_default())
    }

    /// JSON for script.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::of(200, "application/json", value.to_string())
    }

    /// CSV, or why there is none.
    pub(crate) fn csv(written: Result<Vec<u8>, sql::Error>) -> Self {
        match written {
            Ok(body) => Self::of(200, "text/csv; charset=utf-8", body),
            Err(error) => Self::of(400, "text/plain; charset=utf-8", format!("{}\n", tables::advice(&error))),
        }
    }

    /// Any answer that is not an asset.
    pub(crate) fn of(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), is_asset: false }
    }
}
