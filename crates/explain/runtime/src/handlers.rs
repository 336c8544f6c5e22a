//! Which requests a lambda answers, learnt from the stacks in which the server calls it.
//!
//! A lambda has no name of its own, and after its first `await` nothing in its stack says what it answers: it resumes
//! wherever the awaited work ended. But it began within its request, and some samples show it there.
//!
//! [`Handlers`] says so for every lambda; [`HandlerNames`] gives a name to those that handle requests to one route.

use crate::frames::{Owner, StackIndex};
use crate::load::{open_path, route_among, route_names};
use crate::sampling::RequestPaths;
use crate::seen::{Seen, seen};
use base::number::real_u64;
use model::{ByFrame, ByStack, FrameId, StackId, Sym, Trace};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// Paths kept per lambda. Paths with numbers in them could be as many as requests.
const MAX_PATHS: usize = 16;
/// A lambda handles a route if at least this share of what was seen of it was in requests to that route. Middleware is called
/// for all of them.
const OF_ONE_ROUTE: f64 = 0.9;
/// The type from which ASP.NET Core calls what handles a request.
const ENDPOINT: &str = "Microsoft.AspNetCore.Routing.EndpointMiddleware";
/// How the name of a handler begins. Its HTTP method follows, if it is known, and its route.
const HANDLER_OF: &str = "handler of ";
/// What a method is called that ASP.NET Core makes at run time to call a handler.
const MADE: &str = "!dynamicClass.lambda_method";

/// For each lambda, the paths of the requests that called it, and how often each was seen.
#[derive(Debug, Default)]
pub struct Handlers {
    /// Each lambda's place in `paths`.
    lambdas: FxHashMap<String, usize>,
    paths: Vec<Vec<(Sym, f64)>>,
    /// How often each was seen in requests to paths that are not kept.
    others: Vec<f64>,
}

impl Handlers {
    /// Learns from the samples in requests and from all sampled allocations.
    pub fn new(recording: &Trace, index: &StackIndex, paths: &RequestPaths, seen: &[Seen]) -> Self {
        let allocations = &recording.allocations;
        let mut handlers = Self::default();
        let mut of_stack: FxHashMap<Option<StackId>, Vec<usize>> = FxHashMap::default();
        let lambdas = |stack: Option<StackId>| lambdas_of(recording, index, stack);
        for of in seen {
            handlers.add(&lambdas, &mut of_stack, Some(of.stack), || Some((of.path, real_u64(of.samples))));
        }
        let mut follower = paths.follow();
        let allocated = allocations.stack.iter().zip(&allocations.thread).zip(&allocations.ts_ns);
        for ((stack, thread), ts_ns) in allocated {
            handlers.add(&lambdas, &mut of_stack, *stack, || Some((follower.at(*thread, *ts_ns).1?, 1.0)));
        }
        handlers
    }

    /// Adds a stack with lambdas in it. `seen` returns the path and how often it was seen there.
    fn add(
        &mut self,
        lambdas_of: &dyn Fn(Option<StackId>) -> Vec<String>,
        of_stack: &mut FxHashMap<Option<StackId>, Vec<usize>>,
        stack: Option<StackId>,
        seen: impl FnOnce() -> Option<(Sym, f64)>,
    ) {
        let lambdas = of_stack.entry(stack).or_insert_with(|| {
            let names = lambdas_of(stack).into_iter();
            names.map(|name| self.number(name)).collect()
        });
        if lambdas.is_empty() {
            return;
        }
        let Some((path, times)) = seen() else { return };
        for number in lambdas {
            let Some(paths) = self.paths.get_mut(*number) else { continue };
            if let Some((_, seen)) = paths.iter_mut().find(|(known, _)| *known == path) {
                *seen += times;
            } else if paths.len() < MAX_PATHS {
                paths.push((path, times));
            } else if let Some(others) = self.others.get_mut(*number) {
                *others += times;
            }
        }
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.paths.len();
        let number = *self.lambdas.entry(name).or_insert(next);
        if number == next {
            self.paths.push(Vec::new());
            self.others.push(0.0);
        }
        number
    }

    /// The paths that a frame's lambda answers, with their shares.
    pub fn of_frame(&self, frame: &str) -> impl Iterator<Item = (Sym, f64)> + '_ {
        let number = lambda(frame).and_then(|name| self.lambdas.get(&name));
        let paths = number.and_then(|number| self.paths.get(*number)).map_or(&[][..], Vec::as_slice);
        let all: f64 = paths.iter().map(|(_, seen)| seen).sum();
        paths.iter().map(move |(path, seen)| (*path, seen / all))
    }
}

/// The lambdas that the server called in a stack, the innermost first.
fn lambdas_of(recording: &Trace, index: &StackIndex, stack: Option<StackId>) -> Vec<String> {
    let frames = index.served_frames(recording, stack);
    let names = frames.filter_map(|frame| recording.frames.name.get(frame));
    let mut names: Vec<String> = names.filter_map(|name| part(recording.strings.text(*name))).collect();
    names.dedup();
    names
}

/// The names of frames that handle the requests to one route, such as `handler of GET /orders/{id}`. They have no name of their
/// own: lambdas, and what ASP.NET Core makes at run time to call them.
#[derive(Debug, Default)]
pub struct HandlerNames {
    of_frame: ByFrame<Option<usize>>,
    /// The same by the names of these frames.
    of_method: FxHashMap<Sym, usize>,
    names: Vec<String>,
}

impl HandlerNames {
    /// Learns the names from what was sampled and allocated in requests. Empty if the recording does not show requests.
    pub fn new(recording: &Trace, index: &StackIndex) -> Self {
        let paths = RequestPaths::new(recording);
        let seen = seen(recording, index, &paths);
        let handlers = Handlers::new(recording, index, &paths, &seen);
        let routes = Routes::new(recording);
        let (mut names, mut numbers) = (Vec::new(), FxHashMap::default());
        let seen_in = handlers.paths.iter().zip(&handlers.others);
        let of_part: Vec<Option<usize>> = seen_in
            .map(|(paths, others)| {
                let name = routes.one_of(paths, *others)?;
                Some(*numbers.entry(name).or_insert_with_key(|name: &String| {
                    names.push(name.clone());
                    names.len() - 1
                }))
            })
            .collect();
        let route_of = |frame: &str| of_part.get(*handlers.lambdas.get(&part(frame)?)?).copied().flatten();
        let mut of_handlers: FxHashSet<String> = FxHashSet::default();
        let mut is_done: ByStack<bool> = recording.stacks.frame.iter().map(|_| false).collect();
        let stacks = seen.iter().map(|of| Some(of.stack)).chain(recording.allocations.stack.iter().copied());
        for stack in stacks.flatten() {
            if is_done.get_mut(stack).is_none_or(|done| std::mem::replace(done, true)) {
                continue;
            }
            of_handlers.extend(handler_in(recording, index, stack, &route_of));
        }
        // A lambda that resumes after an `await` has the same name as before.
        let frames = recording.frames.name.iter().map(|sym| recording.strings.text(*sym));
        let number = |name: &str| part(name).filter(|part| of_handlers.contains(part)).and(route_of(name));
        let of_frame: ByFrame<Option<usize>> = frames.map(number).collect();
        let methods = recording.frames.name.iter().zip(&of_frame);
        let of_method = methods.filter_map(|(method, number)| Some((*method, (*number)?))).collect();
        Self { of_frame, of_method, names }
    }

    /// The name of a frame that handles requests. Frames with equal names handle the same ones.
    pub fn of(&self, frame: FrameId) -> Option<&str> {
        let number = self.of_frame.get(frame).copied().flatten()?;
        self.names.get(number).map(String::as_str)
    }

    /// The name of a method that handles requests.
    pub fn of_method(&self, method: Sym) -> Option<&str> {
        self.names.get(*self.of_method.get(&method)?).map(String::as_str)
    }

    /// All methods that handle requests, with their names.
    pub fn methods(&self) -> impl Iterator<Item = (Sym, &str)> {
        self.of_method.iter().filter_map(|(method, of)| Some((*method, self.names.get(*of)?.as_str())))
    }

    /// The route in the name of a handler.
    pub fn route(name: &str) -> &str {
        let rest = name.strip_prefix(HANDLER_OF).unwrap_or(name);
        rest.split_once(' ').filter(|(method, _)| !method.contains('/')).map_or(rest, |(_, route)| route)
    }
}

/// The parts of what handles the request of a stack: what ASP.NET Core made to call the handler with the lambda that it calls, or a
/// lambda that it calls as an endpoint.
///
/// Neither middleware, which is called before the endpoint, nor lambdas further in are handlers, even if all requests are to one
/// route. Behind a method of the service with a name of its own, nothing is.
fn handler_in(
    recording: &Trace,
    index: &StackIndex,
    stack: StackId,
    route_of: &dyn Fn(&str) -> Option<usize>,
) -> Vec<String> {
    let name =
        |frame: FrameId| recording.frames.name.get(frame).map_or("", |sym| recording.strings.text(*sym));
    let class = |frame: FrameId| {
        recording.frames.declaring_type.get(frame).map_or("", |sym| recording.strings.text(*sym))
    };
    let mut frames: Vec<FrameId> = recording.stacks.frames(Some(stack)).collect();
    frames.reverse();
    let mut parts: Vec<String> = Vec::new();
    // Whether the frame is called by an endpoint's caller, or by a part of the handler.
    let mut is_called = false;
    for frame in frames {
        let own = part(name(frame)).filter(|_| route_of(name(frame)).is_some());
        let is_made = name(frame).contains(MADE);
        match (index.owner(frame), own) {
            (Owner::Dynamic, Some(own)) if is_made && parts.is_empty() => {
                parts.push(own);
                is_called = true;
            }
            (Owner::User, Some(own)) if is_called => {
                let is_other = parts.last().is_some_and(|last| !last.contains(MADE) && *last != own);
                if is_other {
                    break;
                }
                parts.push(own);
            }
            // Middleware, unless a part of the handler called it: then it is a part of the handler's work.
            (Owner::User, Some(_)) if parts.is_empty() => {}
            (Owner::User, None) if parts.is_empty() && part(name(frame)).is_some() => {}
            (Owner::User, _) => break,
            _ if index.plumbing(frame).is_some() => {}
            _ if class(frame) == ENDPOINT => is_called = parts.is_empty(),
            // What lies between the caller of endpoints and a lambda makes it no endpoint.
            _ => is_called = false,
        }
    }
    parts.dedup();
    parts
}

/// The requests of a recording by path.
struct Routes<'a> {
    recording: &'a Trace,
    /// The method of the requests to each path. `None` if there are several.
    methods: FxHashMap<Sym, Option<Sym>>,
    /// The service's own names of its routes.
    names: BTreeSet<&'a str>,
}

impl<'a> Routes<'a> {
    fn new(recording: &'a Trace) -> Self {
        let mut methods: FxHashMap<Sym, Option<Sym>> = FxHashMap::default();
        for (path, method) in recording.requests.path.iter().zip(&recording.requests.method) {
            let known = methods.entry(*path).or_insert(Some(*method));
            if *known != Some(*method) {
                *known = None;
            }
        }
        Self { recording, methods, names: route_names(recording) }
    }

    /// The name of what handles the one route that nearly all of these weighed paths belong to; `others` is the weight of paths
    /// that are not known.
    fn one_of(&self, paths: &[(Sym, f64)], others: f64) -> Option<String> {
        let text = |path: &Sym| self.recording.strings.text(*path);
        let all: f64 = others + paths.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut shapes: BTreeMap<String, (f64, Vec<Sym>)> = BTreeMap::new();
        for (path, weight) in paths {
            let shape = shapes.entry(open_path(text(path))).or_default();
            shape.0 += weight;
            shape.1.push(*path);
        }
        let most = shapes.into_iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0));
        let (shape, (_, paths)) = most.filter(|(_, (weight, _))| *weight >= OF_ONE_ROUTE * all)?;
        let texts: Vec<&str> = paths.iter().map(text).collect();
        let only = || if let [only] = texts.as_slice() { (*only).to_owned() } else { shape };
        let route = route_among(&self.names, &texts).unwrap_or_else(only);
        let mut methods = paths.iter().map(|path| self.methods.get(path).copied().flatten());
        let first = methods.next().flatten();
        let method = first.filter(|_| methods.all(|method| method == first));
        Some(match method.and_then(|method| self.recording.strings.get(method)) {
            Some(method) => format!("{HANDLER_OF}{method} {route}"),
            None => format!("{HANDLER_OF}{route}"),
        })
    }
}

/// What identifies a frame that may be a part of a handler: a lambda, or a method that was made at run time to call one.
fn part(frame: &str) -> Option<String> {
    if frame.contains(MADE) { Some(frame.to_owned()) } else { lambda(frame) }
}

/// What identifies a lambda in the names of both its method and its state machine: the enclosing type and its number.
/// `M!T+<>c.<Run>b__7_2(int)` and `M!T+<>c+<<Run>b__7_2>d.MoveNext()` belong to one lambda.
fn lambda(frame: &str) -> Option<String> {
    let (outer, rest) = frame.split_once("+<>c")?;
    let class = rest.split(['.', '+']).next().unwrap_or_default();
    let (_, number) = rest.split_once(">b__")?;
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(number.len());
    Some(format!("{outer}{class} {}", number.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::RequestRow;

    #[test]
    fn a_lambda_and_its_state_machine_are_one() {
        let method = "Shop!Program+<>c.<<Main>$>b__0_36(int32,class Http)";
        let machine = "Shop!Program+<>c+<<<Main>$>b__0_36>d.MoveNext()";
        assert_eq!(lambda(method), lambda(machine));
        assert!(lambda(method).is_some());
        let other = "Shop!Program+<>c+<<<Main>$>b__0_3>d.MoveNext()";
        assert_ne!(lambda(other), lambda(machine));
        let closure = "Shop!Program+<>c__DisplayClass0_0.<<Main>$>b__36()";
        assert_ne!(lambda(closure), lambda("Shop!Program+<>c__DisplayClass1_0.<<Main>$>b__36()"));
        assert_eq!(lambda("Shop!Shop.Cart.Total()"), None);
    }

    const SERVER: &str = "Microsoft.AspNetCore!Microsoft.AspNetCore.Hosting.Process";
    const POOL: &str = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch";

    /// A recording in which a thread has each stack during a request to a path.
    fn served(requests: &[(&str, &[&str])]) -> Trace {
        let mut recording = Trace::default();
        let thread = recording.thread(7);
        for (ts_ns, (path, stack)) in (0..).zip(requests) {
            let path = recording.text(path);
            recording.request_marks.ts_ns.push(ts_ns);
            recording.request_marks.thread.push(thread);
            recording.request_marks.path.push(path);
            recording.sample(ts_ns, thread, ["managed", "running", ""], stack);
        }
        recording
    }

    fn named(recording: &Trace) -> Vec<(&str, String)> {
        let names = HandlerNames::new(recording, &StackIndex::new(recording));
        let frames = recording.frames.name.iter_with_ids();
        let named = |(frame, name): (FrameId, &Sym)| {
            Some((recording.strings.text(*name), names.of(frame)?.to_owned()))
        };
        frames.filter_map(named).collect()
    }

    #[test]
    fn what_the_server_calls_for_one_route_is_its_handler_and_middleware_and_inner_lambdas_are_not() {
        let middleware = "Shop!Program+<>c.<<Main>$>b__0_0()";
        let [made, other] =
            ["Anonymous!dynamicClass.lambda_method1()", "Anonymous!dynamicClass.lambda_method2()"];
        let [handler, machine] =
            ["Shop!Program+<>c.<<Main>$>b__0_3()", "Shop!Program+<>c+<<<Main>$>b__0_3>d.MoveNext()"];
        let [inner, query] =
            ["Shop!Program+<>c.<<Main>$>b__0_9()", "Anonymous!dynamicClass.lambda_method8()"];
        let recording = served(&[
            ("/pay/1", &[POOL, SERVER, middleware, made, handler, inner]),
            ("/pay/2", &[POOL, SERVER, middleware, made, handler, query]),
            ("/refund", &[POOL, SERVER, middleware, other]),
            ("/refund", &[POOL, machine]),
        ]);
        let pay = "handler of /pay/{id}";
        let expected = [(made, pay), (handler, pay), (other, "handler of /refund"), (machine, pay)];
        let expected = expected.map(|(frame, name)| (frame, name.to_owned()));
        assert_eq!(named(&recording), expected);
    }

    #[test]
    fn where_all_requests_are_to_one_route_middleware_and_lambdas_of_named_methods_are_no_handlers() {
        let [middleware, handler, inner] =
            [0, 3, 9].map(|number| format!("Shop!Program+<>c.<<Main>$>b__0_{number}()"));
        let (made, endpoint) = (
            "Anonymous!dynamicClass.lambda_method1()",
            "Microsoft.AspNetCore.Routing!Microsoft.AspNetCore.Routing.EndpointMiddleware.Invoke",
        );
        let check = |stack: &[&str], expected: &[&str]| {
            let recording = served(&[("/pay", &[&[POOL, SERVER], stack].concat())]);
            let named: Vec<&str> = named(&recording).into_iter().map(|(frame, _)| frame).collect();
            assert_eq!(named, expected, "{stack:?}");
        };
        check(&[&middleware, made, &handler, &inner], &[made, &handler]);
        check(&[&middleware, endpoint, &handler, &inner], &[&handler]);
        check(&[&middleware], &[]);
        check(&["Shop!Shop.Orders.Get()", &inner], &[]);
        check(&["Shop!Shop.Orders.Get()", "E!Linq.Run()", made], &[]);
    }

    #[test]
    fn a_route_has_its_method_if_all_its_requests_have_the_same() {
        let made = "Anonymous!dynamicClass.lambda_method1()";
        let mut recording = served(&[("/pay", &[POOL, SERVER, made])]);
        let check =
            |recording: &Trace, expected: &str| assert_eq!(named(recording), [(made, expected.to_owned())]);
        let add = |recording: &mut Trace, method| {
            let [path, method] = recording.texts(["/pay", method]);
            recording.requests.push(RequestRow { path, method, ..RequestRow::blank() });
        };
        add(&mut recording, "GET");
        check(&recording, "handler of GET /pay");
        add(&mut recording, "POST");
        check(&recording, "handler of /pay");
        assert_eq!(named(&Trace::default()), []);
    }
}
