//! The door for the person who started the program: a token that works once, then a cookie.
//!
//! ```text
//!  from another site? ─▶ token in the query? ─▶ cookie? ─▶ site
//!         403               303, 200 or 403       403
//! ```
//!
//! It answers at the names of loopback and the server's own port only. Its only state that changes is the list of open
//! tokens. A token is used up last, when everything else about the request is right, so that a page of another site
//! cannot use it up.

mod asker;
mod keys;
mod reason;

use crate::door::{Door, Head, Verdict};
use crate::error::Error;
use crate::listen::Bound;
use crate::refusal;
use crate::request::Request;
use crate::response::Response;
use crate::target;
use asker::Asker;
use hyper::{Method, StatusCode, header};
use keys::Keys;
use reason::Reason;

/// The name of the query parameter with a token. A site sees no parameter of this name.
const TOKEN: &str = "token";

/// Lets in the browsers of the person who started the program, and nobody else.
#[derive(Debug)]
pub struct LocalDoor {
    program: &'static str,
    port: u16,
    keys: Keys,
}

impl LocalDoor {
    /// A door with new keys, for the port of this server.
    pub fn new(bound: &Bound) -> Result<Self, Error> {
        let (program, port) = (bound.options.program, bound.port());
        Ok(Self { program, port, keys: Keys::new(program, port)? })
    }

    /// A new address that lets one browser in, once: `http://127.0.0.1:PORT/?token=…`.
    pub fn url(&self) -> Result<String, Error> {
        Ok(format!("http://127.0.0.1:{}/?token={}", self.port, self.keys.issue()?))
    }

    /// Exchanges a token for a cookie. Returns the value of the `Set-Cookie` header, or `None` if the browser has the
    /// cookie already.
    fn enter(
        &self,
        head: &Head<'_>,
        asker: Asker,
        unlocked: bool,
        token: &str,
    ) -> Result<Option<String>, Reason> {
        if asker == Asker::Other {
            return Err(Reason::CrossSite);
        }
        let is_ahead = *head.method == Method::HEAD || asker::is_ahead(head.headers);
        // A browser that has the cookie uses the token up too, so that no other browser can enter with it later.
        if !is_ahead && self.keys.redeem(token) {
            return Ok((!unlocked).then(|| self.keys.set_cookie()));
        }
        match asker {
            Asker::Own if unlocked => Ok(None),
            Asker::Own => Err(Reason::Locked),
            // The browser may have the cookie, but does not send it with such a request.
            Asker::Link | Asker::Other => Err(Reason::CrossSite),
        }
    }

    /// Sends the browser on to a page of this server. A redirect would not do for a link on another site: the redirected
    /// request would still count as the other site's, and would come without the cookie. So the browser gets a page
    /// that moves on by itself; that request counts as ours.
    fn forward(&self, asker: Asker, to: String) -> Response {
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
}

impl Door for LocalDoor {
    /// Refuses, among others, a name that an attacker rebound to 127.0.0.1.
    fn is_for_us(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
            host.strip_prefix(name)
                .is_some_and(|port| port == format!(":{}", self.port) || (port.is_empty() && self.port == 80))
        })
    }

    fn misdirected(&self) -> Response {
        Reason::Misdirected.response(self.program)
    }

    fn decide(&self, head: &Head<'_>, request: Request) -> Verdict {
        let asker = asker::of(head.headers, head.host);
        let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let unlocked = self.keys.unlock(cookies);
        let outcome = match request.query.iter().find(|(name, _)| name == TOKEN) {
            Some((_, token)) => self.enter(head, asker, unlocked, token).map(|set_cookie| {
                let mut response = self.forward(asker, address_without_token(head));
                response.headers.extend(set_cookie.map(|cookie| ("set-cookie", cookie)));
                Verdict::Answer(response)
            }),
            None => match asker {
                Asker::Own if unlocked => Ok(Verdict::Pass(request)),
                Asker::Own => Err(Reason::Locked),
                Asker::Link | Asker::Other => Err(Reason::CrossSite),
            },
        };
        outcome.unwrap_or_else(|reason| Verdict::Refuse(reason.response(self.program)))
    }
}

/// The address of the same page without the token. It includes the host, since a browser would take a path that begins
/// with two slashes for another host.
fn address_without_token(head: &Head<'_>) -> String {
    let mut to = format!("http://{}{}", head.host, head.uri.path());
    // The gate has decoded the same query, so this does not fail.
    let pairs = target::query(head.uri.query().unwrap_or_default()).unwrap_or_default();
    let mut before = '?';
    for pair in pairs.iter().filter(|pair| pair.name != TOKEN) {
        to.push(before);
        to.push_str(pair.raw);
        before = '&';
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Options, bind};

    #[test]
    fn two_servers_have_two_ports_and_each_link_has_its_own_token() {
        let bind = || bind(Options { program: "lab", port: 0, limits: Limits::of_one_user() }).unwrap();
        let (first, second) = (bind(), bind());
        assert_ne!(first.port(), second.port());
        let door = LocalDoor::new(&first).unwrap();
        let (one, other) = (door.url().unwrap(), door.url().unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with(&format!("http://127.0.0.1:{}/?token=", first.port())));
    }
}
