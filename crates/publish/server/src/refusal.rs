//! The server's own pages for requests that it refuses whatever the door, and for answers that failed.
//!
//! The pages repeat nothing of the request, so they cannot carry what an attacker wrote.

use crate::response::Response;
use hyper::StatusCode;

/// What is wrong with the form of a request. The door does not see such a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its method is neither `GET` nor `HEAD`.
    Method,
    /// It has a body.
    Body,
    /// Path and query are too long.
    LongTarget,
    /// Path or query cannot be decoded to text.
    Target,
}

impl Refusal {
    pub(crate) fn response(self, program: &str) -> Response {
        let (status, title, text) = match self {
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Nothing can be changed here",
                "PROGRAM shows pages and takes only GET and HEAD.",
            ),
            Self::Body => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Nothing can be sent here",
                "PROGRAM shows pages and takes no content.",
            ),
            Self::LongTarget => (
                StatusCode::URI_TOO_LONG,
                "This address is too long",
                "Shorten the request, for example the filter.",
            ),
            Self::Target => (
                StatusCode::BAD_REQUEST,
                "This address is damaged",
                "It contains bytes that are not UTF-8 text.",
            ),
        };
        let mut response = page(program, status, title, text);
        if self == Self::Method {
            response.headers.push(("allow", "GET, HEAD".to_owned()));
        }
        response
    }
}

/// Why a request that passed the door gets no answer from the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Too many requests wait already.
    Busy,
    /// The answer took too long.
    Overtime,
    /// The site panicked, or its answer cannot be sent.
    Broken,
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Busy | Self::Overtime => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn response(self, program: &str) -> Response {
        let (title, text) = match self {
            Self::Busy => (
                "Too much at once",
                "PROGRAM is still computing other pages, and too many others wait. Try again in a moment.",
            ),
            Self::Overtime => (
                "This took too long",
                "PROGRAM gave up computing this page. Ask for less, for example a shorter time range.",
            ),
            Self::Broken => (
                "PROGRAM has a defect here",
                "Computing this page ended in an error, which the terminal shows. Other pages still work.",
            ),
        };
        let mut response = page(program, self.status(), title, text);
        if self != Self::Broken {
            response.headers.push(("retry-after", "5".to_owned()));
        }
        response
    }
}

/// A page of the server itself. Title and text are markup; PROGRAM in them becomes the program's name.
pub(crate) fn page(program: &str, status: StatusCode, title: &str, text: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title></head>\n<body><main><h1>{title}</h1>\n<p>{text}</p></main></body></html>\n"
    );
    Response::new(status, "text/html; charset=utf-8", page.replace("PROGRAM", program))
}
