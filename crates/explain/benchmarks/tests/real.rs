//! Real files of BenchmarkDotNet: our figures against the harness's own.

#![expect(clippy::unwrap_used, reason = "a test")]

use model::{Bench, Evidence};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/captures/benchmarks");

fn files(test: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(CAPTURES) else {
        base::ground::skip(test, "the captures of benchmarks are not there");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".full.json"));
    files.sort();
    files
}

fn open(path: &Path) -> Arc<Bench> {
    let evidence = import::open(path, import::Options { payloads: false, threads: 1 }).unwrap();
    let Evidence::Bench(bench) = evidence else { panic!("{} is not read as benchmarks", path.display()) };
    bench
}

#[test]
fn figures_are_the_harness_s_own() {
    for path in files("figures_are_the_harness_s_own") {
        let (bench, json) = (open(&path), std::fs::read_to_string(&path).unwrap());
        let json: Value = serde_json::from_str(&json).unwrap();
        let list = json["Benchmarks"].as_array().unwrap();
        let distributions: Vec<_> = benchmarks::distributions(&bench).into_iter().flatten().collect();
        assert_eq!(distributions.len(), list.len(), "{}", path.display());
        for (of, expected) in distributions.iter().zip(list) {
            let own = &expected["Statistics"];
            let close = |value: f64, key: &str| {
                let expected = own[key].as_f64().unwrap();
                assert!(
                    (value - expected).abs() <= 1e-9 * expected.abs(),
                    "{} {key}: {value} {expected}",
                    of.name
                );
            };
            close(of.mean(), "Mean");
            for (value, key) in of.quartiles.iter().zip(["Q1", "Median", "Q3"]) {
                close(*value, key);
            }
            assert_eq!(of.outliers, own["AllOutliers"].as_array().unwrap().len(), "{}", of.name);
            assert_eq!(of.values.len(), own["OriginalValues"].as_array().unwrap().len(), "{}", of.name);
        }
    }
}

#[test]
fn every_measurement_of_the_file_is_a_row() {
    for path in files("every_measurement_of_the_file_is_a_row") {
        let (bench, json) = (open(&path), std::fs::read_to_string(&path).unwrap());
        let json: Value = serde_json::from_str(&json).unwrap();
        let of = |benchmark: &Value| benchmark["Measurements"].as_array().unwrap().len();
        let expected: usize = json["Benchmarks"].as_array().unwrap().iter().map(of).sum();
        assert_eq!(bench.measurements.benchmark.len(), expected, "{}", path.display());
        assert!(!bench.lost.is_damaged(), "{:?}", bench.lost);
    }
}
