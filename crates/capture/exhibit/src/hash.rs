//! The BLAKE3 hash of files that are written or read, with their size.

use std::io::{self, Read, Write};

/// Size and hash of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash, in hexadecimal.
    pub blake3: String,
}

/// A writer that hashes and counts what passes through it.
#[derive(Debug)]
pub struct Hashed<W> {
    inner: W,
    hash: blake3::Hasher,
    bytes: u64,
}

impl<W> Hashed<W> {
    /// Hashes what is written to `inner` from now on.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: blake3::Hasher::new(), bytes: 0 }
    }

    /// The bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Size and hash of what was written so far.
    pub fn sum(&self) -> Sum {
        Sum { bytes: self.bytes, blake3: self.hash.finalize().to_hex().to_string() }
    }

    /// The writer. What is written to it here is not hashed.
    pub fn inner_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Returns the writer with the size and hash of what was written.
    pub fn finish(self) -> (W, Sum) {
        let sum = self.sum();
        (self.inner, sum)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..len).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(len as u64);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Size and hash of what a reader returns, read in pieces.
pub fn sum(reader: impl Read) -> io::Result<Sum> {
    let mut hash = blake3::Hasher::new();
    hash.update_reader(reader)?;
    Ok(Sum { bytes: hash.count(), blake3: hash.finalize().to_hex().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(3);
            self.0.extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_what_the_writer_took_is_hashed() {
        let mut out = Hashed::new(Slow(Vec::new()));
        out.write_all(b"seven b").unwrap();
        let (slow, written) = out.finish();
        assert_eq!(slow.0, b"seven b");
        let expected = Sum { bytes: 7, blake3: blake3::hash(b"seven b").to_hex().to_string() };
        assert_eq!((&written, sum(b"seven b".as_slice()).unwrap()), (&expected, expected.clone()));
    }
}
