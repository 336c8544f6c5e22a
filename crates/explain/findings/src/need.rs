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
    /// How to record it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Running | Self::Samples => "samples: --profile default or cpu",
            Self::ThreadPool | Self::Gc | Self::Exceptions | Self::Runtime => {
                "events of the runtime: --profile light or default"
            }
            Self::Locks | Self::Jit => "events of the runtime: --profile default",
            Self::Allocations => "sampled allocations: --profile default",
            Self::EachRequest => "requests with activity ids: --profile requests",
            Self::Database => {
                "spans or meters of a database client: --profile requests (Npgsql's meters need no spans)"
            }
            Self::Host | Self::Descriptors => {
                "host metrics: `casebook record` into a folder, of a process on the same machine"
            }
            Self::ResidentMemory => {
                "sampled allocations, or the counters of System.Runtime: --profile light or default"
            }
            Self::Http => {
                "spans or meters of HttpClient: --profile requests, or .NET 8 and later with --profile default"
            }
        }
    }
}
