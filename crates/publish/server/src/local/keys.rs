//! The tokens, the cookie that they are exchanged for, and the folder that the cookie opens.

use crate::error::Error;
use constant_time_eq::constant_time_eq;
use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most open tokens; a further one replaces the oldest.
const MAX_OPEN: usize = 64;

/// The tokens, the cookie and the folder of one server.
#[derive(Debug)]
pub(super) struct Keys {
    cookie_name: String,
    cookie: Secret,
    folder: Secret,
    /// Tokens that no browser has used yet, oldest first, up to [`MAX_OPEN`].
    open: Mutex<Vec<Open>>,
}

/// A token that no browser has used yet.
#[derive(Debug)]
struct Open {
    token: Secret,
    /// Dropped together with the token, which ends the wait at the other end.
    _end: SyncSender<Infallible>,
}

impl Keys {
    /// A new cookie, a new folder and no token. The cookie's name includes the port, since the ports of a host share
    /// their cookies and two servers would overwrite each other's.
    pub(super) fn new(program: &str, port: u16) -> Result<Self, Error> {
        let letters: String = program.chars().filter(char::is_ascii_alphanumeric).collect();
        let cookie_name = format!("{letters}-{port}");
        let (cookie, folder) = (Secret::random()?, Secret::random()?);
        Ok(Self { cookie_name, cookie, folder, open: Mutex::default() })
    }

    /// A new token, and a channel that disconnects once the token is no longer valid.
    pub(super) fn issue(&self) -> Result<(Secret, Receiver<Infallible>), Error> {
        let token = Secret::random()?;
        let (end, ended) = sync_channel(1);
        let mut open = self.open();
        if open.len() >= MAX_OPEN {
            open.remove(0);
        }
        open.push(Open { token: token.clone(), _end: end });
        Ok((token, ended))
    }

    /// Uses a token up. Returns whether it was valid.
    pub(super) fn redeem(&self, token: &str) -> bool {
        let mut open = self.open();
        let before = open.len();
        open.retain(|own| !own.token.is(token));
        open.len() < before
    }

    /// Makes all tokens invalid.
    pub(super) fn close(&self) {
        self.open().clear();
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of these `Cookie` headers has our cookie.
    pub(super) fn unlock<'a>(&self, mut headers: impl Iterator<Item = &'a str>) -> bool {
        headers.any(|header| {
            header
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .any(|(name, value)| name == self.cookie_name && self.cookie.is(value))
        })
    }

    /// The folder of the pages, without a slash at its end. Only a browser that gets the cookie may learn it.
    pub(super) fn folder(&self) -> String {
        format!("/{}", self.folder.text())
    }

    /// A path relative to the folder of the pages, if it is inside.
    pub(super) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (folder, _) = path.strip_prefix('/')?.split_once('/')?;
        let within = path.get(folder.len().saturating_add(1)..)?;
        self.folder.is(folder).then_some(within)
    }

    /// The `Set-Cookie` header that gives a browser the cookie. The browser sends it only to this folder, and keeps it
    /// until it is closed.
    pub(super) fn set_cookie(&self) -> String {
        let (name, folder) = (&self.cookie_name, self.folder());
        format!("{name}={}; HttpOnly; SameSite=Strict; Path={folder}/", self.cookie.0)
    }
}

/// 128 random bits in hexadecimal digits.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    /// The digits, to pass on to their recipient.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|cause| Error::Random { cause })?;
        let mut text = String::new();
        for byte in bytes {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
        }
        Ok(Self(text))
    }

    /// Whether the guess is right. The time that it takes does not depend on how much of it is right.
    fn is(&self, guess: &str) -> bool {
        constant_time_eq(self.0.as_bytes(), guess.as_bytes())
    }
}

/// Does not print the secret, so that no log contains it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::TryRecvError;

    #[test]
    fn a_token_works_once_and_is_not_the_cookie() {
        let keys = Keys::new("lab book", 80).unwrap();
        let issue = || keys.issue().unwrap().0.text().to_owned();
        let (token, other) = (issue(), issue());
        assert_eq!(token.len(), 32);
        assert_ne!(token, other);
        assert!(!keys.redeem(""));
        assert!(!keys.redeem(&token.replace('0', "1").replace(['2', 'a'], "b")));
        assert!(keys.redeem(&token));
        assert!(!keys.redeem(&token));
        assert!(keys.redeem(&other));

        let cookie = keys.set_cookie();
        assert!(cookie.starts_with("labbook-80="), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        assert!(keys.unlock([format!("a=b; {pair};c").as_str()].into_iter()));
        assert!(keys.unlock(["a=b", pair].into_iter()));
        assert!(!keys.unlock([format!("labbook-80={token}").as_str()].into_iter()));
        assert!(!keys.unlock(["labbook-80=", "labbook-80", "=;=;;", ""].into_iter()));
        assert!(!format!("{keys:?}").contains(pair.split_once('=').unwrap().1));
    }

    #[test]
    fn who_waits_for_a_token_learns_of_its_end_however_it_ends() {
        let keys = Keys::new("lab", 80).unwrap();
        let is_over = |ended: &Receiver<Infallible>| ended.try_recv() == Err(TryRecvError::Disconnected);
        let (token, used) = keys.issue().unwrap();
        let (_, closed) = keys.issue().unwrap();
        assert!(!is_over(&used));
        assert!(keys.redeem(token.text()));
        assert!(is_over(&used) && !is_over(&closed));
        keys.close();
        assert!(is_over(&closed));
    }

    #[test]
    fn tokens_that_nobody_uses_do_not_pile_up() {
        let keys = Keys::new("lab", 80).unwrap();
        let (first, _) = keys.issue().unwrap();
        let last = (0..MAX_OPEN).map(|_| keys.issue().unwrap().0).last().unwrap();
        assert_eq!(keys.open().len(), MAX_OPEN);
        assert!(!keys.redeem(first.text()) && keys.redeem(last.text()));
    }
}
