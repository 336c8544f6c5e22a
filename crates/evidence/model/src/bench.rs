//! Benchmarks: what a harness measured of pieces of code, each measurement by itself.

use crate::kind::tables;
use crate::strings::Sym;
use crate::tables::{Shared, table};
use rustc_hash::FxHashMap;

table! { Benchmarks, BenchmarkRow, "benchmarks",
    "A benchmark with its parameters, and the harness's own figures of it: times are of one operation.";
    id int "" "The number that measurements refer to"
    name text "" "Type and method"
    parameters text "" "Its parameters, as the harness writes them; null if it has none"
    job text "" "The settings that it ran with, as the harness writes them"
    n int "" "How many results its figures are of"
    mean real "ns" "Mean of the results"
    median real "ns" "Median of the results"
    low real "ns" "Lower end of the mean's confidence interval, at the harness's own level"
    high real "ns" "Upper end of the mean's confidence interval"
    unit text "" "The unit of the figures"
    allocated_bytes real "B" "Bytes allocated per operation; null if they were not measured"
    file text "" "The file that it is of; null if the exhibit is a single one"
}
table! { Measurements, MeasurementRow, "measurements",
    "A measurement: so many operations, timed together.";
    benchmark int "" "The benchmark, a row of benchmarks"
    launch int "" "Which process of the benchmark measured it, from 1"
    mode text "" "What was run, in the harness's word: Workload (the benchmark), Overhead (an empty one)"
    stage text "" "What for, in the harness's word: Jitting, Pilot, Warmup, Actual, Result"
    iteration int "" "Which one of its stage, from 1"
    operations int "" "How many operations it timed"
    value_ns real "ns" "How long all of them took"
}

tables! {
    /// All that was read of a file of benchmarks.
    pub struct Bench {
        tables {
            benchmarks: Benchmarks,
            measurements: Measurements,
        }
        beside {
        /// What ran the benchmarks, with its version.
        harness: Option<String>,
        /// What the file says of the processor.
        processor: Option<String>,
        /// Files that were read.
        files: u32,
        /// Machines and runtimes that the files are of; the exhibit names the first.
        hosts: u32,
        }
    }
}

impl Bench {
    fn shared(&self) -> Shared<'_> {
        Shared { strings: &self.strings, thread_ids: &[], thread_processes: &[], activities: &[] }
    }

    /// What people call each benchmark: its name and parameters; its job, and its file, if it takes them to tell it from
    /// another one.
    pub fn labels(&self) -> Vec<String> {
        let rows = || (0..self.benchmarks.id.len()).filter_map(|at| self.benchmarks.row(at));
        let (mut jobs, mut files) = (Several::default(), Several::default());
        for row in rows() {
            jobs.add((row.name, row.parameters, Sym::NONE), row.job);
            files.add((row.name, row.parameters, row.job), row.file);
        }
        let label = |row: BenchmarkRow| {
            let mut label = self.strings.text(row.name).to_owned();
            if let Some(parameters) = self.strings.get(row.parameters) {
                label.extend(["(", parameters, ")"]);
            }
            let job = self.strings.get(row.job).filter(|_| jobs.has((row.name, row.parameters, Sym::NONE)));
            let file = self.strings.get(row.file).filter(|_| files.has((row.name, row.parameters, row.job)));
            for more in [job, file].into_iter().flatten() {
                label.extend([" ", more]);
            }
            label
        };
        rows().map(label).collect()
    }

    /// Bytes that all tables take.
    pub fn size_bytes(&self) -> usize {
        self.tables_bytes()
    }
}

/// Which keys came with more than one value.
#[derive(Default)]
struct Several(FxHashMap<(Sym, Sym, Sym), Option<Sym>>);

impl Several {
    fn add(&mut self, key: (Sym, Sym, Sym), value: Sym) {
        // The first value of the key; `None` once there is another one.
        let first = self.0.entry(key).or_insert(Some(value));
        *first = first.filter(|first| *first == value);
    }

    fn has(&self, key: (Sym, Sym, Sym)) -> bool {
        self.0.get(&key).is_some_and(Option::is_none)
    }
}
