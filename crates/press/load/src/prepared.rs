//! Requests as they are sent: made once for those that no value changes, and anew for each of the others.

use crate::parts::{Http2Error, Message, Parts};
use crate::plan::{Plan, Protocol};
use crate::scenario::{Request, Unfit, Wanted};

/// A request that no value changes.
#[derive(Debug)]
enum Constant {
    Http1 { bytes: Vec<u8>, is_head: bool },
    Http2(Box<Message>),
}

/// All requests of a plan.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    plan: &'a Plan,
    /// By the number of the request: the only one, or that of the scenario.
    constant: Vec<Option<Constant>>,
}

/// A request that a connection of HTTP/1.1 sends.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Its number, if no value changes it.
    constant: Option<usize>,
    /// Its bytes otherwise. Their memory is used again.
    own: Vec<u8>,
}

impl<'a> Prepared<'a> {
    /// Makes what can be made. An error is one that every request would have.
    pub(crate) fn new(plan: &'a Plan) -> Result<Self, Http2Error> {
        let of = |parts: Parts<'_>| match plan.protocol {
            Protocol::Http1 => {
                let mut bytes = Vec::new();
                parts.http1(&plan.target.authority, plan.keeps_alive, &mut bytes);
                Ok(Constant::Http1 { bytes, is_head: parts.is_head() })
            }
            Protocol::Http2 { .. } => parts.http2(&plan.target).map(|of| Constant::Http2(Box::new(of))),
        };
        let Some(scenario) = &plan.scenario else {
            return Ok(Self { plan, constant: vec![Some(of(plan.parts())?)] });
        };
        if plan.protocol != Protocol::Http1 {
            let mut headers = scenario.requests().flat_map(Request::headers);
            headers.try_for_each(Http2Error::check)?;
        }
        let count = scenario.requests().count();
        let constant = (0..count).map(|at| scenario.constant(at).map(of).transpose());
        Ok(Self { plan, constant: constant.collect::<Result<_, _>>()? })
    }

    fn constant(&self, request: usize) -> Option<&Constant> {
        self.constant.get(request).and_then(Option::as_ref)
    }

    /// Whether no value changes a request.
    pub(crate) fn is_constant(&self, request: usize) -> bool {
        self.constant(request).is_some()
    }

    /// Makes the bytes of a request: from its parts, if values change them. Returns whether its response has no body.
    pub(crate) fn prepare(&self, request: usize, parts: Option<&Parts<'_>>, out: &mut Outgoing) -> bool {
        let Some(parts) = parts else {
            out.constant = Some(request);
            return matches!(self.constant(request), Some(Constant::Http1 { is_head: true, .. }));
        };
        out.constant = None;
        out.own.clear();
        parts.http1(&self.plan.target.authority, self.plan.keeps_alive, &mut out.own);
        parts.is_head()
    }

    /// The bytes of a request.
    #[inline]
    pub(crate) fn bytes<'b>(&'b self, out: &'b Outgoing) -> &'b [u8] {
        match out.constant.map(|at| self.constant(at)) {
            None => &out.own,
            Some(Some(Constant::Http1 { bytes, .. })) => bytes,
            Some(Some(Constant::Http2(_)) | None) => &[],
        }
    }

    /// A request of HTTP/2: from its parts, if values change them.
    pub(crate) fn message(&self, request: usize, parts: Option<&Parts<'_>>) -> Result<Message, Unfit> {
        match (parts, self.constant(request)) {
            (Some(parts), _) => parts.http2(&self.plan.target).map_err(|_invalid| Unfit),
            (None, Some(Constant::Http2(message))) => Ok(Message::clone(message)),
            (None, _) => Err(Unfit),
        }
    }

    /// What is kept of a request's response.
    pub(crate) fn wanted(&self, request: usize) -> Wanted {
        self.plan.scenario.as_ref().map(|of| of.wanted(request)).unwrap_or_default()
    }
}
