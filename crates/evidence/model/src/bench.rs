//! Benchmarks: what a harness measured of pieces of code, each measurement by itself.

use crate::strings::Sym;
use crate::tables::{Shared, table, tables};
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
        }
    }
}

impl Bench {
    fn shared(&self) -> Shared<'_> {
        Shared { strings: &self.strings, thread_ids: &[], activities: &[] }
    }

    /// What people call each benchmark: its name, its parameters, and its job if the same benchmark ran with several.
    pub fn labels(&self) -> Vec<String> {
        let rows = || (0..self.benchmarks.id.len()).filter_map(|at| self.benchmarks.row(at));
        // The first job of each benchmark; `None` once there is another one.
        let mut jobs: FxHashMap<(Sym, Sym), Option<Sym>> = FxHashMap::default();
        for row in rows() {
            let job = jobs.entry((row.name, row.parameters)).or_insert(Some(row.job));
            *job = job.filter(|first| *first == row.job);
        }
        let label = |row: BenchmarkRow| {
            let mut label = self.strings.text(row.name).to_owned();
            if let Some(parameters) = self.strings.get(row.parameters) {
                label.extend(["(", parameters, ")"]);
            }
            let has_several = jobs.get(&(row.name, row.parameters)).is_some_and(Option::is_none);
            if let Some(job) = self.strings.get(row.job).filter(|_| has_several) {
                label.extend([" ", job]);
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
