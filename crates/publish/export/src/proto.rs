//! Writes protocol buffers: numbers, bytes and messages with their field numbers.

use std::io::{Result, Write};

/// A message that is being made.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// Wire types of fields.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

impl Message {
    /// A number. 0 is not written, since a missing field means 0.
    pub(crate) fn number(&mut self, field: u64, value: u64) -> &mut Self {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
        self
    }

    /// Numbers of one field, packed.
    pub(crate) fn numbers(&mut self, field: u64, values: &[u64]) -> &mut Self {
        let mut packed = Self::default();
        for value in values {
            packed.varint(*value);
        }
        self.bytes(field, &packed.0)
    }

    /// Bytes. Empty ones are written too, since they may be an entry of a list.
    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | BYTES);
        self.varint(crate::written::wide(bytes.len()));
        self.0.extend_from_slice(bytes);
        self
    }

    /// A message within this one.
    pub(crate) fn message(&mut self, field: u64, inner: &Self) -> &mut Self {
        self.bytes(field, &inner.0)
    }

    /// Writes the message out and empties it.
    pub(crate) fn flush(&mut self, out: &mut dyn Write) -> Result<()> {
        out.write_all(&self.0)?;
        self.0.clear();
        Ok(())
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = (value & 0x7f).to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_specification_shows_them() {
        let mut message = Message::default();
        message.number(1, 150).number(2, 0).bytes(2, b"testing").numbers(6, &[3, 270, 86_942]);
        let mut out = Vec::new();
        message.flush(&mut out).unwrap();
        let expected = [b"\x08\x96\x01".as_slice(), b"\x12\x07testing", b"\x32\x06\x03\x8e\x02\x9e\xa7\x05"];
        assert_eq!(out, expected.concat());
    }
}
