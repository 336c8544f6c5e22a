//! What a service did while requests to it were slow: a load run beside the trace that was recorded during it, on one clock.
//!
//! ```text
//! load run ─▶ seconds: which are slow ────────┐
//!                                             ├─▶ overlap, beside what chance alone would make ─▶ sentences
//! trace ─▶ conditions: pauses, starvation … ──┘
//! ```
//!
//! Overlap is said as overlap, never as a cause. The latency of each second is that of the requests that ended in it, so what they met
//! may lie before it: it counts from its start minus its p99. Nothing here prints.

mod conditions;
mod intervals;
mod requests;

use base::number::{count, real};
use conditions::{Condition, POOL_BLOCKED, POOL_QUEUE, POOL_STARVATION, conditions};
use intervals::{Intervals, at_least_by_chance};
use loads::Course;
use model::{Load, Trace};
use report::Finding;
use report::unit::{duration, show};
use requests::{LEAST_SLOW_MS, TIMES_USUAL};
use timeline::Span;

/// Seconds without which nothing can be compared.
const LEAST_SECONDS: usize = 8;
/// The probability of as much overlap by chance, below which it is said. It is divided by the number of conditions that are looked at.
const BY_CHANCE: f64 = 0.01;
/// A condition that more of the seconds have is not compared.
const MOST_OF_SECONDS: f64 = 0.67;
/// The seconds that are listed: the slow ones up to the first number, and others up to the second.
const MOST_MOMENTS: usize = 10;
const LEAST_MOMENTS: usize = 5;
/// Overlaps that are listed of one second.
const MOST_OVERLAPS: usize = 4;
/// What covers less of the time says nothing, unless in one second it lasts for this part of the p99.
const LEAST_SHARE: f64 = 0.01;
const LEAST_OF_LATENCY: f64 = 0.25;
/// Seconds that are examined: of a longer run, the first so many.
const MOST_SECONDS: usize = 100_000;

/// What the service did during a load run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meanwhile {
    /// What overlaps the slow seconds and requests more than chance, or that nothing does.
    pub sentences: Vec<String>,
    /// Whether something overlaps them more than chance.
    pub is_found: bool,
    /// The slowest seconds, slowest first.
    pub moments: Vec<Moment>,
    /// How many seconds are slow: `p99` at least [`Meanwhile::slow_ms`].
    pub slow: usize,
    /// How many seconds of the run were recorded.
    pub seconds: usize,
    /// From which p99 on seconds are slow.
    pub slow_ms: Option<f64>,
    /// How the two were set on one clock, in words.
    pub clock: String,
}

/// A second of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Its latency.
    pub latency: Course,
    /// The time in which its requests were under way.
    pub span: Span,
    /// Whether its p99 is that of a slow second.
    pub is_slow: bool,
    /// Whether all of it was recorded.
    pub is_recorded: bool,
    /// What overlaps it more than the run on average, the most first.
    pub overlaps: Vec<Overlap>,
}

/// What the runtime did within a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// Its id: `gc-pauses`.
    pub id: String,
    /// Its name in a sentence: `GC pauses`.
    pub name: String,
    /// The tab of the trace's pages that shows it.
    pub tab: &'static str,
    /// How many of them.
    pub number: u64,
    /// The longest of them, in milliseconds.
    pub longest_ms: f64,
    /// The share of the time that they cover.
    pub share: f64,
    /// The share of the whole run that they cover.
    pub usual: f64,
}

impl Overlap {
    /// It in a few words.
    pub fn words(&self) -> String {
        let (share, usual) = (show(self.share, "share"), show(self.usual, "share"));
        let Self { id, name, number, longest_ms, .. } = self;
        let each = match id.as_str() {
            // From the first row of a finding to the last, there is one stretch.
            POOL_QUEUE => String::new(),
            of if of.starts_with("finding:") => String::new(),
            POOL_STARVATION | POOL_BLOCKED if *number == 1 => ", 1 thread added".to_owned(),
            POOL_STARVATION | POOL_BLOCKED => format!(", {number} times threads added"),
            _ => format!(", {number}, longest {}", duration(*longest_ms)),
        };
        format!("{name}{each}: {share} of the time (run: {usual})")
    }
}

impl Moment {
    /// What overlaps it, in a few words.
    pub fn words(&self) -> String {
        if !self.is_recorded {
            return "not recorded".to_owned();
        }
        if self.overlaps.is_empty() {
            return "nothing more than in the rest of the run".to_owned();
        }
        self.overlaps.iter().map(Overlap::words).collect::<Vec<_>>().join("; ")
    }
}

/// The whole time of both.
pub fn whole(load: &Load, trace: &Trace) -> Span {
    let to_ns = trace.exhibit.duration_ns.max(load.exhibit.duration_ns).max(0).saturating_add(1);
    Span { from_ns: load.begins_ns().min(0), to_ns }
}

/// Compares a run with the trace that was recorded during it. `findings` are those of the trace. `None` if they are not on one clock.
pub fn meanwhile(load: &Load, trace: &Trace, findings: &[Finding]) -> Option<Meanwhile> {
    let clock = load.run.clock?;
    let conditions = conditions(trace, findings);
    let mut courses = loads::courses(load);
    courses.truncate(MOST_SECONDS);
    let run = recorded_part(load, trace);
    let slow_ms = slow_from(&courses);
    let moments: Vec<Moment> = courses.into_iter().map(|course| moment(course, slow_ms, run)).collect();
    let recorded: Vec<&Moment> = moments.iter().filter(|of| of.is_recorded).collect();
    let slow = recorded.iter().filter(|of| of.is_slow).count();
    let seconds = recorded.len();
    let of_seconds = of_seconds(&recorded, slow_ms, &conditions, run);
    let of_requests = requests::sentences(load, trace, &conditions, run);
    let is_found = of_seconds.is_ok() || !of_requests.is_empty();
    let mut sentences = of_seconds.unwrap_or_else(|nothing| vec![nothing]);
    sentences.extend(of_requests);
    let mut slowest = moments;
    slowest.sort_by(|a, b| slowness(b).total_cmp(&slowness(a)).then(a.span.from_ns.cmp(&b.span.from_ns)));
    let listed = slowest.iter().filter(|of| of.is_slow).count().clamp(LEAST_MOMENTS, MOST_MOMENTS);
    slowest.truncate(listed);
    for moment in slowest.iter_mut().filter(|of| of.is_recorded) {
        moment.overlaps = overlaps(moment.span, slowness(moment), &conditions, run);
    }
    Some(Meanwhile { sentences, is_found, moments: slowest, slow, seconds, slow_ms, clock: in_words(clock) })
}

fn slowness(of: &Moment) -> f64 {
    of.latency.p99_ms.or(of.latency.max_ms).unwrap_or(0.0)
}

/// The part of the run that was recorded.
fn recorded_part(load: &Load, trace: &Trace) -> Span {
    Span { from_ns: load.begins_ns().max(0), to_ns: load.exhibit.duration_ns.min(trace.exhibit.duration_ns) }
}

fn in_words(clock: model::OneClock) -> String {
    match clock.utc_differs_ns {
        Some(utc) => format!(
            "Both count on the monotonic clock of the same machine; UTC agrees to {}.",
            duration(real(utc.saturating_abs().max(1_000)) / 1e6)
        ),
        None => format!("Both are set on one clock by UTC, to {}.", duration(real(clock.error_ns) / 1e6)),
    }
}

/// From which p99 on seconds are slow: some times that of a quick one. `None` with too few seconds.
fn slow_from(courses: &[Course]) -> Option<f64> {
    let mut p99: Vec<f64> = courses.iter().filter_map(|of| of.p99_ms).collect();
    p99.sort_by(f64::total_cmp);
    // A quarter is quicker: in a run of which half is slow, the median would be one of the slow ones.
    let usual = p99.get(p99.len() / 4).filter(|_| p99.len() >= LEAST_SECONDS)?;
    Some((usual * TIMES_USUAL).max(LEAST_SLOW_MS))
}

fn moment(latency: Course, slow_ms: Option<f64>, run: Span) -> Moment {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a latency in nanoseconds; a float that is too large becomes the largest"
    )]
    let before = (latency.p99_ms.unwrap_or(0.0).max(0.0) * 1e6) as i64;
    let from_ns = latency.from_ns.saturating_sub(before).max(run.from_ns);
    Moment {
        latency,
        span: Span { from_ns, to_ns: latency.to_ns },
        is_slow: latency.p99_ms.zip(slow_ms).is_some_and(|(p99, slow)| p99 >= slow),
        // A run ends a little before its last second does.
        is_recorded: latency.from_ns >= run.from_ns && latency.from_ns < run.to_ns,
        overlaps: Vec::new(),
    }
}

fn overlaps(span: Span, latency_ms: f64, conditions: &[Condition], run: Span) -> Vec<Overlap> {
    let mut all: Vec<Overlap> = conditions
        .iter()
        .filter_map(|of| {
            let (number, longest_ms) = of.within(span.from_ns, span.to_ns);
            let share = of.when.share(span.from_ns, span.to_ns);
            let usual = of.when.share(run.from_ns, run.to_ns);
            let Condition { id, name, tab, .. } = of;
            (number > 0).then(|| Overlap {
                id: id.clone(),
                name: name.clone(),
                tab,
                number,
                longest_ms,
                share,
                usual,
            })
        })
        .collect();
    // A short pause is unusual in any second without one, but explains little.
    let is_long = |of: &Overlap| of.share >= LEAST_SHARE || of.longest_ms >= latency_ms * LEAST_OF_LATENCY;
    all.retain(|of| of.share > of.usual && is_long(of));
    all.sort_by(|a, b| (b.share - b.usual).total_cmp(&(a.share - a.usual)));
    all.truncate(MOST_OVERLAPS);
    all
}

/// What overlaps the slow seconds more than chance; as an error, that nothing does.
fn of_seconds(
    recorded: &[&Moment],
    slow_ms: Option<f64>,
    conditions: &[Condition],
    run: Span,
) -> Result<Vec<String>, String> {
    let Some(slow_ms) = slow_ms else {
        return Err(format!(
            "The run has fewer than {LEAST_SECONDS} seconds with responses: too few to compare slow ones with others."
        ));
    };
    let slow = recorded.iter().filter(|of| of.is_slow).count();
    if slow == 0 {
        return Err(format!(
            "No second was slow beside the others: the p99 of each stays below {}, {TIMES_USUAL} times that of a quick one.",
            show(slow_ms, "ms")
        ));
    }
    let mut said: Vec<(f64, String)> = Vec::new();
    for of in conditions {
        let found = together(recorded, &of.when, run);
        if let Some(found) = found.filter(|found| found.by_chance * count(conditions.len()) <= BY_CHANCE) {
            said.push((found.by_chance, in_a_sentence(&found, of)));
        }
    }
    said.sort_by(|a, b| a.0.total_cmp(&b.0));
    if said.is_empty() {
        let names: Vec<&str> = conditions.iter().map(|of| of.name.as_str()).collect();
        let what = if names.is_empty() {
            "nothing was recorded that has a start and an end".to_owned()
        } else {
            format!("the slowest seconds overlap none of these more than by chance: {}", names.join(", "))
        };
        return Err(format!(
            "{} (p99 of {} or more), and {what}.",
            seconds_are_slow(slow, recorded.len()),
            show(slow_ms, "ms")
        ));
    }
    Ok(said.into_iter().map(|(_, sentence)| sentence).collect())
}

fn seconds_are_slow(slow: usize, all: usize) -> String {
    if slow == 1 {
        format!("1 of {all} seconds is slow")
    } else {
        format!("{slow} of {all} seconds are slow")
    }
}

/// How often a condition and the slowest seconds come together.
///
/// The condition covers some seconds more than the whole run. They are compared with as many seconds, the slowest ones, so that
/// nobody has to say which latency is slow.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Together {
    /// The seconds that it covers more than the whole run, and so the slowest that are looked at.
    number: usize,
    /// How many of the slowest it covers more than the whole run.
    met: usize,
    all: usize,
    /// The shortest p99 of the slowest, in milliseconds.
    least_ms: f64,
    /// The share of the slowest seconds' time that it covers, and of the others'.
    shares: [f64; 2],
    /// The probability of at least as many by chance.
    by_chance: f64,
}

fn together(recorded: &[&Moment], when: &Intervals, run: Span) -> Option<Together> {
    let usual = when.share(run.from_ns, run.to_ns);
    let mut by_latency: Vec<(f64, f64)> =
        recorded.iter().map(|of| (slowness(of), when.share(of.span.from_ns, of.span.to_ns))).collect();
    by_latency.sort_by(|a, b| b.0.total_cmp(&a.0));
    let covered = |of: &[(f64, f64)]| of.iter().filter(|(_, share)| *share > usual).count();
    let (number, all) = (covered(&by_latency), by_latency.len());
    // What nearly always is says nothing about any second.
    if count(number) > count(all) * MOST_OF_SECONDS {
        return None;
    }
    let (slowest, others) = by_latency.split_at_checked(number)?;
    let mean = |of: &[(f64, f64)]| of.iter().map(|(_, share)| share).sum::<f64>() / count(of.len().max(1));
    let met = covered(slowest);
    let shares = [mean(slowest), mean(others)];
    // However often it comes, what takes so little of the time makes nothing slow.
    let [of_slowest, _] = shares;
    (of_slowest >= LEAST_SHARE).then_some(Together {
        number,
        met,
        all,
        least_ms: slowest.last()?.0,
        shares,
        by_chance: at_least_by_chance(met, number, number, all),
    })
}

fn in_a_sentence(of: &Together, condition: &Condition) -> String {
    let Together { number, met, all, least_ms, shares: [slowest, others], .. } = *of;
    let expected = count(number) * count(number) / count(all);
    let of_slowest = if met == number {
        format!("The {number} slowest of {all} seconds (p99 of {} or more) all", show(least_ms, "ms"))
    } else {
        format!("{met} of the {number} slowest of {all} seconds (p99 of {} or more)", show(least_ms, "ms"))
    };
    format!(
        "{of_slowest} overlap {} more than the run on average does; by chance, {} would. That is {} of the time of these seconds, and {} of that of \
         the others.",
        condition.name,
        report::unit::short(expected),
        show(slowest, "share"),
        show(others, "share"),
    )
}

#[cfg(test)]
mod tests;
