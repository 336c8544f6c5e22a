//! What an export contains and what it does not: what the recording itself has lost, and what has no place in the
//! format.

use base::damage::Damage;
use base::number::grouped;
pub(crate) use base::number::wide;
use model::{Limit, LimitKind, Lost, Trace};

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

impl Written {
    /// What is not in the file: a line for each reason.
    pub fn absent(&self) -> Vec<String> {
        let of = |why: Why| self.left_out.iter().filter(move |left| left.why == why);
        let listed = |why: Why| of(why).map(|left| left.what.as_str()).collect::<Vec<_>>().join("; ");
        let rows = |left: &LeftOut| match left.count {
            Some(count) => format!("{} ({})", left.what, Count::new("rows", count).words()),
            None => left.what.clone(),
        };
        let tables: Vec<String> = of(Why::NoPlace).map(rows).collect();
        let noun = if tables.len() == 1 { "table" } else { "tables" };
        let lines = [
            ("missing in the recording: ".to_owned(), listed(Why::Missing)),
            ("left out: ".to_owned(), listed(Why::Cut)),
            ("left out, because a file has one kind of rows (--metric): ".to_owned(), listed(Why::OtherKind)),
            (format!("this format has no place for the {noun} "), tables.join(", ")),
        ];
        lines.into_iter().filter(|(_, what)| !what.is_empty()).map(|(why, what)| why + &what).collect()
    }
}

/// How many things of a kind are in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kind, as a plural.
    pub what: String,
    /// How many.
    pub count: u64,
}

impl Count {
    pub(crate) fn new(what: impl Into<String>, count: u64) -> Self {
        Self { what: what.into(), count }
    }

    /// `1 wait for locks`, `42 sampled allocations`.
    pub fn words(&self) -> String {
        if self.count != 1 {
            return format!("{} {}", grouped(self.count), self.what);
        }
        // The noun that is counted stands before the first preposition, or at the end.
        let end = [" of ", " for ", " by "].iter().filter_map(|word| self.what.find(word)).min();
        let (noun, rest) = self.what.split_at(end.unwrap_or(self.what.len()));
        format!("1 {}{rest}", noun.strip_suffix('s').unwrap_or(noun))
    }
}

/// The pauses of the program by what paused it: most are usually the sampler's, which says nothing about the GC.
pub(crate) fn pauses_by_cause(recording: &Trace) -> Vec<Count> {
    let causes = &recording.pauses.cause;
    let of = |cause: &str| {
        let cause = recording.strings.find(cause);
        wide(causes.iter().filter(|of| Some(**of) == cause).count())
    };
    let (sampler, gc) = (of("profiler"), of("gc"));
    let others = wide(causes.len()).saturating_sub(sampler).saturating_sub(gc);
    [("pauses by the sampler", sampler), ("pauses by the GC", gc), ("other pauses", others)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| Count::new(what, count))
        .collect()
}

/// Something that is not in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is, with its number: `the names of 4,287 frames in samples (shown as ?)`. Of a table its name.
    pub what: String,
    /// How many. `None` if that cannot be known.
    pub count: Option<u64>,
    /// Why it is not there.
    pub why: Why,
}

/// Why something is not in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The recording itself lacks it.
    Missing,
    /// The format cannot hold rows of this table.
    NoPlace,
    /// The file holds other things of its kind, but not these.
    Cut,
    /// A file of this format holds one kind of rows, and these are of another.
    OtherKind,
}

impl LeftOut {
    /// Something that the recording lacks.
    pub(crate) fn missing(what: impl Into<String>, count: impl Into<Option<u64>>) -> Self {
        Self { what: what.into(), count: count.into(), why: Why::Missing }
    }

    /// Something that the file lacks.
    pub(crate) fn cut(what: impl Into<String>, count: u64) -> Self {
        Self { what: what.into(), count: Some(count), why: Why::Cut }
    }
}

/// Tables that describe others. Their rows are in no export.
const ABOUT: [&str; 8] =
    ["events", "stacks", "frames", "threads", "processes", "loss", "coverage", "metrics"];

/// What the recording has lost, then the rows of every table that is not in `tables`.
pub(crate) fn left_out(recording: &Trace, tables: &[&str]) -> Vec<LeftOut> {
    let mut left = lost(recording);
    let of_tables = Trace::CATALOGUE.iter().map(|spec| spec.name);
    for name in of_tables.filter(|name| !tables.contains(name) && !ABOUT.contains(name)) {
        let rows = recording.table(name).map_or(0, |table| table.rows);
        if rows > 0 {
            left.push(LeftOut { what: name.to_owned(), count: Some(wide(rows)), why: Why::NoPlace });
        }
    }
    left
}

/// What the recording itself has lost. No format can contain it.
pub fn lost(recording: &Trace) -> Vec<LeftOut> {
    let mut left = Vec::new();
    let events = recording.missing.events;
    if events > 0 {
        let words = Count::new("events", events).words();
        left.push(LeftOut::missing(format!("{words} lost before they were recorded"), events));
    }
    left.extend(damage(&recording.lost));
    left.extend(recording.missing.limits.all().iter().map(|of| LeftOut::missing(limit(of), of.count)));
    let unnamed = recording.missing.unnamed_frames;
    if unnamed > 0 {
        let frames = Count::new("frames", unnamed).words();
        left.push(LeftOut::missing(format!("the names of {frames} in samples (shown as ?)"), unnamed));
    }
    left
}

/// What is missing because of a limit.
fn limit(of: &Limit) -> String {
    let most = of.limit.map_or_else(String::new, |limit| format!(" {}", grouped(limit)));
    let series =
        |what: &str| format!("values of meters: the runtime follows only{most} {what} ({})", of.kind.name());
    match of.kind {
        LimitKind::Stacks | LimitKind::LongStacks => {
            let stacks = Count::new("stacks", of.count).words();
            let whose = of.samples.map_or(stacks, |samples| Count::new("samples", samples).words());
            format!("the outermost frames of {whose} (stacks end at{most} frames)")
        }
        LimitKind::Histograms => series("series of histograms"),
        LimitKind::TimeSeries => series("series"),
        LimitKind::Metrics => "values of meters whose source failed".to_owned(),
        LimitKind::Callbacks => "values of instruments that failed".to_owned(),
        LimitKind::OtherSession => "values of meters that another tool listens to".to_owned(),
        LimitKind::OtherSettings => {
            "values of meters beyond the interval and limits of another tool that listens to them".to_owned()
        }
    }
}

/// What could not be read of an exhibit of any kind.
pub fn damage(lost: &Lost) -> Vec<LeftOut> {
    let mut left = Vec::new();
    if lost.truncated_at.is_some() {
        left.push(LeftOut::missing("everything after the point where the recording breaks off", None));
    }
    // Damage at the very end is the end itself.
    let is_end = |of: &Damage| of.count == 1 && lost.truncated_at == Some(of.first_offset);
    for damage in lost.damage.kinds().iter().filter(|of| !is_end(of)) {
        let times =
            if damage.count == 1 { String::new() } else { format!(", {} times", grouped(damage.count)) };
        left.push(LeftOut::missing(format!("what damage took ({}{times})", damage.what), damage.count));
    }
    for file in &lost.files {
        left.push(LeftOut::missing(format!("a file: {} {}", file.file, file.what), None));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_counted_in_the_singular() {
        let check = |what, count, expected| assert_eq!(Count::new(what, count).words(), expected);
        check("samples", 181_301, "181,301 samples");
        check("sampled allocations", 1, "1 sampled allocation");
        check("waits for locks", 1, "1 wait for locks");
        check("pauses by the sampler", 1, "1 pause by the sampler");
        check("loads of compiled code", 1, "1 load of compiled code");
    }

    #[test]
    fn each_reason_has_one_line() {
        let table =
            |what: &str, count| LeftOut { what: what.to_owned(), count: Some(count), why: Why::NoPlace };
        let written = Written {
            samples: 1_200,
            holds: Vec::new(),
            left_out: vec![
                LeftOut::missing("the end", None),
                table("gc", 1),
                LeftOut::missing("the names of 7 frames in samples (shown as ?)", 7),
                LeftOut::cut("9 others", 9),
                table("jit", 2_391),
            ],
        };
        assert_eq!(
            written.absent(),
            [
                "missing in the recording: the end; the names of 7 frames in samples (shown as ?)",
                "left out: 9 others",
                "this format has no place for the tables gc (1 row), jit (2,391 rows)",
            ]
        );
        assert_eq!(Written::default().absent(), [""; 0]);
    }

    #[test]
    fn what_a_limit_took_is_said_of_the_samples_that_lack_it() {
        let check = |kind, samples, expected: &str| {
            let of = Limit { kind, count: 3, limit: Some(100), samples, text: None };
            assert_eq!(limit(&of), expected);
        };
        check(
            LimitKind::Stacks,
            Some(4_273),
            "the outermost frames of 4,273 samples (stacks end at 100 frames)",
        );
        check(LimitKind::LongStacks, None, "the outermost frames of 3 stacks (stacks end at 100 frames)");
        let series =
            "values of meters: the runtime follows only 100 series of histograms (HistogramLimitReached)";
        check(LimitKind::Histograms, None, series);
    }
}
