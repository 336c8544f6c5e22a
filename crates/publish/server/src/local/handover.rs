//! A token that is handed to a browser in a file, and what the file says.
//!
//! Addresses that are opened in a browser stand in the arguments of programs, where every user of the machine can read
//! them. The path of a file may be read by all, if the file itself may not. The page in it posts the token, so that
//! neither an address nor the browser's history has it.
//!
//! This module opens no file: whoever has the page sees to it that only its user can read it.

use super::TOKEN;
use super::keys::{Keys, Secret};
use crate::error::Error;
use crate::target;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// The type of what a browser posts for a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A token that is handed to a browser in a file. When it is dropped, the token works no more.
#[derive(Debug)]
pub struct Handover {
    program: &'static str,
    /// Where the page posts it.
    to: String,
    token: Secret,
    ended: Receiver<Infallible>,
    keys: Arc<Keys>,
}

impl Handover {
    pub(super) fn new(program: &'static str, to: String, keys: Arc<Keys>) -> Result<Self, Error> {
        let (token, ended) = keys.issue()?;
        Ok(Self { program, to, token, ended, keys })
    }

    /// The page for the file: it holds the token and posts it as soon as it is opened, or, without script, when its
    /// button is pressed. It needs nothing else, and no other page is told where it was.
    pub fn page(&self) -> String {
        let Self { program, to, .. } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"no-referrer\">\
             <title>{program}</title></head>\n<body><main><h1>The pages of {program}</h1>\n\
             <form method=\"post\" action=\"{to}\" autocomplete=\"off\">\
             <input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\"><button>Open the pages</button></form></main>\n\
             <script>document.forms[0].submit()</script></body></html>\n",
            self.token.text()
        )
    }

    /// Waits until the token works no more: it was used, the door is gone, or this time is over, which ends it, too.
    pub fn wait(self, time: Duration) {
        match self.ended.recv_timeout(time) {
            // Dropping this ends the token.
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
            Ok(never) => match never {},
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        self.keys.redeem(self.token.text());
    }
}

/// The token in a form.
pub(super) fn token(form: &str) -> Option<String> {
    target::query(form)?.into_iter().find(|pair| pair.name == TOKEN).map(|pair| pair.value)
}
