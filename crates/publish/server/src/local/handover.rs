//! A token that is handed to a browser in a file, and the page in that file.
//!
//! An address to open is an argument of a program, and every user of the machine can read arguments. So the program
//! opens a file that only its user can read. The page in it posts the token, so that neither an address nor the
//! browser's history contains it.
//!
//! This module opens no file. The caller has to make sure that only its user can read the page.

use super::keys::{Keys, Secret};
use crate::error::Error;
use crate::target;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// The name of the query parameter or form field with a token.
pub(super) const TOKEN: &str = "token";

/// The media type of a posted form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A token that is handed to a browser in a file. Dropping it makes the token invalid.
#[derive(Debug)]
pub struct Handover {
    program: &'static str,
    /// The address that the page posts to.
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

    /// The page for the file. It posts the token as soon as it is opened or, without script, when its button is
    /// pressed. It loads nothing else, and no page learns its address from a referrer.
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

    /// Waits until the token is used or the door is gone, but no longer than this time. Then the token is invalid.
    pub fn wait(self, time: Duration) {
        match self.ended.recv_timeout(time) {
            // Dropping `self` makes the token invalid.
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

/// The token in a posted form.
pub(super) fn token(form: &str) -> Option<String> {
    target::query(form)?.into_iter().find(|pair| pair.name == TOKEN).map(|pair| pair.value)
}
