//! The door for the person who started the program: a token that works once, then a cookie.
//!
//! ```text
//!  POST /enter ─▶ from a file? ─▶ token in the body? ─▶ 200 with the cookie, and on to /
//!                     403               403
//!  GET, HEAD ──▶ from another site? ─▶ token in the query? ─▶ cookie, in the secret folder? ─▶ site
//!                     403               303, 200 or 403        403
//! ```
//!
//! The pages are in a folder with a secret name, which the browser learns with its cookie. A browser sends a cookie to
//! all ports of a host, so that every user of the machine could collect it: this one goes only to that folder, whose name
//! no other port knows. Neither opens anything without the other.
//!
//! It answers at its own address and the names of loopback (for tunnels), and the server's own port only. Its only state that changes is the list of open
//! tokens. A token is used up last, when everything else about the request is right, so that a page of another site
//! cannot use it up. [`Links`] makes tokens, as long as the door is there.

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
use hyper::{Method, StatusCode, header};
use keys::Keys;
use reason::Reason;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The name of the query parameter with a token. A site sees no parameter of this name.
const TOKEN: &str = "token";

/// Where a page in a file posts its token. A site is not asked for a `POST`, so it may have a page of this name.
const ENTER: &str = "/enter";

/// What a form with a token is at most.
const MOST_FORM: usize = 1024;

/// Lets in the browsers of the person who started the program, and nobody else.
#[derive(Debug)]
pub struct LocalDoor {
    program: &'static str,
    host: Ipv4Addr,
    port: u16,
    keys: Arc<Keys>,
}

/// Makes ways in, from any thread. Those made after the door is gone lead nowhere.
#[derive(Debug, Clone)]
pub struct Links {
    program: &'static str,
    host: Ipv4Addr,
    port: u16,
    keys: Arc<Keys>,
}

impl Links {
    /// A new address that lets one browser in, once: `http://HOST:PORT/?token=…`. It is for the eyes of the person
    /// who started the program: in the arguments of another program, every user of the machine can read it.
    pub fn url(&self) -> Result<String, Error> {
        let (token, _) = self.keys.issue()?;
        Ok(format!("http://{}:{}/?{TOKEN}={}", self.host, self.port, token.text()))
    }

    /// A new token that is handed to a browser in a file.
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

    /// What makes ways in.
    pub fn links(&self) -> Links {
        Links { program: self.program, host: self.host, port: self.port, keys: Arc::clone(&self.keys) }
    }

    /// Exchanges the token that a page in a file has posted for the cookie, and has the browser go on to the pages.
    fn receive(&self, head: &Head<'_>) -> Verdict {
        let is_form = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == handover::FORM);
        let is_right =
            is_form && asker::is_handed_over(head.headers, head.host) && !asker::is_ahead(head.headers);
        let token = std::str::from_utf8(head.body).ok().filter(|_| is_right).and_then(handover::token);
        if !token.is_some_and(|token| self.keys.redeem(&token)) {
            return Verdict::Refuse(Reason::Spent.response(self.program));
        }
        // Not redirected, for the reason that `forward` gives. The browser may have the cookie already: from a file, it
        // does not send it.
        let folder = self.keys.folder();
        let mut response = self.move_on(
            &format!("<a href=\"{folder}/\">Open the pages</a>"),
            &format!("http://{}{folder}/", head.host),
        );
        response.headers.extend(self.welcome());
        Verdict::Answer(response)
    }

    /// What a browser gets for a token. What another server has left at this address is forgotten first, such as a
    /// service worker, which would read along: browsers do so where an address counts as secure, as loopback does. Not
    /// cookies, which the ports of a host share; and what lies in their caches has no address in the secret folder.
    fn welcome(&self) -> [(&'static str, String); 2] {
        [("clear-site-data", "\"storage\"".to_owned()), ("set-cookie", self.keys.set_cookie())]
    }

    /// Exchanges a token for a cookie. Returns whether the browser needs the cookie, which it may have already.
    fn enter(&self, head: &Head<'_>, asker: Asker, unlocked: bool, token: &str) -> Result<bool, Reason> {
        if asker == Asker::Other {
            return Err(Reason::CrossSite);
        }
        let is_ahead = *head.method == Method::HEAD || asker::is_ahead(head.headers);
        // A browser that has the cookie uses the token up too, so that no other browser can enter with it later.
        if !is_ahead && self.keys.redeem(token) {
            return Ok(!unlocked);
        }
        match asker {
            Asker::Own if unlocked => Ok(false),
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
            return self.move_on("<a href=\"\">Open the page</a>", &to);
        }
        let mut response = Response::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
        response.headers.push(("location", to));
        response
    }

    /// A page that moves on by itself, and has a link for browsers that do not.
    fn move_on(&self, link: &str, to: &str) -> Response {
        let mut response = refusal::page(self.program, StatusCode::OK, "One moment", link);
        response.headers.push(("refresh", format!("0;url={to}")));
        response
    }
}

impl Door for LocalDoor {
    /// Refuses, among others, a name that an attacker rebound to loopback.
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
        (path == ENTER).then_some(MOST_FORM)
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
    /// Ends the wait of those who wait for a token.
    fn drop(&mut self) {
        self.keys.close();
    }
}

/// The address of the same page without the token, in a folder. It includes the host, since a browser would take a path that begins
/// with two slashes for another host.
fn address_without_token(head: &Head<'_>, folder: &str) -> String {
    let mut to = format!("http://{}{folder}{}", head.host, head.uri.path());
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
        let bind =
            || bind(Options { program: "lab", host: None, port: 0, limits: Limits::of_one_user() }).unwrap();
        let (first, second) = (bind(), bind());
        assert_ne!(first.port(), second.port());
        let links = LocalDoor::new(&first).unwrap().links();
        let (one, other) = (links.url().unwrap(), links.url().unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with(&format!("http://{}:{}/?token=", first.host(), first.port())));
    }
}
