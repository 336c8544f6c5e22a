//! What is kept of a response: nothing, unless the scenario looks at its headers or its body.

/// The longest body that is kept, in bytes. A longer one fails the checks of its request.
const MAX_BODY: usize = 1024 * 1024;

/// What a scenario looks at in the response to a request, besides its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The headers.
    pub headers: bool,
    /// The body.
    pub body: bool,
}

impl Wanted {
    /// Where to keep it. `None` if nothing is wanted.
    pub(crate) fn answer(self) -> Option<Box<Answer>> {
        (self.headers || self.body).then(|| Box::new(Answer::new(self)))
    }
}

/// The headers and the body of a response, as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    wanted: Wanted,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_too_large: bool,
}

impl Answer {
    /// Nothing so far.
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Takes a header. Whoever reads the response limits how many there are.
    pub fn add_header(&mut self, name: &str, value: &[u8]) {
        if self.wanted.headers {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Takes the next part of the body, without the framing of the protocol.
    pub fn add_body(&mut self, bytes: &[u8]) {
        if !self.wanted.body || self.is_too_large {
            return;
        }
        if bytes.len() > MAX_BODY.saturating_sub(self.body.len()) {
            self.is_too_large = true;
            self.body = Vec::new();
            return;
        }
        self.body.extend_from_slice(bytes);
    }

    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// The body. `None` if it is larger than what is kept.
    pub fn body(&self) -> Option<&[u8]> {
        (!self.is_too_large).then_some(self.body.as_slice())
    }
}
