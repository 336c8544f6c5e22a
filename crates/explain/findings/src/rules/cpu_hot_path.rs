//! One method of the service uses most of the processors.

use crate::facts::{Facts, percent, real_u64, said};
use crate::finding::{Evidence, Measured, Severity};
use crate::places::{Places, named};
use crate::rule::{Found, Need, Rule, Threshold};
use runtime::{Group, Owner};
use rustc_hash::FxHashMap;

const SHARE: Threshold = Threshold {
    name: "share of the busy samples in one method of the service and what it calls",
    value: 0.5,
    unit: "share",
    source: "measured: below 0.4 for handlers of healthy services, above 0.9 for a computation",
};
const BUSY: Threshold = Threshold {
    name: "share of the processors that threads keep busy",
    value: 0.6,
    unit: "share",
    source: "Azure's diagnostics take 70 % of the instance as a potential cause; here the load's own processor time is not in it",
};
/// Of a method's samples, so much must be computing: in the user's code or called from it without I/O or waiting.
const CRITICAL: f64 = 0.85;

pub(super) const RULE: Rule = Rule {
    id: "cpu-hot-path",
    about: "CPU is the limit, and one method of the user's with what it calls uses most of the running samples. A service \
            that is merely busy, its time spread over the framework's work for many requests, is healthy",
    needs: &[Need::Samples],
    thresholds: &[SHARE, BUSY],
    silent: "where processors are free, where the busy time is spread over many methods or over the framework's own work \
             for requests, and where threads are busy only while they hold a lock that others wait for",
    why: "A request that computes holds its worker and a processor until it is done. Once all processors are busy, further \
          work queues, latency grows with the number of clients, and no setting of the pool helps: the work itself is the cost.",
    tries: &[
        "Look at what the method calls most (flame graph, callees): a better algorithm, a cache of its result, less work for each request",
        "Take work out of the request: compute ahead, or in the background",
        "If it cannot be less, spread it: more processors, or a limit on how many run at once so that others still get their share",
    ],
    verify: "Record the same load again: the method's share of running samples falls and requests a second rise.",
    causes: &["threadpool-queue-flood", "busy-thread"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let in_pool = |group: &Group| facts.is_busy(group) && !matches!(facts.text(group.kind), "gate" | "timer" | "finalizer" | "tiering");
    let busy = facts.threads(in_pool);
    // Threads that are ready and wait for a processor count as busy: more of them than processors is saturation.
    let of_cores = (busy / facts.cores).min(1.0);
    let of_machine = facts.cpu.unwrap_or(of_cores);
    let saturation = of_cores.max(of_machine.min(1.0));
    if of_cores < BUSY.value || of_machine < 0.5 {
        return None;
    }
    // With what it calls: the user's frame nearest to the computation counts, and each of its callers.
    let mut inclusive: FxHashMap<u32, f64> = FxHashMap::default();
    let mut total = 0.0;
    let mut own = Places::default();
    for group in facts.groups().iter().filter(|group| in_pool(group)) {
        let samples = real_u64(group.samples);
        total += samples;
        if facts.index.user_frame(group.stack).is_none() {
            continue;
        }
        own.add(facts, group.stack, group.thread, group.first_ns, samples);
        let mut frames: Vec<u32> = facts
            .recording
            .stacks
            .walk(group.stack)
            .filter_map(|node| facts.recording.stacks.frame.get(node as usize).copied())
            .filter(|frame| facts.index.owner(*frame) == Owner::User)
            .collect();
        frames.sort_unstable();
        frames.dedup();
        for frame in frames {
            *inclusive.entry(frame).or_default() += samples;
        }
    }
    let most = inclusive.values().copied().max_by(f64::total_cmp)?;
    let share = most / total.max(1.0);
    if share < SHARE.value {
        return None;
    }
    let places = own.top(facts.recording);
    let name = named(&places)?;
    let frame = places.first()?.frame.clone();
    let title = format!(
        "The processors are the limit ({} busy of {}), and {} of the busy time is in {name} and what it calls",
        said(busy),
        said(facts.cores),
        percent(share)
    );
    let severity = if saturation >= CRITICAL && share >= 0.7 { Severity::Critical } else { Severity::Warning };
    let mut measured = vec![SHARE.measured(share), BUSY.measured(of_cores)];
    if let Some(cpu) = facts.cpu {
        measured.push(Measured { name: "share of the machine in the busiest seconds", value: cpu, unit: "share", threshold: None });
    }
    let evidence = vec![Evidence::samples_under(facts, &frame, "samples.state <> 'waiting'", in_pool)];
    Some(Found { title, severity, score: share * saturation, measured, places, evidence })
}
