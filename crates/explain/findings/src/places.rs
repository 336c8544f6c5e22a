//! Where something happens: stacks put together by the frame that an engineer can act on.

use crate::facts::Facts;
use crate::finding::Place;
use model::{Recording, Sym};
use std::collections::BTreeMap;

/// Places listed at most.
const MOST_PLACES: usize = 5;
/// Nothing weighs more; damage can say so.
const MOST_WEIGHT: f64 = 1e18;

/// Weights by place.
#[derive(Debug, Default)]
pub(crate) struct Places {
    weights: BTreeMap<(Sym, Option<Sym>), f64>,
    total: f64,
}

impl Places {
    /// Adds a stack, seen on a thread at a time. A stack without a frame to name counts in the total alone.
    pub(crate) fn add(&mut self, facts: &Facts<'_>, stack: u32, thread: u32, ts_ns: i64, weight: f64) {
        let weight = if weight.is_finite() { weight.clamp(0.0, MOST_WEIGHT) } else { 0.0 };
        self.total += weight;
        let Some(frame) = facts.index.blamed_frame(stack) else { return };
        let Some(name) = facts.recording.frames.name.get(frame as usize) else { return };
        let dynamic = facts.index.owner(frame) == runtime::Owner::Dynamic;
        let request = if dynamic { facts.paths.at(thread, ts_ns) } else { None };
        *self.weights.entry((*name, request)).or_default() += weight;
    }

    /// Whether nothing was added that can be named.
    pub(crate) fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The places with the largest weights.
    pub(crate) fn top(&self, recording: &Recording) -> Vec<Place> {
        let mut list: Vec<_> = self.weights.iter().collect();
        list.sort_by(|a, b| b.1.total_cmp(a.1));
        let text = |sym: Sym| recording.strings.text(sym).to_owned();
        let places = list.into_iter().take(MOST_PLACES).map(|((frame, request), weight)| Place {
            frame: text(*frame),
            share: if self.total > 0.0 { weight / self.total } else { 0.0 },
            request: request.map(text),
        });
        places.collect()
    }
}

/// What to call the first place in a sentence: the method without module and signature, or the request's path.
pub(crate) fn named(places: &[Place]) -> Option<String> {
    let first = places.first()?;
    if let Some(request) = &first.request {
        return Some(format!("the handler of {request}"));
    }
    let bare = first.frame.split_once('(').map_or(first.frame.as_str(), |(name, _)| name);
    Some(bare.split_once('!').map_or(bare, |(_, name)| name).to_owned())
}

/// ` in NAME`, or nothing.
pub(crate) fn in_place(places: &[Place]) -> String {
    named(places).map_or_else(String::new, |name| format!(" in {name}"))
}
