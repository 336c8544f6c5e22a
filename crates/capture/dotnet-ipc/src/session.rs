//! Sessions: a stream of events that a runtime sends until it is stopped.
//!
//! A session begins over a connection of its own and streams over it. A stop goes over another; the runtime then sends
//! what it holds and, if asked, the names of all methods, and closes. A connection that ends from our side ends the
//! session with the next event that is sent.

use crate::collects::Collects;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::message::{Command, Payload};
use crate::rate::Rate;
use base::bytes::Cursor;
use base::time::{Deadline, Patience};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

pub use crate::rate::MOST_PER_SECOND;

/// NetTrace version 4.
const FORMAT: u32 = 1;
/// How long a session that is held back waits before it looks again.
const HOLD_BACK: Duration = Duration::from_millis(2);

/// Whose events a session asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provider {
    /// The provider's name.
    pub name: String,
    /// Which of its events: bits that the provider defines.
    pub keywords: u64,
    /// Up to which level: 1 critical to 5 verbose.
    pub level: u32,
    /// `Key=Value;…`; a value that holds `;` stands in quotes.
    pub arguments: String,
}

/// What a session asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose events.
    pub providers: Vec<Provider>,
    /// What the runtime keeps of events that were not read yet; what comes beyond it is dropped.
    pub buffer_megabytes: u32,
    /// Which names the runtime sends at the end: bits of its provider; 0 for none.
    pub rundown: u64,
}

/// The rundown that every reader understands: loaded code, modules, and where in the sources it comes from.
pub const FULL_RUNDOWN: u64 = 0x8002_0139;
/// The rundown that names methods, without their places in the sources: half the bytes.
pub const NAMES_RUNDOWN: u64 = 0x8000_0139;

/// The forms of the command, newest first, each with what it can carry.
const FORMS: [(Command, Form); 6] = [
    (Command::COLLECT_TRACING_6, Form::Sixth),
    (Command::COLLECT_TRACING_5, Form::Fifth),
    (Command::COLLECT_TRACING_4, Form::Fourth),
    (Command::COLLECT_TRACING_3, Form::Third),
    (Command::COLLECT_TRACING_2, Form::Second),
    (Command::COLLECT_TRACING_1, Form::First),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Always with a rundown.
    First,
    /// With or without the rundown.
    Second,
    /// With or without stacks.
    Third,
    /// Which rundown.
    Fourth,
    /// Which events of a provider.
    Fifth,
    /// What happens when the buffer is full.
    Sixth,
}

impl Request {
    fn payload(&self, form: Form) -> Payload {
        const STREAM: u32 = 0;
        const DROP: u32 = 0;
        let mut payload = Payload::default();
        if form >= Form::Fifth {
            payload.u32(STREAM);
        }
        payload.u32(self.buffer_megabytes);
        payload.u32(FORMAT);
        match form {
            Form::First => {}
            Form::Second | Form::Third => payload.bool(self.rundown != 0),
            Form::Fourth | Form::Fifth | Form::Sixth => payload.u64(self.rundown),
        }
        if form >= Form::Third {
            // Stacks.
            payload.bool(true);
        }
        payload.u32(u32::try_from(self.providers.len()).unwrap_or(u32::MAX));
        for provider in &self.providers {
            payload.u64(provider.keywords);
            payload.u32(provider.level);
            payload.text(&provider.name);
            payload.text(&provider.arguments);
            if form >= Form::Fifth {
                // No filter: all events of the keywords.
                payload.bool(false);
                payload.u32(0);
            }
        }
        if form == Form::Sixth {
            payload.u32(DROP);
        }
        payload
    }
}

/// A session that streams. Dropping it closes the connection, which ends it in the runtime too.
#[derive(Debug)]
pub struct Session {
    endpoint: Endpoint,
    id: u64,
    stream: UnixStream,
    /// What a read waits at most, as it was set last.
    wait: Option<Duration>,
    form: Form,
    rate: Arc<Rate>,
    collects: Option<Arc<Collects>>,
}

/// Starts sessions of a runtime, with the newest command that it is thought to accept.
///
/// Its sessions share a limit of bytes per second: [`MOST_PER_SECOND`].
#[derive(Debug, Clone)]
pub struct Starter {
    endpoint: Endpoint,
    form: Form,
    rate: Arc<Rate>,
}

impl Starter {
    /// Starts a session.
    pub fn start<'a>(&self, request: &Request, patience: impl Into<Patience<'a>>) -> Result<Session, Error> {
        let patience = patience.into();
        let mut all_closed = true;
        for (command, form) in FORMS.into_iter().filter(|(_, form)| *form <= self.form) {
            match self.endpoint.call(command, &request.payload(form), patience) {
                Ok((payload, stream)) => {
                    let id = Cursor::new(&payload, 0).u64("session");
                    let id = id.map_err(|_short| Error::Foreign("its session has no number"))?;
                    let (endpoint, rate) = (self.endpoint.clone(), Arc::clone(&self.rate));
                    let collects = Collects::of(&request.providers).map(Arc::new);
                    return Ok(Session { endpoint, id, stream, wait: None, form, rate, collects });
                }
                Err(error) if error.is_unknown_command() => all_closed &= matches!(error, Error::Closed),
                Err(error) => return Err(error),
            }
        }
        // A runtime that ends closes every connection.
        Err(if all_closed { Error::Closed } else { Error::NoSession })
    }

    /// How long reading was held back so far, since more came than may per second: all sessions together.
    pub fn held_back(&self) -> Duration {
        self.rate.held_back()
    }
}

/// What a read of a session gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing within the time.
    Nothing,
    /// The session has ended.
    End,
}

impl Session {
    /// Starts a session, with the newest command that the runtime accepts.
    pub fn start<'a>(
        endpoint: &Endpoint,
        request: &Request,
        patience: impl Into<Patience<'a>>,
    ) -> Result<Self, Error> {
        Self::start_at_rate(endpoint, request, MOST_PER_SECOND, patience)
    }

    /// Starts a session that is read at so many bytes per second at most.
    pub fn start_at_rate<'a>(
        endpoint: &Endpoint,
        request: &Request,
        per_second: u64,
        patience: impl Into<Patience<'a>>,
    ) -> Result<Self, Error> {
        let rate = Arc::new(Rate::new(per_second));
        let newest = Starter { endpoint: endpoint.clone(), form: Form::Sixth, rate };
        newest.start(request, patience)
    }

    /// What starts further sessions of the same runtime, with the command that this one was accepted with.
    pub fn starter(&self) -> Starter {
        Starter { endpoint: self.endpoint.clone(), form: self.form, rate: Arc::clone(&self.rate) }
    }

    /// The session's number in its runtime.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the runtime lets the kind of rundown be chosen, or none at all (.NET 5 and later).
    pub fn chooses_rundown(&self) -> bool {
        self.form >= Form::Second
    }

    /// Reads what has come, waiting at most so long for the first byte. Nothing is read for now if more came than may per
    /// second.
    pub fn read(&mut self, buffer: &mut [u8], wait: Duration) -> Result<Received, Error> {
        let wait = wait.max(Duration::from_millis(1));
        if self.wait != Some(wait) {
            self.stream.set_read_timeout(Some(wait)).map_err(Error::Io)?;
            self.wait = Some(wait);
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
                if let Some(collects) = &self.collects {
                    collects.look(within.get(..len).unwrap_or_default());
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

    /// What stops the session from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { endpoint: self.endpoint.clone(), id: self.id, collects: self.collects.clone() }
    }
}

/// Stops a session while another thread reads it.
#[derive(Debug, Clone)]
pub struct Stopper {
    endpoint: Endpoint,
    id: u64,
    collects: Option<Arc<Collects>>,
}

impl Stopper {
    /// Asks the runtime to end the session; it then streams what it holds and closes.
    ///
    /// A session of meters is first given the time to collect their values once: see `collects`.
    pub fn stop(&self, deadline: Deadline) -> Result<(), Error> {
        if let Some(collects) = &self.collects {
            collects.wait(deadline);
        }
        let mut payload = Payload::default();
        payload.u64(self.id);
        self.endpoint.call(Command::STOP_TRACING, &payload, deadline.into()).map(drop)
    }
}
