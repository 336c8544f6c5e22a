//! What an export contains and what it does not: what the recording itself has lost, and what has no place in the
//! format.

pub(crate) use base::number::wide;
use model::{Lost, Trace};

/// What was written, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How many of the recording's samples are in the file.
    pub samples: u64,
    /// What is in the file, by kind.
    pub holds: Vec<Count>,
    /// What the recording has and the file does not, and what the recording itself has lost.
    pub left_out: Vec<LeftOut>,
}

/// How many things of a kind are in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kind.
    pub what: String,
    /// How many.
    pub count: u64,
}

impl Count {
    pub(crate) fn new(what: impl Into<String>, count: u64) -> Self {
        Self { what: what.into(), count }
    }
}

/// Something that is not in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is, and why.
    pub what: String,
    /// How many. `None` if that cannot be known.
    pub count: Option<u64>,
}

impl LeftOut {
    pub(crate) fn new(what: impl Into<String>, count: u64) -> Self {
        Self { what: what.into(), count: Some(count) }
    }
}

/// Tables that describe others. Their rows are in no export.
const ABOUT: [&str; 7] = ["events", "stacks", "frames", "threads", "loss", "coverage", "metrics"];

/// What the recording has lost, then the rows of every table that is not in `tables`.
pub(crate) fn left_out(recording: &Trace, tables: &[&str]) -> Vec<LeftOut> {
    let mut left = lost(recording);
    let of_tables = Trace::CATALOGUE.iter().map(|spec| spec.name);
    for name in of_tables.filter(|name| !tables.contains(name) && !ABOUT.contains(name)) {
        let rows = recording.table(name).map_or(0, |table| table.rows);
        if rows > 0 {
            left.push(LeftOut::new(format!("rows of {name}: the format has no place for them"), wide(rows)));
        }
    }
    left
}

/// What the recording itself has lost. No format can contain it.
pub fn lost(recording: &Trace) -> Vec<LeftOut> {
    let mut left = Vec::new();
    if recording.missing.events > 0 {
        left.push(LeftOut::new(
            "events that were lost before they reached the recording",
            recording.missing.events,
        ));
    }
    left.extend(damage(&recording.lost));
    for limit in recording.missing.limits.all() {
        left.push(LeftOut::new(format!("a limit was reached: {}", limit.kind.name()), limit.count));
    }
    if recording.missing.unnamed_frames > 0 {
        left.push(LeftOut::new("names of frames in samples: they are ?", recording.missing.unnamed_frames));
    }
    left
}

/// What could not be read of an exhibit of any kind.
pub fn damage(lost: &Lost) -> Vec<LeftOut> {
    let mut left = Vec::new();
    if lost.truncated_at.is_some() {
        let what = "what came after the point where the recording breaks off".to_owned();
        left.push(LeftOut { what, count: None });
    }
    for damage in lost.damage.kinds() {
        left.push(LeftOut::new(format!("damage of the recording: {}", damage.what), damage.count));
    }
    for file in &lost.files {
        let what = format!("a file of the recording: {} {}", file.file, file.what);
        left.push(LeftOut { what, count: None });
    }
    left
}
