//! BenchmarkDotNet's full JSON to rows. The shape is that of its `JsonExporterBase`.
//!
//! Benchmarks are read one by one, so that of a file that breaks off those before the break are kept. Numbers may be
//! missing in three ways, by the harness's version: `NaN` as it stands (which is not JSON), an empty text, or null.

use model::{Bench, BenchmarkRow, MeasurementRow, NO_INT, Sym};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

const NOT_A_BENCHMARK: &str = "entry of a file of benchmarks that is not a benchmark";
const NOT_A_MEASUREMENT: &str = "measurement of a benchmark without its time or its operations";
const CUT: &str = "file of benchmarks that breaks off: the benchmarks before are here";
const NOT_JSON: &str = "file of benchmarks that is not JSON from here on: the benchmarks before are here";

/// Why a file of benchmarks cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum JsonError {
    /// It is not JSON, or not of the shape.
    #[error("expected BenchmarkDotNet's full JSON; it cannot be read at line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    /// It ends before its first benchmark does.
    #[error("expected BenchmarkDotNet's full JSON; it ends before its first benchmark does")]
    Cut,
    /// It has no benchmarks.
    #[error("expected BenchmarkDotNet's full JSON; it has no `Benchmarks`")]
    NoBenchmarks,
}

/// Fills the tables from files.
pub(super) struct Reader {
    pub(super) bench: Bench,
}

impl Reader {
    pub(super) fn new(bench: Bench) -> Self {
        Self { bench }
    }

    /// Adds the benchmarks of a file.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        let text = without_nan(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let before = self.bench.benchmarks.id.len();
        let mut json = serde_json::Deserializer::from_slice(&text);
        let mut has_benchmarks = false;
        let read = Top { bench: &mut self.bench, has_benchmarks: &mut has_benchmarks }.deserialize(&mut json);
        let read = read.and_then(|()| json.end());
        let is_empty = self.bench.benchmarks.id.len() == before;
        match read {
            Ok(()) if !has_benchmarks => return Err(JsonError::NoBenchmarks),
            Ok(()) => {}
            Err(error) if is_empty && error.classify() == Category::Eof => return Err(JsonError::Cut),
            // The reason itself may repeat what stands in the file.
            Err(error) if is_empty => {
                return Err(JsonError::Syntax { line: error.line(), column: error.column() });
            }
            Err(error) => {
                let offset = offset_of(&text, error.line(), error.column());
                let is_cut = error.classify() == Category::Eof;
                self.bench.lost.damage.note(if is_cut { CUT } else { NOT_JSON }, offset);
                if is_cut {
                    self.bench.lost.truncated_at = self.bench.lost.truncated_at.or(Some(offset));
                }
            }
        }
        self.bench.files = self.bench.files.saturating_add(1);
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bench.exhibit.bytes = self.bench.exhibit.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Ends the reading.
    pub(super) fn finish(self, name: &str) -> Bench {
        let mut bench = self.bench;
        name.clone_into(&mut bench.exhibit.file);
        super::metrics::fill(&mut bench);
        bench
    }
}

/// The text with an empty text instead of each number that JSON does not have. Texts and the length stay as they are.
fn without_nan(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut text = Cow::Borrowed(bytes);
    let (mut at, mut in_text) = (0usize, false);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let taken = match rest {
            [b'\\', _, ..] if in_text => 2,
            [b'"', ..] => {
                in_text = !in_text;
                1
            }
            _ if in_text => 1,
            // A word that the file breaks off in counts as the end, which it is.
            _ => match WORDS.iter().find(|word| rest.starts_with(word) || word.starts_with(rest)) {
                None => 1,
                Some(word) => {
                    let len = word.len().min(rest.len());
                    if let Some(place) = text.to_mut().get_mut(at..at.saturating_add(len)) {
                        place.fill(b' ');
                        if len == word.len() {
                            // Three letters have no room for null.
                            place.iter_mut().zip(MISSING).for_each(|(byte, of)| *byte = of);
                        }
                    }
                    len
                }
            },
        };
        at = at.saturating_add(taken);
    }
    text
}

/// An empty text, which newer versions of the harness write for such a number.
const MISSING: [u8; 2] = *b"\"\"";

/// The offset of a place that is given by line and column, both from 1.
fn offset_of(text: &[u8], line: usize, column: usize) -> u64 {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let before: usize = lines.map(<[u8]>::len).sum();
    u64::try_from(before.saturating_add(column)).unwrap_or(u64::MAX)
}

/// The whole document.
struct Top<'a> {
    bench: &'a mut Bench,
    has_benchmarks: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with Benchmarks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "HostEnvironmentInfo" => host(self.bench, &map.next_value()?),
                "Benchmarks" => {
                    *self.has_benchmarks = true;
                    map.next_value_seed(Benchmarks { bench: self.bench })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The list of benchmarks, each taken as soon as it is whole.
struct Benchmarks<'a> {
    bench: &'a mut Bench,
}

impl<'de> DeserializeSeed<'de> for Benchmarks<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Benchmarks<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of benchmarks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<Value>()? {
            benchmark(self.bench, &value);
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A number of a field; not-a-number if it has none.
fn real(value: Option<&Value>) -> f64 {
    value.and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn int(value: Option<&Value>) -> Option<i64> {
    value.and_then(Value::as_i64)
}

/// What ran the benchmarks, and on what: of several files the first says it.
fn host(bench: &mut Bench, host: &Value) {
    let of = |key| text(host, key).map(str::to_owned);
    let set = |field: &mut Option<String>, value: Option<String>| *field = field.take().or(value);
    let caption = of("BenchmarkDotNetCaption").unwrap_or_else(|| "BenchmarkDotNet".to_owned());
    set(&mut bench.harness, of("BenchmarkDotNetVersion").map(|version| format!("{caption} {version}")));
    set(&mut bench.processor, of("ProcessorName"));
    let exhibit = &mut bench.exhibit;
    // `.NET 10.0.12 (10.0.12, …)`: the words around it are added where it is shown.
    let runtime = of("RuntimeVersion").map(|text| text.strip_prefix(".NET ").unwrap_or(&text).to_owned());
    let runtime = runtime.map(|text| text.split(" (").next().unwrap_or(&text).to_owned());
    set(&mut exhibit.runtime, runtime);
    set(&mut exhibit.os, of("OsVersion"));
    set(&mut exhibit.arch, of("Architecture"));
    let processors = int(host.get("LogicalCoreCount")).and_then(|count| u32::try_from(count).ok());
    exhibit.processors = exhibit.processors.or(processors.filter(|count| *count > 0));
}

fn benchmark(bench: &mut Bench, value: &Value) {
    let id = i64::try_from(bench.benchmarks.id.len()).unwrap_or(i64::MAX);
    let names: Vec<&str> =
        ["Namespace", "Type", "Method"].iter().filter_map(|key| text(value, key)).collect();
    let name = if names.is_empty() {
        text(value, "FullName").unwrap_or_default().to_owned()
    } else {
        names.join(".")
    };
    if name.is_empty() {
        return bench.lost.damage.note(NOT_A_BENCHMARK, 0);
    }
    let own = value.get("Statistics").filter(|of| of.is_object());
    let figure = |key: &str| real(own.and_then(|of| of.get(key)));
    let interval = own.and_then(|of| of.get("ConfidenceInterval"));
    let of_interval = |key: &str| real(interval.and_then(|of| of.get(key)));
    let memory = value.get("Memory").and_then(|of| of.get("BytesAllocatedPerOperation"));
    let strings = &mut bench.strings;
    let mut intern = |text: Option<&str>| text.map_or(Sym::NONE, |text| strings.intern(text));
    let row = BenchmarkRow {
        id,
        name: intern(Some(&name)),
        parameters: intern(text(value, "Parameters")),
        job: intern(text(value, "DisplayInfo").and_then(job)),
        n: int(own.and_then(|of| of.get("N"))).unwrap_or(NO_INT),
        mean: figure("Mean"),
        median: figure("Median"),
        low: of_interval("Lower"),
        high: of_interval("Upper"),
        unit: intern(Some("ns")),
        allocated_bytes: real(memory),
    };
    bench.benchmarks.push(row);
    let measurements = value.get("Measurements").and_then(Value::as_array);
    for of in measurements.into_iter().flatten() {
        measurement(bench, id, of);
    }
}

/// The job in `Type.Method: Job(Setting=1, …) [Parameter=2]`.
fn job(display: &str) -> Option<&str> {
    let (_, job) = display.split_once(": ")?;
    Some(job.rsplit_once(" [").map_or(job, |(job, _)| job)).filter(|job| !job.is_empty())
}

fn measurement(bench: &mut Bench, benchmark: i64, of: &Value) {
    let (operations, value_ns) = (int(of.get("Operations")), real(of.get("Nanoseconds")));
    let Some(operations) = operations.filter(|count| *count > 0 && value_ns.is_finite()) else {
        return bench.lost.damage.note(NOT_A_MEASUREMENT, 0);
    };
    let strings = &mut bench.strings;
    let mut intern = |key: &str| text(of, key).map_or(Sym::NONE, |text| strings.intern(text));
    let row = MeasurementRow {
        benchmark,
        launch: int(of.get("LaunchIndex")).unwrap_or(NO_INT),
        mode: intern("IterationMode"),
        stage: intern("IterationStage"),
        iteration: int(of.get("IterationIndex")).unwrap_or(NO_INT),
        operations,
        value_ns,
    };
    bench.measurements.push(row);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Bench, JsonError> {
        let mut reader = Reader::new(Bench::default());
        reader.read(text.as_bytes())?;
        Ok(reader.finish("test"))
    }

    const SMALL: &str = r#"{"Title":"T","HostEnvironmentInfo":{"BenchmarkDotNetVersion":"0.15.8","RuntimeVersion":".NET 10.0.12 (10.0)"},
        "Benchmarks":[{"DisplayInfo":"Parse.Split: Dry(N=1) [Fields=10]","Namespace":null,"Type":"Parse","Method":"Split","Parameters":"Fields=10",
        "Statistics":{"N":1,"Mean":7.5,"Median":7.5,"Skewness":NaN,"ConfidenceInterval":{"Lower":NaN,"Upper":""}},
        "Measurements":[{"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":2,"Nanoseconds":15}]},
        {"Type":"Parse","Method":"NaN","Statistics":null,"Measurements":[{"Nanoseconds":"soon"}]}]}"#;

    #[test]
    fn numbers_that_are_missing_in_any_way_are_null() {
        let bench = read(SMALL).unwrap();
        let row = bench.benchmarks.row(0).unwrap();
        assert_eq!((row.n, row.mean, row.low.is_nan(), row.high.is_nan()), (1, 7.5, true, true));
        assert!(row.allocated_bytes.is_nan(), "memory was not measured");
        assert_eq!(bench.strings.text(row.job), "Dry(N=1)");
        assert_eq!(bench.exhibit.runtime.as_deref(), Some("10.0.12"));
        // The word in a text is not a number.
        assert_eq!(bench.strings.text(bench.benchmarks.row(1).unwrap().name), "Parse.NaN");
        assert_eq!(bench.benchmarks.row(1).unwrap().n, NO_INT);
        assert_eq!(bench.measurements.value_ns, [15.0]);
        assert_eq!(bench.lost.damage.kinds()[0].what, NOT_A_MEASUREMENT);
    }

    #[test]
    fn a_file_that_breaks_off_keeps_the_benchmarks_before_the_break() {
        for at in 0..SMALL.len() {
            let Some(cut) = SMALL.get(..at) else { continue };
            match read(cut) {
                Ok(bench) => {
                    assert!(bench.lost.is_damaged() && !bench.benchmarks.id.is_empty(), "cut at {at}");
                }
                Err(error) => assert!(matches!(error, JsonError::Cut), "cut at {at}: {error}"),
            }
        }
        assert_eq!(read("{\"a\":1}").unwrap_err(), JsonError::NoBenchmarks);
        assert_eq!(read("{\"Benchmarks\":7}").unwrap_err().to_string().matches('7').count(), 0);
    }
}
