//! The bytes of requests in HTTP/1.1: made once for those that no value changes, and anew for each of the others.

use crate::parts::Parts;
use crate::plan::Plan;
use crate::scenario::Wanted;

/// A request that no value changes.
#[derive(Debug)]
struct Constant {
    bytes: Vec<u8>,
    is_head: bool,
}

/// All requests of a plan.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    plan: &'a Plan,
    /// By the number of the request: the only one, or that of the scenario.
    constant: Vec<Option<Constant>>,
}

/// A request that a connection sends.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Its number, if no value changes it.
    constant: Option<usize>,
    /// Its bytes otherwise. Their memory is used again.
    own: Vec<u8>,
}

impl<'a> Prepared<'a> {
    /// Makes what can be made.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let of = |parts: Parts<'_>| {
            let mut bytes = Vec::new();
            parts.http1(&plan.target.authority, plan.keeps_alive, &mut bytes);
            Constant { bytes, is_head: parts.is_head() }
        };
        let constant = match &plan.scenario {
            None => vec![Some(of(plan.parts()))],
            Some(scenario) => {
                (0..scenario.requests().count()).map(|at| scenario.constant(at).map(of)).collect()
            }
        };
        Self { plan, constant }
    }

    /// Whether no value changes a request.
    pub(crate) fn is_constant(&self, request: usize) -> bool {
        self.constant.get(request).is_some_and(Option::is_some)
    }

    /// Makes the bytes of a request: from its parts, if values change them. Returns whether its response has no body.
    pub(crate) fn prepare(&self, request: usize, parts: Option<&Parts<'_>>, out: &mut Outgoing) -> bool {
        let Some(parts) = parts else {
            out.constant = Some(request);
            return self.constant.get(request).and_then(Option::as_ref).is_some_and(|of| of.is_head);
        };
        out.constant = None;
        out.own.clear();
        parts.http1(&self.plan.target.authority, self.plan.keeps_alive, &mut out.own);
        parts.is_head()
    }

    /// The bytes of a request.
    #[inline]
    pub(crate) fn bytes<'b>(&'b self, out: &'b Outgoing) -> &'b [u8] {
        match out.constant {
            None => &out.own,
            Some(at) => self.constant.get(at).and_then(Option::as_ref).map_or(&[], |of| &of.bytes),
        }
    }

    /// What is kept of a request's response.
    pub(crate) fn wanted(&self, request: usize) -> Wanted {
        self.plan.scenario.as_ref().map(|of| of.wanted(request)).unwrap_or_default()
    }
}
