//! A memory limit is reached, or close.

use crate::facts::{Facts, bytes, count, known, percent, real, said};
use crate::gcfacts::{allocators, most_allocated, pause_share, rows};
use crate::hostfacts::{MemoryLimits, grown, host_rows, is_for_want_of_memory, is_out_of_memory};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::Marks;

const NEAR: Threshold = Threshold {
    name: "memory in use, share of its limit, max",
    value: 0.9,
    unit: "share",
    source: "the GC itself calls memory high from 90 % of the limit on (`GCHighMemPercent`), and then collects more aggressively",
};
const FOR_ROOM: Threshold = Threshold {
    name: "share of the collections that ran because there was no room",
    value: 0.1,
    unit: "share",
    source: "reasons OutOfSpace and LowMemory; measured: none in services with spare memory. Close to the limit, this or one of the next is enough",
};
const THROWN: Threshold = Threshold {
    name: "OutOfMemoryExceptions",
    value: 1.0,
    unit: "",
    source: "each is a request that failed, or worse",
};
const KILLED: Threshold = Threshold {
    name: "processes of the control group that the kernel killed because memory ran out",
    value: 1.0,
    unit: "",
    source: "`oom_kill` of the control group",
};
/// From this share on, nothing needs to have happened yet.
const AT_LIMIT: f64 = 0.97;
/// With fewer such collections, their share means nothing.
const MIN_FOR_ROOM: usize = 3;
/// The title does not name a type or a place with a smaller share of the allocations.
const MIN_SHARE: f64 = 0.2;
/// Close to its limit, the GC pauses the program for at least this share of the time.
const PAUSED: f64 = 0.1;

pub(super) const RULE: Rule = Rule {
    id: "memory-limit",
    about: "a memory limit (control group, `GCHeapHardLimit`) is reached or close: collections because of it, OutOfMemoryException, an OOM kill",
    needs: &[Need::Gc, Need::Exceptions, Need::Host],
    thresholds: &[NEAR, FOR_ROOM, THROWN, KILLED],
    silent: "if the heap fills its limit now and then but has room after each collection, for file cache, which the kernel \
             drops when it needs the memory, for an array that is larger than any memory (another mistake), and for a \
             thread that cannot start",
    why: "In a container the heap's hard limit is three quarters of the memory limit, unless one is set. The GC commits no \
          more than that. Close to it, each allocation without room triggers a full, compacting collection \
          (reason OutOfSpaceSOH or OutOfSpaceLOH), until even that frees nothing and the allocation throws OutOfMemoryException. The \
          other quarter is for everything else: code, stacks, native libraries, buffers. If everything together exceeds the group's \
          limit, the kernel kills the process, and its log shows nothing.",
    tries: &[
        "Find what grows: `heap-growth` and `native-memory-growth` say whether it is the managed heap; two heap snapshots, minutes apart, show what retains it",
        "If nothing grows, the service needs that much: raise the memory limit of the container",
        "If nothing grows, the service needs that much: raise the hard limit of the heap (`DOTNET_GCHeapHardLimit`, hexadecimal bytes, or `GCHeapHardLimitPercent`)",
        "If memory is full from the start, growth cannot be seen. Find out whether it grows before you raise anything: record right after a restart, under the same load. If it fills up again, it is a leak, which more memory only delays",
        "More memory only delays the end of a leak. Until it is fixed, restart before the limit, at a quiet time",
        "The heap may have more than three quarters of the container's limit, if the process needs little other memory: `DOTNET_GCHeapHardLimitPercent=5A` is 90 %",
        "Let the GC keep the heap smaller, at the cost of longer pauses: `DOTNET_GCConserveMemory=5`",
        "Workstation GC (`DOTNET_gcServer=0`) takes less memory between collections than Server GC",
    ],
    verify: "Record the same load again: `cgroup.memory` and `process.rss` against `limit.memory` in the table `host`, and no collection with an OutOfSpace reason.",
    places_of: "the allocated bytes, or of the failed allocations",
    view: View { shows: "the collections near the limit", lane: "heap", tab: "/gc", metric: None },
    before: &[
        "gc-pauses",
        "exceptions",
        "gc-gen2-churn",
        "loh-churn",
        "pinning",
        "lock-contention",
        "finalizer-backlog",
    ],
    absorbs: &[],
    check,
};

/// Everything that shows that memory is short.
struct Signs {
    limits: MemoryLimits,
    /// The limit that is closest to being reached.
    nearest: Option<Nearest>,
    /// Collections because there was no room, and their share of all.
    for_room: usize,
    share_for_room: f64,
    thrown: Vec<i64>,
    throwers: Places,
    kills: f64,
    /// Whether the process ended while it was recorded.
    died: bool,
}

#[derive(Clone, Copy)]
struct Nearest {
    share: f64,
    used: f64,
    limit: f64,
    of_heap: bool,
}

impl Signs {
    fn of(facts: &Facts<'_>) -> Self {
        let limits = MemoryLimits::of(facts);
        let for_room = rows(facts).filter(|row| is_for_want_of_memory(facts, row)).count();
        let all = rows(facts).count();
        let exceptions = &facts.recording.exceptions;
        let mut throwers = Places::default();
        let mut thrown = Vec::new();
        for row in (0..exceptions.ts_ns.len()).filter_map(|at| exceptions.row(at)) {
            if is_out_of_memory(facts, &row) {
                thrown.push(row.ts_ns);
                throwers.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
            }
        }
        let state = facts.recording.exhibit.state.as_deref();
        Self {
            nearest: nearest(facts, &limits),
            limits,
            for_room,
            share_for_room: count(for_room) / count(all).max(1.0),
            thrown,
            throwers,
            kills: grown(facts, "cgroup.oom_kills").map_or(0.0, |(kills, _)| kills),
            died: state == Some("the subject ended"),
        }
    }

    fn is_near(&self) -> bool {
        self.nearest.is_some_and(|of| of.share >= NEAR.value)
    }

    /// Whether so many collections ran because there was no room that it matters.
    fn lacks_room(&self) -> bool {
        self.for_room >= MIN_FOR_ROOM && self.share_for_room >= FOR_ROOM.value
    }

    /// Whether anything beyond one or two exceptions shows that memory is short.
    fn is_shown(&self, facts: &Facts<'_>) -> bool {
        const MANY: usize = 3;
        self.is_near() || self.for_room > 0 || self.thrown.len() >= MANY || growth(facts).is_some()
    }

    /// How bad it is. `None` if it is not worth reporting.
    fn severity(&self, facts: &Facts<'_>) -> Option<Severity> {
        let near = self.is_near();
        let at_limit = self.nearest.is_some_and(|of| of.share >= AT_LIMIT);
        let paused = pause_share(facts, |_| true) >= PAUSED;
        // If the limit is unknown, the other signs must be strong enough.
        let unknown = self.nearest.is_none();
        let room = self.lacks_room() && (near || unknown && paused);
        match () {
            () if !self.thrown.is_empty() && (near || room || unknown && self.is_shown(facts)) => {
                Some(Severity::Critical)
            }
            () if self.kills >= KILLED.value && (near || self.died) => Some(Severity::Critical),
            () if self.died && near => Some(Severity::Critical),
            () if room && paused => Some(Severity::Critical),
            () if room || !self.thrown.is_empty() || (self.kills >= KILLED.value) => Some(Severity::Warning),
            // Full, and the kernel had to drop file cache or slow the group down.
            () if at_limit && self.is_held_back(facts) => Some(Severity::Warning),
            () if near => Some(Severity::Note),
            () => None,
        }
    }

    fn has_run_out(&self) -> bool {
        self.for_room > 0 || !self.thrown.is_empty() || self.kills > 0.0
    }

    fn harms(&self) -> Vec<Harm> {
        let used = self.nearest.map(|of| Harm::Share(of.share));
        // Each of them failed because there was no memory.
        let failures = count(self.thrown.len()) + self.kills;
        let failures = Harm::Beyond { value: failures, harmless: 0.0 };
        used.into_iter().chain([Harm::Share(self.share_for_room), failures]).collect()
    }

    /// Whether the group reached its limit while it was recorded.
    fn is_held_back(&self, facts: &Facts<'_>) -> bool {
        let met = |name: &str| grown(facts, name).is_some_and(|(times, _)| times >= 1.0);
        met("cgroup.memory.at_max") || self.limits.group_high.is_some() && met("cgroup.memory.above_high")
    }
}

/// Whether memory is at its limit from the start, so that growth could not be seen.
pub(crate) fn hides_growth(facts: &Facts<'_>) -> bool {
    let signs = Signs::of(facts);
    let at_limit = signs.nearest.is_some_and(|of| of.share >= AT_LIMIT);
    let is_held = at_limit || signs.for_room > 0 || !signs.thrown.is_empty() || signs.kills > 0.0;
    signs.is_near() && is_held && growth(facts).is_none()
}

/// Whether the service itself made an allocation, rather than the runtime to throw and describe an exception. When memory
/// runs out, exceptions make many allocations, but they are not what takes the memory.
fn is_of_service(facts: &Facts<'_>, row: &model::AllocationRow) -> bool {
    let class = facts.text(row.class);
    !facts.index.marks(row.stack).has(Marks::EXCEPTION)
        && !class.starts_with("System.Reflection.")
        && !class.starts_with("System.Diagnostics.StackFrame")
        && !class.starts_with("System.Diagnostics.StackTrace")
}

/// Whether a limit is close.
pub(crate) fn is_near(facts: &Facts<'_>) -> bool {
    nearest(facts, &MemoryLimits::of(facts)).is_some_and(|of| of.share >= NEAR.value)
}

/// The limit that is closest to being reached, by the largest use.
fn nearest(facts: &Facts<'_>, limits: &MemoryLimits) -> Option<Nearest> {
    let of = |used: Option<f64>, limit: Option<f64>, of_heap: bool| {
        let (used, limit) = (used?, limit?);
        (limit > 0.0).then_some(Nearest { share: used / limit, used, limit, of_heap })
    };
    let group = [limits.group, limits.group_high].into_iter().flatten().min_by(f64::total_cmp);
    let candidates = [of(in_group(facts), group, false), of(in_heap(facts), limits.heap, true)];
    candidates.into_iter().flatten().max_by(|a, b| a.share.total_cmp(&b.share))
}

/// The largest memory use of the group, without file cache that the kernel can drop.
fn in_group(facts: &Facts<'_>) -> Option<f64> {
    let most =
        |name: &str| facts.recording.of_host(name).into_iter().map(|(_, value)| value).max_by(f64::total_cmp);
    let used = facts.recording.of_host("cgroup.memory");
    let cache = facts.recording.of_host("cgroup.memory.inactive_file");
    if !cache.is_empty() && cache.len() == used.len() {
        let firm = used.iter().zip(&cache).map(|((_, used), (_, cache))| (used - cache).max(0.0));
        return firm.max_by(f64::total_cmp);
    }
    // If the cache is unknown: resident memory, but no more than the group's use.
    match (most("cgroup.memory"), most("process.rss.anon").or_else(|| most("process.rss"))) {
        (Some(group), Some(process)) => Some(group.min(process)),
        (group, process) => group.or(process),
    }
}

/// The largest heap after a collection: what it needs, including what the GC keeps.
fn in_heap(facts: &Facts<'_>) -> Option<f64> {
    let after = rows(facts).filter_map(|row| known(row.heap_after_bytes)).map(real);
    after.max_by(f64::total_cmp)
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let signs = Signs::of(facts);
    let severity = signs.severity(facts)?;
    let places = {
        let allocating = allocators(facts, |row| is_of_service(facts, row));
        if allocating.is_empty() { signs.throwers.top(facts) } else { allocating.top(facts) }
    };
    let mut measured = Vec::new();
    if let Some(near) = signs.nearest {
        measured.push(NEAR.measured(near.share));
        let name = if near.of_heap { "hard limit of the heap" } else { "memory limit of the control group" };
        measured.push(Measured { name, value: near.limit, unit: "B", threshold: None });
    }
    if signs.for_room > 0 {
        measured.push(FOR_ROOM.measured(signs.share_for_room));
    }
    let thrown = count(signs.thrown.len());
    if thrown > 0.0 {
        measured.push(THROWN.measured(thrown));
    }
    if signs.kills > 0.0 {
        measured.push(KILLED.measured(signs.kills));
    }
    Some(Found {
        title: title(facts, &signs, &places),
        severity,
        harms: signs.harms(),
        // Without an event that memory ran out, a full limit only shows that it may.
        sure: if signs.has_run_out() { Sure::Seen } else { Sure::Inferred },
        measured,
        places,
        evidence: evidence(facts, &signs),
    })
}

fn title(facts: &Facts<'_>, signs: &Signs, places: &[report::Place]) -> String {
    let limit = match signs.nearest {
        Some(near) if near.of_heap => {
            let whose = match signs.limits.group {
                Some(group) if !signs.limits.is_heap_set => {
                    format!(" (that of a container with {})", bytes(group))
                }
                _ => String::new(),
            };
            format!(
                "The heap is at {} of its hard limit of {}{whose}",
                percent(near.share.min(1.0)),
                bytes(near.limit)
            )
        }
        Some(near) => format!(
            "Memory use is at {} of the container's limit of {}: {}",
            percent(near.share.min(1.0)),
            bytes(near.limit),
            bytes(near.used)
        ),
        None if signs.is_shown(facts) => {
            "Memory runs out, at a limit that is not in the recording".to_owned()
        }
        None => "An allocation failed, but nothing else shows that memory is short".to_owned(),
    };
    let mut parts = vec![limit];
    if let Some(grew) = growth(facts) {
        parts.push(grew);
    } else if hides_growth(facts) {
        parts.push("it is full from the start of the recording, so growth cannot be seen".to_owned());
    }
    if signs.for_room > 0 {
        parts.push(format!(
            "{} of the collections ran because there was no room",
            percent(signs.share_for_room)
        ));
    }
    match signs.thrown.len() {
        0 => {}
        1 => parts.push("1 OutOfMemoryException".to_owned()),
        many => parts.push(format!("{} OutOfMemoryExceptions", said(count(many)))),
    }
    if signs.kills > 0.0 {
        parts.push("the kernel killed a process of its group".to_owned());
    }
    if signs.died {
        parts.push("then the process ended".to_owned());
    }
    let by_service = most_allocated(facts, |row| is_of_service(facts, row));
    // If nothing allocates a large part, naming something does not help.
    let by_place = places.first().is_some_and(|of| of.share >= MIN_SHARE);
    if let Some((class, _)) = by_service.filter(|(_, share)| by_place && *share >= MIN_SHARE) {
        parts.push(format!("most bytes are allocated{}: {class}", in_place(places)));
    }
    parts.join("; ")
}

/// What grew: the live heap, or other memory.
pub(crate) fn growth(facts: &Facts<'_>) -> Option<String> {
    /// Growth by a smaller share is not worth reporting.
    const NOTABLE: f64 = 0.1;
    let change = |values: &[f64]| -> Option<(f64, f64)> {
        let (first, last) = (*values.first()?, *values.last()?);
        (last - first > NOTABLE * last).then_some((first, last))
    };
    let heap: Vec<f64> = rows(facts).filter_map(|row| known(row.heap_after_bytes)).map(real).collect();
    let resident: Vec<f64> = facts
        .recording
        .of_host("process.rss")
        .into_iter()
        .map(|(_, value)| value)
        .filter(|of| *of > 0.0)
        .collect();
    let said = |what: &str, (first, last): (f64, f64)| {
        format!("{what} grew from {} to {}", bytes(first), bytes(last))
    };
    change(&heap)
        .map(|of| said("the live heap", of))
        .or_else(|| change(&resident).map(|of| said("resident memory, but not the live heap,", of)))
}

fn evidence(facts: &Facts<'_>, signs: &Signs) -> Vec<EvidenceRows> {
    let mut evidence = Vec::new();
    if rows(facts).next().is_some() {
        let sql = "select number, generation, reason, start_ns, pause_ns / 1e6 as pause_ms, heap_after_bytes / 1e6 as heap_after_mb, \
                   gen2_bytes / 1e6 as gen2_mb, loh_bytes / 1e6 as loh_mb from gc order by start_ns limit 500";
        evidence.push(EvidenceRows::of("gc", sql, rows(facts).map(|row| row.start_ns)));
    }
    let names = ["limit.memory", "cgroup.memory", "process.rss", "cgroup.oom_kills"];
    evidence.push(host_rows(facts, &names));
    if !signs.thrown.is_empty() {
        let sql = "select ts_ns, message, frames.name as innermost from exceptions left join stacks on stacks.id = exceptions.stack \
                   left join frames on frames.id = stacks.frame where exceptions.type = 'System.OutOfMemoryException' order by ts_ns limit 100";
        evidence.push(EvidenceRows::of("exceptions", sql, signs.thrown.iter().copied()));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use model::GcSettings;

    const LIMIT: u64 = 240_000_000;

    /// Collections for a reason, whose heap afterwards is such a share of its hard limit.
    #[expect(clippy::cast_possible_truncation, reason = "a small number of bytes")]
    fn scene(reason: &str, share: f64) -> Scene {
        let mut scene = Scene::new();
        scene.recording.session.gc_settings =
            Some(GcSettings { hard_limit_bytes: Some(LIMIT), is_limit_set: false });
        scene.host("limit.memory", |_| 320e6);
        scene.host("memory.total", |_| 8e9);
        scene.host("process.rss", |_| 250e6 * share);
        scene.host("cgroup.memory", |_| 250e6 * share);
        let after = (base::number::real_u64(LIMIT) * share) as i64;
        for at in 0..20 {
            scene.gc(at * 400, reason, |row| (row.heap_after_bytes, row.pause_ns) = (after, 60_000_000));
        }
        scene.allocates(0, "Small", 1e6);
        scene
    }

    #[test]
    fn a_heap_at_its_hard_limit_that_collects_for_room_is_told_with_who_allocates() {
        assert_eq!(scene("OutOfSpaceSOH", 0.98).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn a_service_with_room_below_its_limit_says_nothing_and_one_that_is_near_a_note() {
        assert_eq!(scene("AllocSmall", 0.5).says(&RULE), None);
        assert_eq!(scene("OutOfSpaceSOH", 0.5).says(&RULE), None);
        assert_eq!(scene("AllocSmall", 0.93).says(&RULE), says(Severity::Note, CART));
    }

    #[test]
    fn a_heap_that_is_full_from_the_start_is_not_said_to_need_that_much() {
        let given = |reason: &str, share: f64| {
            let recording = scene(reason, share).done();
            let index = runtime::StackIndex::new(&recording);
            let facts = Facts::new(&recording, &index);
            let advice = crate::advice::fitting(&RULE, &facts);
            let has = |start: &str| advice.iter().any(|text| text.starts_with(start));
            let is_said = check(&facts).is_some_and(|of| of.title.contains("growth cannot be seen"));
            (is_said, has("If nothing grows"), has("If memory is full"))
        };
        assert_eq!(given("OutOfSpaceSOH", 0.98), (true, false, true));
        // With room left, growth would show.
        assert_eq!(given("AllocSmall", 0.93), (false, true, false));
    }

    #[test]
    fn what_exceptions_allocate_is_not_what_fills_the_memory() {
        let mut scene = scene("OutOfSpaceSOH", 0.98);
        for at in 0..8 {
            scene.allocates(at, "Small", 1e6);
        }
        let class = scene.recording.text("System.Reflection.RuntimeMethodInfo");
        scene.recording.allocations.class.iter_mut().skip(1).for_each(|of| *of = class);
        let title = scene.title(&RULE);
        assert!(title.contains("System.Byte[]") && !title.contains("Reflection"), "{title}");
    }

    #[test]
    fn memory_that_ran_out_is_told_whatever_the_limit() {
        let thrown = |times: i64, message: &str, stack: &[&str]| {
            let mut scene = Scene::new();
            (0..times).for_each(|at| scene.throws(at, "System.OutOfMemoryException", message, stack));
            scene.says(&RULE)
        };
        assert_eq!(thrown(3, "", &[WORK, CART]), says(Severity::Critical, CART));
        assert_eq!(thrown(1, "", &[WORK, CART]), says(Severity::Warning, CART));
        assert_eq!(thrown(9, "Array dimensions exceeded supported range.", &[WORK, CART]), None);
        let start = "System.Private.CoreLib!System.Threading.Thread.StartCore";
        assert_eq!(thrown(9, "", &[WORK, CART, start]), None);
    }

    #[test]
    fn a_process_that_the_kernel_kills_at_its_limit_is_told() {
        let mut scene = Scene::new();
        scene.recording.exhibit.state = Some("the subject ended".to_owned());
        scene.host("limit.memory", |_| 300e6);
        scene.host("cgroup.memory", |second| 200e6 + second * 10e6);
        scene.host("cgroup.memory.inactive_file", |_| 1e6);
        scene.host("cgroup.oom_kills", |second| if second > 8.0 { 1.0 } else { 0.0 });
        assert_eq!(scene.says(&RULE), says(Severity::Critical, ""));
    }

    #[test]
    fn file_cache_that_fills_the_container_is_not_memory_in_use() {
        let mut scene = Scene::new();
        scene.host("limit.memory", |_| 300e6);
        scene.host("cgroup.memory", |_| 299e6);
        scene.host("cgroup.memory.inactive_file", |_| 150e6);
        scene.host("cgroup.memory.at_max", |second| second * 50.0);
        assert_eq!(scene.says(&RULE), None);
    }
}
