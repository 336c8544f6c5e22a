//! Compiling, by tier, and by whether a thread waited for the code or compiled it in the background.

use crate::figure::{NOT_RECORDED, known, millis};
use crate::sampling::thread_kinds;
use base::number::{count, real};
use model::{Sym, Trace};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Compiled methods, and what compiling them took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Compiled {
    /// How many methods.
    pub methods: f64,
    /// Milliseconds, over all threads.
    pub ms: f64,
    /// Bytes of their intermediate language.
    pub il_bytes: f64,
    /// Bytes of their machine code.
    pub native_bytes: f64,
}

impl Compiled {
    fn add(&mut self, ns: i64, il_bytes: i64, native_bytes: i64) {
        self.methods += 1.0;
        self.ms += millis(real(ns));
        self.il_bytes += known(il_bytes).map_or(0.0, real);
        self.native_bytes += known(native_bytes).map_or(0.0, real);
    }
}

/// All compiling of a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compilation {
    /// All methods whose compiling has a recorded beginning.
    pub all: Compiled,
    /// Better code for hot methods, compiled in the background.
    pub background: Compiled,
    /// Compiled on a thread that needed the code at once.
    pub foreground: Compiled,
    /// By tier, in the order of their names.
    pub tiers: Vec<(String, Compiled)>,
    /// Methods made at run time, which are in no assembly: expression trees, regular expressions, emitted code.
    pub dynamic: Compiled,
    /// Methods that were compiled more than once.
    pub again: f64,
    /// Methods loaded without compiling: their code was compiled before, or the beginning was not recorded.
    pub loaded_only: f64,
}

/// Sums up the compiling of a recording.
pub fn compilation(recording: &Trace) -> Compilation {
    let kinds = thread_kinds(recording);
    let mut sum = Compilation::default();
    let mut tiers: BTreeMap<Sym, Compiled> = BTreeMap::new();
    let mut times: FxHashMap<Sym, u32> = FxHashMap::default();
    for row in (0..recording.jit.ts_ns.len()).filter_map(|at| recording.jit.row(at)) {
        let Some(ns) = known(row.dur_ns) else {
            sum.loaded_only += 1.0;
            continue;
        };
        let kind = kinds.get(row.thread).map_or("", |kind| recording.strings.text(*kind));
        let is_dynamic = recording.strings.text(row.method).contains("dynamicClass");
        // Up to .NET 5, thread-pool threads compile tier 1. No thread ever waits for it.
        let is_background = kind == "tiering" || tier_waits_for_nobody(recording.strings.text(row.tier));
        let side = if is_background { &mut sum.background } else { &mut sum.foreground };
        let tier = tiers.entry(row.tier).or_default();
        let dynamic = is_dynamic.then_some(&mut sum.dynamic);
        for of in [Some(&mut sum.all), Some(side), Some(tier), dynamic].into_iter().flatten() {
            of.add(ns, row.il_bytes, row.native_bytes);
        }
        if !is_dynamic && row.method != Sym::NONE {
            *times.entry(row.method).or_default() += 1;
        }
    }
    sum.again = count(times.values().filter(|times| **times > 1).count());
    let named = tiers
        .into_iter()
        .map(|(tier, of)| (recording.strings.get(tier).unwrap_or(NOT_RECORDED).to_owned(), of));
    sum.tiers = named.collect();
    sum.tiers.sort_by(|a, b| a.0.cmp(&b.0));
    sum
}

/// Milliseconds that threads waited for compiling: of methods that were ready before a time, and of those after it.
pub fn waited_for_compiling(recording: &Trace, at_ns: i64) -> (f64, f64) {
    let kinds = thread_kinds(recording);
    let (mut before, mut after) = (0.0, 0.0);
    for row in (0..recording.jit.ts_ns.len()).filter_map(|at| recording.jit.row(at)) {
        let Some(ns) = known(row.dur_ns) else { continue };
        let kind = kinds.get(row.thread).map_or("", |kind| recording.strings.text(*kind));
        if kind == "tiering" || tier_waits_for_nobody(recording.strings.text(row.tier)) {
            continue;
        }
        *if row.ts_ns < at_ns { &mut before } else { &mut after } += real(ns) / 1e6;
    }
    (before, after)
}

fn tier_waits_for_nobody(tier: &str) -> bool {
    matches!(tier, "OptimizedTier1" | "OptimizedTier1Instrumented")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::{JitRow, NO_INT, ThreadRow};

    #[test]
    fn what_is_compiled_for_later_is_told_from_what_a_thread_waits_for() {
        let mut recording = recording(1);
        recording.thread_ids = vec![7, 8].into();
        for (thread, kind) in [(7, "tiering"), (8, "pool")] {
            let kind = recording.text(kind);
            recording.threads.push(ThreadRow { thread, kind, ..ThreadRow::blank() });
        }
        for (thread, method, tier, ms) in [
            (1, "Shop!Price()", "QuickJitted", 1),
            (0, "Shop!Price()", "OptimizedTier1", 4),
            (1, "Shop!Sum()", "OptimizedTier1", 5),
            (1, "Anonymous!dynamicClass.lambda_method1()", "Optimized", 2),
        ] {
            let [method, tier] = recording.texts([method, tier]);
            let (thread, dur_ns) = (thread.into(), ms * 1_000_000);
            recording.jit.push(JitRow { thread, dur_ns, method, il_bytes: 10, tier, ..JitRow::blank() });
        }
        let loaded = JitRow { dur_ns: NO_INT, ..recording.jit.row(0).unwrap() };
        recording.jit.push(loaded);
        let sum = compilation(&recording);
        assert_eq!((sum.background.ms, sum.foreground.ms, sum.all.methods), (9.0, 3.0, 4.0));
        assert_eq!((sum.dynamic.methods, sum.again, sum.loaded_only), (1.0, 1.0, 1.0));
        let tiers: Vec<_> = sum.tiers.iter().map(|(tier, _)| tier.as_str()).collect();
        assert_eq!(tiers, ["Optimized", "OptimizedTier1", "QuickJitted"]);
    }
}
