//! Evidence: queries over the tables, with the rows that they stand on.

use crate::facts::Facts;
use crate::finding::Evidence;
use runtime::Group;

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Evidence {
    /// Evidence of rows of a table, with the times of those rows.
    pub(crate) fn of(table: &'static str, sql: impl Into<String>, times: impl Iterator<Item = i64>) -> Self {
        let mut evidence = Self { table, sql: sql.into(), rows: 0, first_ts_ns: None, last_ts_ns: None };
        for ts_ns in times {
            evidence.rows += 1;
            evidence.first_ts_ns = Some(evidence.first_ts_ns.map_or(ts_ns, |first| first.min(ts_ns)));
            evidence.last_ts_ns = Some(evidence.last_ts_ns.map_or(ts_ns, |last| last.max(ts_ns)));
        }
        evidence
    }

    /// Evidence of samples: `wanted` chooses them here, `filter` the same in SQL over `samples`, `threads`, `frames` (of
    /// the innermost frame). Summed up by method and state.
    pub(crate) fn samples(facts: &Facts<'_>, filter: &str, wanted: impl Fn(&Group) -> bool) -> Self {
        let sql = format!(
            "select frames.name as innermost, samples.state, samples.waiting_on, count(*) as samples, \
             count(distinct samples.thread) as threads, min(samples.ts_ns) as first_ts_ns, max(samples.ts_ns) as last_ts_ns \
             from samples left join threads on threads.thread = samples.thread \
             left join stacks on stacks.id = samples.stack left join frames on frames.id = stacks.frame \
             where {filter} group by 1, 2, 3 order by 4 desc limit 20"
        );
        let mut evidence = Self { table: "samples", sql, rows: 0, first_ts_ns: None, last_ts_ns: None };
        let groups = facts.sampling.as_ref().map_or([].as_slice(), |sampling| sampling.groups.as_slice());
        for group in groups.iter().filter(|group| wanted(group)) {
            evidence.rows += group.samples;
            let first = evidence.first_ts_ns.map_or(group.first_ns, |first| first.min(group.first_ns));
            let last = evidence.last_ts_ns.map_or(group.last_ns, |last| last.max(group.last_ns));
            (evidence.first_ts_ns, evidence.last_ts_ns) = (Some(first), Some(last));
        }
        evidence
    }

    /// Evidence of samples whose stacks have a frame of these anywhere, summed up by the innermost frame. `under` chooses
    /// them in SQL over `frames`.
    pub(crate) fn samples_under(
        facts: &Facts<'_>,
        under: &str,
        filter: &str,
        wanted: impl Fn(&Group) -> bool,
    ) -> Self {
        let inside = format!(
            "with recursive inside(id) as (select stacks.id from stacks join frames on frames.id = stacks.frame \
             where {under} union select stacks.id from stacks join inside on stacks.parent = inside.id) "
        );
        let filter = format!("({filter}) and samples.stack in (select id from inside)");
        let mut evidence = Self::samples(facts, &filter, wanted);
        evidence.sql.insert_str(0, &inside);
        evidence
    }
}
