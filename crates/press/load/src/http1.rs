//! Responses of HTTP/1.1, read in pieces as they come (RFC 9112).
//!
//! The head is read by `httparse`; where the body ends is decided here. A peer may send anything: what contradicts itself is an
//! error, a head has a limit, and a body takes no memory, however long it is.

use crate::outcome::Failure;
use crate::scenario::Answer;

/// The longest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most header lines.
const MAX_HEADERS: usize = 128;
/// The longest line with the size of a chunk, and the longest line of a trailer.
const MAX_LINE: usize = 4 * 1024;
/// The most interim responses (1xx) before one response.
const MAX_INTERIM: u32 = 16;

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// The response is complete.
    Done {
        /// Its status.
        status: u16,
        /// Whether the connection can take another request.
        keeps_alive: bool,
    },
}

/// Reads the responses of one connection, one after the other.
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    /// The beginning of a head or line that is not complete.
    partial: Vec<u8>,
    status: u16,
    keeps_alive: bool,
    /// Whether the request was one whose response has no body.
    is_head: bool,
    interim: u32,
    /// Bytes of trailers so far.
    trailer_bytes: usize,
    /// Where headers and body are kept, if anybody wants them.
    answer: Option<Box<Answer>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are missing.
    Sized(u64),
    ChunkSize,
    /// So many bytes of the chunk are missing.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailers,
    UntilClose,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Sized(u64),
    Chunked,
    UntilClose,
}

impl ResponseReader {
    /// A reader of responses to requests, whose method may be HEAD.
    pub fn new(is_head: bool) -> Self {
        Self {
            state: State::Head,
            partial: Vec::new(),
            status: 0,
            keeps_alive: true,
            is_head,
            interim: 0,
            trailer_bytes: 0,
            answer: None,
        }
    }

    /// Begins the response to a request whose method may be HEAD, and keeps of it what is wanted.
    pub fn expect(&mut self, is_head: bool, answer: Option<Box<Answer>>) {
        self.reset();
        (self.is_head, self.answer) = (is_head, answer);
    }

    /// What was kept of the response.
    pub fn answer(&mut self) -> Option<Box<Answer>> {
        self.answer.take()
    }

    fn keep(&mut self, body: &[u8]) {
        if let Some(answer) = &mut self.answer {
            answer.add_body(body);
        }
    }

    /// Begins the next response.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.partial.clear();
        self.interim = 0;
        self.trailer_bytes = 0;
    }

    /// Takes the next bytes. Returns how many of them belong to this response, and how far it is.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, Progress), Failure> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let (used, is_done) = self.step(rest)?;
            at += used;
            if is_done {
                return Ok((at, self.done()));
            }
            // Without bytes left, and after a step that took none, only more bytes help.
            if used == 0 || at >= bytes.len() {
                return Ok((at, Progress::More));
            }
        }
    }

    /// The peer closed the connection. That completes a response whose body ends so.
    pub fn close(&mut self) -> Result<Progress, Failure> {
        if self.state == State::UntilClose { Ok(self.done()) } else { Err(Failure::Closed) }
    }

    fn done(&self) -> Progress {
        Progress::Done {
            status: self.status,
            keeps_alive: self.keeps_alive && self.state != State::UntilClose,
        }
    }

    /// Takes a part. Returns how many bytes it had, and whether the response is complete.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, bool), Failure> {
        match self.state {
            State::Head => self.head(bytes),
            State::Sized(missing) => {
                let (used, missing) = used_of(missing, bytes);
                self.state = State::Sized(missing);
                self.keep(bytes.get(..used).unwrap_or_default());
                Ok((used, missing == 0))
            }
            State::UntilClose => {
                self.keep(bytes);
                Ok((bytes.len(), false))
            }
            State::Chunk(missing) => {
                let (used, missing) = used_of(missing, bytes);
                self.state = if missing == 0 { State::ChunkEnd } else { State::Chunk(missing) };
                self.keep(bytes.get(..used).unwrap_or_default());
                Ok((used, false))
            }
            State::ChunkEnd => {
                let Some((line, used)) = self.line(bytes)? else { return Ok((bytes.len(), false)) };
                if !line.is_empty() {
                    return Err(Failure::Malformed);
                }
                self.state = State::ChunkSize;
                Ok((used, false))
            }
            State::ChunkSize => {
                let Some((line, used)) = self.line(bytes)? else { return Ok((bytes.len(), false)) };
                let size = chunk_size(&line).ok_or(Failure::Malformed)?;
                self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                Ok((used, false))
            }
            State::Trailers => {
                let Some((line, used)) = self.line(bytes)? else { return Ok((bytes.len(), false)) };
                self.trailer_bytes += line.len() + 2;
                if self.trailer_bytes > MAX_HEAD {
                    return Err(Failure::HeadTooLarge);
                }
                Ok((used, line.is_empty()))
            }
        }
    }

    /// The next line without its end, and how many of these bytes it took. `None` if it is not complete: then its beginning is kept.
    fn line(&mut self, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.partial.extend_from_slice(bytes);
            return if self.partial.len() > MAX_LINE { Err(Failure::Malformed) } else { Ok(None) };
        };
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(bytes.get(..end).unwrap_or_default());
        if line.len() > MAX_LINE {
            return Err(Failure::Malformed);
        }
        if line.pop_if(|last| *last == b'\r').is_none() {
            return Err(Failure::Malformed);
        }
        Ok(Some((line, end + 1)))
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(usize, bool), Failure> {
        let before = self.partial.len();
        let room = (MAX_HEAD + 1).saturating_sub(before).min(bytes.len());
        let bytes = bytes.get(..room).unwrap_or_default();
        // A head ends with a line. Without a new line, reading its beginning again would cost a slow peer's bytes squared.
        let parsed = match memchr::memrchr(b'\n', bytes) {
            None => None,
            Some(end) if before == 0 => parse(bytes.get(..=end).unwrap_or_default(), &mut self.answer)?,
            Some(end) => {
                self.partial.extend_from_slice(bytes);
                parse(self.partial.get(..=before + end).unwrap_or_default(), &mut self.answer)?
            }
        };
        let Some(head) = parsed else {
            self.partial.truncate(before);
            self.partial.extend_from_slice(bytes);
            let is_too_long = self.partial.len() > MAX_HEAD;
            return if is_too_long { Err(Failure::HeadTooLarge) } else { Ok((bytes.len(), false)) };
        };
        self.partial.clear();
        // A head can only end within the new bytes.
        let used = head.len.saturating_sub(before);
        if (100..200).contains(&head.status) {
            self.interim += 1;
            // We never ask for another protocol.
            let is_refused = head.status == 101 || self.interim > MAX_INTERIM;
            return if is_refused { Err(Failure::Malformed) } else { Ok((used, false)) };
        }
        (self.status, self.keeps_alive) = (head.status, head.keeps_alive);
        let framing =
            if self.is_head || matches!(head.status, 204 | 304) { Framing::Sized(0) } else { head.framing };
        self.state = match framing {
            Framing::Sized(size) => State::Sized(size),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Ok((used, framing == Framing::Sized(0)))
    }
}

/// How many of these bytes belong to what is missing, and how much is missing then.
fn used_of(missing: u64, bytes: &[u8]) -> (usize, u64) {
    let used = usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len());
    (used, missing.saturating_sub(base::number::wide(used)))
}

/// What a head says.
#[derive(Debug, Clone, Copy)]
struct Head {
    len: usize,
    status: u16,
    keeps_alive: bool,
    framing: Framing,
}

/// Reads a head. `None` if it is not complete. `answer` gets its headers, unless more heads follow it.
fn parse(bytes: &[u8], answer: &mut Option<Box<Answer>>) -> Result<Option<Head>, Failure> {
    let mut headers = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let len = match parsed {
        Ok(httparse::Status::Complete(len)) if len > MAX_HEAD => return Err(Failure::HeadTooLarge),
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::HeadTooLarge),
        Err(_) => return Err(Failure::Malformed),
    };
    let status = response.code.filter(|code| (100..1000).contains(code)).ok_or(Failure::Malformed)?;
    let mut keeps_alive = response.version == Some(1);
    let mut length: Option<u64> = None;
    let mut is_chunked = None;
    for header in response.headers.iter() {
        match header.name.len() {
            10 if header.name.eq_ignore_ascii_case("connection") => {
                let says =
                    |word: &str| words(header.value).any(|of| of.eq_ignore_ascii_case(word.as_bytes()));
                keeps_alive = !says("close") && (keeps_alive || says("keep-alive"));
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                for value in words(header.value) {
                    let value = number(value).ok_or(Failure::Malformed)?;
                    if length.replace(value).is_some_and(|earlier| earlier != value) {
                        return Err(Failure::Malformed);
                    }
                }
                length.ok_or(Failure::Malformed)?;
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                let last = words(header.value).last().ok_or(Failure::Malformed)?;
                is_chunked = Some(last.eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }
    let framing = match (is_chunked, length) {
        // Two lengths: one of them lies (RFC 9112, section 6.3).
        (Some(_), Some(_)) => return Err(Failure::Malformed),
        (Some(true), None) => Framing::Chunked,
        (None, Some(length)) => Framing::Sized(length),
        (Some(false) | None, None) => Framing::UntilClose,
    };
    if let Some(answer) = answer.as_mut().filter(|_| status >= 200) {
        for header in response.headers.iter() {
            answer.add_header(header.name, header.value);
        }
    }
    Ok(Some(Head { len, status, keeps_alive, framing }))
}

/// The parts of a value between commas.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

/// The size of a chunk, from its line: hexadecimal digits, then extensions behind a semicolon.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii_end();
    let is_number = !digits.is_empty() && digits.len() <= 16 && digits.iter().all(u8::is_ascii_hexdigit);
    is_number.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Read = Result<(Vec<(u16, bool)>, usize), Failure>;

    /// Reads responses from pieces of these sizes, then the end of the stream. Returns status and keep-alive of each, and how many bytes
    /// they had.
    fn read(bytes: &[u8], piece: usize, is_head: bool) -> Read {
        let mut reader = ResponseReader::new(is_head);
        let (mut found, mut at, mut is_begun) = (Vec::new(), 0, false);
        while at < bytes.len() {
            let end = bytes.len().min(at + piece);
            let (used, progress) = reader.take(&bytes[at..end])?;
            at += used;
            is_begun = progress == Progress::More;
            if let Progress::Done { status, keeps_alive } = progress {
                found.push((status, keeps_alive));
                if !keeps_alive {
                    return Ok((found, at));
                }
                reader.reset();
            } else {
                assert_eq!(at, end, "bytes are left, and no response is done");
            }
        }
        if is_begun && let Progress::Done { status, keeps_alive } = reader.close()? {
            found.push((status, keeps_alive));
        }
        Ok((found, at))
    }

    fn check(bytes: &str, expected: &[(u16, bool)]) {
        for piece in [1, 2, 3, 7, 64, usize::MAX / 2] {
            let (found, used) =
                read(bytes.as_bytes(), piece, false).unwrap_or_else(|of| unreachable!("{bytes:?}: {of:?}"));
            assert_eq!((found.as_slice(), used), (expected, bytes.len()), "{bytes:?} in pieces of {piece}");
        }
    }

    fn fails(bytes: &str, expected: Failure) {
        for piece in [1, 5, usize::MAX / 2] {
            assert_eq!(read(bytes.as_bytes(), piece, false), Err(expected), "{bytes:?} in pieces of {piece}");
        }
    }

    #[test]
    fn responses_end_where_they_say() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &[(200, true)]);
        check(
            "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\nHTTP/1.1 503 \r\nContent-Length: 1\r\n\r\nx",
            &[(200, true), (503, true)],
        );
        check(
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            &[(204, true), (304, true)],
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
            &[(200, true)],
        );
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[(200, true)]);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
            &[(201, true)],
        );
        check("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", &[(200, true)]);
        check("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", &[(302, true)]);
    }

    #[test]
    fn a_connection_is_kept_only_if_both_agree() {
        check("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", &[(200, false)]);
        check("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", &[(200, false)]);
        check("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", &[(200, true)]);
        check("HTTP/1.1 200 OK\r\n\r\nuntil the end", &[(200, false)]);
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nuntil the end", &[(200, false)]);
    }

    #[test]
    fn a_head_request_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(bytes, 9, true), Ok((vec![(200, true), (200, true)], bytes.len())));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for bytes in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 000 Zero\r\n\r\n",
        ] {
            fails(bytes, Failure::Malformed);
        }
        fails(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(20), Failure::Malformed);
    }

    #[test]
    fn a_response_that_stops_is_not_complete() {
        for bytes in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ] {
            fails(bytes, Failure::Closed);
        }
    }

    #[test]
    fn heads_and_trailers_have_limits() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        fails(&many, Failure::HeadTooLarge);
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(MAX_HEAD));
        fails(&long, Failure::HeadTooLarge);
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(3 * MAX_HEAD));
        fails(&endless, Failure::HeadTooLarge);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        fails(&format!("{chunked}0\r\n{}\r\n", "A: b\r\n".repeat(20_000)), Failure::HeadTooLarge);
        fails(&format!("{chunked}1;{}\r\n", "x".repeat(2 * MAX_LINE)), Failure::Malformed);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1..50usize) {
            prop_assert_eq!(read(&bytes, piece, false), read(&bytes, usize::MAX / 2, false));
        }

        #[test]
        fn changed_responses_in_any_pieces_give_the_same(at in 0..90usize, value: u8, piece in 1..50usize) {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            prop_assert_eq!(read(&bytes, piece, false), read(&bytes, usize::MAX / 2, false));
        }
    }
}
