//! Every request of a run, one by one, if the user asks for that.
//!
//! ```text
//! worker ─► Feed: a few thousand rows ─► a thread of its own ─► requests.csv ─── at the end ──► requests.parquet
//! ```
//!
//! A Parquet file without its end is unreadable, so a run that is killed must not write one. While it goes on, rows are lines of a text
//! that is complete up to its last line, handed on by each worker once per second; at the end they become Parquet, and the text is
//! removed. As long as the text is there, it is what counts.
//!
//! A disk that is slow for a while delays nobody: the rows wait, up to a limit. Beyond it the workers wait, which they report as
//! time when they were stopped. Without a [`Feed`] a worker only looks whether it has one.

mod parquet_file;

use crate::outcome::Outcome;
use exhibit::{Folder, Hashed, Sum};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// The file of a complete run.
pub(crate) const PARQUET: &str = "requests.parquet";
/// The file while a run goes on, and what is left of one that was killed.
pub(crate) const TEXT: &str = "requests.csv";
/// Its first line.
const HEAD: &str = "planned_ns,sent_ns,first_byte_ns,end_ns,connection,outcome,status,bytes,request";

/// Rows that a worker hands on at once, at most.
const PIECE: usize = 4_096;
/// Pieces that may wait to be written: about 40 MB.
const MAX_WAITING: usize = 128;

/// A request that has ended, in whatever way. Times are in nanoseconds since the run's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it was due. `None` in a closed loop.
    pub planned_ns: Option<u64>,
    /// When and where it was sent. `None` if it never was.
    pub sent: Option<Sent>,
    /// When it ended: answered, failed, timed out, or given up.
    pub end_ns: u64,
    /// What became of it. `None` if it was never sent.
    pub outcome: Option<Outcome>,
    /// Its number among the requests of the scenario, from 0. `None` without a scenario.
    pub request: Option<usize>,
}

/// How a request was sent, and what came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When it was begun to be sent.
    pub sent_ns: u64,
    /// When the first byte of the response came, if any did.
    pub first_byte_ns: Option<u64>,
    /// The number of the connection. One that is opened again keeps its number.
    pub connection: u32,
    /// Bytes of the response that came, as they came.
    pub bytes: u64,
}

/// Where all workers hand their requests to.
pub type Requests = SyncSender<Vec<Request>>;

/// Where one worker hands its requests to.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    to: Option<Requests>,
    /// The number of the worker's first connection.
    first: u32,
    rows: Vec<Request>,
}

impl Feed {
    /// A feed for a worker whose connections are numbered from `first` on. Without `to`, nothing is kept.
    pub(crate) fn new(to: Option<Requests>, first: u32) -> Self {
        Self { to, first, rows: Vec::new() }
    }

    /// Adds a request. `number` is that of the connection on the worker.
    #[inline]
    pub(crate) fn add(&mut self, request: impl FnOnce(u32) -> Request) {
        if self.to.is_some() {
            self.rows.push(request(self.first));
            if self.rows.len() >= PIECE {
                self.hand_on();
            }
        }
    }

    /// Hands on what there is.
    pub(crate) fn hand_on(&mut self) {
        if let Some(to) = self.to.as_ref().filter(|_| !self.rows.is_empty()) {
            // Whoever does not take them any more reports why.
            drop(to.send(std::mem::take(&mut self.rows)));
        }
    }
}

/// The text of a run that goes on.
#[derive(Debug)]
pub(crate) struct RequestLog {
    to: Requests,
    writing: JoinHandle<io::Result<()>>,
}

impl RequestLog {
    /// Creates the text in a folder, and a thread that writes it.
    pub(crate) fn create(folder: &Folder) -> Result<Self, exhibit::Error> {
        let file = folder.create_file(TEXT)?;
        let (to, rows) = sync_channel(MAX_WAITING);
        let thread = Builder::new().name("requests".to_owned());
        let failed = |cause| exhibit::Error::Write { path: folder.path_of(TEXT), cause };
        let writing = thread.spawn(move || write_text(BufWriter::new(file), &rows)).map_err(failed)?;
        Ok(Self { to, writing })
    }

    /// Where workers hand their requests to.
    pub(crate) fn requests(&self) -> Requests {
        self.to.clone()
    }

    /// Makes Parquet of the text, and removes it. All workers must have ended.
    pub(crate) fn finish(self, folder: &Folder) -> Result<Sum, RequestsError> {
        drop(self.to);
        let written = self.writing.join().unwrap_or_else(|_panic| Err(io::Error::other("its thread failed")));
        written.map_err(|cause| RequestsError::Write { file: TEXT, cause })?;
        let text = BufReader::new(folder.open_file(TEXT)?);
        let out = Hashed::new(folder.create_file(PARQUET)?);
        let failed = |cause| RequestsError::Write { file: PARQUET, cause };
        let (file, sum) = convert(text, out).map_err(failed)?.finish();
        file.sync_all().map_err(failed)?;
        folder.remove(TEXT)?;
        Ok(sum)
    }
}

/// Why the requests cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestsError {
    #[error(transparent)]
    Exhibit(#[from] exhibit::Error),
    #[error("cannot write {file}: {cause}")]
    Write { file: &'static str, cause: io::Error },
}

/// Writes rows until no worker is left. After an error the rest is taken and left out, so that no worker waits.
fn write_text(mut out: BufWriter<File>, rows: &Receiver<Vec<Request>>) -> io::Result<()> {
    let mut written = writeln!(out, "{HEAD}").and_then(|()| out.flush());
    for piece in rows {
        if written.is_ok() {
            written = piece.iter().try_for_each(|row| write_line(&mut out, row)).and_then(|()| out.flush());
        }
    }
    written
}

fn write_line(out: &mut impl Write, of: &Request) -> io::Result<()> {
    let Request { planned_ns, sent, end_ns, outcome, request } = *of;
    let number = |out: &mut dyn Write, of: Option<u64>| of.map_or(Ok(()), |of| write!(out, "{of}"));
    number(out, planned_ns)?;
    out.write_all(b",")?;
    number(out, sent.map(|of| of.sent_ns))?;
    out.write_all(b",")?;
    number(out, sent.and_then(|of| of.first_byte_ns))?;
    write!(out, ",{end_ns},")?;
    number(out, sent.map(|of| u64::from(of.connection)))?;
    let (word, status) = match outcome {
        Some(Outcome::Response(status)) => ("response", Some(u64::from(status))),
        Some(Outcome::TimedOut) => ("timeout", None),
        Some(Outcome::Failed(failure)) => (failure.name(), None),
        None => ("unsent", None),
    };
    write!(out, ",{word},")?;
    number(out, status)?;
    out.write_all(b",")?;
    number(out, sent.map(|of| of.bytes))?;
    out.write_all(b",")?;
    number(out, request.map(base::number::wide))?;
    out.write_all(b"\n")
}

/// Makes Parquet of the text that [`write_text`] wrote.
fn convert<W: Write + Send>(text: impl BufRead, out: W) -> io::Result<W> {
    let mut writer = parquet_file::Writer::begin(out)?;
    for line in text.lines().skip(1) {
        writer.add(&line?)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failure;

    #[test]
    fn a_line_has_what_is_known_of_a_request() {
        let sent = Sent { sent_ns: 5, first_byte_ns: Some(8), connection: 3, bytes: 40 };
        let answered = Request {
            planned_ns: Some(4),
            sent: Some(sent),
            end_ns: 9,
            outcome: Some(Outcome::Response(200)),
            request: None,
        };
        let failed = Request {
            planned_ns: None,
            sent: Some(Sent { first_byte_ns: None, bytes: 0, ..sent }),
            outcome: Some(Outcome::Failed(Failure::HeadTooLarge)),
            ..answered
        };
        let unsent = Request { sent: None, outcome: None, request: Some(2), ..answered };
        let mut out = Vec::new();
        for row in [answered, failed, unsent] {
            write_line(&mut out, &row).unwrap();
        }
        let expected = "4,5,8,9,3,response,200,40,\n,5,,9,3,head-too-large,,0,\n4,,,9,,unsent,,,2\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_feed_hands_on_pieces_of_a_limited_size_and_nothing_if_nobody_takes_it() {
        let row = |first| Request {
            planned_ns: None,
            sent: None,
            end_ns: u64::from(first),
            outcome: None,
            request: None,
        };
        let (to, rows) = sync_channel(4);
        let mut feed = Feed::new(Some(to), 7);
        for _ in 0..=PIECE {
            feed.add(row);
        }
        feed.hand_on();
        feed.hand_on();
        drop(feed);
        let pieces: Vec<Vec<Request>> = rows.iter().collect();
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE, 1]);
        assert_eq!(pieces[0][0].end_ns, 7);
        let mut none = Feed::default();
        none.add(|_| unreachable!("nobody takes it"));
        none.hand_on();
    }
}
