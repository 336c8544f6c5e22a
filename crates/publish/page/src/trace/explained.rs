//! A recording with everything that its views need, computed once.

use model::{ByStack, Tables, Trace};
use regex::Regex;
use report::Explanation;
use runtime::{HandlerNames, MyCode, Sampling, StackIndex};
use sql::Answer;
use stacks::{Metric, Offer, ShapedTree, Shaping, offers};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use timeline::{Lane, Span};
use topics::{Id, Topic};
use views::lanes::PIECES;
use views::tables::run_within;

/// Shapes of the stacks that are kept: the ones used last.
const SHAPES_KEPT: usize = 6;
/// Time lines that are kept: usually that of the whole recording, and a few ranges.
const LANES_KEPT: usize = 4;

/// First rows of findings that are kept: those of all cards of a page.
const GLIMPSES_KEPT: usize = 40;
/// How many rows of a finding its card shows.
const GLIMPSE_ROWS: usize = 4;
/// The longest that the first rows of a card of a served page may take. A page has several cards.
pub(super) const GLIMPSE_PATIENCE: Duration = Duration::from_millis(100);

/// The parameters of an address that shape the stacks: equal parameters, equal shape.
pub(super) type ShapeKey = [String; 5];

/// A recording, explained.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The recording.
    pub(crate) recording: Arc<Trace>,
    /// The same as tables.
    pub(crate) tables: Arc<dyn Tables>,
    /// The categories of its stacks and frames.
    pub(crate) index: StackIndex,
    pub(super) handlers: Arc<HandlerNames>,
    idle: OnceLock<Arc<ByStack<bool>>>,
    /// How much time of a thread one sample stands for, in nanoseconds. `None` without samples.
    pub(crate) sample_ns: Option<f64>,
    /// Findings and figures.
    pub(crate) explanation: Explanation,
    /// The metrics by which its stacks can be summed up.
    pub(crate) offers: Vec<Offer>,
    shapes: Recent<ShapeKey, ShapedTree>,
    lanes: Recent<(Span, usize), Vec<Lane>>,
    topics: Recent<Id, Topic>,
    glimpses: Recent<String, Answer>,
}

impl Explained {
    /// Explains a recording.
    pub(crate) fn new(recording: Arc<Trace>, mine: &MyCode) -> Self {
        let index = StackIndex::with(&recording, mine);
        let explanation = findings::explanation(&recording, &index);
        Self {
            tables: Arc::<Trace>::clone(&recording),
            handlers: Arc::new(HandlerNames::new(&recording, &index)),
            sample_ns: Sampling::new(&recording).map(|sampling| sampling.sample_ns()),
            index,
            explanation,
            offers: offers(&recording),
            idle: OnceLock::new(),
            shapes: Recent::new(SHAPES_KEPT),
            lanes: Recent::new(LANES_KEPT),
            topics: Recent::new(Id::ALL.len()),
            glimpses: Recent::new(GLIMPSES_KEPT),
            recording,
        }
    }

    /// The stacks in a shape. `key` identifies `shaping`, which cannot be compared itself.
    pub(super) fn shape(&self, key: &ShapeKey, shaping: &Shaping) -> Arc<ShapedTree> {
        self.shapes
            .get(key, || ShapedTree::with_handlers(&self.recording, &self.index, &self.handlers, shaping))
    }

    /// The stacks in which a waiting thread is idle.
    pub(crate) fn idle(&self) -> &Arc<ByStack<bool>> {
        self.idle.get_or_init(|| {
            let stacks = self.recording.stacks.frame.ids();
            Arc::new(stacks.map(|stack| self.index.is_idle(Some(stack))).collect())
        })
    }

    /// What a method is called if it handles the requests to one route.
    pub(crate) fn handler(&self, method: &str) -> Option<&str> {
        self.handlers.of_method(self.recording.strings.find(method)?)
    }

    /// A method as people write it.
    pub(crate) fn written(&self, method: &str) -> String {
        self.handler(method).map_or_else(|| runtime::written_name(method), str::to_owned)
    }

    /// Whether a frame has a name that matches.
    pub(super) fn has_frame(&self, pattern: &Regex) -> bool {
        let methods = self.recording.frames.name.iter().map(|method| self.recording.strings.text(*method));
        methods.chain(self.handlers.methods().map(|(_, name)| name)).any(|name| pattern.is_match(name))
    }

    /// Whether the stacks can be summed up by a metric.
    pub(crate) fn sums_up_by(&self, metric: &Metric) -> bool {
        self.offers.iter().any(|offer| offer.metric == *metric)
    }

    /// The time line of a range.
    pub(crate) fn lanes(&self, span: Span) -> Arc<Vec<Lane>> {
        self.lanes_in(span, PIECES)
    }

    /// The time line of a range, cut into so many pieces.
    pub(super) fn lanes_in(&self, span: Span, pieces: usize) -> Arc<Vec<Lane>> {
        let key = (span, pieces);
        self.lanes.get(&key, || timeline::lanes(&self.recording, &self.index, span, pieces))
    }

    /// The first rows of a query. `None` if it takes longer than its reader can wait.
    pub(super) fn glimpse(&self, sql: &str, patience: Duration) -> Option<Arc<Answer>> {
        let run = || run_within(&self.tables, sql, Some(GLIMPSE_ROWS), patience).ok();
        self.glimpses.get_if(&sql.to_owned(), run)
    }

    /// How a part of the runtime works, with this recording's figures.
    pub(crate) fn topic(&self, id: Id) -> Arc<Topic> {
        self.topics.get(&id, || {
            let mut topics = topics::explain(&self.recording, &self.index, &self.explanation.parts, &[id]);
            topics.pop().unwrap_or_else(|| Topic::new(id))
        })
    }
}

/// A small cache: the values that were used last, the newest at the end.
#[derive(Debug)]
struct Recent<K, V> {
    capacity: usize,
    values: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: Clone + PartialEq, V> Recent<K, V> {
    fn new(capacity: usize) -> Self {
        Self { capacity, values: Mutex::default() }
    }

    /// The value of a key. `make` computes it if it is not kept.
    fn get(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        self.kept(key).unwrap_or_else(|| self.keep(key, make()))
    }

    /// The same, if `make` succeeds.
    fn get_if(&self, key: &K, make: impl FnOnce() -> Option<V>) -> Option<Arc<V>> {
        let kept = self.kept(key);
        kept.or_else(|| Some(self.keep(key, make()?)))
    }

    fn kept(&self, key: &K) -> Option<Arc<V>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let at = values.iter().position(|(of, _)| of == key)?;
        let value = values.remove(at);
        values.push(value.clone());
        Some(value.1)
    }

    // A value is computed without the lock: two readers who want the same value at once both compute it, but nobody else waits.
    fn keep(&self, key: &K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.capacity {
            values.remove(0);
        }
        values.push((key.clone(), Arc::clone(&value)));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_used_last_are_computed_once() {
        let (kept, made) = (Recent::new(2), std::cell::Cell::new(0));
        let get = |key: u8| {
            *kept.get(&key, || {
                made.set(made.get() + 1);
                key * 10
            })
        };
        assert_eq!([get(1), get(2), get(1), get(3), get(1)], [10, 20, 10, 30, 10]);
        assert_eq!(made.get(), 3);
        assert_eq!((get(2), made.get()), (20, 4));
    }
}
