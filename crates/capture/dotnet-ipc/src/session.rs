//! Sessions: streams of events that a runtime sends until it is asked to stop.
//!
//! A session has its own connection, which starts it and carries the stream. The command to stop it goes over another
//! connection; the runtime then sends the events in its buffer and, if asked, the names of all methods, and closes the
//! stream. If we close the stream instead, the runtime ends the session when it sends the next event.

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::first_collection::FirstCollection;
use crate::message::{Command, Payload};
use crate::rate::Rate;
use crate::request::Version;
use base::bytes::Cursor;
use base::time::{Deadline, Patience};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

pub use crate::rate::MAX_PER_SECOND;
pub use crate::request::{FULL_RUNDOWN, NAMES_RUNDOWN, Provider, Request};

/// How long a read waits if the rate limit does not allow it yet.
const HOLD_BACK: Duration = Duration::from_millis(2);

/// A session that streams. Dropping it closes the connection, which also ends the session in the runtime.
#[derive(Debug)]
pub struct Session {
    endpoint: Endpoint,
    id: u64,
    stream: UnixStream,
    /// The read timeout of `stream`, to set it only when it changes.
    timeout: Option<Duration>,
    version: Version,
    rate: Arc<Rate>,
    first_collection: Option<Arc<FirstCollection>>,
}

/// Starts sessions of a runtime, with the newest version of the command that the runtime may accept.
///
/// Its sessions share one limit on bytes per second, by default [`MAX_PER_SECOND`].
#[derive(Debug, Clone)]
pub struct Starter {
    endpoint: Endpoint,
    version: Version,
    rate: Arc<Rate>,
}

impl Starter {
    /// Starts a session.
    pub fn start<'a>(&self, request: &Request, patience: impl Into<Patience<'a>>) -> Result<Session, Error> {
        let patience = patience.into();
        let mut all_closed = true;
        for version in Version::NEWEST_FIRST.into_iter().filter(|version| *version <= self.version) {
            match self.endpoint.call(version.command(), &request.payload(version), patience) {
                Ok(reply) => {
                    let id = Cursor::new(&reply.payload, 0).u64("session");
                    return Ok(Session {
                        endpoint: self.endpoint.clone(),
                        id: id.map_err(|_short| Error::NotARuntime("its session has no number"))?,
                        stream: reply.stream,
                        timeout: None,
                        version,
                        rate: Arc::clone(&self.rate),
                        first_collection: FirstCollection::of(&request.providers).map(Arc::new),
                    });
                }
                Err(error) if error.is_unknown_command() => all_closed &= matches!(error, Error::Closed),
                Err(error) => return Err(error),
            }
        }
        // A runtime that is ending closes every connection, which does not mean that it knows no command.
        Err(if all_closed { Error::Closed } else { Error::NoSessionCommand })
    }

    /// How long the rate limit has held back reading so far, summed over all sessions.
    pub fn held_back(&self) -> Duration {
        self.rate.held_back()
    }
}

/// The result of reading from a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This number of bytes.
    Bytes(usize),
    /// Nothing in time.
    Nothing,
    /// The session has ended.
    End,
}

impl Session {
    /// Starts a session, with the newest version of the command that the runtime accepts.
    pub fn start<'a>(
        endpoint: &Endpoint,
        request: &Request,
        patience: impl Into<Patience<'a>>,
    ) -> Result<Self, Error> {
        Self::start_at_rate(endpoint, request, MAX_PER_SECOND, patience)
    }

    /// Starts a session whose stream is read no faster than `per_second` bytes per second.
    pub fn start_at_rate<'a>(
        endpoint: &Endpoint,
        request: &Request,
        per_second: u64,
        patience: impl Into<Patience<'a>>,
    ) -> Result<Self, Error> {
        let rate = Arc::new(Rate::new(per_second));
        let newest = Starter { endpoint: endpoint.clone(), version: Version::NEWEST, rate };
        newest.start(request, patience)
    }

    /// Starts further sessions of the same runtime, with the version of the command that it accepted for this one.
    pub fn starter(&self) -> Starter {
        Starter { endpoint: self.endpoint.clone(), version: self.version, rate: Arc::clone(&self.rate) }
    }

    /// The session's number in its runtime.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Reads the bytes that have arrived, and waits up to `timeout` for the first one. Returns [`Received::Nothing`] early if
    /// the rate limit does not allow a read yet.
    pub fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<Received, Error> {
        // A timeout of zero would mean none.
        let timeout = timeout.max(Duration::from_millis(1));
        if self.timeout != Some(timeout) {
            self.stream.set_read_timeout(Some(timeout)).map_err(Error::Io)?;
            self.timeout = Some(timeout);
        }
        let reserved = self.rate.reserve(buffer.len());
        let Some(within) = buffer.get_mut(..reserved).filter(|within| !within.is_empty()) else {
            self.rate.hold_back(HOLD_BACK);
            return Ok(Received::Nothing);
        };
        let read = self.stream.read(within);
        self.rate.give_back(reserved.saturating_sub(read.as_ref().map_or(0, |len| *len)));
        match read {
            Ok(0) => Ok(Received::End),
            Ok(len) => {
                if let Some(collection) = &self.first_collection {
                    collection.scan(within.get(..len).unwrap_or_default());
                }
                Ok(Received::Bytes(len))
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Received::Nothing),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Received::End),
                _ => Err(Error::Io(error)),
            },
        }
    }

    /// Stops the session, from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            endpoint: self.endpoint.clone(),
            id: self.id,
            first_collection: self.first_collection.clone(),
        }
    }
}

/// Stops a session while another thread reads it.
#[derive(Debug, Clone)]
pub struct Stopper {
    endpoint: Endpoint,
    id: u64,
    first_collection: Option<Arc<FirstCollection>>,
}

impl Stopper {
    /// Asks the runtime to end the session. The runtime then sends the rest of the stream and closes it.
    ///
    /// A session of meters may first have to wait for its first collection: see `first_collection`.
    pub fn stop(&self, deadline: Deadline) -> Result<(), Error> {
        if let Some(collection) = &self.first_collection {
            collection.wait_until_safe_to_stop(deadline);
        }
        let mut payload = Payload::default();
        payload.u64(self.id);
        self.endpoint.call(Command::STOP_TRACING, &payload, deadline.into()).map(drop)
    }
}
