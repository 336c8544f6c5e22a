//! Code that is generated and compiled all the time.

use crate::facts::{Facts, count, percent, real_u64, said, wide};
use crate::need::Need;
use crate::places::in_place;
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{JitRow, Sym};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks};
use rustc_hash::FxHashMap;

const RATE: Threshold = Threshold {
    name: "methods generated at run time and compiled, per second, in the second half of the recording",
    value: 5.0,
    unit: "1/s",
    source: "measured: 0 in healthy services after their first requests, 2,500 with one compiled expression per request",
};
const LASTING: Threshold = Threshold {
    name: "share of the tenths of the recording in which such methods are compiled",
    value: 0.5,
    unit: "share",
    source: "a first use compiles once and is over",
};

const COST: Threshold = Threshold {
    name: "time spent compiling, in shares of one CPU core",
    value: 0.02,
    unit: "share",
    source: "less is not worth a change; measured: 0.3 to 0.9 with one method per request",
};
/// A method that is loaded this often at one tier is generated anew each time.
const AGAIN: u32 = 8;
/// Fewer methods in the second half of a short recording are first uses.
const FEWEST: u64 = 10;

pub(super) const RULE: Rule = Rule {
    id: "jit-churn",
    about: "code is compiled all the time: dynamic methods, expression trees, new Regex objects",
    needs: &[Need::Jit],
    thresholds: &[RATE, LASTING, COST],
    silent: "for tiered compilation (often called methods are compiled again in the background) and for first uses",
    why: "`Expression.Compile`, `DynamicMethod`, `new Regex(…, RegexOptions.Compiled)` and new instances of serializers generate methods \
          that the JIT compiles on the calling thread, with full optimisation, which takes up to several milliseconds. The method is \
          a collectible object with a finalizer. If each request generates one, code is compiled, used once and thrown away.",
    tries: &[
        "Compile once and keep the delegate: a `static readonly` field, or a `ConcurrentDictionary` with one entry per variant",
        "`[GeneratedRegex]` instead of `new Regex(…, Compiled)`; a shared `JsonSerializerOptions` instead of a new one per call",
        "For an expression that is used once: `Compile(preferInterpretation: true)`",
    ],
    verify: "Record the same load again: `jit` has no rows of dynamic methods once the service is warm.",
    places_of: "the samples of running threads that make code",
    view: View {
        shows: "what is compiled again and again",
        lane: "jit",
        tab: "/stacks",
        metric: Some("jit-time"),
    },
    before: &["cpu-hot-path", "finalizer-backlog", "high-allocation-rate", "gc-pauses"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let jit = &facts.recording.jit;
    let all = || (0..jit.ts_ns.len()).filter_map(|at| jit.row(at));
    // Methods of a generated assembly have the same names each time. Instances of generic methods share a name too, which
    // contains `!!`.
    let mut times_loaded: FxHashMap<(Sym, Sym), u32> = FxHashMap::default();
    for row in all() {
        *times_loaded.entry((row.method, row.tier)).or_default() += 1;
    }
    let made_again = |row: &JitRow| {
        let times = times_loaded.get(&(row.method, row.tier));
        times.is_some_and(|times| *times >= AGAIN)
            && !facts.text(row.tier).ends_with("OSR")
            && !facts.text(row.method).contains("!!")
    };
    let rows: Vec<JitRow> =
        all().filter(|row| facts.text(row.method).contains("dynamicClass") || made_again(row)).collect();
    let end = facts.recording.exhibit.duration_ns.max(1);
    let later = wide(rows.iter().filter(|row| row.ts_ns >= end / 2).count());
    let rate = real_u64(later) / (facts.seconds() / 2.0);
    let mut tenths = [false; 10];
    for row in &rows {
        // A time before the start is in the first tenth.
        let tenth = usize::try_from(row.ts_ns.saturating_mul(10) / end).unwrap_or(0).min(9);
        if let Some(place) = tenths.get_mut(tenth) {
            *place = true;
        }
    }
    let lasting = count(tenths.iter().filter(|seen| **seen).count()) / 10.0;
    let of_time = compiling_share(facts, &rows);
    // A warm-up ends, so code must still be compiled in the last fifth of the time.
    let ends = !tenths.iter().skip(8).any(|seen| *seen);
    let few = later < FEWEST || of_time < COST.value;
    if rate < RATE.value || lasting < LASTING.value || ends || few {
        return None;
    }
    let compiling =
        |group: &Group| facts.is_busy(group) && facts.index.marks(group.stack).has(Marks::COMPILE);
    let places = facts.places(compiling).top(facts);
    let of_busy = facts.threads(compiling) / facts.busy().max(0.01);
    let title = format!(
        "{} methods per second are generated at run time and compiled{}: {} of a CPU core goes into compiling",
        said(rate),
        in_place(&places),
        percent(of_time)
    );
    let sql = "select method, tier, count(*) as loads, sum(dur_ns) / 1e6 as compiling_ms, sum(native_bytes) / 1e3 as kb, min(ts_ns) as first_ts_ns, \
               max(ts_ns) as last_ts_ns from jit where method like '%dynamicClass%' or method in \
               (select method from jit where method not like '%!!%' group by method, tier having count(*) >= 8) group by 1, 2 order by 3 desc limit 20";
    let mut evidence = vec![EvidenceRows::of("jit", sql, rows.iter().map(|row| row.ts_ns))];
    if facts.has(Need::Samples) && facts.threads(compiling) > 0.0 {
        let under = "frames.type like 'System.Linq.Expressions.%' or frames.type like 'System.Reflection.Emit.%' \
                     or frames.type like 'System.Text.RegularExpressions.Regex%' or frames.type like 'System.Xml.Serialization.%'";
        evidence.push(queries::samples_under(facts, under, "samples.state <> 'waiting'", compiling));
    }
    let name = "share of the busy samples that make code";
    let mut measured = vec![RATE.measured(rate), LASTING.measured(lasting), COST.measured(of_time)];
    measured.push(Measured { name, value: of_busy, unit: "share", threshold: None });
    Some(Found {
        title,
        severity: if rate >= 200.0 || of_time >= 0.3 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(of_time), Harm::Share(of_busy)],
        sure: Sure::Seen,
        measured,
        places,
        evidence,
    })
}

/// How many CPU cores compile such methods on average: from each method's time, or, if these were not recorded, from the
/// runtime's meter of all compiling.
fn compiling_share(facts: &Facts<'_>, rows: &[JitRow]) -> f64 {
    let known: Vec<f64> = rows.iter().filter_map(|row| facts.lasted(row.dur_ns)).collect();
    if known.len() * 2 >= rows.len() {
        return known.iter().sum::<f64>() / 1e9 / facts.seconds();
    }
    let rates = runtime::metered(facts.recording, "dotnet.jit.compilation.time", "rate");
    rates.iter().map(|of| of.value.max(0.0)).sum::<f64>() / count(rates.len()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const COMPILE: &str = "System.Linq.Expressions!System.Linq.Expressions.Expression`1.Compile";

    /// So many methods of a name compiled in each of these seconds of ten; `{at}` in it is another one each time.
    fn scene(method: &str, seconds: std::ops::Range<i64>, a_second: i64) -> Scene {
        let mut scene = Scene::new();
        let worker = scene.thread("pool");
        scene.runs(worker, 0..LOOKS, &[WORK, CART, COMPILE]);
        for at in seconds.flat_map(|second| (0..a_second).map(move |of| second * 1000 + of * 1000 / a_second))
        {
            scene.compiles(worker, at, 1, &method.replace("{at}", &at.to_string()), "Optimized");
        }
        scene
    }

    const DYNAMIC: &str = "dynamicClass.lambda_method(class Shop.Order)";

    #[test]
    fn methods_that_are_made_all_the_time_are_said_with_who_makes_them() {
        assert_eq!(scene(DYNAMIC, 0..10, 20).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(scene(DYNAMIC, 0..10, 250).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn where_no_method_tells_its_time_the_runtimes_meter_does() {
        let check = |rate, speaks| {
            let mut scene = scene(DYNAMIC, 0..10, 20);
            scene.recording.jit.dur_ns.fill(model::NO_INT);
            (0..10).for_each(|at| scene.counter(at * 1000, "dotnet.jit.compilation.time", "rate", rate, ""));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{rate}");
        };
        check(0.3, true);
        check(0.001, false);
    }

    #[test]
    fn first_uses_and_a_storm_of_tiering_are_over_in_time() {
        let check = |method, seconds: std::ops::Range<i64>, a_second, speaks| {
            let is = scene(method, seconds.clone(), a_second).says(&RULE).is_some();
            assert_eq!(is, speaks, "{method} {seconds:?} {a_second}");
        };
        check(DYNAMIC, 0..4, 300, false);
        check(DYNAMIC, 6..10, 300, false);
        check(DYNAMIC, 5..10, 300, true);
        check(DYNAMIC, 0..10, 4, false);
        check("Shop.Cart.Total{at}(int32)", 0..10, 300, false);
        check("Shop.Generated.Read(int32)", 0..10, 300, true);
    }
}
