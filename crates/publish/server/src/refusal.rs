//! Why a request is refused, and the page that says so.
//!
//! The pages repeat nothing of the request, so they cannot carry what an attacker wrote.

use crate::Response;
use hyper::StatusCode;

/// Why a request is not answered by the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Neither the cookie nor a token that works.
    Locked,
    /// A page of somebody else asks.
    CrossSite,
    /// It is meant for another host.
    Misdirected,
    Method,
    Body,
    LongTarget,
    Target,
    /// Too many requests wait already.
    Busy,
    /// The answer took too long.
    Overtime,
    /// The site panicked, or answered what cannot be sent.
    Broken,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Locked | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LongTarget => StatusCode::URI_TOO_LONG,
            Self::Target => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Overtime => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn response(self, program: &str) -> Response {
        let (title, text) = self.words();
        let mut response = page(program, self.status(), title, text);
        match self {
            Self::Method => response.headers.push(("allow", "GET, HEAD".to_owned())),
            Self::Busy | Self::Overtime => response.headers.push(("retry-after", "5".to_owned())),
            _ => {}
        }
        response
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Locked => (
                "This browser has no key",
                "These pages are for the person who started PROGRAM. Each link that PROGRAM showed works once, for one \
                 browser: if the pages are open in another browser, in another profile of it or under another name \
                 of this machine, go on there. Otherwise stop PROGRAM, start it again and open the new link. If you \
                 never opened the link, somebody else on this machine did and can see the pages until you stop \
                 PROGRAM.",
            ),
            Self::CrossSite => (
                "Another site asked for this",
                "Pages of other sites may not read these. If you meant to come here, <a href=\"\">open the page</a>.",
            ),
            Self::Misdirected => (
                "This is another host",
                "PROGRAM answers at 127.0.0.1 and localhost with its own port. Through a tunnel, use the same port \
                 at both ends.",
            ),
            Self::Method => {
                ("Nothing can be changed here", "PROGRAM shows pages and takes only GET and HEAD.")
            }
            Self::Body => ("Nothing can be sent here", "PROGRAM shows pages and takes no content."),
            Self::LongTarget => {
                ("This address is too long", "Shorten what is asked for, for example the filter.")
            }
            Self::Target => ("This address is damaged", "It holds bytes that are no UTF-8 text."),
            Self::Busy => (
                "Too much at once",
                "PROGRAM is still computing other pages, and enough of them wait. Try again in a moment.",
            ),
            Self::Overtime => (
                "This took too long",
                "PROGRAM gave up computing this page. Ask for less, for example a shorter time range.",
            ),
            Self::Broken => (
                "PROGRAM has a defect here",
                "Computing this page ended in an error, which stands in the terminal. Other pages work on.",
            ),
        }
    }
}

/// A page of the server itself. Title and text are markup and name the program as PROGRAM.
pub(crate) fn page(program: &str, status: StatusCode, title: &str, text: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title></head>\n<body><main><h1>{title}</h1>\n<p>{text}</p></main></body></html>\n"
    );
    Response::new(status, "text/html; charset=utf-8", page.replace("PROGRAM", program))
}
