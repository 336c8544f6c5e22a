//! Methods by samples: what each took itself, and with what it calls.
//!
//! A first pass over each recording finds the methods that weigh enough to be listed. A second pass over the pieces
//! measures how much those vary. Only the service's own methods are also listed with what they call: the callers of a
//! method of a package or of the runtime, up to the thread's start, would all repeat one change. Flame graphs show them.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::names::stable;
use crate::noise::Between;
use crate::scope::Scope;
use crate::tally::Tally;
use model::{ByFrame, StackId, Sym};
use report::{Better, Subject};
use rustc_hash::FxHashMap;
use stacks::{NameClass, NameId, ShapedTree, Shaping, Weighed, WeightedTree, methods};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    let [shape_before, shape_after] = [before, after]
        .map(|of| Arc::new(ShapedTree::new(of.recording(), of.side.index, &Shaping::default())));
    for state in &STATES {
        let before = Weigher::new(before, Arc::clone(&shape_before), state);
        let after = Weigher::new(after, Arc::clone(&shape_after), state);
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
        let method = after.full_name(name).or_else(|| before.full_name(name)).unwrap_or(name.as_str());
        let of = || Of { name: name.into(), method: Some(method), wholes, ..Of::default() };
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

/// Weighs the methods of one recording by the samples of one state.
struct Weigher<'a> {
    scope: &'a Scope<'a>,
    shape: Arc<ShapedTree>,
    base: &'a [f64],
    state: Option<Sym>,
    /// The names with addresses, by the name without.
    full_names: FxHashMap<String, NameId>,
}

impl<'a> Weigher<'a> {
    fn new(scope: &'a Scope<'a>, shape: Arc<ShapedTree>, state: &State) -> Self {
        let mut full_names: FxHashMap<String, NameId> = FxHashMap::default();
        for (full, name) in shape.names.iter_with_ids() {
            if let Cow::Owned(stable) = stable(&name.full) {
                full_names.entry(stable).or_insert(full);
            }
        }
        let base = scope.samples.base_of(state.quantity);
        Self { scope, base, state: scope.recording().strings.find(state.name), full_names, shape }
    }

    /// The name with its addresses, by which flame graphs of this recording find the method.
    fn full_name(&self, name: &str) -> Option<&str> {
        let full = self.full_names.get(name)?;
        self.shape.names.get(*full).map(|name| name.full.as_str())
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

    /// What each method weighs, by its full name.
    fn whole(&self) -> BTreeMap<String, Weights> {
        let mut weighed = self.nothing();
        for (piece, stack) in self.samples() {
            add_sample(&mut weighed, stack, self.scope.seconds_per_sample(piece));
        }
        let mut sums: BTreeMap<String, Weights> = BTreeMap::new();
        for row in methods(&WeightedTree::new(Arc::clone(&self.shape), &weighed)).rows {
            let Some(name) = self.shape.names.get(row.name) else { continue };
            let is_own_code = matches!(name.class, NameClass::User | NameClass::Dynamic);
            let of = sums.entry(stable(&name.full).into_owned()).or_default();
            of.own += row.own;
            of.total += row.total;
            of.is_own_code |= is_own_code;
        }
        sums
    }

    /// What each chosen method weighs in each piece, in the order of the methods.
    ///
    /// Each stack is walked once, however many samples have it, so the work is in proportion to the file.
    fn pieces(&self, chosen: &BTreeMap<String, bool>) -> Vec<Tallies> {
        let tally = || Tally::of_base(self.base, &self.scope.samples.ramp);
        let mut tallies: Vec<Tallies> =
            chosen.iter().map(|_| Tallies { own: tally(), total: tally() }).collect();
        let slots: FxHashMap<&str, usize> =
            chosen.keys().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let recording = self.scope.recording();
        let slot = |name: &Sym| slots.get(&*stable(recording.strings.text(*name))).copied();
        let slot_of_frame: ByFrame<Option<usize>> = recording.frames.name.iter().map(slot).collect();
        let mut samples: Vec<(Option<StackId>, usize)> =
            self.samples().map(|(piece, stack)| (stack, piece)).collect();
        samples.sort_unstable();
        let mut on_stack: Vec<usize> = Vec::new();
        for of_stack in samples.chunk_by(|a, b| a.0 == b.0) {
            let Some((stack, _)) = of_stack.first() else { continue };
            let innermost = self.walk(*stack, &slot_of_frame, &mut on_stack);
            for of_piece in of_stack.chunk_by(|a, b| a.1 == b.1) {
                let Some((_, piece)) = of_piece.first() else { continue };
                let weight_each = self.scope.seconds_per_sample(*piece);
                if let Some(tallies) = innermost.and_then(|slot| tallies.get_mut(slot)) {
                    tallies.own.count_equal(*piece, of_piece.len(), weight_each);
                }
                add_totals(&mut tallies, &on_stack, *piece, of_piece.len(), weight_each);
            }
        }
        tallies
    }

    /// Fills `on_stack` with the slots of the methods on a stack, each once even if it calls itself. Returns the slot of the
    /// innermost frame.
    fn walk(
        &self,
        stack: Option<StackId>,
        slot_of_frame: &ByFrame<Option<usize>>,
        on_stack: &mut Vec<usize>,
    ) -> Option<usize> {
        let stacks = &self.scope.recording().stacks;
        let mut slots = stacks.frames(stack).map(|frame| slot_of_frame.get(frame).copied().flatten());
        let innermost = slots.next().flatten();
        on_stack.clear();
        on_stack.extend(innermost);
        on_stack.extend(slots.flatten());
        on_stack.sort_unstable();
        on_stack.dedup();
        innermost
    }

    fn nothing(&self) -> Weighed {
        let own = vec![0.0; self.scope.recording().stacks.len()].into();
        Weighed { own, stackless: 0.0, total: 0.0, rows: 0, unweighed: 0, idle: 0 }
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

fn add_sample(weighed: &mut Weighed, stack: Option<StackId>, weight: f64) {
    match stack.and_then(|stack| weighed.own.get_mut(stack)) {
        Some(place) => *place += weight,
        None => weighed.stackless += weight,
    }
}
