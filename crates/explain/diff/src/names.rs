//! Names of methods that two runs of a service have in common, and how many frames lack one.
//!
//! A method made at run time may have addresses in its signature (`pMT: 0x7f80b00a7790`), which no other run has. The compiler
//! numbers lambdas anew in each build, and ASP.NET Core what it makes to call them in each run: those that handle requests are
//! paired by their routes.

use crate::side::Side;
use base::number::real_u64;
use model::{Sym, Trace};
use runtime::HandlerNames;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The names by which the methods of one recording are paired with those of another.
#[derive(Debug, Default)]
pub(crate) struct PairedNames {
    handlers: FxHashMap<Sym, String>,
}

impl PairedNames {
    /// A handler is paired by its route, unless the other recording does not say which route the method of the same name
    /// handles.
    pub(crate) fn new(side: &Side<'_>, other: &Side<'_>) -> Self {
        let routes = [side, other].map(|side| names_by_route(side.handlers));
        let name = |(method, name)| {
            let same = || other.recording.strings.find(side.recording.strings.text(method));
            let is_known = || same().is_none_or(|same| other.handlers.of_method(same).is_some());
            paired(name, &routes).or_else(|| is_known().then_some(name)).map(|name| (method, name.to_owned()))
        };
        Self { handlers: side.handlers.methods().filter_map(name).collect() }
    }

    /// The name of a method.
    pub(crate) fn of<'a>(&'a self, recording: &'a Trace, method: Sym) -> Cow<'a, str> {
        let handler = self.handlers.get(&method).map(|name| Cow::Borrowed(name.as_str()));
        handler.unwrap_or_else(|| stable(recording.strings.text(method)))
    }

    /// Whether that is the name of a handler.
    pub(crate) fn is_handler(&self, method: Sym) -> bool {
        self.handlers.contains_key(&method)
    }
}

/// The names of handlers by their routes.
type NamesByRoute<'a> = FxHashMap<&'a str, BTreeSet<&'a str>>;

fn names_by_route(handlers: &HandlerNames) -> NamesByRoute<'_> {
    let mut by_route = NamesByRoute::default();
    for (_, name) in handlers.methods() {
        by_route.entry(HandlerNames::route(name)).or_default().insert(name);
    }
    by_route
}

/// The name of a handler that both recordings have. A recording that does not have the HTTP method of requests names a handler
/// by its route alone: that one is paired with the only handler of the route in the other.
fn paired<'a>(name: &'a str, [own, others]: &[NamesByRoute<'a>; 2]) -> Option<&'a str> {
    let route = HandlerNames::route(name);
    let (own, others) = (own.get(route)?, others.get(route)?);
    if others.contains(name) {
        return Some(name);
    }
    let (Some(other), 1, 1) = (others.first(), own.len(), others.len()) else { return None };
    let has_no_method = |name: &str| name.ends_with(&format!(" of {route}"));
    match (has_no_method(name), has_no_method(other)) {
        (true, false) => Some(other),
        (false, true) => Some(name),
        _ => None,
    }
}

/// The largest share of frames without a name. Above it, methods of one side look as if they were gone.
pub(crate) const MAX_UNNAMED: f64 = 0.2;

/// The share of the frames of all samples that have no name.
pub(crate) fn unnamed_share(recording: &Trace) -> f64 {
    let missing = &recording.missing;
    if missing.frames == 0 { 0.0 } else { real_u64(missing.unnamed_frames) / real_u64(missing.frames) }
}

/// Why frames are not compared if this share of them has no name.
pub(crate) fn too_few(unnamed: f64, which: &str) -> String {
    let share = report::unit::show(unnamed, "share");
    format!("{share} of the frames of the recording {which} have no name")
}

/// A name without its addresses.
pub(crate) fn stable(name: &str) -> Cow<'_, str> {
    if !name.contains("0x") {
        return Cow::Borrowed(name);
    }
    let mut parts = name.split("0x");
    let mut stable = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        stable.push_str(if rest.len() < part.len() { "0x…" } else { "0x" });
        stable.push_str(rest);
    }
    Cow::Owned(stable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_without_the_method_of_its_requests_is_paired_with_the_only_one_of_its_route() {
        let check = |own: &[&'static str], others: &[&'static str], expected: &[Option<&str>]| {
            let routes = [own, others].map(|names| {
                let mut by_route = NamesByRoute::default();
                for name in names {
                    by_route.entry(HandlerNames::route(name)).or_default().insert(name);
                }
                by_route
            });
            let names: Vec<_> = own.iter().map(|name| paired(name, &routes)).collect();
            assert_eq!(names, expected, "{own:?} {others:?}");
        };
        let [get, post, any, other] =
            ["handler of GET /pay", "handler of POST /pay", "handler of /pay", "handler of GET /ship"];
        check(&[get, post], &[post, get, other], &[Some(get), Some(post)]);
        check(&[get], &[any], &[Some(get)]);
        check(&[any], &[get, other], &[Some(get)]);
        check(&[any], &[get, post], &[None]);
        check(&[get, post], &[any], &[None, None]);
        check(&[get], &[post], &[None]);
        check(&[get], &[other], &[None]);
    }

    #[test]
    fn addresses_go_and_everything_else_stays() {
        let check = |name, expected: &str| assert_eq!(stable(name), expected);
        check("Shop!Cart.Add(int32)", "Shop!Cart.Add(int32)");
        check("!dynamicClass.f(pMT: 0x7f80b00a7790,int32)", "!dynamicClass.f(pMT: 0x…,int32)");
        check("a0x1b0xé0x", "a0x…0xé0x");
        check("0x", "0x");
    }
}
