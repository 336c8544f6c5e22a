//! What the collector did, as its rules share it.

use crate::facts::{Facts, real};
use crate::places::Places;
use model::GcRow;
use runtime::Marks;

/// The collections.
pub(crate) fn rows<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = GcRow> + 'a {
    let gc = &facts.recording.gc;
    (0..gc.start_ns.len()).filter_map(|at| gc.row(at))
}

/// Milliseconds of each pause for collections, as the figures have them too.
pub(crate) fn pauses_ms(facts: &Facts<'_>) -> Vec<f64> {
    let longest = real(facts.recording.exhibit.duration_ns.max(facts.observed_ns));
    let pauses = runtime::gc_pauses(facts.recording).into_iter();
    pauses.map(|(_, ns)| ns.clamp(0.0, longest.max(0.0)) / 1e6).collect()
}

/// Milliseconds that the program stood still for a choice of collections.
pub(crate) fn paused_ms(facts: &Facts<'_>, wanted: impl Fn(&GcRow) -> bool) -> f64 {
    rows(facts).filter(|row| wanted(row)).filter_map(|row| facts.lasted(row.pause_ns)).sum::<f64>() / 1e6
}

/// The share of the observed time that they stood for.
pub(crate) fn pause_share(facts: &Facts<'_>, wanted: impl Fn(&GcRow) -> bool) -> f64 {
    (paused_ms(facts, wanted) / 1e3 / facts.seconds()).min(1.0)
}

/// Whether the collection was asked for, by the program or by the runtime itself, and not the collector's own choice.
pub(crate) fn is_induced(facts: &Facts<'_>, row: &GcRow) -> bool {
    facts.text(row.reason).starts_with("Induced")
}

/// Whether the program called for the collection.
///
/// The runtime itself asks for one when many threads have ended. It has the reason of a call that does not insist, and
/// the stack of whatever the thread was about; only a method of `System.GC` in the stack tells a call of the program's.
pub(crate) fn is_called_for(facts: &Facts<'_>, row: &GcRow) -> bool {
    let may_be_runtime = facts.text(row.reason) == "InducedNotForced";
    is_induced(facts, row) && (!may_be_runtime || facts.index.marks(row.stack).has(Marks::COLLECT))
}

/// Bytes that a sampled allocation stands for; what damage says is held to what memory could.
fn weight(row: &model::AllocationRow) -> f64 {
    row.weight_bytes.clamp(0.0, 1e18)
}

/// Where the program allocates, by the bytes that sampled allocations stand for.
pub(crate) fn allocators(facts: &Facts<'_>, wanted: impl Fn(&model::AllocationRow) -> bool) -> Places {
    let mut places = Places::default();
    for row in runtime::counted_allocations(facts.recording).filter(|row| wanted(row)) {
        places.add(facts, row.stack, row.thread, row.ts_ns, weight(&row));
    }
    places
}

/// Bytes allocated, as sampled allocations stand for them.
pub(crate) fn allocated(facts: &Facts<'_>, wanted: impl Fn(&model::AllocationRow) -> bool) -> f64 {
    let rows = runtime::counted_allocations(facts.recording).filter(|row| wanted(row));
    rows.map(|row| weight(&row)).fold(0.0, |sum, weight| sum + weight)
}

/// The type allocated most, with its share of the bytes chosen.
pub(crate) fn most_allocated(
    facts: &Facts<'_>,
    wanted: impl Fn(&model::AllocationRow) -> bool,
) -> Option<(String, f64)> {
    let mut types: std::collections::BTreeMap<model::Sym, f64> = std::collections::BTreeMap::new();
    let mut total = 0.0;
    for row in runtime::counted_allocations(facts.recording).filter(|row| wanted(row)) {
        *types.entry(row.class).or_default() += weight(&row);
        total += weight(&row);
    }
    let (class, most) = types.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (total > 0.0).then(|| (facts.text(class).to_owned(), most / total))
}
