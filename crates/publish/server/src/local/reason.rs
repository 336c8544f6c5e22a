//! Why the local door refuses a request, and the page that says so.

use crate::refusal;
use crate::response::Response;
use hyper::StatusCode;

/// Why the local door refuses a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// It has neither the cookie nor a token that works.
    Locked,
    /// It brought a key that does not work, or not in the way in which keys are handed over.
    Spent,
    /// Another site's page made it.
    CrossSite,
    /// It is for another host.
    Misdirected,
}

impl Reason {
    pub(super) fn response(self, program: &str) -> Response {
        let (status, title, text) = match self {
            Self::Locked => (
                StatusCode::FORBIDDEN,
                "This browser has no key",
                "These pages are for the person who started PROGRAM. Each link that PROGRAM showed works once, for one \
                 browser: if the pages are open, in this browser or in another one, go on there. Otherwise press Enter in the terminal in which PROGRAM runs and open \
                 the new link that it prints; without a terminal, stop PROGRAM and start it again. If you never \
                 opened the link, somebody else on this machine did and can see the pages until you stop PROGRAM.",
            ),
            Self::Spent => (
                StatusCode::FORBIDDEN,
                "This key does not work any more",
                "Each key works once and only for a few minutes. If the pages are open in this browser, \
                 go on there. Otherwise press Enter in the terminal in which PROGRAM runs and open \
                 the link that it prints; without a terminal, stop PROGRAM and start it again.",
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "Another site asked for this",
                "Pages of other sites may not read these. If you meant to come here, <a href=\"\">open the page</a>.",
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "This is another host",
                "PROGRAM answers at the address that it printed and at localhost, with its own port. Through a tunnel, use the same port \
                 at both ends.",
            ),
        };
        refusal::page(program, status, title, text)
    }
}
