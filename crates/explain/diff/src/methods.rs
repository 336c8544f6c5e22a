//! Methods by samples: what each took itself, and with what it called.
//!
//! A first pass over the whole of each recording says which methods weigh enough to be listed; a second one over the
//! pieces tells how much those vary. With what it calls, a method of the service alone is listed: each caller of a
//! package's or the runtime's method up to the thread's start would repeat one change. Flame graphs show them.

use crate::book::{Book, Measure, Of, Quantity};
use crate::figures::weight;
use crate::many::Tier;
use crate::names::stable;
use crate::noise::{Between, Tally};
use crate::scope::Scope;
use base::number::count;
use model::Sym;
use report::{Better, Subject};
use rustc_hash::FxHashMap;
use stacks::{NameClass, Profile, Shape, Shaping, Weighed, methods};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many methods of each recording and kind are compared.
const MOST_METHODS: usize = 150;
/// A method that is a smaller part of both wholes is not listed.
const LEAST_SHARE: f64 = 0.003;

/// Threads that wait do so without any requests as well, so there are no such times per request.
const WAITING: Quantity = Quantity::Level("threads");

/// State, measures, what samples add up to, importance and notable level, what runs differ by.
type State = (&'static str, [&'static str; 2], Quantity, (f64, f64), Between);

/// The kinds of samples, by their state.
const STATES: [State; 3] = [
    (
        "running",
        ["running, itself", "running, with what it calls"],
        Quantity::ThreadSeconds,
        (0.8, 0.2),
        Between::of(0.15, 0.01),
    ),
    (
        "waiting",
        ["waiting, itself", "waiting, with what it calls"],
        WAITING,
        (0.5, 2.0),
        Between::whole(0.15),
    ),
    (
        "external",
        ["outside managed code, itself", "outside managed code, with what it calls"],
        WAITING,
        (0.3, 2.0),
        Between::whole(0.15),
    ),
];

/// A method's weights: itself, with what it called.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    own: f64,
    total: f64,
    is_own_code: bool,
}

/// Adds the methods of samples of each state.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, looks: (&[f64], &[f64])) {
    let sides = [before, after];
    let shapes = sides.map(|of| Arc::new(Shape::new(of.recording(), of.side.index, &Shaping::default())));
    let looks = [looks.0, looks.1];
    for (state, names, quantity, (importance, notable), between) in STATES {
        let mut weighers: Vec<Weigher<'_>> = Vec::new();
        for ((scope, shape), looks) in sides.iter().zip(&shapes).zip(looks) {
            weighers.push(Weigher::new(scope, Arc::clone(shape), (looks, quantity), state));
        }
        let [of_before, of_after] = weighers.as_mut_slice() else { continue };
        let measure = Measure {
            subject: Subject::Method,
            name: state,
            quantity,
            better: Better::Lower,
            tier: Tier::Details,
            between,
            importance,
            notable,
            table: "samples",
            metric: Some(state),
        };
        compare(book, &measure, names, of_before, of_after);
    }
}

fn compare(
    book: &mut Book,
    measure: &Measure,
    names: [&'static str; 2],
    before: &mut Weigher<'_>,
    after: &mut Weigher<'_>,
) {
    let (sums_before, sums_after) = (before.whole(), after.whole());
    let mut chosen: BTreeMap<String, bool> = BTreeMap::new();
    choose(&mut chosen, &sums_before);
    choose(&mut chosen, &sums_after);
    let all =
        sums_before.keys().chain(sums_after.keys().filter(|name| !sums_before.contains_key(*name))).count();
    book.left_out(all.saturating_sub(chosen.len()), format!("methods of {} samples", measure.name));
    let (of_before, of_after) = (before.pieces(&chosen), after.pieces(&chosen));
    let wholes = Some((before.mean_threads(), after.mean_threads()));
    for ((name, is_own_code), (one, other)) in chosen.iter().zip(of_before.iter().zip(&of_after)) {
        let method = after.full_name(name).or_else(|| before.full_name(name)).unwrap_or(name.as_str());
        let of = || Of { name: name.into(), method: Some(method), wholes, ..Of::default() };
        let [own, total] = names.map(|name| Measure { name, ..*measure });
        book.tallies(&own, of(), Some(&one.own), Some(&other.own));
        let calls = one.total.amount != one.own.amount || other.total.amount != other.own.amount;
        if *is_own_code && calls {
            book.tallies(&total, of(), Some(&one.total), Some(&other.total));
        }
    }
}

/// Takes up the methods that weigh most.
fn choose(chosen: &mut BTreeMap<String, bool>, sums: &BTreeMap<String, Weights>) {
    let whole: f64 = sums.values().map(|of| of.own).sum();
    let mut listed: Vec<(f64, &String, bool)> = Vec::new();
    for (name, of) in sums {
        let weight = if of.is_own_code { of.total.max(of.own) } else { of.own };
        if weight > 0.0 && weight >= LEAST_SHARE * whole {
            listed.push((weight, name, of.is_own_code));
        }
    }
    listed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    for (_, name, is_own_code) in listed.into_iter().take(MOST_METHODS) {
        *chosen.entry(name.clone()).or_default() |= is_own_code;
    }
}

/// A method's tallies.
#[derive(Debug)]
struct Course {
    own: Tally,
    total: Tally,
}

/// Samples of one state of a recording, as weights of its stacks.
struct Weigher<'a> {
    scope: &'a Scope<'a>,
    shape: Arc<Shape>,
    looks: &'a [f64],
    base: &'a [f64],
    state: Option<Sym>,
    /// Names that differ from run to run, by the part that does not.
    full_names: FxHashMap<String, usize>,
}

impl<'a> Weigher<'a> {
    fn new(
        scope: &'a Scope<'a>,
        shape: Arc<Shape>,
        (looks, quantity): (&'a [f64], Quantity),
        state: &str,
    ) -> Self {
        let mut full_names: FxHashMap<String, usize> = FxHashMap::default();
        for (at, name) in shape.names.iter().enumerate() {
            if let Cow::Owned(stable) = stable(&name.full) {
                full_names.entry(stable).or_insert(at);
            }
        }
        let base = scope.samples.base_of(quantity);
        Self { scope, looks, base, state: scope.recording().strings.find(state), full_names, shape }
    }

    /// A name of this recording with its addresses, which is what a flame graph of it knows.
    fn full_name(&self, name: &str) -> Option<&str> {
        let full = self.full_names.get(name)?;
        self.shape.names.get(*full).map(|name| name.full.as_str())
    }

    /// Samples in order: the piece, and the stack.
    fn samples(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        let rows = &self.scope.recording().samples;
        let rows = rows.ts_ns.iter().zip(&rows.stack).zip(&rows.state);
        let of_state = rows.filter(|(_, state)| Some(**state) == self.state);
        of_state.filter_map(|((ns, stack), _)| Some((self.scope.samples.grid.piece(*ns)?, *stack)))
    }

    /// Threads on average.
    fn mean_threads(&self) -> f64 {
        let course = &self.scope.samples;
        let seconds: f64 = self.samples().map(|(piece, _)| weight(course, self.looks, piece)).sum();
        let base: f64 = self.base.iter().sum();
        if base > 0.0 { seconds / base } else { 0.0 }
    }

    /// What each method weighs, by its full name.
    fn whole(&self) -> BTreeMap<String, Weights> {
        let mut weighed = self.nothing();
        for (piece, stack) in self.samples() {
            add_sample(&mut weighed, stack, weight(&self.scope.samples, self.looks, piece));
        }
        let mut sums: BTreeMap<String, Weights> = BTreeMap::new();
        for row in methods(&Profile::new(Arc::clone(&self.shape), &weighed)).rows {
            let Some(name) = self.shape.names.get(row.name as usize) else { continue };
            let is_own_code = matches!(name.class, NameClass::User | NameClass::Dynamic);
            let of = sums.entry(stable(&name.full).into_owned()).or_default();
            of.own += row.own;
            of.total += row.total;
            of.is_own_code |= is_own_code;
        }
        sums
    }

    /// What the chosen methods weigh in each piece, in their order.
    ///
    /// Each stack is walked once, however many samples met it, so the work is bounded by what the file spells out.
    fn pieces(&self, chosen: &BTreeMap<String, bool>) -> Vec<Course> {
        let tally = || Tally::of_base(self.base, &self.scope.samples.ramp);
        let mut courses: Vec<Course> =
            chosen.iter().map(|_| Course { own: tally(), total: tally() }).collect();
        let slots: FxHashMap<&str, usize> =
            chosen.keys().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let recording = self.scope.recording();
        let slot = |name: &Sym| slots.get(&*stable(recording.strings.text(*name))).copied();
        let slot_of_frame: Vec<Option<usize>> = recording.frames.name.iter().map(slot).collect();
        let mut samples: Vec<(u32, usize)> = self.samples().map(|(piece, stack)| (stack, piece)).collect();
        samples.sort_unstable();
        let ones: Vec<f64> =
            (0..self.base.len()).map(|piece| weight(&self.scope.samples, self.looks, piece)).collect();
        let mut on_stack: Vec<usize> = Vec::new();
        for of_stack in samples.chunk_by(|a, b| a.0 == b.0) {
            let Some((stack, _)) = of_stack.first() else { continue };
            let innermost = self.walk(*stack, &slot_of_frame, &mut on_stack);
            for of_piece in of_stack.chunk_by(|a, b| a.1 == b.1) {
                let Some((_, piece)) = of_piece.first() else { continue };
                let one = ones.get(*piece).copied().unwrap_or(0.0);
                let weight = (one * count(of_piece.len()), one);
                if let Some(course) = innermost.and_then(|slot| courses.get_mut(slot)) {
                    course.own.count_equal(*piece, weight);
                }
                add_totals(&mut courses, &on_stack, *piece, weight);
            }
        }
        courses
    }

    /// The slots of a stack's frames, each once however often a method calls itself; gives the innermost frame's.
    fn walk(&self, stack: u32, slot_of_frame: &[Option<usize>], on_stack: &mut Vec<usize>) -> Option<usize> {
        let stacks = &self.scope.recording().stacks;
        let frames = stacks.walk(stack).map(|node| stacks.frame.get(node as usize));
        let mut slots = frames.map(|frame| slot_of_frame.get(*frame? as usize).copied().flatten());
        let innermost = slots.next().flatten();
        on_stack.clear();
        on_stack.extend(innermost);
        on_stack.extend(slots.flatten());
        on_stack.sort_unstable();
        on_stack.dedup();
        innermost
    }

    fn nothing(&self) -> Weighed {
        let own = vec![0.0; self.scope.recording().stacks.len()];
        Weighed { own, stackless: 0.0, total: 0.0, rows: 0, unweighed: 0 }
    }
}

/// Adds samples of a stack to the methods on it.
fn add_totals(courses: &mut [Course], on_stack: &[usize], piece: usize, weight: (f64, f64)) {
    for slot in on_stack {
        if let Some(course) = courses.get_mut(*slot) {
            course.total.count_equal(piece, weight);
        }
    }
}

fn add_sample(weighed: &mut Weighed, stack: u32, weight: f64) {
    match weighed.own.get_mut(stack as usize) {
        Some(place) => *place += weight,
        None => weighed.stackless += weight,
    }
}
