//! What data a rule can work from, and how to record it.

/// Data that a rule can work from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Sampled stacks of running threads, from any sampler.
    Running,
    /// Sampled stacks of all threads, including waiting ones.
    Samples,
    /// Events of the thread pool.
    ThreadPool,
    /// Events of the GC.
    Gc,
    /// Sampled allocations.
    Allocations,
    /// Events of waits for locks, or samples that show them.
    Locks,
    /// Events of exceptions.
    Exceptions,
    /// Events of compiled methods.
    Jit,
    /// Requests one by one.
    EachRequest,
    /// Spans or meters of databases.
    Database,
    /// Spans or meters of outgoing HTTP calls.
    Http,
    /// Any event of the runtime's own provider.
    Runtime,
    /// Readings of the host, recorded alongside.
    Host,
    /// Resident memory, and how much the managed heap allocates.
    ResidentMemory,
    /// The number of open files and sockets.
    Descriptors,
}

impl Need {
    /// The data, in words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Running => "samples",
            Self::Samples => "samples of all threads",
            Self::ThreadPool => "thread-pool events",
            Self::Gc => "GC events",
            Self::Allocations => "sampled allocations",
            Self::Locks => "lock events",
            Self::Exceptions => "exception events",
            Self::Jit => "JIT events",
            Self::EachRequest => "individual requests",
            Self::Database => "database calls",
            Self::Http => "outgoing HTTP calls",
            Self::Runtime => "events of the runtime",
            Self::Host => "host metrics",
            Self::ResidentMemory => "the process's resident memory and its allocation rate",
            Self::Descriptors => "the number of open files",
        }
    }

    /// How to record it: the words after `record`.
    fn how(self) -> &'static str {
        match self {
            Self::Running | Self::Samples => "with --profile default or cpu",
            Self::ThreadPool
            | Self::Gc
            | Self::Locks
            | Self::Exceptions
            | Self::Runtime
            | Self::ResidentMemory => "with --profile light or default",
            Self::Jit => "with --profile default",
            // Before .NET 10 the runtime only samples allocations at the level of this profile.
            Self::Allocations => "with --profile cpu",
            Self::EachRequest | Self::Database | Self::Http => "with --profile requests",
            Self::Host | Self::Descriptors => "into a folder, on the machine of the process",
        }
    }

    /// For what the cheaper profile `default` records it, too.
    fn default_is_enough_for(self) -> Option<&'static str> {
        match self {
            Self::Allocations => Some(".NET 10 and later"),
            Self::Database => Some("Npgsql"),
            Self::Http => Some("HttpClient on .NET 8 and later"),
            _ => None,
        }
    }
}

/// What a rule needs and how to record it, if any one of these is enough: `GC events or exception events (record with
/// --profile light or default), or host metrics (record into a folder, …)`. Each has its own words in `what`.
pub(crate) fn remedy(needs: &[Need], what: impl Fn(Need) -> &'static str) -> String {
    let groups = needs.chunk_by(|one, next| one.how() == next.how()).map(|group| {
        let whats: Vec<&str> = group.iter().map(|need| what(*need)).collect();
        let enough: Vec<&str> = group.iter().filter_map(|need| need.default_is_enough_for()).collect();
        let enough = match enough.as_slice() {
            [] => String::new(),
            list => format!("; --profile default is enough for {}", list.join(", and for ")),
        };
        let how = group.first().map_or("", |need| need.how());
        format!("{} (record {how}{enough})", whats.join(" or "))
    });
    groups.collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_records_several_needs_is_named_once() {
        let text = |needs: &[Need]| remedy(needs, Need::what);
        assert_eq!(
            text(&[Need::Samples, Need::ThreadPool]),
            "samples of all threads (record with --profile default or cpu), or thread-pool events (record with --profile \
             light or default)"
        );
        assert_eq!(
            text(&[Need::Database, Need::Http]),
            "database calls or outgoing HTTP calls (record with --profile requests; --profile default is enough for Npgsql, \
             and for HttpClient on .NET 8 and later)"
        );
    }
}
