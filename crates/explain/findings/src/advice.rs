//! Which advice fits a recording.
//!
//! Two lists decide. [`SETTINGS`] holds for all rules: advice that names a setting is left out if the service already has
//! it. [`ONLY`] says when single pieces of advice are given. What is unknown leaves nothing out.

use crate::facts::Facts;
use crate::hostfacts::MemoryLimits;
use crate::rule::Rule;
use crate::rules::exceptions::{self, Meaning};
use crate::rules::{
    blocking_call_on_pool, busy_thread, gc_pauses, memory_limit, slow_dependency, startup_config,
};
use model::LimitedBy;

/// A condition on a recording.
type Holds = fn(&Facts<'_>) -> bool;

/// Names of settings in advice, and whether the service already has them.
pub(crate) const SETTINGS: &[(&str, Holds)] = &[
    ("DOTNET_gcServer=1", is_server_gc),
    ("<ServerGarbageCollection>true", is_server_gc),
    ("DOTNET_gcServer=0", |facts| facts.recording.session.server_gc == Some(false)),
    ("DOTNET_GCConserveMemory", |facts| has_setting(facts, "GCConserveMemory")),
    ("DOTNET_GCHeapHardLimitPercent=", |facts| MemoryLimits::of(facts).is_heap_set),
    // Advice to raise the limit stays if one is set.
    ("DOTNET_GCHeapHardLimit`", |_| false),
    ("DOTNET_PROCESSOR_COUNT", |facts| has_setting(facts, "PROCESSOR_COUNT")),
    ("DOTNET_GCHeapCount", |facts| has_setting(facts, "GCHeapCount")),
    // Advice to leave these at their defaults always stays.
    ("DOTNET_TieredCompilation`", |_| false),
    ("DOTNET_TieredPGO`", |_| false),
    ("DOTNET_TC_QuickJit`", |_| false),
    ("DOTNET_ReadyToRun`", |_| false),
    ("DOTNET_ThreadPool_ForceMinWorkerThreads", |facts| {
        has_setting(facts, "ThreadPool_ForceMinWorkerThreads")
    }),
];

/// Advice that is only given under a condition.
#[derive(Debug)]
pub(crate) struct Only {
    /// The rule.
    pub(crate) rule: &'static str,
    /// How the advice begins.
    pub(crate) begins: &'static str,
    /// When it is given.
    pub(crate) when: Holds,
}

const fn only(rule: &'static str, begins: &'static str, when: Holds) -> Only {
    Only { rule, begins, when }
}

/// All advice that depends on the recording.
pub(crate) const ONLY: &[Only] = &[
    // Server GC needs more memory: not for a service that is short of it.
    only("gc-pauses", "With several", |facts| {
        !is_server_gc(facts) && facts.cores >= 2.0 && !memory_limit::is_near(facts)
    }),
    only("blocking-call-on-pool", "If the blocked thread", blocking_call_on_pool::is_in_lock),
    // Nothing can be awaited inside a lock: this would not compile there.
    only("blocking-call-on-pool", "Wait without", |facts| {
        blocks_in(facts, &["sleep"]) && !blocking_call_on_pool::is_in_lock(facts)
    }),
    only("blocking-call-on-pool", "Await the input", |facts| {
        blocks_in(facts, &["io"]) && !blocking_call_on_pool::is_in_lock(facts)
    }),
    only("blocking-call-on-pool", "Await the gate", |facts| {
        blocks_in(facts, &["semaphore"]) && !blocking_call_on_pool::is_in_lock(facts)
    }),
    only("blocking-call-on-pool", "Put a `Channel`", |facts| blocks_in(facts, &["queue"])),
    only("blocking-call-on-pool", "Use the asynchronous", |facts| {
        !blocks_in(facts, &["sleep", "io", "semaphore", "queue"]) && !blocking_call_on_pool::is_in_lock(facts)
    }),
    only("blocking-call-on-pool", "Move work that must", |facts| !blocking_call_on_pool::is_in_lock(facts)),
    only("busy-thread", "If the thread polls", busy_thread::polls),
    only("busy-thread", "If it must poll", busy_thread::polls),
    only("busy-thread", "If the loop computes", |facts| !busy_thread::polls(facts)),
    only("slow-dependency", "Look at the database", |facts| calls_slowly(facts, "database")),
    only("slow-dependency", "Look at the called", |facts| calls_slowly(facts, "HTTP")),
    only("exceptions", "If the exception is an expected", |facts| means(facts, Meaning::Expected)),
    only("exceptions", "If a library throws", |facts| means(facts, Meaning::Expected)),
    only("exceptions", "If the other side fails", |facts| means(facts, Meaning::OtherSide)),
    only("exceptions", "If the type shows", |facts| means(facts, Meaning::Mistake)),
    only("exceptions", "If a type, method or file", |facts| means(facts, Meaning::Deployment)),
    only("gc-pauses", "If the pauses are long because", lacks_cpu),
    only("gc-gen2-churn", "If it is the workstation GC", |facts| {
        !is_server_gc(facts) && !memory_limit::is_near(facts)
    }),
    only("heap-growth", "Until it is fixed", |facts| MemoryLimits::of(facts).group.is_none()),
    only("startup-jit", "Check the environment", |facts| {
        let names = ["ReadyToRun", "TieredCompilation", "TC_QuickJit", "TieredPGO"];
        facts.recording.session.environment.is_empty() || names.iter().any(|name| has_setting(facts, name))
    }),
    only("regex-backtracking", "`RegexOptions.NonBacktracking`", |facts| facts.has_runtime(7)),
    only("jit-churn", "`[GeneratedRegex]`", |facts| facts.has_runtime(7)),
    only("startup-config", "Publish with", startup_config::is_debug_build),
    only("startup-config", "Leave `DOTNET_Tiered", startup_config::is_untiered),
    only("startup-config", "`<ServerGarbageCollection>", startup_config::is_workstation_gc),
    only("cpu-limited", "Raise the CPU limit", is_throttled),
    only("cpu-limited", "If the limit is to stay", is_throttled),
    only("cpu-limited", "If the runtime counts more", |facts| is_throttled(facts) && counts_more(facts)),
    only("cpu-limited", "If it runs Server GC", |facts| {
        is_throttled(facts) && counts_more(facts) && facts.recording.session.server_gc != Some(false)
    }),
    only("cpu-limited", "Find out what uses", |facts| !is_throttled(facts)),
    only("memory-limit", "Find what grows", |facts| memory_limit::growth(facts).is_some()),
    only("memory-limit", "If nothing grows, the service needs that much: raise the memory limit", |facts| {
        let limits = MemoryLimits::of(facts);
        memory_limit::growth(facts).is_none()
            && !memory_limit::hides_growth(facts)
            && limits.group.is_some()
            && !limits.is_heap_set
    }),
    only("memory-limit", "If nothing grows, the service needs that much: raise the hard limit", |facts| {
        memory_limit::growth(facts).is_none()
            && !memory_limit::hides_growth(facts)
            && MemoryLimits::of(facts).is_heap_set
    }),
    only("memory-limit", "If memory is full from", memory_limit::hides_growth),
    only("memory-limit", "More memory only", |facts| memory_limit::growth(facts).is_some()),
    only("memory-limit", "The heap may have more", |facts| MemoryLimits::of(facts).group.is_some()),
];

/// The advice of a rule that fits a recording, in order. All of it if none fits: no advice helps nobody.
pub(crate) fn fitting(rule: &Rule, facts: &Facts<'_>) -> Vec<String> {
    let is_so = |text: &str| SETTINGS.iter().any(|(name, is_so)| text.contains(name) && is_so(facts));
    let is_meant = |text: &str| {
        let conditions = ONLY.iter().filter(|of| of.rule == rule.id && text.starts_with(of.begins));
        conditions.into_iter().all(|of| (of.when)(facts))
    };
    let fits = |text: &&&str| !is_so(text) && is_meant(text);
    let fitting: Vec<String> = rule.tries.iter().filter(fits).map(|text| (*text).to_owned()).collect();
    if fitting.is_empty() { rule.tries.iter().map(|text| (*text).to_owned()).collect() } else { fitting }
}

fn is_server_gc(facts: &Facts<'_>) -> bool {
    facts.recording.session.server_gc == Some(true)
}

fn has_setting(facts: &Facts<'_>, name: &str) -> bool {
    facts.recording.session.setting(name).is_some()
}

fn means(facts: &Facts<'_>, meaning: Meaning) -> bool {
    exceptions::meaning(facts) == Some(meaning)
}

/// Whether a notable share of the blocked pool threads waits for one of these.
fn blocks_in(facts: &Facts<'_>, ways: &[&str]) -> bool {
    blocking_call_on_pool::ways(facts).iter().any(|way| ways.contains(way))
}

/// Whether the slowest calls are of this kind, or unknown.
fn calls_slowly(facts: &Facts<'_>, kind: &str) -> bool {
    slow_dependency::slowest(facts).is_none_or(|(slowest, _)| slowest == kind)
}

/// Whether the runtime counts more cores than it may use, or does not say. At its start it takes the limit, rounded up: a
/// limit that was lowered later is too low for its threads.
fn counts_more(facts: &Facts<'_>) -> bool {
    let (counted, allowed) = (facts.recording.runtime_cores(), facts.recording.allowance());
    counted.zip(allowed).is_none_or(|(counted, allowed)| counted > allowed.cores.ceil())
}

fn lacks_cpu(facts: &Facts<'_>) -> bool {
    gc_pauses::want_of_cpu(facts).is_some()
}

fn is_throttled(facts: &Facts<'_>) -> bool {
    let by_quota = facts.recording.allowance().is_some_and(|of| of.by == LimitedBy::Quota);
    by_quota && crate::hostfacts::throttling(facts).is_some_and(|of| of.share > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RULES;
    use crate::testing::*;
    use runtime::StackIndex;

    fn advices(id: &str, scene: Scene) -> Vec<String> {
        let recording = scene.done();
        let index = StackIndex::new(&recording);
        let rule = RULES.iter().find(|rule| rule.id == id).unwrap();
        fitting(rule, &Facts::new(&recording, &index))
    }

    #[test]
    fn every_condition_is_of_an_advice_that_is_there() {
        for of in ONLY {
            let rule = RULES.iter().find(|rule| rule.id == of.rule);
            let found = rule.is_some_and(|rule| rule.tries.iter().any(|text| text.starts_with(of.begins)));
            assert!(found, "{}: no advice begins with {}", of.rule, of.begins);
        }
        let used = |name: &str| RULES.iter().any(|rule| rule.tries.iter().any(|text| text.contains(name)));
        let unused: Vec<_> = SETTINGS.iter().map(|(name, _)| *name).filter(|name| !used(name)).collect();
        assert_eq!(unused, [""; 0]);
    }

    #[test]
    fn every_setting_of_dotnet_that_is_advised_has_a_condition() {
        for rule in RULES {
            for text in rule.tries {
                let parts = text.match_indices("DOTNET_").chain(text.match_indices("<Server"));
                for (at, _) in parts {
                    let known = SETTINGS.iter().any(|(name, _)| text[at..].starts_with(name));
                    assert!(known, "{}: no condition for the setting in: {text}", rule.id);
                }
            }
        }
    }

    #[test]
    fn a_server_collector_is_not_told_to_become_one() {
        let gives = |server_gc, cores| {
            let mut scene = Scene::lasting(10, cores);
            scene.recording.session.server_gc = server_gc;
            advices("gc-pauses", scene).iter().any(|text| text.contains("gcServer=1"))
        };
        assert!(!gives(Some(true), 8));
        assert!(gives(Some(false), 8));
        assert!(!gives(Some(false), 1));
    }

    #[test]
    fn what_is_thrown_decides_what_is_advised() {
        let given = |class: &str| {
            let mut scene = Scene::new();
            scene.throws(0, class, "", &[WORK, CART]);
            let list = advices("exceptions", scene);
            let starts = [
                "If the exception is",
                "If the other side",
                "If the type shows",
                "If a type, method or file",
            ];
            starts.map(|start| list.iter().any(|text| text.starts_with(start)))
        };
        assert_eq!(given("System.FormatException"), [true, false, false, false]);
        assert_eq!(given("Shop.OutOfStockException"), [true, false, false, false]);
        assert_eq!(given("Npgsql.NpgsqlException"), [false, true, false, false]);
        assert_eq!(given("System.Net.Http.HttpRequestException"), [false, true, false, false]);
        assert_eq!(given("System.NullReferenceException"), [false, false, true, false]);
        assert_eq!(given("System.TypeLoadException"), [false, false, false, true]);
        assert_eq!(given("System.IO.FileNotFoundException"), [false, false, false, true]);
    }

    #[test]
    fn what_limits_the_service_is_what_is_advised_to_be_raised() {
        let given = |set: bool| {
            let mut scene = Scene::new();
            scene.host("limit.memory", |_| 3e8);
            scene.host("memory.total", |_| 8e9);
            if set {
                let environment = &mut scene.recording.session.environment;
                environment.insert("DOTNET_GCHeapHardLimit".to_owned(), "C800000".to_owned());
            }
            let list = advices("memory-limit", scene);
            let has = |part: &str| list.iter().any(|text| text.contains(part));
            (has("raise the memory limit"), has("raise the hard limit"))
        };
        assert_eq!(given(false), (true, false));
        assert_eq!(given(true), (false, true));
    }

    #[test]
    fn a_runtime_that_counts_no_more_cores_than_its_limit_is_not_told_to_count_fewer() {
        let given = |counted: f64| {
            let mut scene = Scene::lasting(10, 4);
            scene.host("cores", |_| 4.0);
            scene.host("limit.cpu", |_| 1.5);
            let counts = [("periods", 10.0), ("throttled.periods", 5.0), ("throttled.time", 0.3)];
            for (name, growth) in counts {
                scene.host(name, |second| second * growth);
            }
            scene.counter(0, "dotnet.process.cpu.count", "value", counted, "{}");
            let list = advices("cpu-limited", scene);
            let has = |part: &str| list.iter().any(|text| text.contains(part));
            (has("DOTNET_PROCESSOR_COUNT"), has("Raise the CPU limit"), has("Find out what uses"))
        };
        assert_eq!(given(2.0), (false, true, false));
        assert_eq!(given(4.0), (true, true, false));
    }

    #[test]
    fn a_service_at_its_memory_limit_is_not_told_to_take_more_memory_for_shorter_pauses() {
        let given = |used: f64| {
            let mut scene = Scene::lasting(10, 8);
            scene.recording.session.server_gc = Some(false);
            scene.host("limit.memory", |_| 300e6);
            scene.host("cgroup.memory", |_| used);
            advices("gc-pauses", scene).iter().any(|text| text.contains("gcServer=1"))
        };
        assert!(given(100e6));
        assert!(!given(290e6));
    }

    #[test]
    fn what_pool_threads_block_in_decides_what_is_advised() {
        let given = |waiting_on: &str, innermost: &str| {
            let mut scene = Scene::new();
            scene.workers_wait(8, 0..80, waiting_on, &[WORK, CART, innermost]);
            let list = advices("blocking-call-on-pool", scene);
            let starts =
                ["Wait without", "Await the input", "Await the gate", "Put a", "Use the asynchronous"];
            starts.map(|start| list.iter().any(|text| text.starts_with(start)))
        };
        let sleep = "System.Private.CoreLib!System.Threading.Thread.Sleep";
        assert_eq!(given("sleep", sleep), [true, false, false, false, false]);
        assert_eq!(given("io", sleep), [false, true, false, false, false]);
        assert_eq!(given("barrier", sleep), [false, false, false, false, true]);
    }

    #[test]
    fn a_sleep_inside_a_lock_is_not_advised_to_be_awaited_there() {
        let given = |in_lock: bool| {
            let mut scene = Scene::new();
            let (waits, holds) = (scene.thread("pool"), scene.thread("pool"));
            let sleep = "System.Private.CoreLib!System.Threading.Thread.Sleep";
            scene.waits(holds, 0..90, "sleep", &[WORK, CART, sleep]);
            if in_lock {
                scene.contends(waits, 0, 9_999, Some(holds), &[WORK, CART, WAIT]);
            }
            let list = advices("blocking-call-on-pool", scene);
            ["If the blocked thread", "Wait without"].map(|start| list.iter().any(|of| of.starts_with(start)))
        };
        assert_eq!(given(true), [true, false]);
        assert_eq!(given(false), [false, true]);
    }

    #[test]
    fn a_thread_that_computes_is_not_told_to_wait_for_its_work() {
        let given = |leaf: &str| {
            let mut scene = Scene::new();
            let thread = scene.thread("main");
            scene.runs(thread, 0..62, &["Shop!Program.<Main>$", "Shop!Shop.Prices.Work", leaf]);
            scene.outside(thread, 62..LOOKS, &["Shop!Program.<Main>$", "Shop!Shop.Prices.Work", leaf]);
            let list = advices("busy-thread", scene);
            ["If the thread polls", "If the loop computes"]
                .map(|start| list.iter().any(|of| of.starts_with(start)))
        };
        assert_eq!(given("Shop!Shop.Prices.Sum"), [false, true]);
        assert_eq!(given("System.Private.CoreLib!System.Number.TryParseInt32"), [false, true]);
        assert_eq!(given("System.Private.CoreLib!System.Threading.Thread.PollGC"), [false, true]);
        assert_eq!(given("System.Private.CoreLib!System.Threading.Thread.Yield"), [true, false]);
        let queue = "System.Private.CoreLib!System.Collections.Concurrent.ConcurrentQueue`1.TryDequeue";
        assert_eq!(given(queue), [true, false]);
    }

    #[test]
    fn a_slow_service_is_not_looked_for_in_the_plan_of_a_query() {
        let mut scene = Scene::new();
        scene.meter("http.client.request.duration", 100.0, 200.0, "");
        let list = advices("slow-dependency", scene);
        assert!(list[0].starts_with("Look at the called service"), "{list:?}");
    }

    #[test]
    fn every_rule_keeps_an_advice_whatever_the_header_says() {
        for server_gc in [None, Some(false), Some(true)] {
            for rule in RULES {
                let mut scene = Scene::new();
                scene.recording.session.server_gc = server_gc;
                assert!(!advices(rule.id, scene).is_empty(), "{}", rule.id);
            }
        }
    }
}
