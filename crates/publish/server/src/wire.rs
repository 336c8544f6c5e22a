//! An answer as it is sent: headers that keep it safe, ETag, gzip.
//!
//! It is made on a worker thread, since compressing takes time. Texts of a recording only ever reach bodies, never a
//! header.

use crate::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::io::{self, Write as _};

/// Bodies up to this size fit into about one packet and are not compressed.
const PACK_FROM: usize = 1024;

/// A page may load only files of its own server, and no other page may embed it. Nothing inline is allowed, so that
/// even a text that became markup would run nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers that every answer has.
const SAFE: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer that hyper can send.
pub(crate) type Sendable = hyper::Response<Full<Bytes>>;

/// What the request says about the form of its answer.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    gzip: bool,
    known: Option<String>,
}

impl Wants {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            gzip: joined(headers, &header::ACCEPT_ENCODING).is_some_and(|list| takes_gzip(&list)),
            known: joined(headers, &header::IF_NONE_MATCH),
        }
    }

    /// Whether the browser has the body with this tag. Strong and weak tags are compared alike.
    fn knows(&self, tag: &str) -> bool {
        let tag = tag.trim_start_matches("W/");
        let known = self.known.as_deref().unwrap_or_default();
        known.split(',').map(str::trim).any(|item| item == "*" || item.trim_start_matches("W/") == tag)
    }
}

/// The ETag of a body. It is weak, since the body may be compressed or not.
fn tag(body: &[u8]) -> String {
    format!("W/\"{}\"", blake3::hash(body).to_hex())
}

/// A list that may be spread over several headers.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Whether gzip is accepted, by name or by `*`, with a weight above 0.
fn takes_gzip(list: &str) -> bool {
    let weight = |wanted: &str| {
        list.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            // A weight that is not a number means that gzip is not wanted: plain bytes are always safe.
            Some(weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// Browsers keep an asset without asking again, because its address changes with it.
const FOR_GOOD: &str = "private, max-age=31536000, immutable";

/// The answer as it is sent. `None` if a header has an invalid value, or the status is not final.
pub(crate) fn render(response: Response, wants: &Wants) -> Option<Sendable> {
    if response.status.is_informational() {
        return None;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
    }
    for (name, value) in SAFE {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let tag = (response.is_asset && response.status == StatusCode::OK).then(|| tag(&response.body));
    let unchanged = tag.as_ref().is_some_and(|tag| wants.knows(tag));
    let kept = if tag.is_some() { FOR_GOOD } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Some(tag) = tag {
        headers.insert(header::ETAG, HeaderValue::try_from(tag).ok()?);
    }
    let status = if unchanged { StatusCode::NOT_MODIFIED } else { response.status };
    let bodiless = matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
    let packable = packable(response.content_type) && response.body.len() > PACK_FROM;
    if packable {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let body = if bodiless {
        Bytes::new()
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(response.content_type).ok()?);
        let packed = if packable && wants.gzip { pack(&response.body).ok() } else { None };
        let body = packed.filter(|packed| packed.len() < response.body.len()).map(|packed| {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Bytes::from(packed)
        });
        let body = body.unwrap_or(response.body);
        // hyper sends no body to a HEAD, and this length all the same.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        body
    };
    let mut sendable = hyper::Response::new(Full::new(body));
    *sendable.status_mut() = status;
    *sendable.headers_mut() = headers;
    Some(sendable)
}

/// Whether bodies of this type get smaller by packing, for they are not packed already.
fn packable(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let packed = [
        "image/",
        "audio/",
        "video/",
        "font/woff",
        "application/gzip",
        "application/zip",
        "application/zstd",
    ];
    essence == "image/svg+xml" || !packed.iter().any(|start| essence.starts_with(start))
}

/// Packs quickly rather than small: the network is the machine's own.
fn pack(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Wants = Wants { gzip: false, known: None };

    #[test]
    fn gzip_is_sent_to_those_who_take_it_only() {
        let check = |list: &str, expected: bool| assert_eq!(takes_gzip(list), expected, "{list}");
        check("gzip", true);
        check("br, GZIP;q=0.5", true);
        check("*", true);
        check("br;q=1, *;q=0.1", true);
        check("gzip;q=0, *", false);
        check("gzip; q=0.000", false);
        check("gzip;q=x", false);
        check("identity", false);
        check("gzipped", false);
        check("", false);
    }

    #[test]
    fn what_cannot_be_a_header_or_a_last_status_is_not_sent() {
        let mut response = Response::new(StatusCode::OK, "text/plain", "x");
        response.headers.push(("location", "a\r\nSet-Cookie: b".to_owned()));
        assert!(render(response, &PLAIN).is_none());
        assert!(render(Response::new(StatusCode::CONTINUE, "text/plain", ""), &PLAIN).is_none());
        assert!(render(Response::new(StatusCode::OK, "text/\n", ""), &PLAIN).is_none());
    }

    #[test]
    fn what_is_packed_already_is_not_packed_again() {
        let packed = |content_type: &'static str| {
            let response = Response::new(StatusCode::OK, content_type, vec![b'a'; PACK_FROM + 1]);
            let sent = render(response, &Wants { gzip: true, ..PLAIN }).unwrap();
            sent.headers().contains_key("content-encoding")
        };
        assert!(packed("text/html; charset=utf-8"));
        assert!(packed("image/svg+xml"));
        assert!(packed("application/octet-stream"));
        assert!(!packed("image/png"));
        assert!(!packed("font/woff2"));
        assert!(!packed("application/zstd"));
    }

    #[test]
    fn an_unchanged_asset_has_no_body_and_a_failure_is_never_unchanged() {
        let tag = |body| render(Response::asset("text/css", body), &PLAIN).unwrap().headers()["etag"].clone();
        let (own, other) = (tag("body"), tag("Body"));
        let check = |known: &str, expected: StatusCode| {
            let wants = Wants { known: Some(known.to_owned()), ..PLAIN };
            let sent = render(Response::asset("text/css", "body"), &wants).unwrap();
            assert_eq!(sent.status(), expected, "{known}");
            assert_eq!(sent.headers()["etag"], own);
            assert_eq!(sent.headers().contains_key("content-length"), expected == StatusCode::OK);
            let failed = Response { status: StatusCode::NOT_FOUND, ..Response::asset("text/css", "body") };
            assert_eq!(render(failed, &wants).unwrap().status(), StatusCode::NOT_FOUND);
        };
        let (own, other) = (own.to_str().unwrap(), other.to_str().unwrap());
        check(own, StatusCode::NOT_MODIFIED);
        check(own.trim_start_matches("W/"), StatusCode::NOT_MODIFIED);
        check(&format!("{other}, {own}"), StatusCode::NOT_MODIFIED);
        check("*", StatusCode::NOT_MODIFIED);
        check(other, StatusCode::OK);
        check("", StatusCode::OK);
        check(&own.replace('"', ""), StatusCode::OK);
    }
}
