//! Where something happens: stacks put together by the frame that an engineer can act on.
//!
//! A frame that the compiler or the runtime named says little (`<Main>b__7`, `lambda_method9`): for these the path of
//! the request that the thread was in stands beside it. Paths that differ in their numbers alone are one.

use crate::facts::Facts;
use model::{Sym, Trace};
use report::Place;
use std::collections::BTreeMap;

/// Places listed at most.
const MOST_PLACES: usize = 5;
/// Nothing weighs more; damage can say so.
const MOST_WEIGHT: f64 = 1e18;

/// Weights by place.
#[derive(Debug, Default)]
pub(crate) struct Places {
    frames: BTreeMap<Sym, Weights>,
    /// Where nothing of the service or of a package is in the stack; shown where there is nothing else.
    of_framework: BTreeMap<Sym, Weights>,
    total: f64,
}

#[derive(Debug, Default)]
struct Weights {
    all: f64,
    requests: BTreeMap<Sym, f64>,
}

impl Places {
    /// Adds a stack, seen on a thread at a time. A stack without a frame to name counts in the total alone.
    pub(crate) fn add(&mut self, facts: &Facts<'_>, stack: u32, thread: u32, ts_ns: i64, weight: f64) {
        let weight = if weight.is_finite() { weight.clamp(0.0, MOST_WEIGHT) } else { 0.0 };
        self.total += weight;
        let blamed = facts.index.blamed_frame(stack);
        let asking = || facts.index.asking_frame(facts.recording, stack);
        let Some(frame) = blamed.or_else(asking) else { return };
        let Some(name) = facts.recording.frames.name.get(frame as usize) else { return };
        let frames = if blamed.is_some() { &mut self.frames } else { &mut self.of_framework };
        let weights = frames.entry(*name).or_default();
        weights.all += weight;
        let nameless =
            facts.index.owner(frame) == runtime::Owner::Dynamic || facts.text(*name).contains(">b__");
        if let Some(path) = facts.paths.at(thread, ts_ns).filter(|_| nameless) {
            *weights.requests.entry(path).or_default() += weight;
        }
    }

    /// Whether nothing was added that can be named.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The places with the largest weights.
    pub(crate) fn top(&self, recording: &Trace) -> Vec<Place> {
        let frames = if self.frames.is_empty() { &self.of_framework } else { &self.frames };
        let mut list: Vec<_> = frames.iter().collect();
        list.sort_by(|a, b| b.1.all.total_cmp(&a.1.all));
        let places = list.into_iter().take(MOST_PLACES).map(|(frame, weights)| Place {
            frame: recording.strings.text(*frame).to_owned(),
            share: if self.total > 0.0 { weights.all / self.total } else { 0.0 },
            request: most_seen(recording, &weights.requests),
        });
        places.collect()
    }
}

/// The route that took most of the requests' time, where no stack shows who asked: an asynchronous call has none while it
/// is under way.
pub(crate) fn busiest_route(facts: &Facts<'_>) -> Vec<Place> {
    let routes = facts.routes();
    let all: f64 = routes.iter().map(|(_, work)| work.seconds).sum();
    let first = routes.first().filter(|_| all > 0.0);
    let place = |(route, work): &(String, runtime::Work)| Place {
        frame: String::from("?"),
        share: work.seconds / all,
        request: Some(route.clone()),
    };
    first.map(place).into_iter().collect()
}

/// The path with the largest weight; with its numbers left open where paths differ in them.
fn most_seen(recording: &Trace, requests: &BTreeMap<Sym, f64>) -> Option<String> {
    let mut shapes: BTreeMap<String, (f64, Vec<Sym>)> = BTreeMap::new();
    for (path, weight) in requests {
        let shape = shapes.entry(shape(recording.strings.text(*path))).or_default();
        shape.0 += weight;
        shape.1.push(*path);
    }
    let (shape, (_, paths)) = shapes.into_iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    match paths.as_slice() {
        [only] => Some(recording.strings.text(*only).to_owned()),
        _ => Some(shape),
    }
}

/// A path with `{id}` for each segment that is a number or looks like an id.
fn shape(path: &str) -> String {
    let is_id = |part: &str| {
        let digits = part.chars().filter(char::is_ascii_digit).count();
        let hex = part.len() >= 16 && part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        !part.is_empty() && (digits == part.len() || hex)
    };
    path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

/// What to call the first place in a sentence: the method without module and signature, or the request's path.
pub(crate) fn named(places: &[Place]) -> Option<String> {
    let first = places.first()?;
    if let Some(request) = &first.request {
        return Some(format!("the handler of {request}"));
    }
    Some(runtime::written_name(&first.frame))
}

/// ` in NAME`, or nothing.
pub(crate) fn in_place(places: &[Place]) -> String {
    named(places).map_or_else(String::new, |name| format!(" in {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_in_their_numbers_are_one_and_a_single_one_stays_as_it_is() {
        let mut recording = Trace::default();
        let mut requests = BTreeMap::new();
        requests.insert(recording.strings.intern("/orders/7"), 1.0);
        assert_eq!(most_seen(&recording, &requests).as_deref(), Some("/orders/7"));
        requests.insert(recording.strings.intern("/orders/8"), 1.0);
        requests.insert(recording.strings.intern("/health"), 1.5);
        assert_eq!(most_seen(&recording, &requests).as_deref(), Some("/orders/{id}"));
        assert_eq!(shape("/v2/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x"), "/v2/{id}/x");
    }
}
