//! Where something happens: stacks put together by the frame that an engineer can act on.
//!
//! A frame that the compiler or the runtime named says little (`<Main>b__7`, `lambda_method9`): for these the path of
//! the request that the thread was in stands beside it. So it does beside a method in which the server enters the
//! service's code: what it calls may be inlined into it, and one that dispatches by itself serves every route. Paths
//! that differ in their numbers alone are one.

use crate::facts::Facts;
use model::{Sym, Trace};
use report::Place;
use std::borrow::Cow;
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
    /// What no request of these called: a lambda that goes on behind an `await`.
    resumed: f64,
}

impl Weights {
    /// The paths, with those that a lambda was seen to begin in for what resumed of it.
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
    /// Adds a stack, seen on a thread at a time. A stack without a frame to name counts in the total alone.
    pub(crate) fn add(&mut self, facts: &Facts<'_>, stack: u32, thread: u32, ts_ns: i64, weight: f64) {
        if let Some(frame) = self.weigh(facts, stack, weight)
            && let Some(path) = facts.paths.at(thread, ts_ns)
        {
            self.add_path(facts, frame, path, weight);
        }
    }

    /// Adds a stack alone. Returns its frame if the path of the request says more of it.
    pub(crate) fn weigh(&mut self, facts: &Facts<'_>, stack: u32, weight: f64) -> Option<u32> {
        if let Some(frame) = facts.index.blamed_frame(stack) {
            let nameless = self.weigh_frame(facts, frame, weight);
            let (index, recording) = (facts.index, facts.recording);
            let is_in_request = index.is_in_request(recording, stack);
            if let Some(weights) = self.weights(facts, frame).filter(|_| nameless && !is_in_request) {
                weights.resumed += held(weight);
            }
            let is_told = nameless || index.enters_from_request(recording, stack);
            return (is_told && is_in_request).then_some(frame);
        }
        let weight = self.count(weight);
        let asking = facts.index.asking_frame(facts.recording, stack);
        let name = asking.and_then(|frame| facts.recording.frames.name.get(frame as usize));
        if let Some(name) = name {
            self.of_framework.entry(*name).or_default().all += weight;
        }
        None
    }

    /// Adds a frame of the service or of a package that no request called; none counts in the total alone.
    pub(crate) fn add_frame(&mut self, facts: &Facts<'_>, frame: Option<u32>, weight: f64) {
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

    /// Adds a frame. Returns whether the compiler or the runtime made up its name.
    fn weigh_frame(&mut self, facts: &Facts<'_>, frame: u32, weight: f64) -> bool {
        let weight = self.count(weight);
        let Some(name) = facts.recording.frames.name.get(frame as usize) else { return false };
        self.frames.entry(*name).or_default().all += weight;
        facts.index.owner(frame) == runtime::Owner::Dynamic || is_nameless(facts.text(*name))
    }

    /// Counts a weight for the path of a request, beside a frame that was added.
    pub(crate) fn add_path(&mut self, facts: &Facts<'_>, frame: u32, path: Sym, weight: f64) {
        if let Some(weights) = self.weights(facts, frame) {
            *weights.requests.entry(path).or_default() += held(weight);
        }
    }

    /// The weights of a frame that was added.
    fn weights(&mut self, facts: &Facts<'_>, frame: u32) -> Option<&mut Weights> {
        self.frames.get_mut(facts.recording.frames.name.get(frame as usize)?)
    }

    /// Whether nothing was added that can be named.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The places with the largest weights.
    pub(crate) fn top(&self, facts: &Facts<'_>) -> Vec<Place> {
        let recording = facts.recording;
        let frames = if self.frames.is_empty() { &self.of_framework } else { &self.frames };
        let mut list: Vec<_> = frames.iter().collect();
        list.sort_by(|a, b| b.1.all.total_cmp(&a.1.all));
        let places = list.into_iter().take(MOST_PLACES).map(|(frame, weights)| {
            let frame = recording.strings.text(*frame);
            let requests = weights.requests_of(facts, frame);
            // A method with a name of its own is of a route only if most of it is.
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

/// A weight as it counts. What damage made of it does no harm.
fn held(weight: f64) -> f64 {
    if weight.is_finite() { weight.clamp(0.0, MOST_WEIGHT) } else { 0.0 }
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

/// Whether the compiler or the runtime made up a frame's name, so that a request's path says more.
fn is_nameless(frame: &str) -> bool {
    frame == "?" || frame.contains("!dynamicClass.") || frame.contains(">b__")
}

/// The path with the largest weight, if it has the least that counts; with its numbers left open where paths differ in
/// them.
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
        // As the figures name it, where the service's own name of the route is known.
        several => {
            let paths: Vec<&str> = several.iter().map(|path| recording.strings.text(*path)).collect();
            Some(runtime::route_of(recording, &paths).unwrap_or(shape))
        }
    }
}

/// What to call the first place in a sentence: the method without module and signature, or the request's path.
pub(crate) fn named(places: &[Place]) -> Option<String> {
    let first = places.first()?;
    let name = runtime::written_name(&first.frame);
    Some(match &first.request {
        Some(request) if is_nameless(&first.frame) => format!("the handler of {request}"),
        Some(request) => format!("{name} (requests to {request})"),
        None => name,
    })
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
