//! Where something happens: stacks grouped by the frame that an engineer can act on.
//!
//! A name that the compiler or the runtime made up says little (`<Main>b__7`, `lambda_method9`), so the path of the
//! thread's request is added to it. It is also added to the method in which the server enters the service's code: what
//! that calls may be inlined into it, and a method that dispatches requests serves every route. Paths that differ only
//! in their numbers count as one.

use crate::facts::{Facts, real_u64};
use model::{FrameId, StackId, Sym, ThreadId, Trace};
use report::Place;
use runtime::{Group, Marks};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A finding lists no more places.
const MAX_PLACES: usize = 5;
/// The upper limit of a weight: damage can claim more.
const MAX_WEIGHT: f64 = 1e18;

/// Weights by place.
#[derive(Debug, Default)]
pub(crate) struct Places {
    frames: BTreeMap<Sym, Weights>,
    /// Stacks without a frame of the service or of a package. Only used if there are no others.
    of_framework: BTreeMap<Sym, Weights>,
    total: f64,
}

#[derive(Debug, Default)]
struct Weights {
    all: f64,
    requests: BTreeMap<Sym, f64>,
    /// Samples of a lambda that resumed after an `await`, so that no request is in the stack.
    resumed: f64,
}

impl Weights {
    /// The paths. What resumed counts for the paths in which the lambda was seen to begin.
    fn requests_of(&self, facts: &Facts<'_>, frame: &str) -> Cow<'_, BTreeMap<Sym, f64>> {
        if self.resumed <= 0.0 {
            return Cow::Borrowed(&self.requests);
        }
        let mut requests = self.requests.clone();
        for (path, share) in facts.handlers().of_frame(frame) {
            *requests.entry(path).or_default() += share * self.resumed;
        }
        Cow::Owned(requests)
    }
}

impl Places {
    /// Adds the stack of a thread at a time. A stack without a frame to name only counts in the total.
    pub(crate) fn add(
        &mut self,
        facts: &Facts<'_>,
        stack: Option<StackId>,
        thread: ThreadId,
        ts_ns: i64,
        weight: f64,
    ) {
        if let Some(frame) = self.weigh(facts, stack, weight)
            && let Some(path) = facts.paths.at(thread, ts_ns)
        {
            self.add_path(facts, frame, path, weight);
        }
    }

    /// Adds a stack without a request. Returns its frame if the request's path should be added.
    pub(crate) fn weigh(
        &mut self,
        facts: &Facts<'_>,
        stack: Option<StackId>,
        weight: f64,
    ) -> Option<FrameId> {
        if let Some(frame) = facts.index.blamed_frame(stack) {
            let nameless = self.weigh_frame(facts, frame, weight);
            let (index, recording) = (facts.index, facts.recording);
            let is_in_request = index.is_in_request(recording, stack);
            if let Some(weights) = self.weights(facts, frame).filter(|_| nameless && !is_in_request) {
                weights.resumed += held(weight);
            }
            let needs_path = nameless || index.enters_from_request(recording, stack);
            return (needs_path && is_in_request).then_some(frame);
        }
        let weight = self.count(weight);
        let asking = facts.index.asking_frame(facts.recording, stack);
        let name = asking.and_then(|frame| facts.recording.frames.name.get(frame));
        if let Some(name) = name {
            self.of_framework.entry(*name).or_default().all += weight;
        }
        None
    }

    /// Adds a frame of the service or of a package that no request called. `None` only counts in the total.
    pub(crate) fn add_frame(&mut self, facts: &Facts<'_>, frame: Option<FrameId>, weight: f64) {
        match frame {
            Some(frame) => drop(self.weigh_frame(facts, frame, weight)),
            None => drop(self.count(weight)),
        }
    }

    /// Counts a weight in the total.
    fn count(&mut self, weight: f64) -> f64 {
        let weight = held(weight);
        self.total += weight;
        weight
    }

    /// Adds a frame. Returns whether its name is made up by the compiler or the runtime.
    fn weigh_frame(&mut self, facts: &Facts<'_>, frame: FrameId, weight: f64) -> bool {
        let weight = self.count(weight);
        let Some(name) = facts.recording.frames.name.get(frame) else { return false };
        self.frames.entry(*name).or_default().all += weight;
        facts.index.owner(frame) == runtime::Owner::Dynamic || is_nameless(facts.text(*name))
    }

    /// Counts a weight for a request's path, on a frame that was added before.
    pub(crate) fn add_path(&mut self, facts: &Facts<'_>, frame: FrameId, path: Sym, weight: f64) {
        if let Some(weights) = self.weights(facts, frame) {
            *weights.requests.entry(path).or_default() += held(weight);
        }
    }

    /// The weights of a frame that was added before.
    fn weights(&mut self, facts: &Facts<'_>, frame: FrameId) -> Option<&mut Weights> {
        self.frames.get_mut(facts.recording.frames.name.get(frame)?)
    }

    /// Whether no frame of the service or of a package was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The places with the largest weights.
    pub(crate) fn top(&self, facts: &Facts<'_>) -> Vec<Place> {
        let recording = facts.recording;
        let frames = if self.frames.is_empty() { &self.of_framework } else { &self.frames };
        let mut list: Vec<_> = frames.iter().collect();
        list.sort_by(|a, b| b.1.all.total_cmp(&a.1.all));
        let places = list.into_iter().take(MAX_PLACES).map(|(frame, weights)| {
            let frame = recording.strings.text(*frame);
            let requests = weights.requests_of(facts, frame);
            // A method with a name of its own belongs to a route only if most of its samples do.
            let with_path: f64 = requests.values().sum();
            let least = if is_nameless(frame) { 0.0 } else { 0.5 * with_path };
            Place {
                frame: frame.to_owned(),
                share: if self.total > 0.0 { weights.all / self.total } else { 0.0 },
                request: most_seen(recording, &requests, least),
            }
        });
        places.collect()
    }
}

impl Facts<'_> {
    /// Where the chosen groups of samples are.
    pub(crate) fn places(&self, wanted: impl Fn(&Group) -> bool) -> Places {
        let mut places = Places::default();
        let mut with_path: FxHashMap<(ThreadId, Option<StackId>, Sym), FrameId> = FxHashMap::default();
        for group in self.groups().iter().filter(|group| wanted(group)) {
            if let Some(frame) = places.weigh(self, group.stack, real_u64(group.samples)) {
                with_path.insert((group.thread, group.stack, group.waiting_on), frame);
            }
        }
        if with_path.is_empty() {
            return places;
        }
        // One group can span many requests, of which the first may have begun before the recording.
        for of in self.seen() {
            if let Some(frame) = with_path.get(&(of.thread, Some(of.stack), of.waiting_on)) {
                places.add_path(self, *frame, of.path, real_u64(of.samples));
            }
        }
        places
    }

    /// Who makes calls of a kind: the service's frames in busy samples with that mark, or the route with the most time.
    pub(crate) fn callers(&self, mark: Marks) -> Vec<Place> {
        let places = self.places(|group| self.is_busy(group) && self.index.marks(group.stack).has(mark));
        let named = if places.is_empty() { Vec::new() } else { places.top(self) };
        if named.is_empty() { busiest_route(self) } else { named }
    }
}

/// A weight within limits, whatever damage made of it.
fn held(weight: f64) -> f64 {
    if weight.is_finite() { weight.clamp(0.0, MAX_WEIGHT) } else { 0.0 }
}

/// The route with most of the requests' time, for when no stack shows the caller: an asynchronous call has no stack while
/// it is under way.
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

/// Whether a frame's name is made up by the compiler or the runtime, so that a request's path says more.
fn is_nameless(frame: &str) -> bool {
    frame == "?" || frame.contains("!dynamicClass.") || frame.contains(">b__")
}

/// The path with the largest weight, if that is `least` or more. Paths that differ in numbers are one, as `/orders/{id}`.
fn most_seen(recording: &Trace, requests: &BTreeMap<Sym, f64>, least: f64) -> Option<String> {
    let mut shapes: BTreeMap<String, (f64, Vec<Sym>)> = BTreeMap::new();
    for (path, weight) in requests {
        let shape = shapes.entry(runtime::open_path(recording.strings.text(*path))).or_default();
        shape.0 += weight;
        shape.1.push(*path);
    }
    let most = shapes.into_iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let (shape, (_, paths)) = most.filter(|(_, (weight, _))| *weight >= least)?;
    match paths.as_slice() {
        [only] => Some(recording.strings.text(*only).to_owned()),
        // The service's own name of the route, as in the figures, if it is known.
        several => {
            let paths: Vec<&str> = several.iter().map(|path| recording.strings.text(*path)).collect();
            Some(runtime::route_of(recording, &paths).unwrap_or(shape))
        }
    }
}

/// The first place, in a sentence: the method without module and signature, or the handler of a path.
pub(crate) fn named(places: &[Place]) -> Option<String> {
    let first = places.first()?;
    let name = runtime::written_name(&first.frame);
    Some(match &first.request {
        Some(request) if is_nameless(&first.frame) => format!("the handler of {request}"),
        Some(request) => format!("{name} (requests to {request})"),
        None => name,
    })
}

/// The first place as the subject of a sentence: `Requests to /cart block`, `Shop.Cart.Total blocks`.
pub(crate) fn subject(places: &[Place], verb: Verb) -> Option<String> {
    let first = places.first()?;
    match &first.request {
        Some(request) if is_nameless(&first.frame) => Some(format!("Requests to {request} {}", verb.plural)),
        _ => Some(format!("{} {}", named(places)?, verb.singular)),
    }
}

/// A verb in both forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    pub(crate) singular: &'static str,
    pub(crate) plural: &'static str,
}

/// ` in NAME`, or nothing.
pub(crate) fn in_place(places: &[Place]) -> String {
    named(places).map_or_else(String::new, |name| format!(" in {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LOOKS, REQUEST, Scene, WAIT, WORK};

    #[test]
    fn a_method_that_dispatches_all_requests_is_named_with_the_route_that_most_of_it_is_of() {
        let check = |paths: [&str; 2], inner: &[&str], expected: Option<&str>| {
            let mut scene = Scene::new();
            let door = ["Shop!Shop.Door.HandleAsync", "Shop!Shop.Door+<HandleAsync>d__0.MoveNext"];
            let stack = [&[WORK, REQUEST], door.as_slice(), inner, &[WAIT]].concat();
            for path in paths {
                let thread = scene.thread("pool");
                scene.enters(thread, 0, path);
                scene.waits(thread, 0..LOOKS, "task", &stack);
            }
            let recording = scene.done();
            let index = runtime::StackIndex::new(&recording);
            let facts = Facts::new(&recording, &index);
            let places = facts.places(|_| true).top(&facts);
            assert_eq!(named(&places).as_deref(), expected, "{paths:?}, {inner:?}");
        };
        let (door, pay) = ("Shop.Door.HandleAsync", "Shop!Shop.Till.Pay");
        check(["/pay/1", "/pay/2"], &[], Some(&format!("{door} (requests to /pay/{{id}})")));
        check(["/pay/1", "/refund/2"], &[], Some(&format!("{door} (requests to /refund/2)")));
        check(["/pay/1", "/pay/2"], &[pay], Some("Shop.Till.Pay"));
    }

    #[test]
    fn what_resumes_on_a_thread_is_not_called_the_handler_of_the_request_that_began_there_last() {
        let check = |outer: &[&str], expected: &str| {
            let mut scene = Scene::new();
            let machine = "Shop!Program+<>c+<<<Main>$>b__0_36>d.MoveNext";
            let thread = scene.thread("pool");
            scene.enters(thread, 0, "/called");
            scene.waits(thread, 0..LOOKS, "task", &[outer, &[machine, WAIT]].concat());
            let recording = scene.done();
            let index = runtime::StackIndex::new(&recording);
            let facts = Facts::new(&recording, &index);
            let places = facts.places(|group| facts.is_pool(group)).top(&facts);
            assert_eq!(named(&places).as_deref(), Some(expected), "{outer:?}");
        };
        check(&[WORK, REQUEST], "the handler of /called");
        check(&[WORK], "Program.Main (a lambda)");
        // The server's own middleware resumes too.
        let filter = "Microsoft.AspNetCore.Http!Microsoft.AspNetCore.Http.Filter+<Run>d__1.MoveNext";
        check(&[WORK, filter], "Program.Main (a lambda)");
        // A task that a handler completes goes on within the handler's stack.
        let resumes = "System.Private.CoreLib!System.Threading.Tasks.Task.RunContinuations";
        check(&[WORK, REQUEST, resumes], "Program.Main (a lambda)");
    }

    #[test]
    fn a_lambda_behind_an_await_has_the_request_that_it_began_in() {
        let mut scene = Scene::new();
        let machine = "Shop!Program+<>c+<<<Main>$>b__0_36>d.MoveNext";
        for (path, looks, outer) in
            [("/called", 0..LOOKS - 1, &[WORK][..]), ("/calls", LOOKS - 1..LOOKS, &[WORK, REQUEST])]
        {
            let thread = scene.thread("pool");
            scene.enters(thread, 0, path);
            scene.waits(thread, looks, "task", &[outer, &[machine, WAIT]].concat());
        }
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        let facts = Facts::new(&recording, &index);
        let places = facts.places(|group| facts.is_pool(group)).top(&facts);
        assert_eq!(named(&places).as_deref(), Some("the handler of /calls"));
    }

    #[test]
    fn paths_that_differ_in_their_numbers_are_one_and_a_single_one_stays_as_it_is() {
        let mut recording = Trace::default();
        let mut requests = BTreeMap::new();
        requests.insert(recording.strings.intern("/orders/7"), 1.0);
        assert_eq!(most_seen(&recording, &requests, 0.0).as_deref(), Some("/orders/7"));
        requests.insert(recording.strings.intern("/orders/8"), 1.0);
        requests.insert(recording.strings.intern("/health"), 1.5);
        assert_eq!(most_seen(&recording, &requests, 0.0).as_deref(), Some("/orders/{id}"));
        assert_eq!(most_seen(&recording, &requests, 2.5), None);
        assert_eq!(runtime::open_path("/v2/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x"), "/v2/{id}/x");
    }
}
