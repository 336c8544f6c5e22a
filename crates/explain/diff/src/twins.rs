//! Quantities that have several names, so that each is compared once.
//!
//! The runtime and its libraries publish most of what they count twice, as an EventCounter and on a meter (dotnet/docs:
//! available-counters.md, built-in-metrics-diagnostics). Often a figure has the same quantity from events.

/// The provider or meter, and the name.
type Name = (&'static str, &'static str);

/// A quantity that is published under several names.
pub(crate) struct Quantity {
    /// The measures of the figures that have it.
    pub(crate) figures: &'static [&'static str],
    /// The preferred name first.
    names: &'static [Name],
}

const RUNTIME: &str = "System.Runtime";
const HOSTING: &str = "Microsoft.AspNetCore.Hosting";
const KESTREL: &str = "Microsoft.AspNetCore.Server.Kestrel";
const KESTREL_EVENTS: &str = "Microsoft-AspNetCore-Server-Kestrel";
const HTTP: &str = "System.Net.Http";
const DNS: &str = "System.Net.NameResolution";

const QUANTITIES: &[Quantity] = &[
    Quantity {
        figures: &["CPU in use, of what the process may use"],
        names: &[(RUNTIME, "dotnet.process.cpu.time"), (RUNTIME, "cpu-usage")],
    },
    Quantity {
        figures: &["bytes allocated"],
        names: &[(RUNTIME, "dotnet.gc.heap.total_allocated"), (RUNTIME, "alloc-rate")],
    },
    Quantity {
        figures: &["collections of generation 0"],
        names: &[
            (RUNTIME, "dotnet.gc.collections"),
            (RUNTIME, "gen-0-gc-count"),
            (RUNTIME, "gen-1-gc-count"),
            (RUNTIME, "gen-2-gc-count"),
        ],
    },
    Quantity {
        figures: &["GC pauses"],
        names: &[
            (RUNTIME, "dotnet.gc.pause.time"),
            (RUNTIME, "total-pause-time-by-gc"),
            (RUNTIME, "time-in-gc"),
        ],
    },
    Quantity {
        figures: &["heap after a collection"],
        names: &[
            (RUNTIME, "dotnet.gc.last_collection.heap.size"),
            (RUNTIME, "gen-0-size"),
            (RUNTIME, "gen-1-size"),
            (RUNTIME, "gen-2-size"),
            (RUNTIME, "loh-size"),
            (RUNTIME, "poh-size"),
        ],
    },
    Quantity {
        figures: &[],
        names: &[(RUNTIME, "dotnet.gc.last_collection.memory.committed_size"), (RUNTIME, "gc-committed")],
    },
    Quantity {
        figures: &[],
        names: &[
            (RUNTIME, "dotnet.gc.last_collection.heap.fragmentation.size"),
            (RUNTIME, "gc-fragmentation"),
        ],
    },
    Quantity {
        figures: &["methods compiled"],
        names: &[(RUNTIME, "dotnet.jit.compiled_methods"), (RUNTIME, "methods-jitted-count")],
    },
    Quantity {
        figures: &["methods compiled"],
        names: &[(RUNTIME, "dotnet.jit.compiled_il.size"), (RUNTIME, "il-bytes-jitted")],
    },
    Quantity {
        figures: &["threads compiling"],
        names: &[(RUNTIME, "dotnet.jit.compilation.time"), (RUNTIME, "time-in-jit")],
    },
    Quantity {
        figures: &["waits for locks"],
        names: &[(RUNTIME, "dotnet.monitor.lock_contentions"), (RUNTIME, "monitor-lock-contention-count")],
    },
    Quantity {
        figures: &["exceptions thrown"],
        names: &[(RUNTIME, "dotnet.exceptions"), (RUNTIME, "exception-count")],
    },
    Quantity {
        figures: &["work waiting in the thread pool's queue"],
        names: &[(RUNTIME, "dotnet.thread_pool.queue.length"), (RUNTIME, "threadpool-queue-length")],
    },
    Quantity {
        figures: &["threads of the thread pool"],
        names: &[(RUNTIME, "dotnet.thread_pool.thread.count"), (RUNTIME, "threadpool-thread-count")],
    },
    Quantity {
        figures: &[],
        names: &[
            (RUNTIME, "dotnet.thread_pool.work_item.count"),
            (RUNTIME, "threadpool-completed-items-count"),
        ],
    },
    Quantity { figures: &[], names: &[(RUNTIME, "dotnet.timer.count"), (RUNTIME, "active-timer-count")] },
    Quantity { figures: &[], names: &[(RUNTIME, "dotnet.assembly.count"), (RUNTIME, "assembly-count")] },
    Quantity {
        figures: &[],
        names: &[(RUNTIME, "dotnet.process.memory.working_set"), (RUNTIME, "working-set")],
    },
    Quantity {
        figures: &["requests"],
        names: &[(HOSTING, "requests-per-second"), (HOSTING, "total-requests")],
    },
    Quantity {
        figures: &[],
        names: &[(HOSTING, "http.server.active_requests"), (HOSTING, "current-requests")],
    },
    Quantity {
        figures: &[],
        names: &[(KESTREL, "kestrel.active_connections"), (KESTREL_EVENTS, "current-connections")],
    },
    Quantity {
        figures: &[],
        names: &[
            (KESTREL, "kestrel.connection.duration"),
            (KESTREL_EVENTS, "connections-per-second"),
            (KESTREL_EVENTS, "total-connections"),
        ],
    },
    Quantity {
        figures: &[],
        names: &[(KESTREL, "kestrel.queued_connections"), (KESTREL_EVENTS, "connection-queue-length")],
    },
    Quantity {
        figures: &[],
        names: &[(KESTREL, "kestrel.queued_requests"), (KESTREL_EVENTS, "request-queue-length")],
    },
    Quantity {
        figures: &[],
        names: &[(KESTREL, "kestrel.active_tls_handshakes"), (KESTREL_EVENTS, "current-tls-handshakes")],
    },
    Quantity {
        figures: &[],
        names: &[(KESTREL, "kestrel.upgraded_connections"), (KESTREL_EVENTS, "current-upgraded-requests")],
    },
    Quantity { figures: &[], names: &[(HTTP, "http.client.active_requests"), (HTTP, "current-requests")] },
    Quantity {
        figures: &[],
        names: &[
            (HTTP, "http.client.request.duration"),
            (HTTP, "requests-started-rate"),
            (HTTP, "requests-started"),
        ],
    },
    Quantity {
        figures: &[],
        names: &[
            (HTTP, "http.client.open_connections"),
            (HTTP, "http11-connections-current-total"),
            (HTTP, "http20-connections-current-total"),
            (HTTP, "http30-connections-current-total"),
        ],
    },
    Quantity {
        figures: &[],
        names: &[
            (HTTP, "http.client.request.time_in_queue"),
            (HTTP, "http11-requests-queue-duration"),
            (HTTP, "http20-requests-queue-duration"),
        ],
    },
    Quantity {
        figures: &[],
        names: &[(DNS, "dns.lookup.duration"), (DNS, "dns-lookups-requested"), (DNS, "dns-lookups-duration")],
    },
];

/// The quantity of a counter, and the names that are preferred to this one.
pub(crate) fn of(provider: &str, name: &str) -> Option<(&'static Quantity, &'static [Name])> {
    QUANTITIES.iter().find_map(|quantity| {
        let at = quantity.names.iter().position(|of| *of == (provider, name))?;
        Some((quantity, quantity.names.get(..at).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_name_is_of_one_quantity() {
        let names: Vec<&Name> = QUANTITIES.iter().flat_map(|of| of.names).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let (quantity, preferred) = of("System.Runtime", "cpu-usage").unwrap();
        assert_eq!(preferred, [("System.Runtime", "dotnet.process.cpu.time")]);
        assert!(!quantity.figures.is_empty());
        assert!(of("Shop", "cpu-usage").is_none());
    }

    #[test]
    fn no_counter_is_compared_beside_its_figure_because_the_figure_was_renamed() {
        let sources = [include_str!("figures.rs"), include_str!("latency.rs")];
        for figure in QUANTITIES.iter().flat_map(|of| of.figures) {
            let quoted = format!("\"{figure}\"");
            assert!(sources.iter().any(|source| source.contains(&quoted)), "{figure}");
        }
    }
}
