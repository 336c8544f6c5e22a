//! Who is let through: every decision about a request before a site hears of it.
//!
//! ```text
//!  host ─▶ method, body, length, text ─▶ from another site? ─▶ token in the query? ─▶ cookie? ─▶ site
//!   421       405, 413, 414, 400                403              303, 200 or 403        403
//! ```
//!
//! It owns no socket and changes nothing but the list of open tokens. A token is used up last, after everything else
//! about the request is right, so that nobody else's page can use it up.

use crate::keys::Keys;
use crate::limits::Limits;
use crate::refusal::{self, Refusal};
use crate::request::{Gone, Request};
use crate::response::Response;
use crate::target;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};

/// The query's name for a token. A site sees no pair of this name.
const TOKEN: &str = "token";

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The site answers.
    Pass(Request),
    /// Answered here: the way to the page without the token.
    Answer(Response),
    Refuse(Refusal),
}

/// Who had the browser ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// A page of ours, or the user who wrote an address or opened it from a terminal.
    Own,
    /// A link that the user followed from a page of somebody else, as of a terminal or a chat in the browser.
    Link,
    /// A page of somebody else, for itself.
    Other,
}

/// Decides about requests at one port.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) program: &'static str,
    pub(crate) port: u16,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
}

impl Gate {
    pub(crate) fn decide(&self, head: &Parts, has_body: bool) -> Verdict {
        self.pass(head, has_body).unwrap_or_else(Verdict::Refuse)
    }

    fn pass(&self, head: &Parts, has_body: bool) -> Result<Verdict, Refusal> {
        let host = self.host(head).ok_or(Refusal::Misdirected)?;
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return Err(Refusal::Method);
        }
        if has_body {
            return Err(Refusal::Body);
        }
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        if path.len().saturating_add(query.len()) > self.limits.uri_bytes {
            return Err(Refusal::LongTarget);
        }
        let pairs = target::query(query).ok_or(Refusal::Target)?;
        let decoded = target::path(path).ok_or(Refusal::Target)?;
        let asker = asker(&head.headers, &host);
        let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let unlocked = self.keys.unlock(cookies);
        let Some(token) = pairs.iter().find(|pair| pair.name == TOKEN) else {
            let query = pairs.into_iter().map(|pair| (pair.name, pair.value)).collect();
            return match asker {
                Asker::Own if unlocked => {
                    Ok(Verdict::Pass(Request { path: decoded, query, gone: Gone::default() }))
                }
                Asker::Own => Err(Refusal::Locked),
                Asker::Link | Asker::Other => Err(Refusal::CrossSite),
            };
        };
        let page = address_without_token(&host, path, &pairs);
        self.enter(head, asker, unlocked, &token.value).map(|set_cookie| {
            let mut response = self.way(asker, page);
            response.headers.extend(set_cookie.map(|cookie| ("set-cookie", cookie)));
            Verdict::Answer(response)
        })
    }

    /// Exchanges a token. What sets the cookie, unless the browser has it.
    fn enter(
        &self,
        head: &Parts,
        asker: Asker,
        unlocked: bool,
        token: &str,
    ) -> Result<Option<String>, Refusal> {
        if asker == Asker::Other {
            return Err(Refusal::CrossSite);
        }
        let is_ahead = head.method == Method::HEAD || is_ahead(&head.headers);
        // A browser that is in uses the token up too: nobody else shall have it.
        if !is_ahead && self.keys.redeem(token) {
            return Ok((!unlocked).then(|| self.keys.set_cookie()));
        }
        match asker {
            Asker::Own if unlocked => Ok(None),
            Asker::Own => Err(Refusal::Locked),
            // It may have the cookie, which a browser does not send on such a way.
            Asker::Link | Asker::Other => Err(Refusal::CrossSite),
        }
    }

    /// The way to a page of ours. Behind a link of another site, a redirected request would still be the other site's
    /// and would come without the cookie; one that a page of ours makes does not.
    fn way(&self, asker: Asker, to: String) -> Response {
        if asker == Asker::Link {
            let mut response =
                refusal::page(self.program, StatusCode::OK, "One moment", "<a href=\"\">Open the page</a>");
            response.headers.push(("refresh", format!("0;url={to}")));
            return response;
        }
        let mut response = Response::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
        response.headers.push(("location", to));
        response
    }

    /// The host that the client means, in lower case, if it is one of our names. A name that an attacker had rebound to
    /// 127.0.0.1 is none.
    fn host(&self, head: &Parts) -> Option<String> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
        let host = host.to_str().ok()?.to_ascii_lowercase();
        let ours = |host: &str| {
            ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
                host.strip_prefix(name).is_some_and(|port| {
                    port == format!(":{}", self.port) || (port.is_empty() && self.port == 80)
                })
            })
        };
        (ours(&host) && names_nobody_else(&head.uri, &host)).then_some(host)
    }
}

/// It is written with its host, since a path that begins with two slashes would be another host's.
fn address_without_token(host: &str, path: &str, pairs: &[target::Pair<'_>]) -> String {
    let mut to = format!("http://{host}{path}");
    let mut before = '?';
    for pair in pairs.iter().filter(|pair| pair.name != TOKEN) {
        to.push(before);
        to.push_str(pair.raw);
        before = '&';
    }
    to
}

/// A target may repeat the host, and then must not name another one.
fn names_nobody_else(uri: &Uri, host: &str) -> bool {
    let scheme_is_ours = uri.scheme_str().is_none_or(|scheme| scheme == "http");
    scheme_is_ours && uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(host))
}

/// Other ports of this host count as other sites, though browsers call them the same site and send them our cookie: any
/// program of any user may listen there. A client that says nothing of sites is no browser of today, so no page of
/// somebody else can make it ask.
fn asker(headers: &HeaderMap, host: &str) -> Asker {
    let all = |name: &'static str, is_right: &dyn Fn(&[u8]) -> bool| {
        headers.get_all(HeaderName::from_static(name)).iter().all(|value| is_right(value.as_bytes()))
    };
    let own = format!("http://{host}");
    let origin_is_own = all("origin", &|value| value.eq_ignore_ascii_case(own.as_bytes()));
    let site_is_own = all("sec-fetch-site", &|value| matches!(value, b"same-origin" | b"none"));
    let says = |name: &'static str, expected: &[u8]| {
        headers.contains_key(name) && all(name, &|value| value == expected)
    };
    match (origin_is_own, site_is_own) {
        (true, true) => Asker::Own,
        (true, false) if says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document") => {
            Asker::Link
        }
        _ => Asker::Other,
    }
}

/// Whether a browser fetches what its user may want later.
fn is_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].into_iter().any(|name| {
        headers.get_all(HeaderName::from_static(name)).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            ["prefetch", "prerender", "preview"].iter().any(|purpose| value.starts_with(purpose.as_bytes()))
        })
    })
}
