//! Messages: a header of 20 bytes and a payload of numbers and strings.

use crate::error::Error;
use base::bytes::Cursor;

const MAGIC: &[u8; 14] = b"DOTNET_IPC_V1\0";
/// Magic, size, command set, command, and two bytes that are 0.
pub(crate) const HEADER: usize = 20;

/// A command: its set, and its id in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Command {
    set: u8,
    id: u8,
}

/// The commands that we use, with their names in the protocol's documentation.
impl Command {
    pub(crate) const STOP_TRACING: Self = Self::tracing(1);
    pub(crate) const COLLECT_TRACING_1: Self = Self::tracing(2);
    pub(crate) const COLLECT_TRACING_2: Self = Self::tracing(3);
    pub(crate) const COLLECT_TRACING_3: Self = Self::tracing(4);
    pub(crate) const COLLECT_TRACING_4: Self = Self::tracing(5);
    pub(crate) const COLLECT_TRACING_5: Self = Self::tracing(6);
    pub(crate) const COLLECT_TRACING_6: Self = Self::tracing(7);
    pub(crate) const PROCESS_INFO_1: Self = Self::process(0);
    pub(crate) const RESUME_RUNTIME: Self = Self::process(1);
    pub(crate) const SET_ENVIRONMENT_VARIABLE: Self = Self::process(3);
    pub(crate) const PROCESS_INFO_2: Self = Self::process(4);
    pub(crate) const ENABLE_PERF_MAP: Self = Self::process(5);
    pub(crate) const DISABLE_PERF_MAP: Self = Self::process(6);
    pub(crate) const PROCESS_INFO_3: Self = Self::process(8);
    const OK: Self = Self::answer(0);
    const ERROR: Self = Self::answer(0xff);

    const fn tracing(id: u8) -> Self {
        Self { set: 2, id }
    }

    const fn process(id: u8) -> Self {
        Self { set: 4, id }
    }

    const fn answer(id: u8) -> Self {
        Self { set: 0xff, id }
    }
}

/// The payload of a command, as it is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// The count before a list. A list too long for 32 bits makes the message too long as well, so [`encode`] refuses it.
    pub(crate) fn count(&mut self, len: usize) {
        self.u32(u32::try_from(len).unwrap_or(u32::MAX));
    }

    /// A text as UTF-16: the number of units including a NUL, and the units. An empty text is only the number 0.
    pub(crate) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return self.count(0);
        }
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        self.count(units.len());
        self.0.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
}

/// The bytes of a command's message.
pub(crate) fn encode(command: Command, payload: &Payload) -> Result<Vec<u8>, Error> {
    let size = HEADER.saturating_add(payload.0.len());
    let size_field = u16::try_from(size).map_err(|_too_long| Error::TooLong(size))?;
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&size_field.to_le_bytes());
    bytes.extend_from_slice(&[command.set, command.id, 0, 0]);
    bytes.extend_from_slice(&payload.0);
    Ok(bytes)
}

/// The header of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    is_error: bool,
    /// Length of the payload in bytes, up to 65,515.
    pub(crate) payload_len: usize,
}

impl Answer {
    pub(crate) fn read(header: &[u8; HEADER]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(header, 0);
        let too_short = |_short| Error::NotARuntime("its answer is too short");
        let magic = cursor.take(MAGIC.len(), "magic").map_err(too_short)?;
        if magic != MAGIC {
            return Err(Error::NotARuntime("its answer does not begin with DOTNET_IPC_V1"));
        }
        let size = usize::from(cursor.u16("size").map_err(too_short)?);
        let (set, id) = (cursor.u8("set").map_err(too_short)?, cursor.u8("id").map_err(too_short)?);
        let is_error = match (Command { set, id }) {
            Command::OK => false,
            Command::ERROR => true,
            _ => return Err(Error::NotARuntime("its answer is neither OK nor an error")),
        };
        let payload_len =
            size.checked_sub(HEADER).ok_or(Error::NotARuntime("its answer is shorter than a header"))?;
        Ok(Self { is_error, payload_len })
    }

    /// The payload of a successful answer, or the error that it contains.
    pub(crate) fn check(&self, payload: Vec<u8>) -> Result<Vec<u8>, Error> {
        if !self.is_error {
            return Ok(payload);
        }
        let code = Cursor::new(&payload, 0).u32("error");
        Err(code.map_or(Error::NotARuntime("its error has no code"), Error::Refused))
    }
}

/// Reads a text from a payload, up to its NUL.
pub(crate) fn text(cursor: &mut Cursor<'_>, what: &'static str) -> Result<String, Error> {
    let too_short = |_short| Error::NotARuntime("a text in its answer is longer than the answer");
    let units = cursor.u32(what).map_err(too_short)?;
    let units = cursor.fits(u64::from(units), 2, what).map_err(too_short)?;
    let bytes = cursor.take(units.saturating_mul(2), what).map_err(too_short)?;
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(header: &[u8], expected: Result<Answer, &str>) {
        let mut bytes = [0; HEADER];
        bytes[..header.len()].copy_from_slice(header);
        let read = Answer::read(&bytes).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(|what| format!("this is not a .NET diagnostics socket: {what}")));
    }

    #[test]
    fn only_an_answer_of_a_runtime_is_accepted() {
        let with = |rest: &[u8]| [MAGIC.as_slice(), rest].concat();
        check(&with(&[28, 0, 0xff, 0]), Ok(Answer { is_error: false, payload_len: 8 }));
        check(&with(&[24, 0, 0xff, 0xff]), Ok(Answer { is_error: true, payload_len: 4 }));
        check(&with(&[19, 0, 0xff, 0]), Err("its answer is shorter than a header"));
        check(&with(&[20, 0, 4, 0]), Err("its answer is neither OK nor an error"));
        check(b"HTTP/1.1 400 Bad Req", Err("its answer does not begin with DOTNET_IPC_V1"));
    }

    #[test]
    fn a_text_reads_as_it_was_written() {
        for written in ["", "orders", "größer 🦀"] {
            let mut payload = Payload::default();
            payload.text(written);
            assert_eq!(text(&mut Cursor::new(&payload.0, 0), "text").unwrap(), written);
        }
    }

    #[test]
    fn a_message_has_its_size_and_one_that_is_too_long_is_refused() {
        let mut payload = Payload::default();
        payload.u64(7);
        let bytes = encode(Command::STOP_TRACING, &payload).unwrap();
        assert_eq!(&bytes[14..], [28, 0, 2, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        payload.text(&"x".repeat(40_000));
        assert!(matches!(encode(Command::STOP_TRACING, &payload), Err(Error::TooLong(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_text_panic(bytes: Vec<u8>) {
            drop(text(&mut Cursor::new(&bytes, 0), "text"));
        }
    }
}
