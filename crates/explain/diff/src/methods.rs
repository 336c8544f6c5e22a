//! Methods by samples: what each took itself, and with what it calls.
//!
//! A first pass over each recording finds the methods that weigh enough to be listed. A second pass over the pieces
//! measures how much those vary. Only the service's own methods are also listed with what they call: the callers of a
//! method of a package or of the runtime, up to the thread's start, would all repeat one change. Flame graphs show them.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::Between;
use crate::scope::Scope;
use crate::tally::Tally;
use model::{ByFrame, ByStack, StackId, Sym};
use report::{Better, Subject};
use runtime::Owner;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// How many methods of each recording and state are compared.
const MAX_METHODS: usize = 150;
/// A method is listed if it has at least this share of the whole, before or after.
const MIN_SHARE: f64 = 0.003;

/// Threads also wait without any requests, so time that they wait is not divided by requests.
const WAITING: Quantity = Quantity::Level("threads");

/// How the samples of one state are compared.
struct State {
    name: &'static str,
    itself: &'static str,
    with_calls: &'static str,
    quantity: Quantity,
    importance: f64,
    notable: f64,
    between: Between,
}

const STATES: [State; 3] = [
    State {
        name: "running",
        itself: "running, itself",
        with_calls: "running, including callees",
        quantity: Quantity::ThreadSeconds,
        importance: 0.8,
        notable: 0.2,
        between: Between::of(0.15, 0.01),
    },
    State {
        name: "waiting",
        itself: "waiting, itself",
        with_calls: "waiting, including callees",
        quantity: WAITING,
        importance: 0.5,
        notable: 2.0,
        between: Between::whole(0.15),
    },
    State {
        name: "external",
        itself: "in native code, itself",
        with_calls: "in native code, including callees",
        quantity: WAITING,
        importance: 0.3,
        notable: 2.0,
        between: Between::whole(0.15),
    },
];

/// The weights of a method: itself, and with what it calls.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    own: f64,
    total: f64,
    is_own_code: bool,
}

/// Adds the methods of the samples of each state.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let (methods_before, methods_after) = (Methods::new(before), Methods::new(after));
    for state in &STATES {
        let before = Weigher::new(before, &methods_before, state);
        let after = Weigher::new(after, &methods_after, state);
        compare(book, state, &before, &after);
    }
}

fn compare(book: &mut Book, state: &State, before: &Weigher<'_>, after: &Weigher<'_>) {
    let State { name, quantity, importance, notable, between, .. } = *state;
    let measure = Measure {
        subject: Subject::Method,
        name,
        quantity,
        better: Better::Lower,
        tier: Tier::Details,
        between,
        importance,
        notable,
        table: "samples",
        metric: Some(name),
    };
    let (sums_before, sums_after) = (before.whole(), after.whole());
    let mut chosen: BTreeMap<String, bool> = BTreeMap::new();
    choose(&mut chosen, &sums_before);
    choose(&mut chosen, &sums_after);
    let all =
        sums_before.keys().chain(sums_after.keys().filter(|name| !sums_before.contains_key(*name))).count();
    book.left_out(all.saturating_sub(chosen.len()), format!("methods of {name} samples"));
    let (of_before, of_after) = (before.pieces(&chosen), after.pieces(&chosen));
    let wholes = Some((before.mean_threads(), after.mean_threads()));
    let itself = Measure { name: state.itself, ..measure };
    let with_calls = Measure { name: state.with_calls, ..measure };
    for ((name, is_own_code), (of_before, of_after)) in chosen.iter().zip(of_before.iter().zip(&of_after)) {
        let full = after.full_name(name).or_else(|| before.full_name(name));
        let (method, is_handler) = full.unwrap_or((name.as_str(), false));
        let of = || Of { name: name.into(), method: Some(method), is_handler, wholes, ..Of::default() };
        book.tallies(&itself, of(), Some(&of_before.own), Some(&of_after.own));
        let calls = |of: &Tallies| of.total.amount != of.own.amount;
        if *is_own_code && (calls(of_before) || calls(of_after)) {
            book.tallies(&with_calls, of(), Some(&of_before.total), Some(&of_after.total));
        }
    }
}

/// Adds the methods that weigh most, each with whether it is the service's own code.
fn choose(chosen: &mut BTreeMap<String, bool>, sums: &BTreeMap<String, Weights>) {
    let whole: f64 = sums.values().map(|of| of.own).sum();
    let mut listed: Vec<(f64, &String, bool)> = Vec::new();
    for (name, of) in sums {
        let weight = if of.is_own_code { of.total.max(of.own) } else { of.own };
        if weight > 0.0 && weight >= MIN_SHARE * whole {
            listed.push((weight, name, of.is_own_code));
        }
    }
    listed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    for (_, name, is_own_code) in listed.into_iter().take(MAX_METHODS) {
        *chosen.entry(name.clone()).or_default() |= is_own_code;
    }
}

/// A method's tallies.
#[derive(Debug)]
struct Tallies {
    own: Tally,
    total: Tally,
}

/// The methods of one recording, as they are paired with those of the other.
#[derive(Debug, Default)]
struct Methods {
    rows: Vec<Method>,
    by_name: FxHashMap<String, usize>,
    /// The method of each frame. `None` without a name.
    of_frame: ByFrame<Option<usize>>,
}

#[derive(Debug)]
struct Method {
    name: String,
    /// The full name, with addresses: of a handler, that of the service's own method if there is one.
    full: Sym,
    is_own_code: bool,
    is_handler: bool,
}

impl Methods {
    fn new(scope: &Scope<'_>) -> Self {
        let recording = scope.recording();
        let mut methods = Self::default();
        for (frame, full) in recording.frames.name.iter_with_ids() {
            if *full == Sym::NONE {
                methods.of_frame.push(None);
                continue;
            }
            let owner = scope.side.index.owner(frame);
            let next = methods.rows.len();
            let name = scope.names.of(recording, *full).into_owned();
            let at = *methods.by_name.entry(name).or_insert_with_key(|name| {
                let is_handler = scope.names.is_handler(*full);
                methods.rows.push(Method {
                    name: name.clone(),
                    full: *full,
                    is_own_code: is_handler,
                    is_handler,
                });
                next
            });
            methods.of_frame.push(Some(at));
            if let Some(of) = methods.rows.get_mut(at) {
                of.is_own_code |= matches!(owner, Owner::User | Owner::Dynamic);
                if of.is_handler && owner == Owner::User {
                    of.full = *full;
                }
            }
        }
        methods
    }
}

/// Weighs the methods of one recording by the samples of one state.
struct Weigher<'a> {
    scope: &'a Scope<'a>,
    methods: &'a Methods,
    base: &'a [f64],
    state: Option<Sym>,
}

impl<'a> Weigher<'a> {
    fn new(scope: &'a Scope<'a>, methods: &'a Methods, state: &State) -> Self {
        let base = scope.samples.base_of(state.quantity);
        Self { scope, methods, base, state: scope.recording().strings.find(state.name) }
    }

    /// The full name of a method, by which flame graphs of this recording find it, and whether it is a handler.
    fn full_name(&self, name: &str) -> Option<(&str, bool)> {
        let of = self.methods.rows.get(*self.methods.by_name.get(name)?)?;
        Some((self.scope.text(of.full), of.is_handler))
    }

    /// The piece and the stack of each sample, in order of time.
    fn samples(&self) -> impl Iterator<Item = (usize, Option<StackId>)> + '_ {
        let rows = &self.scope.recording().samples;
        let rows = rows.ts_ns.iter().zip(&rows.stack).zip(&rows.state);
        let of_state = rows.filter(|(_, state)| Some(**state) == self.state);
        of_state.filter_map(|((ns, stack), _)| Some((self.scope.samples.grid.piece(*ns)?, *stack)))
    }

    /// The average number of threads in this state.
    fn mean_threads(&self) -> f64 {
        let seconds: f64 = self.samples().map(|(piece, _)| self.scope.seconds_per_sample(piece)).sum();
        let base: f64 = self.base.iter().sum();
        if base > 0.0 { seconds / base } else { 0.0 }
    }

    /// What each method weighs, by its name. Each stack is walked once, however many samples have it.
    fn whole(&self) -> BTreeMap<String, Weights> {
        let stacks = &self.scope.recording().stacks;
        let mut of_stacks: ByStack<f64> = vec![0.0; stacks.len()].into();
        for (piece, stack) in self.samples() {
            if let Some(weight) = stack.and_then(|stack| of_stacks.get_mut(stack)) {
                *weight += self.scope.seconds_per_sample(piece);
            }
        }
        let mut sums = vec![Weights::default(); self.methods.rows.len()];
        let mut on_stack: Vec<usize> = Vec::new();
        for (stack, weight) in of_stacks.iter_with_ids().filter(|(_, weight)| **weight > 0.0) {
            let innermost = self.walk(Some(stack), &mut on_stack);
            if let Some(of) = innermost.and_then(|at| sums.get_mut(at)) {
                of.own += weight;
            }
            for at in &on_stack {
                if let Some(of) = sums.get_mut(*at) {
                    of.total += weight;
                }
            }
        }
        let named = self.methods.rows.iter().zip(sums).filter(|(_, of)| of.total > 0.0);
        let own_code = |of: &Method, sum| Weights { is_own_code: of.is_own_code, ..sum };
        named.map(|(of, sum)| (of.name.clone(), own_code(of, sum))).collect()
    }

    /// What each chosen method weighs in each piece, in the order of the methods.
    ///
    /// Each stack is walked once, however many samples have it, so the work is in proportion to the file.
    fn pieces(&self, chosen: &BTreeMap<String, bool>) -> Vec<Tallies> {
        let tally = || Tally::of_base(self.base, &self.scope.samples.ramp);
        let mut tallies: Vec<Tallies> =
            chosen.iter().map(|_| Tallies { own: tally(), total: tally() }).collect();
        let mut slots: Vec<Option<usize>> = vec![None; self.methods.rows.len()];
        for (slot, name) in chosen.keys().enumerate() {
            let at = self.methods.by_name.get(name).copied();
            if let Some(of) = at.and_then(|at| slots.get_mut(at)) {
                *of = Some(slot);
            }
        }
        let slot = |at: usize| slots.get(at).copied().flatten();
        let mut chosen_on_stack: Vec<usize> = Vec::new();
        let mut samples: Vec<(Option<StackId>, usize)> =
            self.samples().map(|(piece, stack)| (stack, piece)).collect();
        samples.sort_unstable();
        let mut on_stack: Vec<usize> = Vec::new();
        for of_stack in samples.chunk_by(|a, b| a.0 == b.0) {
            let Some((stack, _)) = of_stack.first() else { continue };
            let innermost = self.walk(*stack, &mut on_stack).and_then(slot);
            chosen_on_stack.clear();
            chosen_on_stack.extend(on_stack.iter().filter_map(|at| slot(*at)));
            for of_piece in of_stack.chunk_by(|a, b| a.1 == b.1) {
                let Some((_, piece)) = of_piece.first() else { continue };
                let weight_each = self.scope.seconds_per_sample(*piece);
                if let Some(tallies) = innermost.and_then(|slot| tallies.get_mut(slot)) {
                    tallies.own.count_equal(*piece, of_piece.len(), weight_each);
                }
                add_totals(&mut tallies, &chosen_on_stack, *piece, of_piece.len(), weight_each);
            }
        }
        tallies
    }

    /// Fills `on_stack` with the methods on a stack, each once even if it calls itself. Returns that of the innermost frame; a stop
    /// for the sampler and a frame without a name count for their callers, as in the table of methods.
    fn walk(&self, stack: Option<StackId>, on_stack: &mut Vec<usize>) -> Option<usize> {
        let Scope { side, .. } = self.scope;
        on_stack.clear();
        let mut innermost = None;
        let mut first = None;
        for frame in side.recording.stacks.frames(stack) {
            let method = self.methods.of_frame.get(frame).copied().flatten();
            first = first.or(Some(method));
            if innermost.is_none() && !side.index.stands_in(frame) {
                innermost = Some(method);
            }
            on_stack.extend(method);
        }
        on_stack.sort_unstable();
        on_stack.dedup();
        innermost.or(first).flatten()
    }
}

/// Adds equal samples of a stack to the methods on it.
fn add_totals(tallies: &mut [Tallies], on_stack: &[usize], piece: usize, samples: usize, weight_each: f64) {
    for slot in on_stack {
        if let Some(of_method) = tallies.get_mut(*slot) {
            of_method.total.count_equal(piece, samples, weight_each);
        }
    }
}
