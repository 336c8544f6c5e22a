//! The door for the person who started the program: a token that works once, then a cookie.
//!
//! ```text
//!  POST /enter ─▶ from a file? ─▶ token in the body? ─▶ 200 with the cookie, and on to /
//!                     403               403
//!  GET, HEAD ──▶ from another site? ─▶ token in the query? ─▶ cookie, in the secret folder? ─▶ site
//!                     403               303, 200 or 403        403
//! ```
//!
//! The pages are in a folder with a secret name, which the browser learns together with its cookie. Browsers send a
//! cookie to all ports of a host, so every user of the machine could collect it; but this cookie is only sent to that
//! folder, whose name no other port knows. Cookie and folder open nothing without each other.
//!
//! The door answers only at the server's own port, by its own address and the names of loopback (for tunnels). Its
//! only changing state is the list of open tokens. A token is used up last, after all other checks, so that a page of
//! another site cannot use it up. [`LinkMaker`] makes tokens as long as the door exists.

mod asker;
mod handover;
mod keys;
mod reason;

pub use handover::Handover;

use crate::door::{Door, Head, Verdict};
use crate::error::Error;
use crate::listen::Bound;
use crate::refusal;
use crate::request::Request;
use crate::response::Response;
use crate::target;
use asker::Asker;
use handover::TOKEN;
use hyper::{Method, StatusCode, header};
use keys::Keys;
use reason::Reason;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The path to which a page in a file posts its token. The site may have a page there too: it gets no `POST`.
const ENTER: &str = "/enter";

/// The longest form with a token, in bytes.
const MAX_FORM: usize = 1024;

/// Lets in the browsers of the person who started the program, and nobody else.
#[derive(Debug)]
pub struct LocalDoor {
    program: &'static str,
    host: Ipv4Addr,
    port: u16,
    keys: Arc<Keys>,
}

/// Makes links and handovers, from any thread. Those made after the door is gone open nothing.
#[derive(Debug, Clone)]
pub struct LinkMaker {
    program: &'static str,
    host: Ipv4Addr,
    port: u16,
    keys: Arc<Keys>,
}

impl LinkMaker {
    /// A new address that lets one browser in, once: `http://HOST:PORT/?token=…`. Show it only to the person who
    /// started the program: every user of the machine can read the arguments of other programs.
    pub fn url(&self) -> Result<String, Error> {
        let (token, _) = self.keys.issue()?;
        Ok(format!("http://{}:{}/?{TOKEN}={}", self.host, self.port, token.text()))
    }

    /// A new token, to hand to a browser in a file.
    pub fn hand_over(&self) -> Result<Handover, Error> {
        let to = format!("http://{}:{}{ENTER}", self.host, self.port);
        Handover::new(self.program, to, Arc::clone(&self.keys))
    }
}

impl LocalDoor {
    /// A door with new keys, for the port of this server.
    pub fn new(bound: &Bound) -> Result<Self, Error> {
        let (program, host, port) = (bound.options.program, bound.host(), bound.port());
        Ok(Self { program, host, port, keys: Arc::new(Keys::new(program, port)?) })
    }

    /// What makes links and handovers for this door.
    pub fn links(&self) -> LinkMaker {
        LinkMaker { program: self.program, host: self.host, port: self.port, keys: Arc::clone(&self.keys) }
    }

    /// Exchanges a posted token for the cookie, and sends the browser on to the pages.
    fn receive(&self, head: &Head<'_>) -> Verdict {
        let is_form = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == handover::FORM);
        let is_right =
            is_form && asker::is_handed_over(head.headers, head.host) && !asker::is_ahead(head.headers);
        let token = std::str::from_utf8(head.body).ok().filter(|_| is_right).and_then(handover::token);
        if !token.is_some_and(|token| self.keys.redeem(&token)) {
            return Verdict::Refuse(Reason::Spent.response(self.program));
        }
        // Not a redirect; `forward` says why. The browser may have the cookie already, but does not send it from a
        // file.
        let folder = self.keys.folder();
        let mut response = self.move_on(
            &format!("<a href=\"{folder}/\">Open the pages</a>"),
            &format!("http://{}{folder}/", head.host),
        );
        response.headers.extend(self.welcome());
        Verdict::Answer(response)
    }

    /// The headers for a valid token. Besides the cookie they clear what an earlier server has stored at this
    /// address, above all a service worker, which could read along: browsers allow one on loopback. They do not clear
    /// cookies, which the ports of a host share, nor caches, which have nothing from the secret folder.
    fn welcome(&self) -> [(&'static str, String); 2] {
        [("clear-site-data", "\"storage\"".to_owned()), ("set-cookie", self.keys.set_cookie())]
    }

    /// Exchanges a token for the cookie. Returns whether the browser still needs the cookie.
    fn enter(&self, head: &Head<'_>, asker: Asker, unlocked: bool, token: &str) -> Result<bool, Reason> {
        if asker == Asker::Other {
            return Err(Reason::CrossSite);
        }
        let is_ahead = *head.method == Method::HEAD || asker::is_ahead(head.headers);
        // Also used up by a browser that has the cookie already, so that no other browser can enter with it later.
        if !is_ahead && self.keys.redeem(token) {
            return Ok(!unlocked);
        }
        match asker {
            Asker::Own if unlocked => Ok(false),
            Asker::Own => Err(Reason::Locked),
            // The browser may have the cookie, but does not send it with a request from another site.
            Asker::Link | Asker::Other => Err(Reason::CrossSite),
        }
    }

    /// Sends the browser on to a page of this server. After a link on another site, a redirect would still count as
    /// the other site's request and would come without the cookie. So the browser gets a page that moves on by
    /// itself, whose request counts as ours.
    fn forward(&self, asker: Asker, to: String) -> Response {
        if asker == Asker::Link {
            return self.move_on("<a href=\"\">Open the page</a>", &to);
        }
        let mut response = Response::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
        response.headers.push(("location", to));
        response
    }

    /// A page that moves on by itself, with a link for browsers that do not.
    fn move_on(&self, link: &str, to: &str) -> Response {
        let mut response = refusal::page(self.program, StatusCode::OK, "One moment", link);
        response.headers.push(("refresh", format!("0;url={to}")));
        response
    }
}

impl Door for LocalDoor {
    /// Accepts only our own address and the names of loopback, so a name that an attacker rebound to loopback is
    /// refused.
    fn is_for_us(&self, host: &str) -> bool {
        let own = self.host.to_string();
        [own.as_str(), "127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
            host.strip_prefix(*name)
                .is_some_and(|port| port == format!(":{}", self.port) || (port.is_empty() && self.port == 80))
        })
    }

    fn misdirected(&self) -> Response {
        Reason::Misdirected.response(self.program)
    }

    fn takes(&self, path: &str) -> Option<usize> {
        (path == ENTER).then_some(MAX_FORM)
    }

    fn decide(&self, head: &Head<'_>, mut request: Request) -> Verdict {
        if *head.method == Method::POST {
            return self.receive(head);
        }
        let asker = asker::of(head.headers, head.host);
        let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let within = self.keys.within(&request.path).map(str::to_owned);
        let unlocked = within.is_some() && self.keys.unlock(cookies);
        let folder = if within.is_some() { String::new() } else { self.keys.folder() };
        request.path = within.unwrap_or(request.path);
        let outcome = match request.query.iter().find(|(name, _)| name == TOKEN) {
            Some((_, token)) => self.enter(head, asker, unlocked, token).map(|is_new| {
                let mut response = self.forward(asker, address_without_token(head, &folder));
                if is_new {
                    response.headers.extend(self.welcome());
                }
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

impl Drop for LocalDoor {
    /// Ends the wait of every [`Handover`].
    fn drop(&mut self) {
        self.keys.close();
    }
}

/// The address of the same page in the folder, without the token. It includes the host, since browsers take a path that
/// begins with two slashes for another host.
fn address_without_token(head: &Head<'_>, folder: &str) -> String {
    let mut to = format!("http://{}{folder}{}", head.host, head.uri.path());
    // Never the default: the gate has already decoded the same query.
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
    use crate::{Limits, ServerOptions, bind};

    #[test]
    fn two_servers_have_two_ports_and_each_link_has_its_own_token() {
        let bind = || {
            bind(ServerOptions { program: "lab", host: None, port: 0, limits: Limits::of_one_user() })
                .unwrap()
        };
        let (first, second) = (bind(), bind());
        assert_ne!(first.port(), second.port());
        let links = LocalDoor::new(&first).unwrap().links();
        let (one, other) = (links.url().unwrap(), links.url().unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with(&format!("http://{}:{}/?token=", first.host(), first.port())));
    }
}
