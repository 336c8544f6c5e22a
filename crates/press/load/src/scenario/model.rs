//! Scenarios, and flows under way: what an arrival begins, which request comes next, what is in it, and what its response must be.

use super::answer::{Answer, Wanted};
use super::check::Checks;
use super::choice;
use super::rows::Rows;
use super::template::{self, Place, Template, Values};
use crate::parts::Parts;
use crate::target::Target;
use std::borrow::Cow;
use std::ops::Range;

/// The choice that decides which flow an arrival begins. Rows of CSV files and random numbers have later numbers.
const WHICH_FLOW: u64 = 0;
/// The choice of the row of the first CSV file.
const FIRST_CSV: u64 = 1;
/// The choice of the first random number of the first step.
const FIRST_NUMBER: u64 = 1 << 32;

/// Several requests, and how they follow one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Single requests first, then the steps of flows.
    pub(super) requests: Vec<Request>,
    pub(super) flows: Vec<FlowOf>,
    /// The weights of flows, each with all before it.
    pub(super) sums: Vec<u64>,
    pub(super) rows: Vec<Rows>,
    pub(super) seed: u64,
    pub(super) origin: Target,
}

/// A request of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Body,
    /// How long after the answer before it the request is due.
    pub(super) think_ns: u64,
    pub(super) checks: Checks,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Text(Template),
    /// From a file, which is sent as it is.
    Bytes(Vec<u8>),
}

/// Requests that follow one another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FlowOf {
    /// `None` if it is a single request.
    pub(super) name: Option<String>,
    pub(super) requests: Range<usize>,
    /// How many values are extracted in it.
    pub(super) values: usize,
}

/// A flow under way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    pub(super) arrival: u64,
    pub(super) which: usize,
    /// The request that is next or under way.
    pub(super) step: usize,
    /// What was extracted so far.
    pub(super) values: Vec<String>,
}

/// Why a request cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value does not fit into the request")]
pub(crate) struct Unfit;

impl Request {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its headers.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// The names of its checks, in the order in which they are made.
    pub fn checks(&self) -> impl Iterator<Item = &str> {
        self.checks.names()
    }

    /// Whether no value changes it.
    fn is_constant(&self) -> bool {
        let body = match &self.body {
            Body::Text(text) => text.constant().is_some(),
            Body::Bytes(_) => true,
        };
        body && self.path.constant().is_some()
            && self.headers.iter().all(|(_, value)| value.constant().is_some())
    }
}

impl Scenario {
    /// The requests, in the order of the file: single ones, then those of flows.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }

    /// The flows by name. A single request has none.
    pub fn flows(&self) -> impl Iterator<Item = Option<&str>> {
        self.flows.iter().map(|of| of.name.as_deref())
    }

    /// The seed of its choices.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many requests so many arrivals plan, with all steps of the flows that they begin.
    pub fn planned(&self, arrivals: u64) -> u64 {
        let first = self.flows.first().map_or(0, FlowOf::len);
        if self.flows.iter().all(|of| of.len() == first) {
            return arrivals.saturating_mul(first);
        }
        let of = |arrival| self.flows.get(self.which(arrival)).map_or(0, FlowOf::len);
        (0..arrivals).map(of).sum()
    }

    fn which(&self, arrival: u64) -> usize {
        choice::weighted(choice::random(self.seed, arrival, WHICH_FLOW), &self.sums)
    }

    /// The flow of an arrival.
    pub(crate) fn begin(&self, arrival: u64) -> Flow {
        let flow = self.which(arrival);
        let values = self.flows.get(flow).map_or(0, |of| of.values);
        Flow { arrival, which: flow, step: 0, values: vec![String::new(); values] }
    }

    /// The number of the request that a flow is at.
    pub(crate) fn request_of(&self, flow: &Flow) -> usize {
        self.flows.get(flow.which).map_or(0, |of| of.requests.start).saturating_add(flow.step)
    }

    pub(super) fn is_over(&self, flow: &Flow) -> bool {
        self.flows.get(flow.which).is_none_or(|of| flow.step >= of.requests.len())
    }

    pub(super) fn think_ns(&self, flow: &Flow) -> u64 {
        self.requests.get(self.request_of(flow)).map_or(0, |of| of.think_ns)
    }

    /// The parts of a request that no value changes. `None` if one does.
    pub(crate) fn constant(&self, request: usize) -> Option<Parts<'_>> {
        let of = self.requests.get(request).filter(|of| of.is_constant())?;
        let nothing = Flow { arrival: 0, which: 0, step: 0, values: Vec::new() };
        self.fill(of, &nothing).ok()
    }

    /// The parts of the request that a flow is at.
    pub(super) fn parts(&self, flow: &Flow) -> Result<Parts<'_>, Unfit> {
        self.fill(self.requests.get(self.request_of(flow)).ok_or(Unfit)?, flow)
    }

    fn fill<'a>(&'a self, of: &'a Request, flow: &Flow) -> Result<Parts<'a>, Unfit> {
        let values = Filling { scenario: self, flow };
        let path = self.path(of, of.path.fill(Place::Path, &values))?;
        let mut headers = Vec::with_capacity(of.headers.len());
        for (name, value) in &of.headers {
            let value = value.fill(Place::Header, &values);
            // A line end would begin another header, or another request.
            if value.bytes().any(is_control) {
                return Err(Unfit);
            }
            headers.push((Cow::Borrowed(name.as_str()), value));
        }
        let body = match &of.body {
            Body::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
            Body::Text(text) => match text.fill(Place::Body, &values) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
        };
        Ok(Parts { method: Cow::Borrowed(&of.method), path, headers, body })
    }

    /// A path that begins with a value may be a whole URL, as a `Location` is: of this origin, or it is refused.
    fn path<'a>(&self, of: &Request, path: Cow<'a, str>) -> Result<Cow<'a, str>, Unfit> {
        if of.path.beginning().is_some() {
            return Ok(path);
        }
        let end = path.find('#').unwrap_or(path.len());
        // Two slashes begin a host, which is another one.
        let path = path.get(..end).filter(|path| !path.starts_with("//")).ok_or(Unfit)?;
        let path = self.origin.own_path(path).map_err(|_other_origin| Unfit)?;
        Ok(template::encoded(path, |byte| byte.is_ascii_graphic()).into())
    }

    /// What of a response must be kept.
    pub(crate) fn wanted(&self, request: usize) -> Wanted {
        self.requests.get(request).map(|of| of.checks.wanted()).unwrap_or_default()
    }

    /// Makes the checks of the request that a flow is at, and takes values from its response. Returns the number of a check that fails.
    pub(super) fn check(&self, flow: &mut Flow, status: u16, answer: Option<&Answer>) -> Result<(), usize> {
        let Some(of) = self.requests.get(self.request_of(flow)) else { return Ok(()) };
        of.checks.make(status, answer.unwrap_or(&Answer::default()), &mut flow.values)
    }
}

impl FlowOf {
    fn len(&self) -> u64 {
        base::number::wide(self.requests.len())
    }
}

/// Bytes that no header may contain.
pub(super) fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7f
}

/// Where the values of one request come from.
struct Filling<'a> {
    scenario: &'a Scenario,
    flow: &'a Flow,
}

impl Values for Filling<'_> {
    fn column(&self, csv: usize, column: usize) -> &str {
        let (seed, arrival) = (self.scenario.seed, self.flow.arrival);
        let choice = FIRST_CSV.saturating_add(base::number::wide(csv));
        self.scenario.rows.get(csv).map_or("", |rows| rows.value(seed, arrival, choice, column))
    }

    fn extracted(&self, number: usize) -> &str {
        self.flow.values.get(number).map_or("", String::as_str)
    }

    fn arrival(&self) -> u64 {
        self.flow.arrival
    }

    fn random(&self, place: u64) -> u64 {
        let step = base::number::wide(self.flow.step).saturating_add(1);
        choice::random(self.scenario.seed, self.flow.arrival, step.saturating_mul(FIRST_NUMBER) | place)
    }
}
