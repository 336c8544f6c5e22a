//! Benchmark results explained: each benchmark in figures, and how its results are distributed.
//!
//! Figures are of the results: measurements of mode `Workload` and stage `Result`, each divided by its operations. If a file
//! has none, the figures are the harness's own. There are no rules, so nothing is judged, and two files are not compared.
//! Nothing here prints.

use base::damage::Harm;
use base::number::{count, real};
use model::{Bench, NO_INT};
use report::unit::short;
use report::{Distribution, Explanation, Heading, List, ListColumn, Part, Report, Row};

/// The most rows in the list of benchmarks.
const MAX_ROWS: usize = 1_000;

const COLUMNS: &[ListColumn] = &[
    ListColumn { name: "mean", unit: "ns" },
    ListColumn { name: "±", unit: "ns" },
    ListColumn { name: "median", unit: "ns" },
    ListColumn { name: "results", unit: "" },
    ListColumn { name: "outliers", unit: "" },
    ListColumn { name: "allocated", unit: "B" },
];

const NO_MEASUREMENTS: &str = "The file has no measurements, so there are no distributions: let BenchmarkDotNet write its \
                               full JSON with --exporters fulljson";

/// Explains a file of benchmarks, with the distributions that [`distributions`] returns.
pub fn explanation(bench: &Bench, distributions: &[Option<Distribution>]) -> Explanation {
    Explanation {
        heading: heading(bench),
        report: Report::default(),
        verdict: None,
        parts: vec![part(bench, distributions)],
    }
}

/// What ran and where, and what could not be read.
pub fn heading(bench: &Bench) -> Heading {
    let exhibit = &bench.exhibit;
    let machine: Vec<&str> =
        [&exhibit.os, &exhibit.arch].into_iter().filter_map(|of| of.as_deref()).collect();
    let subject = [
        exhibit.name.clone(),
        bench.harness.clone(),
        exhibit.runtime.as_ref().map(|of| format!(".NET {of}")),
        bench.processor.clone(),
        exhibit.cores.map(|n| if n == 1 { "1 CPU core".to_owned() } else { format!("{n} CPU cores") }),
        (!machine.is_empty()).then(|| machine.join(" ")),
        (bench.hosts > 1)
            .then(|| format!("and other machines or runtimes: {} in all, by benchmarks.file", bench.hosts)),
    ];
    let counted = |n: usize, one: &str| {
        let plural = if n == 1 { "" } else { "s" };
        format!("{} {one}{plural}", short(count(n)))
    };
    let lost = &bench.lost;
    let files = lost.files.iter().map(|file| (file.file.as_str(), file.what.as_str()));
    Heading {
        name: exhibit.own_name().unwrap_or("benchmarks").to_owned(),
        file: exhibit.file.clone(),
        subject: subject.into_iter().flatten().collect(),
        command: exhibit.command_line.clone(),
        recorded: format!(
            "{} · {}",
            counted(bench.benchmarks.id.len(), "benchmark"),
            counted(bench.measurements.benchmark.len(), "measurement")
        ),
        losses: report::damage_sentences(lost.truncated_at, &lost.damage, files),
        are_losses_small: false,
        nothing_lost: "nothing: no damage",
    }
}

/// The distribution of the results of each benchmark, in nanoseconds per operation. `None` without results.
///
/// Takes time in proportion to the number of measurements.
pub fn distributions(bench: &Bench) -> Vec<Option<Distribution>> {
    let of_benchmarks = results(bench).into_iter().zip(bench.labels());
    of_benchmarks.map(|(values, label)| Distribution::of(label, "ns", values)).collect()
}

/// The results of each benchmark, in nanoseconds per operation.
fn results(bench: &Bench) -> Vec<Vec<f64>> {
    let mut results = vec![Vec::new(); bench.benchmarks.id.len()];
    let (mode, stage) = (bench.strings.find("Workload"), bench.strings.find("Result"));
    for at in 0..bench.measurements.benchmark.len() {
        let Some(row) = bench.measurements.row(at) else { continue };
        let is_result = Some(row.mode) == mode && Some(row.stage) == stage;
        let of = usize::try_from(row.benchmark).ok().and_then(|of| results.get_mut(of));
        if let Some(of) = of.filter(|_| is_result) {
            of.push(row.value_ns / real(row.operations));
        }
    }
    results
}

fn part(bench: &Bench, distributions: &[Option<Distribution>]) -> Part {
    let mut part = Part::new("benchmarks");
    let all = || distributions.iter().flatten();
    let number: usize = all().map(|of| of.values.len()).sum();
    let outliers: usize = all().map(|of| of.outliers).sum();
    let known = |value: f64| value.is_finite().then_some(value);
    let mut rows = Vec::new();
    for ((at, name), of) in bench.labels().into_iter().enumerate().zip(distributions) {
        let (Some(own), of) = (bench.benchmarks.row(at), of.as_ref()) else { continue };
        let n = of.map(|of| count(of.values.len()));
        let n = n.or((own.n != NO_INT).then(|| real(own.n)));
        let values = vec![
            of.map(Distribution::mean).or(known(own.mean)),
            known((own.high - own.low) / 2.0),
            of.map(|of| of.quartiles[1]).or(known(own.median)),
            n,
            of.map(|of| count(of.outliers)),
            known(own.allocated_bytes),
        ];
        rows.push(Row { name, values });
    }
    let more = rows.len().saturating_sub(MAX_ROWS);
    part.figure("benchmarks", Some(count(rows.len())), "", "Benchmarks");
    part.figure(
        "measurements",
        Some(count(bench.measurements.benchmark.len())),
        "",
        "Measurements of all stages",
    );
    part.figure("results", Some(count(number)), "", "Results, which the figures come from");
    part.figure("outliers", (number > 0).then(|| count(outliers)), "", "Results outside Tukey's fences");
    if number == 0 {
        part.missing.push(NO_MEASUREMENTS);
    }
    if bench.lost.damage.kinds().iter().any(|kind| kind.harm == Harm::Lost) {
        part.missing.push("Damaged entries of the file are left out");
    }
    rows.truncate(MAX_ROWS);
    let about =
        "Per operation, by benchmark; ± is half of the mean's confidence interval at the harness's level";
    part.lists.push(List { name: "results", about, columns: COLUMNS, rows, more });
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{BenchmarkRow, MeasurementRow, Sym};

    fn bench(results: &[f64]) -> Bench {
        let mut bench = Bench::default();
        let name = bench.strings.intern("Parse.Split");
        let [mode, stage, warmup] = ["Workload", "Result", "Warmup"].map(|word| bench.strings.intern(word));
        let (none, nan) = (Sym::NONE, f64::NAN);
        bench.benchmarks.push(BenchmarkRow {
            id: 0,
            name,
            parameters: none,
            job: none,
            n: 9,
            mean: 4.0,
            median: 3.0,
            low: nan,
            high: nan,
            unit: none,
            allocated_bytes: nan,
            file: none,
        });
        for (at, value) in results.iter().enumerate() {
            // Measurements of another stage do not count.
            for (stage, factor) in [(stage, 2.0), (warmup, 100.0)] {
                let iteration = i64::try_from(at).unwrap();
                let (launch, operations, value_ns) = (1, 2, value * factor);
                bench.measurements.push(MeasurementRow {
                    benchmark: 0,
                    launch,
                    mode,
                    stage,
                    iteration,
                    operations,
                    value_ns,
                });
            }
        }
        bench
    }

    #[test]
    fn figures_are_of_the_results_per_operation() {
        let bench = bench(&[1.0, 2.0, 3.0]);
        let explanation = explanation(&bench, &distributions(&bench));
        let list = &explanation.parts[0].lists[0];
        assert_eq!(list.rows[0].name, "Parse.Split");
        let expected = [Some(2.0), None, Some(2.0), Some(3.0), Some(0.0), None];
        assert_eq!(list.rows[0].values, expected);
        assert_eq!((explanation.verdict, explanation.report.findings.len()), (None, 0));
        assert!(explanation.parts[0].missing.is_empty());
    }

    #[test]
    fn without_measurements_the_harness_s_own_figures_stand_in() {
        let bench = bench(&[]);
        let explanation = explanation(&bench, &distributions(&bench));
        let part = &explanation.parts[0];
        assert_eq!(part.lists[0].rows[0].values[..3], [Some(4.0), None, Some(3.0)]);
        assert_eq!((part.value("outliers"), part.missing.len()), (None, 1));
    }
}
