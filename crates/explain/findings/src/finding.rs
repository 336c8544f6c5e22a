//! What a rule says: a conclusion with its measurements, its places and its evidence.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing to act on.
    Note,
    /// It costs; act on it in time.
    Warning,
    /// It hurts users now.
    Critical,
}

impl Severity {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A number that the conclusion rests on, with the threshold that it passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What was measured.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its unit, as of a figure: `ms`, `B`, `B/s`, `1/s`, `share` (of 1), or empty for a count.
    pub unit: &'static str,
    /// What it was held against; none where it only explains.
    pub threshold: Option<f64>,
}

/// A place in the code.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The frame's full name.
    pub frame: String,
    /// Its share of what was measured, of 1.
    pub share: f64,
    /// The path of the request that the thread was in, where the frame's name is the compiler's or the runtime's own.
    pub request: Option<String>,
}

/// Rows that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The table that the rows are of.
    pub table: &'static str,
    /// A query over the tables that shows them, summed up where there are many.
    pub sql: String,
    /// Rows of the table that it stands on.
    pub rows: u64,
    /// The first of them, in nanoseconds since the session's start.
    pub first_ts_ns: Option<i64>,
    /// The last of them.
    pub last_ts_ns: Option<i64>,
}

/// What is wrong, as one rule sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule.
    pub id: &'static str,
    /// One sentence.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The rule whose finding causes this one, where one does.
    pub follows: Option<&'static str>,
    /// How much of the harm it explains, and how sure that is: 0 to 1.
    pub score: f64,
    /// What was measured.
    pub measured: Vec<Measured>,
    /// Where, the largest share first.
    pub places: Vec<Place>,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// How it comes about, inside the runtime.
    pub why: String,
    /// What to try.
    pub tries: Vec<String>,
    /// How to see that it helped.
    pub verify: String,
}
