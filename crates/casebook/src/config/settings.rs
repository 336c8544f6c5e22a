//! The settings of a configuration.

use anstream::ColorChoice;
use dotnet_ipc::session::Provider;
use recorder::Profile;
use runtime::MyCode;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Where the file is, or would be. `None` without a home.
    pub(super) file: Option<PathBuf>,
    /// Whether the file exists.
    pub(super) exists: bool,
    pub(super) colours: Option<Given<Colours>>,
    /// Which code is the user's own.
    pub(super) my: Option<Given<MyCode>>,
    /// Defaults of `casebook record`.
    pub(crate) record: Record,
}

/// The section `record`.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) profile: Option<Given<Profile>>,
    pub(crate) duration: Option<Given<Duration>>,
    pub(crate) provider: Option<Given<Vec<Provider>>>,
    pub(crate) buffer: Option<Given<u32>>,
    pub(crate) max_size: Option<Given<u64>>,
}

/// A value of the file.
#[derive(Debug, Clone)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(super) written: WrittenValue,
    pub(super) line: usize,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum WrittenValue {
    Text(String),
    Number(i64),
    List(Vec<String>),
}

impl fmt::Display for WrittenValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::List(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// When texts have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colours {
    /// On a terminal, unless the environment says otherwise.
    Auto,
    Always,
    Never,
}

impl Config {
    /// Makes everything that is printed from here on have colours, or not.
    pub(crate) fn apply_colours(&self) {
        match self.colours.as_ref().map(|colours| colours.value) {
            Some(Colours::Always) => ColorChoice::Always.write_global(),
            Some(Colours::Never) => ColorChoice::Never.write_global(),
            Some(Colours::Auto) | None => {}
        }
    }

    /// Which code is the user's own, for recordings of all services.
    pub(crate) fn my(&self) -> MyCode {
        self.my.as_ref().map(|my| my.value.clone().for_all()).unwrap_or_default()
    }
}
