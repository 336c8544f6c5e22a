//! How the result of a load run is printed.

/// How the result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// Metrics in the text format of Prometheus
    Prometheus,
}
