//! The JIT compiler: tiers, who compiles, instrumentation, precompiled code, dynamic methods.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, is_one, ms, number, only, plain, share, was, when};
use runtime::{Compilation, Compiled, written_name};

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Jit);
    let part = facts.part("jit");
    let of = runtime::compilation(facts.recording);
    let any = of.all.methods > 0.0;
    let seen = |value: f64| any.then_some(value);
    topic.figures_of(part, &["count", "time.total", "native"]);
    topic.figure(
        "time.background",
        seen(of.background.ms),
        "ms",
        "Compiling hot methods again, in the background",
    );
    topic.figure(
        "time.foreground",
        seen(of.foreground.ms),
        "ms",
        "Compiling while a thread waited for the code",
    );
    topic.figure("methods.foreground", seen(of.foreground.methods), "", "Methods that a thread waited for");
    topic.figure("again", seen(of.again), "", "Methods compiled more than once");
    topic.figure(
        "dynamic",
        seen(of.dynamic.methods),
        "",
        "Methods generated at run time: expressions, regular expressions, emitted code",
    );
    topic.figure("il", seen(of.all.il_bytes), "B", "Intermediate language compiled");
    topic.course_of(part, "methods");
    topic.list_of(part, "tiers", 8);
    topic.list_of(part, "methods", 5);
    why(&mut topic, facts, &of);
    tiers(&mut topic, facts, &of);
    threads(&mut topic, facts, &of);
    pgo(&mut topic, facts, &of);
    osr(&mut topic, &of);
    ready(&mut topic, facts, &of);
    inlining(&mut topic, &of);
    dynamic(&mut topic, facts, &of);
    topic.missing_of(part);
    topic.lacks(
        facts.value("jit", "count").is_some() && !any,
        "when compiling began, and so how long it took: needs the keyword Jit at level 5, as in the profile cpu",
    );
    topic
}

fn tier<'a>(of: &'a Compilation, name: &str) -> Option<&'a Compiled> {
    of.tiers.iter().find(|(tier, _)| tier == name).map(|(_, of)| of)
}

fn methods(of: &Compiled) -> String {
    counted(of.methods, "method", "methods")
}

fn why(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    let all = only(of.all.methods > 0.0, || {
        format!(
            "{} there {} {}, from {} of intermediate language to {} of machine code, which took {} on all threads together.",
            facts.in_time(),
            was(of.all.methods),
            counted(of.all.methods, "compilation", "compilations"),
            bytes(of.all.il_bytes),
            bytes(of.all.native_bytes),
            ms(of.all.ms)
        )
    });
    let rate = match facts.seconds {
        Some(seconds) if of.all.ms > 0.0 && seconds > 0.0 => {
            format!(
                "That is no more than {} of one CPU core: it is measured from start to end, and a thread may be paused or wait for a core meanwhile.",
                share(of.all.ms / 1e3 / seconds)
            )
        }
        _ => String::new(),
    };
    topic.say(
        "compiling",
        &[
            plain(
                "An assembly contains intermediate language. A method is compiled to machine code when it is first called, and hot methods are compiled \
                 to better code later. The calling thread waits until the code is ready.",
            ),
            all,
            rate,
            only(of.again > 0.0, || {
                format!(
                    "{} {} compiled more than once: that is how tiered compilation works, not waste.",
                    counted(of.again, "method", "methods"),
                    was(of.again)
                )
            }),
        ],
    );
}

fn tiers(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    let line = |name: &str, what: &str| {
        tier(of, name).map_or_else(String::new, |of| {
            format!(
                "{name}, {what}: {} in {}, {} each.",
                methods(of),
                ms(of.ms),
                ms(of.ms / of.methods.max(1.0))
            )
        })
    };
    topic.say(
        "tiers",
        &[
            plain(
                "Tier 0 (quick JIT) compiles fast and does not optimise: for code that may run once, a fast start matters more than speed. \
                 A method called 30 times is put on a list. When no new tier 0 code was needed for 100 ms, a background thread compiles \
                 the list again with all optimisations (tier 1). So a service gets faster during its first minute, after each \
                 start.",
            ),
            line("QuickJitted", "tier 0"),
            line("OptimizedTier1", "tier 1"),
            line("Optimized", "optimised at once, for code that cannot be tiered"),
            line("MinOptJitted", "without optimisation, for Debug builds and huge methods"),
            only(of.tiers.is_empty() && facts.value("jit", "count").is_none(), || {
                plain("The recording does not show the tiers of this service's methods.")
            }),
        ],
    );
}

fn threads(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    let sides = only(of.all.methods > 0.0, || {
        format!(
            "Here {} {} compiled in the background, in {}, and {} by threads that needed the code at once, in {}.",
            methods(&of.background),
            was(of.background.methods),
            ms(of.background.ms),
            methods(&of.foreground),
            ms(of.foreground.ms)
        )
    });
    let longest = facts.rows("jit", "methods", 0);
    let longest = longest.first().filter(|(_, ms)| *ms > 0.0);
    topic.say(
        "who waits",
        &[
            plain(
                "There are two kinds of compiling. In the foreground a thread, often in the middle of a request, waits until its method is \
                 ready: that is latency. In the background the tiering thread replaces code that already works: that only costs CPU time, but \
                 on a small machine the requests need it.",
            ),
            sides,
            longest.map_or_else(String::new, |(name, took)| {
                format!("The method that took the longest, in all its tiers, was {} with {}.", written_name(name), ms(*took))
            }),
        ],
    );
}

fn pgo(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    let (quick, tier1) = (tier(of, "QuickJittedInstrumented"), tier(of, "OptimizedTier1Instrumented"));
    let seen = match (quick, tier1) {
        (None, None) if facts.since(8) != Some(false) => {
            only(of.all.methods > 0.0, || plain("Here none was."))
        }
        (None, None) => only(of.all.methods > 0.0, || {
            plain("This runtime is older: dynamic PGO is on by default from .NET 8.")
        }),
        (quick, tier1) => {
            let count = |of: Option<&Compiled>| of.map_or(0.0, |of| of.methods);
            let total = count(quick) + count(tier1);
            format!(
                "Here {} {} compiled with such counters: {} from tier 0, and {} hot precompiled ones.",
                counted(total, "method", "methods"),
                was(total),
                number(count(quick)),
                number(count(tier1))
            )
        }
    };
    topic.say(
        "pgo",
        &[
            plain(
                "Since .NET 8 a hot method is first compiled with counters in it (dynamic PGO): which branches are taken, which types arrive at a \
                 virtual call. Tier 1 then optimises the common path, assumes the common type and inlines its method behind a check \
                 (guarded devirtualisation). That is why many methods are compiled three times.",
            ),
            seen,
        ],
    );
}

fn osr(topic: &mut Topic, of: &Compilation) {
    let seen = tier(of, "OptimizedTier1OSR").map_or_else(String::new, |of| {
        format!("Here {} {} replaced in this way, in {}.", methods(of), was(of.methods), ms(of.ms))
    });
    let none = only(of.all.methods > 0.0 && seen.is_empty(), || plain("Here no method needed it."));
    topic.say(
        "osr",
        &[
            plain(
                "A method that is called once and loops for long would stay in tier 0 forever, as only calls are counted. On-stack replacement \
                 (.NET 7 and later) counts loop iterations instead and switches the running call to optimised code in the middle of the loop.",
            ),
            seen,
            none,
        ],
    );
}

fn ready(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    // If no start of compiling was recorded, code without one means nothing.
    let loaded = only(of.loaded_only > 0.0 && of.all.methods > 0.0, || {
        format!(
            "{} here {} loaded without compiling: precompiled code, or {} before the recording.",
            counted(of.loaded_only, "method", "methods"),
            was(of.loaded_only),
            if is_one(of.loaded_only) { "its compiling began" } else { "their compiling began" }
        )
    });
    let start = facts.part("jit").and_then(|part| part.course("methods")).and_then(|course| {
        let half = course.values.len() / 2;
        let sum = |values: &[Option<f64>]| values.iter().flatten().sum::<f64>();
        let all = sum(&course.values);
        (all > 0.0).then(|| sum(course.values.get(..half).unwrap_or_default()) / all)
    });
    topic.say(
        "precompiled",
        &[
            plain(
                "ReadyToRun assemblies, such as the framework's, contain machine code from the build. It can run at once, is somewhat slower than tier 1, as it \
                 cannot inline methods of other assemblies, and is replaced like tier 0 when it is hot. Publishing the service itself with \
                 PublishReadyToRun moves most of the foreground compiling to the build.",
            ),
            loaded,
            when(start, |of| format!("{} of the methods were compiled in the first half of the recording.", share(of))),
        ],
    );
}

fn inlining(topic: &mut Topic, of: &Compilation) {
    let growth = only(of.all.il_bytes > 0.0, || {
        format!(
            "Here a byte of intermediate language became {} bytes of machine code, including inlined methods.",
            number(of.all.native_bytes / of.all.il_bytes)
        )
    });
    topic.say(
        "inlining",
        &[
            plain(
                "Tier 1 copies small methods into their callers, which saves the call and makes constants and types known. An inlined method has no \
                 frame: its samples belong to the caller. Methods marked NoInlining, methods with complex exception handling, and virtual calls \
                 of unknown types are not inlined.",
            ),
            growth,
        ],
    );
}

fn dynamic(topic: &mut Topic, facts: &TopicFacts<'_>, of: &Compilation) {
    let seen = only(of.dynamic.methods > 0.0, || {
        let pace = when(facts.seconds.filter(|seconds| *seconds > 0.0), |seconds| {
            format!(", {} per second", number(of.dynamic.methods / seconds))
        });
        format!(
            "Here {} {} generated{pace}, in {}.",
            methods(&of.dynamic),
            was(of.dynamic.methods),
            ms(of.dynamic.ms)
        )
    });
    let none = only(of.all.methods > 0.0 && of.dynamic.methods <= 0.0, || plain("Here none were compiled."));
    topic.say(
        "dynamic",
        &[
            plain(
                "Code can be generated while the program runs: compiled expression trees, compiled regular expressions, serialisers, proxies, the \
                 handlers of minimal APIs. Such methods have no name in any assembly (dynamicClass in stacks), are optimised at once, \
                 and are thrown away with their delegate. Generated once and kept, they are cheap; generated for each call, they never pay off.",
            ),
            seen,
            none,
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{JitRow, Trace};

    #[test]
    fn compiling_without_times_is_not_told_as_compiling_in_no_time() {
        let mut recording = Trace::default();
        let [method, tier] = recording.texts(["Shop!Price()", "Optimized"]);
        recording.jit.push(JitRow { method, il_bytes: 10, native_bytes: 30, tier, ..JitRow::blank() });
        let topic = crate::facts::topic_of(&recording, topic);
        assert!(topic.figures.iter().all(|of| of.unit != "ms"), "{:?}", topic.figures);
        let tiers = topic.lists.iter().find(|list| list.name == "tiers").unwrap();
        assert_eq!(tiers.rows[0].values, [Some(1.0), None]);
        let text = topic.text();
        assert!(!text.contains(" 0 ms") && !text.contains("loaded without compiling"), "{text}");
        assert!(topic.missing.iter().any(|text| text.contains("level 5")), "{:?}", topic.missing);
    }
}
