//! CPU: how much was used, what the sampler sees and what it misses, states of threads, saturation.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{counted, is_one, listed, ms, number, only, plain, share, was, when};
use model::{LimitedBy, Sampler};
use report::Series;
use runtime::{Occupancy, written_name};

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Cpu);
    let part = facts.part("cpu");
    let shares = runtime::cpu_shares(facts.recording);
    let mean = mean(&shares);
    let modes = runtime::cpu_modes(facts.recording);
    let all = facts.sampling.as_ref().map(|of| sum(&runtime::occupancy(facts.recording, of)));
    // A CPU sampler does not see threads that are on no CPU.
    let of_cpus = facts.recording.session.sampler != Sampler::Threads;
    let ran = if of_cpus {
        "Threads that a CPU ran, on average"
    } else {
        "Threads that ran managed code, on average"
    };
    topic.figure("share", mean, "share", "CPU used on average, of what the process may use");
    topic.figure(
        "share.busy",
        runtime::busy_cpu_share(facts.recording),
        "share",
        "CPU used, upper quartile of the seconds",
    );
    topic.figure("processors", facts.cores, "", "CPU cores that the process may use");
    let throttled = runtime::throttled(facts.recording);
    topic.figure(
        "throttled.share",
        throttled.map(|of| of.share),
        "share",
        "Periods in which the CPU limit stopped the process",
    );
    topic.figure(
        "throttled.time",
        throttled.map(|of| of.stopped_ms),
        "ms",
        "Time that the CPU limit stopped it, over all cores",
    );
    topic.figure("user", modes.map(|(user, _)| user), "", "CPU cores in user mode, on average");
    topic.figure("system", modes.map(|(_, system)| system), "", "CPU cores in the kernel, on average");
    topic.figure("threads.running", all.map(|of| of.running), "", ran);
    let known = all.filter(|_| !of_cpus);
    topic.figure("threads.waiting", known.map(|of| of.waiting), "", "Threads that waited, on average");
    topic.figure("threads.external", known.map(|of| of.external), "", "Threads in native code, on average");
    topic.figure("looks", looks(facts).filter(|_| !of_cpus), "1/s", "Samples per second");
    topic.figure("sampler.share", sampler_share(facts), "share", "Time that the sampler paused the program");
    topic.series.extend(course(facts, &shares));
    topic.course_of(part, "running");
    topic.list_of(part, "methods", 8);
    topic.list_of(part, "user_code", 5);
    topic.list_of(part, "waiting_on", 6);
    used(&mut topic, facts, mean);
    if of_cpus {
        sampler_of_cpus(&mut topic, facts, all);
    } else {
        sampler(&mut topic, facts);
        states(&mut topic, facts, all);
    }
    methods(&mut topic, facts);
    if !of_cpus {
        bias(&mut topic);
    }
    saturation(&mut topic, facts);
    who(&mut topic, facts);
    waits(&mut topic, facts);
    topic.missing_of(part);
    topic.lacks(shares.is_empty(), "how much CPU was used: the recording has no counter of it (needs System.Runtime, as in the profile default)");
    topic.lacks(
        modes.is_none(),
        "time in user mode and in the kernel: needs .NET 9 and the meter System.Runtime, as in the profile default",
    );
    topic
}

fn mean(shares: &[(i64, f64)]) -> Option<f64> {
    let count = base::number::count(shares.len());
    (count > 0.0).then(|| shares.iter().map(|(_, share)| share).sum::<f64>() / count)
}

fn sum(kinds: &[(String, Occupancy)]) -> Occupancy {
    kinds.iter().fold(Occupancy::default(), |sum, (_, of)| Occupancy {
        running: sum.running + of.running,
        waiting: sum.waiting + of.waiting,
        external: sum.external + of.external,
    })
}

/// The counter's values over time.
fn course(facts: &TopicFacts<'_>, shares: &[(i64, f64)]) -> Option<Series> {
    const MOST: usize = 60;
    let step = shares.len().div_ceil(MOST).max(1);
    let values: Vec<Option<f64>> = shares
        .chunks(step)
        .map(|piece| piece.iter().map(|(_, share)| *share).max_by(f64::total_cmp))
        .collect();
    (facts.seconds.is_some() && values.len() > 1).then_some(Series {
        name: "share",
        unit: "share",
        about: "CPU used",
        values,
    })
}

fn looks(facts: &TopicFacts<'_>) -> Option<f64> {
    let of = facts.sampling.as_ref()?;
    let looks = i64::try_from(of.looks).unwrap_or(i64::MAX);
    (of.observed_ns > 0).then(|| crate::facts::real(looks) * 1e9 / crate::facts::real(of.observed_ns))
}

fn sampler_share(facts: &TopicFacts<'_>) -> Option<f64> {
    let pauses = &facts.recording.pauses;
    let cause = facts.recording.strings.find("profiler")?;
    let rows =
        pauses.cause.iter().zip(&pauses.dur_ns).filter(|(of, ns)| **of == cause && **ns != model::NO_INT);
    let total: f64 = rows.map(|(_, ns)| crate::facts::real(*ns)).sum();
    let observed = runtime::observed_ns(facts.recording, "samples")?;
    (total > 0.0).then(|| total / crate::facts::real(observed))
}

fn used(topic: &mut Topic, facts: &TopicFacts<'_>, mean: Option<f64>) {
    let shares = match (mean, runtime::busy_cpu_share(facts.recording), facts.cores) {
        (Some(mean), Some(busy), Some(cores)) => format!(
            "Here the process used {} of {} on average, which is {}, and more than {} in the busiest quarter of the seconds.",
            share(mean),
            facts.recording.allowance().map_or_else(|| cores_in_words(cores), runtime::allowance_in_words),
            cores_in_words(mean * cores),
            share(busy)
        ),
        (Some(mean), Some(busy), None) => format!(
            "Here the process used {} of its CPU on average, and more than {} in the busiest quarter of the seconds.",
            share(mean),
            share(busy)
        ),
        _ => String::new(),
    };
    let modes = runtime::cpu_modes(facts.recording).map_or_else(String::new, |(user, system)| {
        let part = if user + system > 0.0 { system / (user + system) } else { 0.0 };
        format!(
            "{} of that was in the kernel: system calls, sockets, page faults, context switches.",
            share(part)
        )
    });
    topic.say(
        "used",
        &[
            plain(
                "The operating system measures CPU use, as the time that each thread spends on a core. The runtime \
                 publishes it as a counter once per second. It is exact and includes native code, the GC and the JIT compiler, but does not say where the time went.",
            ),
            shares,
            modes,
        ],
    );
}

fn sampler(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let looks = looks(facts).map_or_else(String::new, |rate| {
        let samples = facts.value("cpu", "samples").unwrap_or(0.0);
        let stopped = when(sampler_share(facts), |of| {
            format!(" It paused the program for {} of that time, so it changes what it measures.", share(of))
        });
        format!(
            "Here it sampled {} per second and took {}.{stopped}",
            if is_one(rate) { "once".to_owned() } else { format!("{} times", number(rate)) },
            counted(samples, "sample", "samples")
        )
    });
    topic.say(
        "sampler",
        &[
            plain(
                "The runtime's sampler measures elapsed time, not CPU time: it pauses the whole program, records the stack of every managed thread, running or \
                 not, and resumes it. A sleeping thread gets as many samples as a computing one.",
            ),
            looks,
            plain("The number of samples of a group over the rounds of sampling is the average number of threads in it."),
        ],
    );
}

/// What `dotnet-trace collect-linux` samples.
fn sampler_of_cpus(topic: &mut Topic, facts: &TopicFacts<'_>, all: Option<Occupancy>) {
    let Sampler::Cpus { every_ns } = facts.recording.session.sampler else { return };
    let samples = counted(facts.value("cpu", "samples").unwrap_or(0.0), "sample", "samples");
    let every = every_ns.map(|ns| ms(crate::facts::real(ns) / 1e6));
    let seen = match (every, all) {
        (Some(every), Some(of)) => format!(
            "Here each of the {samples} stands for {every} of CPU time: {} on average.",
            counted(of.running, "CPU ran the process", "CPUs ran the process")
        ),
        _ => format!(
            "Here there are {samples}. The recording does not say how much CPU time each stands for, so shares are of the samples only."
        ),
    };
    topic.say(
        "sampler",
        &[
            plain(
                "The kernel's sampler interrupts each CPU at equal intervals and records the stack of the thread that runs there, in managed, native or kernel \
                 code. A waiting thread is not on a CPU and has no samples, so nothing here says how long anything waited.",
            ),
            seen,
        ],
    );
}

fn states(topic: &mut Topic, facts: &TopicFacts<'_>, all: Option<Occupancy>) {
    let seen = all.map_or_else(String::new, |of| {
        format!(
            "Here, on average, {} ran managed code, {} waited and {} were in native code.",
            counted(of.running, "thread", "threads"),
            number(of.waiting),
            number(of.external)
        )
    });
    let counter =
        mean(&runtime::cpu_shares(facts.recording)).zip(facts.cores).map(|(mean, cores)| mean * cores);
    let compared = all.zip(counter).map_or_else(String::new, |(of, used)| {
        let why = if used > of.running {
            "the rest is native code, the GC and the JIT compiler, which samples do not show as running"
        } else {
            "to the sampler, a thread that is ready but waits for a core looks like a running one"
        };
        format!(
            "According to the counter, {} {} in use: {why}.",
            counted(used, "CPU core", "CPU cores"),
            was(used)
        )
    });
    topic.say(
        "states",
        &[
            plain(
                "The sampler itself only knows whether a thread was in managed code. Its state follows from its stack: waiting if the innermost method is one of the \
                 runtime that waits (Monitor.Wait, LowLevelLifoSemaphore, epoll), running in other managed code, and external in a call to native code: a \
                 system call, a native computation, or the GC, running or not.",
            ),
            seen,
            compared,
        ],
    );
}

fn methods(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let top = facts.rows("cpu", "methods", 0);
    let own: Vec<String> =
        top.iter().take(3).map(|(name, of)| format!("{} ({})", written_name(name), share(*of))).collect();
    let user = facts.rows("cpu", "user_code", 0);
    let user: Vec<String> =
        user.iter().take(2).map(|(name, of)| format!("{} ({})", written_name(name), share(*of))).collect();
    topic.say(
        "methods",
        &[
            plain(
                "A method's own share is how often it was innermost, its total how often it was on the stack at all. Own shares show where the time is spent, totals what \
                 is responsible. If a framework's method has a large own share, look for the caller that calls it so often.",
            ),
            only(!own.is_empty(), || format!("Most often innermost in running samples: {}.", listed(&own))),
            plain("A thread that stopped in a poll of the runtime, or in code without a name, counts for the caller."),
            only(!user.is_empty(), || format!("The service's own methods that were on the stack of running samples: {}.", listed(&user))),
        ],
    );
}

fn bias(topic: &mut Topic) {
    topic.say(
        "bias",
        &[plain(
            "A thread cannot be stopped anywhere: it continues to the next safe point, so samples pile up at loop ends, returns and calls, and tight code between them \
             counts for what follows (safe-point bias). Inlined methods have no frame; their samples belong to the caller. Trust shares of a few percent and \
             more, and the method rather than the line.",
        )],
    );
}

fn saturation(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let shares = runtime::cpu_shares(facts.recording);
    let busiest = shares.iter().map(|(_, share)| *share).max_by(f64::total_cmp);
    let busy = when(busiest, |of| format!("The busiest second here used {} of the CPU.", share(of)));
    topic.say(
        "saturation",
        &[
            plain(
                "If a core is in use for a share u of the time, ready threads wait for it, and the wait grows like u / (1 - u): as long as the work at 50 %, nine times as long at 90 %. In a container the limit is a \
                 quota per period of 100 ms: a process with many threads may use it up in 20 ms and then be stopped for 80 (throttling), while the mean over one \
                 second looks idle.",
            ),
            busy,
            limit(facts),
            plain("Below saturation, latency comes from waiting for something else, and a faster method hardly shortens it. At saturation, every method that gets cheaper shortens the queue for all."),
        ],
    );
}

fn cores_in_words(cores: f64) -> String {
    report::unit::show(cores, "cores")
}

/// What limits the process, and whether it reached the limit.
fn limit(facts: &TopicFacts<'_>) -> String {
    let Some(allowance) = facts.recording.allowance() else { return String::new() };
    let what = match allowance.by {
        LimitedBy::Quota => {
            format!("The limit here is the quota of its control group, {}.", cores_in_words(allowance.cores))
        }
        LimitedBy::Set => format!(
            "The limit here is the set of cores that it may run on, {}.",
            cores_in_words(allowance.cores)
        ),
        LimitedBy::Machine => {
            format!("Only the machine with {} limits it here.", cores_in_words(allowance.cores))
        }
    };
    let throttled = runtime::throttled(facts.recording).map_or_else(String::new, |of| {
        format!(
            " The quota stopped it (throttling) in {} of the periods, for {} over all cores.",
            share(of.share),
            ms(of.stopped_ms)
        )
    });
    what + &throttled
}

fn who(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let seconds = facts.seconds.filter(|seconds| *seconds > 0.0);
    let capacity = seconds.zip(facts.cores).map(|(seconds, cores)| seconds * cores);
    let of = runtime::compilation(facts.recording);
    let compiling = capacity.filter(|_| of.all.ms > 0.0).map(|capacity| of.all.ms / 1e3 / capacity);
    let paused = facts.value("gc", "pause.share").filter(|of| *of > 0.0);
    let thrown = facts.value("exceptions", "rate").filter(|rate| *rate > 0.0);
    topic.say(
        "others",
        &[
            plain("The program shares its CPU with the JIT compiler, the GC, the sampler and the handling of exceptions."),
            when(compiling, |of| format!("Compiling took no more than {} of the CPU, measured from start to end of each method.", share(of))),
            when(paused, |of| format!("The GC paused the program {} of the time. Its own threads work in that time, and in background collections also while the program runs.", share(of))),
            when(thrown, |rate| {
                let within = facts.value("exceptions", "within").zip(facts.value("exceptions", "count"));
                let thrown = within.map_or_else(
                    || format!("{} per second {} thrown", counted(rate, "exception", "exceptions"), was(rate)),
                    |(within, count)| format!("{} were thrown within {}", counted(count, "exception", "exceptions"), ms(within)),
                );
                format!("{thrown}; each costs a few microseconds of unwinding (several times that before .NET 9), and more with deep stacks and with async methods, which throw again at each await.")
            }),
        ],
    );
}

fn waits(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let reasons: Vec<String> = facts
        .rows("cpu", "waiting_on", 0)
        .iter()
        .take(4)
        .map(|(what, of)| format!("{what} {}", share(*of)))
        .collect();
    let locks = runtime::locks(facts.recording, facts.index);
    let all: f64 = locks.iter().map(|of| of.waits).sum();
    let lock = locks.first().map_or_else(String::new, |first| {
        let name = facts.recording.strings.text(first.frame);
        let place = if name.is_empty() { String::new() } else { format!(", most of it in {}", written_name(name)) };
        let owners = if first.owners > 0.0 { format!(", held by {}", counted(first.owners, "thread", "different threads")) } else { String::new() };
        format!(
            "Threads waited {} for locks that others held, at {}; for the one that cost most, {} waited{}{owners}{place}.",
            if is_one(all) { "once".to_owned() } else { format!("{} times", number(all)) },
            counted(base::number::count(locks.len()), "address", "different addresses"),
            counted(first.waiters, "thread", "threads"),
            first.waited_ms.map_or_else(String::new, |waited| format!(" {} together", ms(waited)))
        )
    });
    topic.say(
        "waits",
        &[
            plain(
                "Most threads of a service wait most of the time, and should: thread-pool threads for work, the I/O thread for sockets, the timer thread for its next timer. A wait matters \
                 if a request depends on it. A thread first spins for a lock, which uses a core, and only then waits, which contention events report.",
            ),
            only(!reasons.is_empty(), || format!("Waiting threads here, including idle ones, waited for {}.", listed(&reasons))),
            lock,
        ],
    );
}
