//! Which requests a lambda answers: by the stacks in which the server calls it.
//!
//! A lambda has no name of its own, and behind its first `await` nothing in its stack says what it answers: it goes on
//! wherever what it awaited ended. But it began within its request, and was seen there now and then.

use crate::facts::{Facts, real_u64};
use model::Sym;
use rustc_hash::FxHashMap;

/// Paths that are kept of one lambda: with numbers in them they may be as many as requests.
const MOST_PATHS: usize = 16;

/// The paths of the requests that lambdas were called in, each with how often that was seen.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    /// Where each lambda stands in `paths`.
    lambdas: FxHashMap<String, usize>,
    paths: Vec<Vec<(Sym, f64)>>,
}

impl Handlers {
    /// Looks at the samples in requests, and at every sampled allocation once.
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let allocations = &facts.recording.allocations;
        let mut handlers = Self::default();
        let mut of_stack: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for of in facts.seen() {
            handlers.add(facts, &mut of_stack, of.stack, || Some((of.path, real_u64(of.samples))));
        }
        let mut follower = facts.paths.follow();
        let allocated = allocations.stack.iter().zip(&allocations.thread).zip(&allocations.ts_ns);
        for ((stack, thread), ts_ns) in allocated {
            handlers.add(facts, &mut of_stack, *stack, || Some((follower.at(*thread, *ts_ns).1?, 1.0)));
        }
        handlers
    }

    /// Adds a stack, if lambdas are in it, with the path that it was seen in and how often.
    fn add(
        &mut self,
        facts: &Facts<'_>,
        of_stack: &mut FxHashMap<u32, Vec<usize>>,
        stack: u32,
        seen: impl FnOnce() -> Option<(Sym, f64)>,
    ) {
        let lambdas = of_stack.entry(stack).or_insert_with(|| {
            let names = lambdas_of(facts, stack).into_iter();
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
            } else if paths.len() < MOST_PATHS {
                paths.push((path, times));
            }
        }
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.paths.len();
        let number = *self.lambdas.entry(name).or_insert(next);
        if number == next {
            self.paths.push(Vec::new());
        }
        number
    }

    /// The paths that a frame's lambda was seen to answer, with their shares.
    pub(crate) fn of_frame(&self, frame: &str) -> impl Iterator<Item = (Sym, f64)> + '_ {
        let number = lambda(frame).and_then(|name| self.lambdas.get(&name));
        let paths = number.and_then(|number| self.paths.get(*number)).map_or(&[][..], Vec::as_slice);
        let all: f64 = paths.iter().map(|(_, seen)| seen).sum();
        paths.iter().map(move |(path, seen)| (*path, seen / all))
    }
}

fn lambdas_of(facts: &Facts<'_>, stack: u32) -> Vec<String> {
    let frames = facts.index.served_frames(facts.recording, stack);
    let names = frames.filter_map(|frame| facts.recording.frames.name.get(frame as usize));
    let mut names: Vec<String> = names.filter_map(|name| lambda(facts.text(*name))).collect();
    names.dedup();
    names
}

/// What the method of a lambda and its state machine have in common: the type around it and its number there.
/// `M!T+<>c.<Run>b__7_2(int)` and `M!T+<>c+<<Run>b__7_2>d.MoveNext()` are of one.
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
}
