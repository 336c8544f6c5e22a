//! Limits that a recording reached: what the runtime cuts or drops by design, so that neither damage nor a gap shows it.

/// Frames that the runtime keeps of a stack, the innermost ones.
pub const RUNTIME_FRAMES: u32 = 100;

/// What was cut or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Stacks that the runtime cut: their outermost frames are missing.
    Stacks,
    /// Stacks that the reader cut: no runtime keeps as many frames.
    LongStacks,
    /// Histograms with a set of tags each, beyond those that the session follows.
    Histograms,
    /// Series of instruments, beyond those that the session follows.
    TimeSeries,
    /// The source of the metrics failed: what it published is not whole.
    Metrics,
    /// The callback of an observed instrument threw.
    Callbacks,
    /// Another listener, which shares with nobody, came first.
    OtherSession,
    /// Another listener shares its session, but asked for another interval or other limits.
    OtherSettings,
}

impl LimitKind {
    /// Its name in JSON: that of the runtime's event, if there is one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stacks => "stacks cut at 100 frames",
            Self::LongStacks => "stacks cut by the reader",
            Self::Histograms => "HistogramLimitReached",
            Self::TimeSeries => "TimeSeriesLimitReached",
            Self::Metrics => "instruments that failed",
            Self::Callbacks => "ObservableInstrumentCallbackError",
            Self::OtherSession => "MultipleSessionsNotSupportedError",
            Self::OtherSettings => "MultipleSessionsConfiguredIncorrectlyError",
        }
    }

    /// Whether values of meters are missing because of it.
    pub fn is_of_meters(self) -> bool {
        !matches!(self, Self::Stacks | Self::LongStacks | Self::OtherSettings)
    }

    /// Whether distributions of meters are missing because of it.
    pub fn is_of_histograms(self) -> bool {
        self.is_of_meters() && self != Self::Callbacks
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What was cut or dropped.
    pub kind: LimitKind,
    /// How often: distinct stacks that were cut, or how often the runtime said so.
    pub count: u64,
    /// The limit itself, if there is a number.
    pub limit: Option<u64>,
    /// Samples that have one of the stacks.
    pub samples: Option<u64>,
    /// The text of the first error.
    pub text: Option<String>,
}

/// Bytes of an error's text that are kept: it is a whole stack trace.
const MAX_TEXT: usize = 500;

/// The limits that a recording reached, one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(Vec<Limit>);

impl Limits {
    /// Counts one more, with the text of its error if it has one.
    pub fn note(&mut self, kind: LimitKind, text: Option<&str>) {
        let known = self.of(kind);
        known.count = known.count.saturating_add(1);
        if known.text.is_none() {
            let text = text.filter(|text| !text.is_empty());
            known.text = text
                .map(|text| text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned());
        }
    }

    /// The limit of a kind, to be filled.
    pub fn of(&mut self, kind: LimitKind) -> &mut Limit {
        let at = self.0.iter().position(|limit| limit.kind == kind).unwrap_or(self.0.len());
        if at == self.0.len() {
            self.0.push(Limit { kind, count: 0, limit: None, samples: None, text: None });
        }
        &mut self.0[at]
    }

    /// All of them, in the order in which they were met.
    pub fn all(&self) -> &[Limit] {
        &self.0
    }

    /// Whether a limit of such a kind was reached.
    pub fn any(&self, wanted: impl Fn(LimitKind) -> bool) -> bool {
        self.0.iter().any(|limit| wanted(limit.kind))
    }

    /// The limit of a kind, if it was reached.
    pub fn get(&self, kind: LimitKind) -> Option<&Limit> {
        self.0.iter().find(|limit| limit.kind == kind)
    }
}
