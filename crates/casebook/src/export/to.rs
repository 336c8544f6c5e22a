//! The formats of exports.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    /// JSON for speedscope.app: all threads together, then each
    Speedscope,
    /// Compressed JSON for profiler.firefox.com: samples, requests, GC, waits, exceptions, heap
    Firefox,
    /// Compressed profile.proto, for `go tool pprof`, Pyroscope, Parca
    Pprof,
    /// One line per stack, for flame graph scripts
    Folded,
    /// Trace Event JSON, for ui.perfetto.dev
    Chrome,
    /// A folder with one .csv file per table
    Csv,
    /// A folder with one .parquet file per table
    Parquet,
    /// The pages of `casebook open` as one file
    Html,
}

impl To {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Speedscope => "speedscope",
            Self::Firefox => "firefox",
            Self::Pprof => "pprof",
            Self::Folded => "folded",
            Self::Chrome => "chrome",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Speedscope => "speedscope.json",
            Self::Firefox => "firefox.json.gz",
            Self::Pprof => "pb.gz",
            Self::Folded => "folded",
            Self::Chrome => "trace.json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    /// How to look at the file.
    pub(super) fn viewer(self) -> &'static str {
        match self {
            Self::Speedscope => "to view it, drop the file on https://www.speedscope.app",
            Self::Firefox => "to view it, load the file at https://profiler.firefox.com",
            Self::Pprof => "to view it: `go tool pprof -http=: FILE`",
            Self::Folded => "draw it with flamegraph.pl, inferno or speedscope",
            Self::Chrome => "to view it, open the file at https://ui.perfetto.dev",
            Self::Csv => "read it with any tool for tables",
            Self::Parquet => "read it with DuckDB, Spark, ClickHouse or pandas",
            Self::Html => "open it in a browser",
        }
    }

    pub(super) fn is_json(self) -> bool {
        matches!(self, Self::Speedscope | Self::Chrome)
    }

    pub(super) fn is_folder(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet)
    }

    /// Whether it holds the fields of events.
    pub(super) fn has_payloads(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet | Self::Html)
    }

    /// The format, if crate `export` writes it.
    pub(super) fn profile(self) -> Option<export::Format> {
        match self {
            Self::Speedscope => Some(export::Format::Speedscope),
            Self::Firefox => Some(export::Format::Firefox),
            Self::Pprof => Some(export::Format::Pprof),
            Self::Folded => Some(export::Format::Folded),
            Self::Chrome => Some(export::Format::Chrome),
            Self::Csv | Self::Parquet | Self::Html => None,
        }
    }
}
