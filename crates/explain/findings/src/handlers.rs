//! Which requests a lambda answers, learnt from the stacks in which the server calls it.
//!
//! A lambda has no name of its own, and after its first `await` nothing in its stack says what it answers: it resumes
//! wherever the awaited work ended. But it began within its request, and some samples show it there.

use crate::seen::Seen;
use base::number::real_u64;
use model::{StackId, Sym, Trace};
use runtime::{RequestPaths, StackIndex};
use rustc_hash::FxHashMap;

/// Paths kept per lambda. Paths with numbers in them could be as many as requests.
const MAX_PATHS: usize = 16;

/// For each lambda, the paths of the requests that called it, and how often each was seen.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    /// Each lambda's place in `paths`.
    lambdas: FxHashMap<String, usize>,
    paths: Vec<Vec<(Sym, f64)>>,
}

impl Handlers {
    /// Learns from the samples in requests and from all sampled allocations.
    pub(crate) fn new(recording: &Trace, index: &StackIndex, paths: &RequestPaths, seen: &[Seen]) -> Self {
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

    /// The paths that a frame's lambda answers, with their shares.
    pub(crate) fn of_frame(&self, frame: &str) -> impl Iterator<Item = (Sym, f64)> + '_ {
        let number = lambda(frame).and_then(|name| self.lambdas.get(&name));
        let paths = number.and_then(|number| self.paths.get(*number)).map_or(&[][..], Vec::as_slice);
        let all: f64 = paths.iter().map(|(_, seen)| seen).sum();
        paths.iter().map(move |(path, seen)| (*path, seen / all))
    }
}

fn lambdas_of(recording: &Trace, index: &StackIndex, stack: Option<StackId>) -> Vec<String> {
    let frames = index.served_frames(recording, stack);
    let names = frames.filter_map(|frame| recording.frames.name.get(frame));
    let mut names: Vec<String> = names.filter_map(|name| lambda(recording.strings.text(*name))).collect();
    names.dedup();
    names
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
