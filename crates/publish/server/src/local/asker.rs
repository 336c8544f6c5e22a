//! Who made the browser send a request: this server's own pages or the user, or another site.

use hyper::header::{HeaderMap, HeaderName};

/// Who made the browser send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// One of our pages, or the user, who typed an address or opened it from a terminal.
    Own,
    /// A link that the user followed from another site's page, such as a terminal or a chat in the browser.
    Link,
    /// Another site's page, without the user.
    Other,
}

/// Reads the asker from the headers that browsers send.
///
/// Other ports of this host count as other sites, since any program of any user may listen there; browsers call them
/// the same site and send them our cookie. A client that sends none of these headers is not a current browser, so no
/// other site's page can be behind it: it counts as our own.
pub(super) fn of(headers: &HeaderMap, host: &str) -> Asker {
    let own = format!("http://{host}");
    let origin_is_own = all(headers, "origin", |value| value.eq_ignore_ascii_case(own.as_bytes()));
    let site_is_own = all(headers, "sec-fetch-site", |value| matches!(value, b"same-origin" | b"none"));
    let says = |name: &'static str, expected: &[u8]| {
        headers.contains_key(name) && all(headers, name, |value| value == expected)
    };
    match (origin_is_own, site_is_own) {
        (true, true) => Asker::Own,
        (true, false) if says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document") => {
            Asker::Link
        }
        _ => Asker::Other,
    }
}

/// Whether a `POST` can come from a page in a file that the user opened: the whole window navigates to us, and the
/// request names no site. The origin of a file is `null`, and so is that of a page that hides its own. So this keeps
/// out pages that name their site, and requests that do not navigate.
pub(super) fn is_handed_over(headers: &HeaderMap, host: &str) -> bool {
    let own = format!("http://{host}");
    let is_from_file =
        |value: &[u8]| matches!(value, b"null" | b"file://") || value.eq_ignore_ascii_case(own.as_bytes());
    all(headers, "origin", is_from_file)
        && all(headers, "sec-fetch-mode", |value| value == b"navigate")
        && all(headers, "sec-fetch-dest", |value| value == b"document")
}

/// Whether all values of a header are right; true if there are none.
fn all(headers: &HeaderMap, name: &'static str, is_right: impl Fn(&[u8]) -> bool) -> bool {
    headers.get_all(HeaderName::from_static(name)).iter().all(|value| is_right(value.as_bytes()))
}

/// Whether the browser prefetches a page that its user has not requested yet.
pub(super) fn is_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].into_iter().any(|name| {
        headers.get_all(HeaderName::from_static(name)).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            ["prefetch", "prerender", "preview"].iter().any(|purpose| value.starts_with(purpose.as_bytes()))
        })
    })
}
