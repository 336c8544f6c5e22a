//! What the files of each format are called: in messages, and in folders.

/// Names of the files of a format.
pub(crate) struct Names {
    /// What a file is called in messages, with its usual endings.
    pub(crate) title: &'static str,
    /// What several files are called.
    pub(crate) plural: &'static str,
    /// Endings of the files' names, compressed or not.
    pub(crate) endings: &'static [&'static str],
}

pub(crate) static TRACE: Names = Names {
    title: "a trace (.nettrace, .netperf)",
    plural: "recordings",
    endings: &[".nettrace", ".nettrace.zst", ".nettrace.gz", ".netperf"],
};

pub(crate) static BENCH: Names = Names {
    title: "benchmark results (BenchmarkDotNet's full JSON)",
    plural: "files of benchmark results",
    endings: &["-report-full.json", ".full.json"],
};

pub(crate) static LOAD_RUN: Names = Names {
    title: "a load run (run.json of casebook load)",
    plural: "accounts of load runs",
    endings: &["run.json"],
};

pub(crate) static LOAD_HLOG: Names = Names {
    title: "latencies (.hlog, HdrHistogram's interval log)",
    plural: "latency logs",
    endings: &[".hlog", ".hlog.gz", ".hlog.zst"],
};

/// The names of every format, in the order of `formats::FORMATS`.
pub(crate) static ALL: [&Names; 4] = [&TRACE, &BENCH, &LOAD_RUN, &LOAD_HLOG];

/// What can be read, for messages.
pub(crate) fn expected() -> String {
    format!("{}, compressed or not", ALL.map(|names| names.title).join(" or "))
}
