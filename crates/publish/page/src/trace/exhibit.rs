//! A recording with what every view of it needs, computed once.

use model::{Tables, Trace};
use report::Explanation;
use runtime::{MyCode, StackIndex};
use stacks::{Metric, Offer, Shape, Shaping, offers};
use std::sync::{Arc, Mutex, PoisonError};
use timeline::{Lane, Span};
use topics::{Id, Topic};
use views::lanes::PIECES;

/// Shapes of the stacks that are kept: those looked at last.
const SHAPES_KEPT: usize = 6;
/// Time lines that are kept: that of the whole recording, and those looked at last.
const LANES_KEPT: usize = 4;

/// What tells one shaping of the stacks from another: the texts that ask for it.
pub(super) type ShapeKey = [String; 4];

/// A recording, explained.
#[derive(Debug)]
pub(crate) struct Exhibit {
    /// The recording.
    pub(crate) recording: Arc<Trace>,
    /// The same as tables.
    pub(crate) tables: Arc<dyn Tables>,
    /// What is known of its stacks.
    pub(crate) index: StackIndex,
    /// What is said of it.
    pub(crate) explanation: Explanation,
    /// What its stacks can be summed up by.
    pub(crate) offers: Vec<Offer>,
    shapes: Kept<ShapeKey, Shape>,
    lanes: Kept<Span, Vec<Lane>>,
    topics: Kept<Id, Topic>,
}

impl Exhibit {
    /// Explains a recording.
    pub(crate) fn new(recording: Arc<Trace>, mine: &MyCode) -> Self {
        let index = StackIndex::with(&recording, mine);
        let explanation = findings::explanation(&recording, &index);
        Self {
            tables: Arc::<Trace>::clone(&recording),
            index,
            explanation,
            offers: offers(&recording),
            shapes: Kept::new(SHAPES_KEPT),
            lanes: Kept::new(LANES_KEPT),
            topics: Kept::new(Id::ALL.len()),
            recording,
        }
    }

    /// The stacks, shaped; `key` tells one shaping from another.
    pub(super) fn shape(&self, key: &ShapeKey, shaping: &Shaping) -> Arc<Shape> {
        self.shapes.get(key, || Shape::new(&self.recording, &self.index, shaping))
    }

    /// Whether the stacks can be summed up by a metric.
    pub(crate) fn sums_up_by(&self, metric: &Metric) -> bool {
        self.offers.iter().any(|offer| offer.metric == *metric)
    }

    /// The time line of a range.
    pub(crate) fn lanes(&self, span: Span) -> Arc<Vec<Lane>> {
        self.lanes.get(&span, || timeline::lanes(&self.recording, &self.index, span, PIECES))
    }

    /// How a part of the runtime works, with this recording's figures.
    pub(crate) fn topic(&self, id: Id) -> Arc<Topic> {
        let told = || topics::explain(&self.recording, &self.index, &self.explanation.parts, &[id]);
        self.topics.get(&id, || told().pop().unwrap_or_else(|| Topic::new(id)))
    }
}

/// The values computed last, by their keys.
#[derive(Debug)]
struct Kept<K, V> {
    most: usize,
    values: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: Clone + PartialEq, V> Kept<K, V> {
    fn new(most: usize) -> Self {
        Self { most, values: Mutex::default() }
    }

    /// The value of a key: the one that is kept, or what `make` returns, which is kept from now on.
    fn get(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let lock = || self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |values: &mut Vec<(K, Arc<V>)>| {
            let at = values.iter().position(|(of, _)| of == key)?;
            let value = values.remove(at);
            values.push(value.clone());
            Some(value.1)
        };
        let kept = find(&mut lock());
        if let Some(value) = kept {
            return value;
        }
        // Made without the lock: two readers who ask for the same value at once both make it, and nobody else waits.
        let value = Arc::new(make());
        let mut values = lock();
        if values.len() >= self.most {
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
    fn what_was_asked_for_last_is_kept_and_made_once() {
        let (kept, made) = (Kept::new(2), std::cell::Cell::new(0));
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
