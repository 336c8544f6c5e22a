//! What a run does: its requests, its schedule, its connections.

use crate::parts::Parts;
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::target::Target;
use crate::tls::Trust;
use base::number::real_u64;
use std::sync::Arc;
use std::time::Duration;

/// What drives requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Drive {
    /// A schedule, whatever the service does: an open loop.
    Schedule(Schedule),
    /// Users who each wait for an answer, think, and ask again: a closed loop. A slow service gets fewer requests, and the time in
    /// which it would have got more is not measured.
    Users {
        /// How many.
        users: u32,
        /// How long each thinks between an answer and the next request.
        think: Duration,
    },
    /// All connections ask again as soon as they have an answer: a closed loop without thinking.
    Max,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2: several requests at once on each connection, without TLS from the first byte (prior knowledge).
    Http2 {
        /// How many at once, if the peer allows so many.
        streams: u32,
    },
}

impl Protocol {
    /// How many requests may be under way at once on a connection.
    pub fn streams(self) -> u32 {
        match self {
            Self::Http1 => 1,
            Self::Http2 { streams } => streams,
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// How requests are written.
    pub protocol: Protocol,
    /// The method.
    pub method: String,
    /// Headers, besides those that every request has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Several requests instead of the one that method, path, headers and body are.
    pub scenario: Option<Arc<Scenario>>,
    /// What drives requests.
    pub drive: Drive,
    /// How long requests are due.
    pub duration: Duration,
    /// How many connections there may be.
    pub connections: u32,
    /// How many threads send.
    pub threads: usize,
    /// How long a request may take from when it is sent.
    pub timeout: Duration,
    /// Whose certificates are accepted, if the target is encrypted.
    pub trust: Trust,
    /// Whether a connection takes more than one request.
    pub keeps_alive: bool,
}

impl Plan {
    /// A run to a target, with what a user gets who says nothing else: GET as fast as possible for 10 s on 50 connections of HTTP/1.1.
    pub fn to(target: Target) -> Self {
        Self {
            target,
            protocol: Protocol::Http1,
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            scenario: None,
            drive: Drive::Max,
            duration: Duration::from_secs(10),
            connections: 50,
            threads: 1,
            timeout: Duration::from_secs(10),
            trust: Trust::System,
            keeps_alive: true,
        }
    }

    /// How many requests are planned. `None` in a closed loop, which sends as many as are answered.
    pub fn planned(&self) -> Option<u64> {
        match &self.drive {
            Drive::Schedule(schedule) => {
                let arrivals = schedule.planned(nanoseconds(self.duration));
                Some(self.scenario.as_ref().map_or(arrivals, |of| of.planned(arrivals)))
            }
            Drive::Users { .. } | Drive::Max => None,
        }
    }

    /// Whether a schedule drives requests, whatever the service does.
    pub fn is_open(&self) -> bool {
        matches!(self.drive, Drive::Schedule(_))
    }

    /// The requests per second that are asked for, on average. `None` in a closed loop.
    pub fn asked_rate(&self) -> Option<f64> {
        match &self.drive {
            Drive::Schedule(_) if self.scenario.is_some() => {
                let duration_ns = nanoseconds(self.duration).max(1);
                self.planned().map(|planned| real_u64(planned) * 1e9 / real_u64(duration_ns))
            }
            Drive::Schedule(schedule) => Some(schedule.mean_rate(nanoseconds(self.duration))),
            Drive::Users { .. } | Drive::Max => None,
        }
    }

    /// The parts of the only request.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let headers = self.headers.iter().map(|(name, value)| (name.into(), value.into()));
        Parts {
            method: (&self.method).into(),
            path: (&self.target.path).into(),
            headers: headers.collect(),
            body: (&self.body).into(),
        }
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_headers_that_it_needs_and_those_that_the_user_gave() {
        let plan = |method: &str, headers: &[(&str, &str)], body: &str, keeps_alive| Plan {
            method: method.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            drive: Drive::Max,
            duration: Duration::from_secs(1),
            connections: 1,
            timeout: Duration::from_secs(1),
            keeps_alive,
            ..Plan::to(Target::parse("http://127.0.0.1:80/a?b").unwrap())
        };
        let text = |plan: Plan| {
            let mut bytes = Vec::new();
            plan.parts().http1(&plan.target.authority, plan.keeps_alive, &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let get = text(plan("GET", &[("host", "shop"), ("X-A", "1")], "", true));
        assert!(
            get.starts_with("GET /a?b HTTP/1.1\r\nUser-Agent: casebook/")
                && get.ends_with("host: shop\r\nX-A: 1\r\n\r\n"),
            "{get}"
        );
        let post = text(plan("POST", &[("user-agent", "me"), ("Accept", "text/plain")], "hello", false));
        let expected = "POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\nContent-Length: 5\r\nuser-agent: me\r\n\
                        Accept: text/plain\r\n\r\nhello";
        assert_eq!(post, expected);
    }
}
