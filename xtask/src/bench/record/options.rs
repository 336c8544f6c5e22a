//! The options of `cargo xtask bench record`.

use clap::ValueEnum;

/// The halves of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A stream of 100 MB/s, recorded into a folder and into a plain file
    Replay,
    /// Throughput of a service under load, by profile and with dotnet-trace
    Cost,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Of `record`: one half; both without one
    pub(super) part: Option<Part>,
    /// Of `record`: how often everything is measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Of `record`: how long each measurement lasts
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(super) seconds: u32,
    /// Of `record`: decides the order within the rounds
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
}
