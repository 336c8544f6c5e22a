//! A client that sends given bytes and reads exactly one answer at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long a client waits before the test fails. Nothing that works takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, which may occur once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in {self:?}");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// One connection.
pub(crate) struct Client {
    socket: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, port)
    }

    pub(crate) fn at(host: Ipv4Addr, port: u16) -> Self {
        let socket = TcpStream::connect((host, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket: BufReader::new(socket) }
    }

    /// Sends bytes. Returns whether the other end took them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&mut self) {
        self.socket.get_mut().shutdown(std::net::Shutdown::Write).ok();
    }

    /// Reads the next answer; that to a `HEAD` has no body. `None` if the connection ended before it.
    pub(crate) fn read(&mut self, is_head: bool) -> Option<Answer> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.1 ").or(first.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let len = answer.header("content-length").filter(|_| !is_head && status != 304).unwrap_or("0");
        answer.body = vec![0; len.parse().unwrap()];
        self.socket.read_exact(&mut answer.body).ok()?;
        Some(answer)
    }

    /// Whether the other end has closed the connection, for which it waits.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.socket.read(&mut [0; 64]) {
            Ok(len) => len == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// What still comes until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.socket.read_to_end(&mut rest) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection stays open");
        }
        rest
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.socket.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }
}

/// A `GET` as a browser sends it, with further header lines, each with its end of line.
pub(crate) fn get(port: u16, target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n")
}

/// Sends one request on a connection of its own.
pub(crate) fn ask(port: u16, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::new(port);
    client.send(&request);
    let is_head = request.as_ref().starts_with(b"HEAD ");
    let request = String::from_utf8_lossy(request.as_ref()).into_owned();
    client.read(is_head).unwrap_or_else(|| panic!("no answer to {request:?}"))
}
