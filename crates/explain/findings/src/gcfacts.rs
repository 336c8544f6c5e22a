//! What the GC did, for the rules about it.

use crate::facts::{Facts, real};
use crate::places::Places;
use model::GcRow;
use runtime::Marks;

/// The collections.
pub(crate) fn rows<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = GcRow> + 'a {
    let gc = &facts.recording.gc;
    (0..gc.start_ns.len()).filter_map(|at| gc.row(at))
}

/// The length of each GC pause in milliseconds, as in the figures.
pub(crate) fn pauses_ms(facts: &Facts<'_>) -> Vec<f64> {
    let longest = real(facts.recording.exhibit.duration_ns.max(facts.observed_ns));
    let pauses = runtime::gc_pauses(facts.recording).into_iter();
    pauses.map(|(_, ns)| ns.clamp(0.0, longest.max(0.0)) / 1e6).collect()
}

/// For how many milliseconds the chosen collections paused the program.
pub(crate) fn paused_ms(facts: &Facts<'_>, wanted: impl Fn(&GcRow) -> bool) -> f64 {
    rows(facts).filter(|row| wanted(row)).filter_map(|row| facts.lasted(row.pause_ns)).sum::<f64>() / 1e6
}

/// For which share of the observed time they paused it.
pub(crate) fn pause_share(facts: &Facts<'_>, wanted: impl Fn(&GcRow) -> bool) -> f64 {
    (paused_ms(facts, wanted) / 1e3 / facts.seconds()).min(1.0)
}

/// Whether the program or the runtime asked for the collection, rather than the GC's own policy.
pub(crate) fn is_induced(facts: &Facts<'_>, row: &GcRow) -> bool {
    facts.text(row.reason).starts_with("Induced")
}

/// Whether the program called for the collection.
///
/// The runtime itself asks for one when many threads have ended, with the reason of a call that is not forced and the stack
/// of an arbitrary thread. Only a method of `System.GC` in the stack shows that the program called.
pub(crate) fn is_called_for(facts: &Facts<'_>, row: &GcRow) -> bool {
    let may_be_runtime = facts.text(row.reason) == "InducedNotForced";
    is_induced(facts, row) && (!may_be_runtime || facts.index.marks(row.stack).has(Marks::COLLECT))
}

/// The bytes that a sampled allocation stands for. Limited, as damage can claim more than memory could hold.
fn weight(row: &model::AllocationRow) -> f64 {
    row.weight_bytes.clamp(0.0, 1e18)
}

/// Where the program allocates, by bytes, from sampled allocations.
pub(crate) fn allocators(facts: &Facts<'_>, wanted: impl Fn(&model::AllocationRow) -> bool) -> Places {
    let mut places = Places::default();
    for row in runtime::counted_allocations(facts.recording).filter(|row| wanted(row)) {
        places.add(facts, row.stack, row.thread, row.ts_ns, weight(&row));
    }
    places
}

/// How many bytes were allocated, from sampled allocations.
pub(crate) fn allocated(facts: &Facts<'_>, wanted: impl Fn(&model::AllocationRow) -> bool) -> f64 {
    let rows = runtime::counted_allocations(facts.recording).filter(|row| wanted(row));
    rows.map(|row| weight(&row)).fold(0.0, |sum, weight| sum + weight)
}

/// The type with the most allocated bytes, and its share of the chosen ones.
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
