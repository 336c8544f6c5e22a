//! Queries for the samples that show a finding, as its evidence.

use crate::facts::Facts;
use report::{EvidenceRows, SampleGroup};
use runtime::Group;

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A query for samples by innermost method and state. `wanted` selects them here, and `filter` the same ones in SQL, over
/// `samples`, `threads` and `frames` (the innermost frame).
pub(crate) fn samples(facts: &Facts<'_>, filter: &str, wanted: impl Fn(&Group) -> bool) -> EvidenceRows {
    let sql = format!(
        "select frames.name as innermost, samples.state, samples.waiting_on, count(*) as samples, \
         count(distinct samples.thread) as threads, min(samples.ts_ns) as first_ts_ns, max(samples.ts_ns) as last_ts_ns \
         from samples left join threads on threads.thread = samples.thread \
         left join stacks on stacks.id = samples.stack left join frames on frames.id = stacks.frame \
         where {filter} group by 1, 2, 3 order by 4 desc limit 20"
    );
    let mut evidence = EvidenceRows::of("samples", sql, std::iter::empty());
    let groups = facts.sampling.as_ref().map_or([].as_slice(), |sampling| sampling.groups.as_slice());
    for group in groups.iter().filter(|group| wanted(group)) {
        facts.use_group(group);
        evidence.rows += group.samples;
        let first = evidence.first_ts_ns.map_or(group.first_ns, |first| first.min(group.first_ns));
        let last = evidence.last_ts_ns.map_or(group.last_ns, |last| last.max(group.last_ns));
        (evidence.first_ts_ns, evidence.last_ts_ns) = (Some(first), Some(last));
        evidence.samples.push(SampleGroup {
            thread: group.thread.index(),
            stack: group.stack.map(model::Id::index),
            state: group.state.name(),
        });
    }
    evidence
}

/// The same for samples with certain frames anywhere in their stacks. `under` selects these frames in SQL over `frames`.
pub(crate) fn samples_under(
    facts: &Facts<'_>,
    under: &str,
    filter: &str,
    wanted: impl Fn(&Group) -> bool,
) -> EvidenceRows {
    let inside = format!(
        "with recursive inside(id) as (select stacks.id from stacks join frames on frames.id = stacks.frame \
         where {under} union select stacks.id from stacks join inside on stacks.parent = inside.id) "
    );
    let filter = format!("({filter}) and samples.stack in (select id from inside)");
    let mut evidence = samples(facts, &filter, wanted);
    evidence.sql.insert_str(0, &inside);
    evidence
}
