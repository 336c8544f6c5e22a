//! A writer that removes members from the JSON that passes through it.
//!
//! It looks for `,"name":`. In JSON that is always a member (and not the first one of its object), since a quotation
//! mark in a text has a backslash before it. The value must be a list of numbers, or an object of texts without
//! brackets. The rest passes unchanged, however it is cut into pieces.

use std::io::{Result, Write};

/// A member to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// Its beginning: `,"name":`.
    pub(crate) begin: &'static [u8],
    /// The byte that ends its value.
    pub(crate) end: u8,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Without<W> {
    out: W,
    members: &'static [Member],
    /// Bytes that may be the beginning of a member.
    held: Vec<u8>,
    /// The byte that ends the value being removed.
    until: Option<u8>,
}

impl<W: Write> Without<W> {
    pub(crate) fn new(out: W, members: &'static [Member]) -> Self {
        Self { out, members, held: Vec::new(), until: None }
    }

    /// Writes what is still held, and returns the writer.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.out.write_all(&self.held)?;
        Ok(self.out)
    }

    fn take(&mut self, byte: u8) -> Result<()> {
        self.held.push(byte);
        if let Some(member) = self.members.iter().find(|member| member.begin == self.held) {
            self.held.clear();
            self.until = Some(member.end);
        } else if !self.members.iter().any(|member| member.begin.starts_with(&self.held)) {
            // Members contain no comma behind their first byte, so only this byte can begin another one.
            let begins = byte == b',' && self.held.len() > 1;
            if begins {
                self.held.pop();
            }
            self.out.write_all(&self.held)?;
            self.held.clear();
            if begins {
                self.held.push(byte);
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for Without<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if let Some(end) = self.until {
                let at = rest.iter().position(|byte| *byte == end);
                if at.is_some() {
                    self.until = None;
                }
                rest = at.and_then(|at| rest.get(at + 1..)).unwrap_or_default();
            } else if self.held.is_empty() && first != b',' {
                let plain = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
                let (plain, others) = rest.split_at(plain);
                self.out.write_all(plain)?;
                rest = others;
            } else {
                self.take(first)?;
                rest = after;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_left_out_wherever_the_bytes_are_cut_and_texts_stay_as_they_are() {
        const MEMBERS: &[Member] =
            &[Member { begin: b",\"cpu\":", end: b']' }, Member { begin: b",\"units\":", end: b'}' }];
        let text = r#"{"a":[1,2],"cpu":[3,4],"c":",\"cpu\":[","units":{"x":"y"},,"cp":0,"cpu":[]}"#;
        let expected = r#"{"a":[1,2],"c":",\"cpu\":[",,"cp":0}"#;
        for at in 0..=text.len() {
            let mut without = Without::new(Vec::new(), MEMBERS);
            let (left, right) = text.as_bytes().split_at(at);
            without.write_all(left).unwrap();
            without.write_all(right).unwrap();
            assert_eq!(String::from_utf8(without.finish().unwrap()).unwrap(), expected, "cut at {at}");
        }
    }
}
