//! BenchmarkDotNet's full JSON to rows. The shape is that of its `JsonExporterBase`.
//!
//! Benchmarks and measurements are taken one by one: a file that breaks off keeps the benchmarks before the break, and no
//! more of a document is in memory than one of their fields. Numbers may be missing in three ways, by the harness's version:
//! `NaN` as it stands (which is not JSON), an empty text, or null.

use base::number::{saturated, wide};
use model::{Bench, BenchmarkRow, MeasurementRow, Sym, or_none};
use rustc_hash::FxHashSet;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

const NOT_A_BENCHMARK: &str = "entry of a file of benchmarks that is not a benchmark";
const NOT_A_MEASUREMENT: &str = "measurement without a time or operations that can be";
const OTHER_TYPE: &str = "field of a benchmark that is not of the type expected: left out";
const TWICE: &str =
    "key of a file of benchmarks that stands there twice: lists are joined, of other values the last counts";
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
    /// It was not read to its end, and its first benchmark is not whole.
    #[error("{0}, before its first benchmark ends")]
    NotWhole(&'static str),
    /// It has no benchmarks.
    #[error("expected BenchmarkDotNet's full JSON; it has no `Benchmarks`")]
    NoBenchmarks,
}

/// Fills the tables from files.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) bench: Bench,
    /// Name, parameters, job and mean of each benchmark that was read.
    seen: FxHashSet<(Sym, Sym, Sym, u64)>,
    /// Processor, runtime and system of each file.
    hosts: FxHashSet<[Option<String>; 3]>,
}

impl Reader {
    /// Adds the benchmarks of a file, which has a name if it is one of several; `damage` is what ended its bytes early.
    /// Returns whether the file was left out, since it repeats what others have.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        name: Option<&str>,
        damage: Option<&'static str>,
    ) -> Result<bool, JsonError> {
        let text = without_nan(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let before = (self.bench.benchmarks.id.len(), self.bench.measurements.benchmark.len());
        let file = name.map_or(Sym::NONE, |name| self.bench.strings.intern(name));
        let mut json = serde_json::Deserializer::from_slice(&text);
        let mut has_benchmarks = false;
        let mut host = Value::Null;
        let top = Top { bench: &mut self.bench, file, has_benchmarks: &mut has_benchmarks, host: &mut host };
        let read = top.deserialize(&mut json).and_then(|()| json.end());
        let is_empty = self.bench.benchmarks.id.len() == before.0;
        match (read, damage) {
            (Ok(()), _) if !has_benchmarks => return Err(JsonError::NoBenchmarks),
            (Ok(()), _) => {}
            (Err(_), Some(what)) if is_empty => return Err(JsonError::NotWhole(what)),
            (Err(error), None) if is_empty && error.classify() == Category::Eof => {
                return Err(JsonError::Cut);
            }
            // The reason itself may repeat what stands in the file.
            (Err(error), None) if is_empty => {
                return Err(JsonError::Syntax { line: error.line(), column: error.column() });
            }
            (Err(error), _) => self.note_end(&error, &text),
        }
        self.bench.files = self.bench.files.saturating_add(1);
        self.bench.exhibit.bytes = self.bench.exhibit.bytes.saturating_add(wide(bytes.len()));
        if self.is_repeated(before.0) {
            self.bench.benchmarks.truncate(before.0);
            self.bench.measurements.truncate(before.1);
            return Ok(true);
        }
        self.set_host(&host);
        Ok(false)
    }

    /// Notes where a file ended before its end.
    fn note_end(&mut self, error: &serde_json::Error, text: &[u8]) {
        let offset = offset_of(text, error.line(), error.column());
        let lost = &mut self.bench.lost;
        if error.classify() == Category::Eof {
            lost.damage.note(CUT, offset);
        } else {
            lost.damage.note(NOT_JSON, offset);
        }
    }

    /// Whether all benchmarks from a row on were read before, with the same results.
    fn is_repeated(&mut self, from: usize) -> bool {
        let rows = (from..self.bench.benchmarks.id.len()).filter_map(|at| self.bench.benchmarks.row(at));
        let keys: Vec<_> = rows.map(|row| (row.name, row.parameters, row.job, row.mean.to_bits())).collect();
        let is_known = !keys.is_empty() && keys.iter().all(|key| self.seen.contains(key));
        self.seen.extend(keys);
        is_known
    }

    /// What ran the benchmarks, and on what: of several files the first says it.
    fn set_host(&mut self, host: &Value) {
        let of = |key| text(host, key).map(str::to_owned);
        let set = |field: &mut Option<String>, value: Option<String>| *field = field.take().or(value);
        let bench = &mut self.bench;
        let caption = of("BenchmarkDotNetCaption").unwrap_or_else(|| "BenchmarkDotNet".to_owned());
        set(&mut bench.harness, of("BenchmarkDotNetVersion").map(|version| format!("{caption} {version}")));
        set(&mut bench.processor, of("ProcessorName"));
        let exhibit = &mut bench.exhibit;
        // `.NET 10.0.12 (10.0.12, …)`: the words around it are added where it is shown.
        let runtime = of("RuntimeVersion").map(|text| text.strip_prefix(".NET ").unwrap_or(&text).to_owned());
        let runtime = runtime.map(|text| text.split(" (").next().unwrap_or(&text).to_owned());
        self.hosts.insert([of("ProcessorName"), runtime.clone(), of("OsVersion")]);
        // There are not more hosts than files.
        bench.hosts = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        set(&mut exhibit.runtime, runtime);
        set(&mut exhibit.os, of("OsVersion"));
        set(&mut exhibit.arch, of("Architecture"));
        let cores = int(host.get("LogicalCoreCount")).and_then(|count| u32::try_from(count).ok());
        exhibit.cores = exhibit.cores.or(cores.filter(|count| *count > 0));
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
    wide(before.saturating_add(column))
}

/// The types that a visitor does not expect: they are passed over, and with `note` noted.
macro_rules! other_types {
    (@each $value:expr, $self:ident, $note:expr; $($visit:ident: $type:ty),*) => {
        $(fn $visit<E>($self, _value: $type) -> Result<Self::Value, E> {
            $note;
            Ok($value)
        })*
    };
    ($value:expr) => {
        other_types!(@each $value, self, (); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
    ($value:expr, note) => {
        other_types!(@each $value, self, self.bench.lost.damage.note(OTHER_TYPE, 0);
            visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
    };
}

/// The whole document.
struct Top<'a> {
    bench: &'a mut Bench,
    file: Sym,
    has_benchmarks: &'a mut bool,
    host: &'a mut Value,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with Benchmarks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut has_host = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "HostEnvironmentInfo" => {
                    note_twice(&mut has_host, self.bench);
                    *self.host = map.next_value()?;
                }
                "Benchmarks" => {
                    note_twice(self.has_benchmarks, self.bench);
                    map.next_value_seed(Benchmarks { bench: self.bench, file: self.file })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Notes a key that was there already.
fn note_twice(was_there: &mut bool, bench: &mut Bench) {
    if std::mem::replace(was_there, true) {
        bench.lost.damage.note(TWICE, 0);
    }
}

/// The list of benchmarks, each taken as soon as it is whole.
struct Benchmarks<'a> {
    bench: &'a mut Bench,
    file: Sym,
}

impl<'de> DeserializeSeed<'de> for Benchmarks<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Benchmarks<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of benchmarks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let whole = self.bench.measurements.benchmark.len();
            match list.next_element_seed(One { bench: self.bench, file: self.file }) {
                Ok(Some(true)) => {}
                Ok(Some(false)) => {
                    self.bench.measurements.truncate(whole);
                    self.bench.lost.damage.note(NOT_A_BENCHMARK, 0);
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    // Measurements of a benchmark that is not whole would belong to none.
                    self.bench.measurements.truncate(whole);
                    return Err(error);
                }
            }
        }
    }
}

/// One benchmark. Whether it is one.
struct One<'a> {
    bench: &'a mut Bench,
    file: Sym,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a benchmark")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut fields = serde_json::Map::new();
        let mut has_measurements = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "Measurements" => {
                    note_twice(&mut has_measurements, self.bench);
                    map.next_value_seed(Measurements { bench: self.bench })?;
                }
                "DisplayInfo" | "Namespace" | "Type" | "Method" | "FullName" | "Parameters"
                | "Statistics" | "Memory" => {
                    note_twice(&mut fields.contains_key(&key), self.bench);
                    fields.insert(key, map.next_value()?);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(benchmark(self.bench, self.file, &Value::Object(fields)))
    }

    other_types!(false);
}

/// The measurements of the benchmark that is read.
struct Measurements<'a> {
    bench: &'a mut Bench,
}

impl<'de> DeserializeSeed<'de> for Measurements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Measurements<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of measurements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<Value>()? {
            measurement(self.bench, &value);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // Null: there are none.
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.bench.lost.damage.note(OTHER_TYPE, 0);
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    other_types!((), note);
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn int(value: Option<&Value>) -> Option<i64> {
    value.and_then(Value::as_i64)
}

/// A field as a number; not-a-number if it has none. A value that is neither is noted.
fn real(bench: &mut Bench, value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
        None | Some(Value::Null) => f64::NAN,
        Some(Value::String(text)) if text.is_empty() => f64::NAN,
        Some(_) => {
            bench.lost.damage.note(OTHER_TYPE, 0);
            f64::NAN
        }
    }
}

/// A field that is an object, if it is there. A value that is not one is noted.
fn object<'a>(bench: &mut Bench, value: Option<&'a Value>) -> Option<&'a Value> {
    let value = value.filter(|value| !value.is_null())?;
    if !value.is_object() {
        bench.lost.damage.note(OTHER_TYPE, 0);
        return None;
    }
    Some(value)
}

/// Takes a benchmark, whose measurements are taken already; whether it is one.
fn benchmark(bench: &mut Bench, file: Sym, value: &Value) -> bool {
    let id = next_id(bench);
    let names: Vec<&str> =
        ["Namespace", "Type", "Method"].iter().filter_map(|key| text(value, key)).collect();
    let name = if names.is_empty() {
        text(value, "FullName").unwrap_or_default().to_owned()
    } else {
        names.join(".")
    };
    if name.is_empty() {
        return false;
    }
    let own = object(bench, value.get("Statistics"));
    let interval = object(bench, own.and_then(|of| of.get("ConfidenceInterval")));
    let memory = object(bench, value.get("Memory"));
    let [mean, median] = ["Mean", "Median"].map(|key| real(bench, own.and_then(|of| of.get(key))));
    let [low, high] = ["Lower", "Upper"].map(|key| real(bench, interval.and_then(|of| of.get(key))));
    let allocated_bytes = real(bench, memory.and_then(|of| of.get("BytesAllocatedPerOperation")));
    let n = int(own.and_then(|of| of.get("N"))).filter(|n| *n >= 0);
    let strings = &mut bench.strings;
    let mut intern = |text: Option<&str>| text.map_or(Sym::NONE, |text| strings.intern(text));
    let row = BenchmarkRow {
        id,
        name: intern(Some(&name)),
        parameters: intern(text(value, "Parameters")),
        job: intern(text(value, "DisplayInfo").and_then(job)),
        n: or_none(n),
        mean,
        median,
        low,
        high,
        unit: intern(Some("ns")),
        allocated_bytes,
        file,
    };
    bench.benchmarks.push(row);
    true
}

/// The number of the benchmark that is read.
fn next_id(bench: &Bench) -> i64 {
    saturated(bench.benchmarks.id.len())
}

/// The job in `Type.Method: Job(Setting=1, …) [Parameter=2]`.
fn job(display: &str) -> Option<&str> {
    let (_, job) = display.split_once(": ")?;
    Some(job.rsplit_once(" [").map_or(job, |(job, _)| job)).filter(|job| !job.is_empty())
}

/// Takes a measurement of the benchmark that is read.
fn measurement(bench: &mut Bench, of: &Value) {
    let benchmark = next_id(bench);
    let nanoseconds = of.get("Nanoseconds").and_then(Value::as_f64).filter(|ns| ns.is_finite() && *ns >= 0.0);
    let operations = int(of.get("Operations")).filter(|count| *count > 0);
    let (Some(value_ns), Some(operations)) = (nanoseconds, operations) else {
        return bench.lost.damage.note(NOT_A_MEASUREMENT, 0);
    };
    let strings = &mut bench.strings;
    let mut intern = |key: &str| text(of, key).map_or(Sym::NONE, |text| strings.intern(text));
    let row = MeasurementRow {
        benchmark,
        launch: or_none(int(of.get("LaunchIndex"))),
        mode: intern("IterationMode"),
        stage: intern("IterationStage"),
        iteration: or_none(int(of.get("IterationIndex"))),
        operations,
        value_ns,
    };
    bench.measurements.push(row);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Bench, JsonError> {
        let mut reader = Reader::default();
        reader.read(text.as_bytes(), None, None)?;
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
        assert_eq!(bench.benchmarks.row(1).unwrap().n, model::NO_INT);
        assert_eq!(bench.measurements.value_ns, [15.0]);
        assert_eq!(bench.lost.damage.kinds()[0].what, NOT_A_MEASUREMENT);
    }

    #[test]
    fn fields_of_another_type_are_counted_as_damage_and_what_is_no_benchmark_leaves_nothing() {
        let check = |benchmark: &str, expected: &[&str], rows: usize| {
            let bench = read(&format!("{{\"Benchmarks\":[{benchmark}]}}")).unwrap();
            let noted: Vec<&str> = bench.lost.damage.kinds().iter().map(|kind| kind.what).collect();
            assert_eq!((noted.as_slice(), bench.benchmarks.id.len()), (expected, rows), "{benchmark}");
            assert!(bench.measurements.benchmark.is_empty());
        };
        for field in [
            "\"Measurements\":7",
            "\"Measurements\":{}",
            "\"Statistics\":[1]",
            "\"Memory\":\"x\"",
            "\"Statistics\":{\"Mean\":\"5\"}",
        ] {
            check(&format!("{{\"Method\":\"M\",{field}}}"), &[OTHER_TYPE], 1);
        }
        check(
            "{\"Method\":\"M\",\"Measurements\":[{\"Operations\":-1,\"Nanoseconds\":1}]}",
            &[NOT_A_MEASUREMENT],
            1,
        );
        for other in ["7", "[]", "null", "{\"Measurements\":[{\"Operations\":1,\"Nanoseconds\":1}]}"] {
            check(other, &[NOT_A_BENCHMARK], 0);
        }
    }

    #[test]
    fn a_key_that_stands_there_twice_is_not_taken_silently() {
        let check = |text: &str, expected: u64| {
            let bench = read(text).unwrap();
            let noted = bench.lost.damage.kinds().iter().find(|kind| kind.what == TWICE);
            assert_eq!(noted.map_or(0, |kind| kind.count), expected, "{text}");
        };
        let [one, other] = [r#"{"Method":"A"}"#, r#"{"Method":"B"}"#];
        check(&format!("{{\"Benchmarks\":[{one}],\"Benchmarks\":[{other}],\"Benchmarks\":[]}}"), 2);
        check(
            &format!("{{\"HostEnvironmentInfo\":{{}},\"Benchmarks\":[{one}],\"HostEnvironmentInfo\":{{}}}}"),
            1,
        );
        check(r#"{"Benchmarks":[{"Method":"A","Method":"B","Measurements":[],"Measurements":[]}]}"#, 2);
        check(&format!("{{\"Title\":1,\"Title\":2,\"Benchmarks\":[{one},{other}]}}"), 0);
    }

    #[test]
    fn a_file_that_repeats_another_is_not_counted_twice() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(SMALL.as_bytes(), Some("a.json"), None), Ok(false));
        assert_eq!(reader.read(SMALL.as_bytes(), Some("b.json"), None), Ok(true));
        let slower = SMALL.replace("7.5", "8.5").replace("0.15.8", "0.15.9").replace(".NET 10", ".NET 9");
        assert_eq!(reader.read(slower.as_bytes(), Some("c.json"), None), Ok(false));
        let bench = reader.finish("folder");
        assert_eq!(
            (bench.benchmarks.id.len(), bench.measurements.benchmark.as_slice(), bench.hosts),
            (4, [0, 2].as_slice(), 2)
        );
        assert_eq!(bench.labels()[0], "Parse.Split(Fields=10) a.json", "another file has the same benchmark");
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
