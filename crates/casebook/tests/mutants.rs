//! Damaged recordings of services with a problem: none is called healthy, even if the part that shows the problem is gone.
//!
//! Every mutant comes from a fixed seed. A mutant may keep the finding, so the tests check only that the verdict is not
//! healthy. They also check what is said about healthy recordings that were cut.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;
mod shared;
mod trace;

use import::Options;
use model::{NO_INT, Trace};
use report::{State, Verdict};
use runtime::StackIndex;
use shared::shared;
use std::fs;
use std::path::Path;
use trace::unpacked;

const OPTIONS: Options = Options { payloads: false, threads: 1 };

/// Numbers that look random and are the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    /// A random range that is not empty.
    fn range(&mut self, len: usize) -> (usize, usize) {
        let (one, other) = (self.below(len), self.below(len));
        (one.min(other), one.max(other) + 1)
    }
}

/// A block of a trace in its container of versions 4 and 5.
#[derive(Clone, Copy)]
struct Block<'a> {
    name: &'a [u8],
    /// From its begin tag to its size.
    head: &'a [u8],
    payload: &'a [u8],
}

/// The header of a trace, and its blocks.
fn blocks(raw: &[u8]) -> (&[u8], Vec<Block<'_>>) {
    let blocks = trace::blocks(raw);
    let header = &raw[..blocks[0].head.start];
    let slices = |block: trace::Block| Block {
        name: &raw[block.name],
        head: &raw[block.head],
        payload: &raw[block.payload],
    };
    (header, blocks.into_iter().map(slices).collect())
}

/// A trace of these blocks, each where its padding fits, and its end.
fn joined<'a>(header: &[u8], blocks: impl IntoIterator<Item = Block<'a>>) -> Vec<u8> {
    let mut raw = header.to_vec();
    for block in blocks {
        raw.extend(block.head);
        raw.resize(raw.len().next_multiple_of(4), 0);
        raw.extend(block.payload);
        raw.push(6);
    }
    raw.push(1);
    raw
}

const KINDS: [&str; 10] = [
    "cut",
    "zeroed",
    "flipped",
    "bytes removed",
    "tail removed",
    "blocks removed",
    "one in n blocks removed",
    "blocks of a kind removed",
    "blocks repeated",
    "blocks garbled",
];

/// A mutant of this kind, and a description of what was changed.
fn mutant(raw: &[u8], kind: &str, random: &mut Random) -> (String, Vec<u8>) {
    let (header, blocks) = blocks(raw);
    let (from, to) = random.range(raw.len() - header.len());
    let (from, to) = (header.len() + from, header.len() + to);
    let (first, end) = random.range(blocks.len());
    let one_in = 2 + random.below(8);
    let mut bytes = raw.to_vec();
    let what = match kind {
        "cut" => {
            bytes.truncate(from);
            format!("at {from}")
        }
        "zeroed" => {
            bytes[from..to].fill(0);
            format!("{from}..{to}")
        }
        "flipped" => {
            let count = 1 << random.below(14);
            for _ in 0..count {
                let at = header.len() + random.below(raw.len() - header.len());
                bytes[at] ^= 1 << random.below(8);
            }
            format!("{count} bits")
        }
        "bytes removed" => {
            bytes.drain(from..to);
            format!("{from}..{to}")
        }
        "tail removed" => {
            bytes = joined(header, blocks[..end].iter().copied());
            format!("from block {end} on, of {}", blocks.len())
        }
        "blocks removed" => {
            bytes = joined(header, blocks[..first].iter().chain(&blocks[end..]).copied());
            format!("{first}..{end} of {}", blocks.len())
        }
        "one in n blocks removed" => {
            bytes = joined(header, blocks.iter().copied().filter(|_| random.below(one_in) > 0));
            format!("one in {one_in}")
        }
        "blocks of a kind removed" => {
            let name = ["EventBlock", "StackBlock", "MetadataBlock"][random.below(3)];
            let is_kept = |block: &Block<'_>| block.name != name.as_bytes() || random.below(one_in) == 0;
            bytes = joined(header, blocks.iter().copied().filter(is_kept));
            format!("{name}, all but one in {one_in}")
        }
        "blocks repeated" => {
            bytes = joined(header, blocks[..end].iter().chain(&blocks[first..]).copied());
            format!("{first}..{end}")
        }
        _ => {
            for block in &blocks {
                let at = block.head.as_ptr().addr() - raw.as_ptr().addr() + random.below(block.head.len());
                bytes[at] ^= if random.below(one_in) == 0 { 0x55 } else { 0 };
            }
            format!("the heads of one in {one_in}")
        }
    };
    (format!("{kind}: {what}"), bytes)
}

fn verdict(trace: &Trace) -> Verdict {
    findings::judge(trace, &StackIndex::new(trace)).1
}

/// The verdict about these bytes. `None` if they cannot be read.
fn said(bytes: &[u8]) -> Option<Verdict> {
    let trace = import::open_bytes(bytes, "mutant", OPTIONS).ok()?.into_trace()?;
    has_no_impossible_value(&trace);
    Some(verdict(&trace))
}

/// Checks that damage does not show up as a figure.
fn has_no_impossible_value(trace: &Trace) {
    let known = |column: &[i64]| -> Vec<i64> { column.iter().copied().filter(|of| *of != NO_INT).collect() };
    let most = |column: &[i64]| known(column).into_iter().max().unwrap_or(0);
    let pool = &trace.threadpool;
    assert!(pool.throughput.iter().all(|of| of.is_nan() || (0.0..1e9).contains(of)), "{:?}", pool.throughput);
    assert!(known(&pool.workers).iter().all(|of| (0..32_768).contains(of)), "{:?}", pool.workers);
    assert!(most(&trace.jit.native_bytes) <= 1 << 28);
    assert!(trace.allocations.weight_bytes.iter().all(|of| of.is_nan() || (0.0..1e13).contains(of)));
}

/// Checks mutants of a recording that has a problem.
fn no_mutant_is_healthy(path: &Path, of_each_kind: usize) {
    let raw = unpacked(path);
    assert_eq!(said(&raw).unwrap().state, State::Problem, "{}", path.display());
    let mut random = Random(7);
    for _ in 0..of_each_kind {
        for kind in KINDS {
            let (what, bytes) = mutant(&raw, kind, &mut random);
            if let Some(of) = said(&bytes) {
                assert_ne!(of.state, State::Healthy, "{}, {what}: {}", path.display(), of.text);
            }
        }
    }
}

#[test]
fn a_sick_recording_that_is_damaged_is_not_called_healthy() {
    for name in ["net8", "net31"] {
        no_mutant_is_healthy(&program::fixture(name).with_extension("nettrace.zst"), 12);
    }
}

#[test]
fn a_sick_recording_under_load_that_is_damaged_is_not_called_healthy() {
    for name in ["light-starvation", "regex-backtracking"] {
        let name = format!("captures/labelled/{name}.nettrace.zst");
        let Some(path) = shared("mutants_of_labelled", &name) else { return };
        no_mutant_is_healthy(&path, 1);
    }
}

/// A deadlock whose blocks are gone but for the first and the last: the descriptions of its events went with them.
#[test]
fn a_recording_without_its_middle_is_not_called_healthy() {
    let name = "captures/labelled/deadlock.nettrace.zst";
    let Some(path) = shared("mutants_of_deadlock", name) else { return };
    let raw = unpacked(&path);
    let (header, blocks) = blocks(&raw);
    let (first, end) = (blocks.len() * 8 / 1000, blocks.len() * 785 / 1000);
    let of = said(&joined(header, blocks[..first].iter().chain(&blocks[end..]).copied())).unwrap();
    assert_eq!(of.state, State::CannotJudge, "{}", of.text);
}

/// A healthy recording that ends early says so in its verdict.
#[test]
fn a_recording_that_was_cut_has_no_plain_all_clear() {
    for (name, parts) in [("light-healthy", [60, 300, 996]), ("startup-normal", [300, 700, 996])] {
        let name = format!("captures/labelled/{name}.nettrace.zst");
        let Some(path) = shared("cut_healthy", &name) else { return };
        let raw = unpacked(&path);
        for part in parts {
            let of = said(&raw[..raw.len() / 1000 * part]).unwrap();
            let says_so = of.text.contains("the recording is cut off ");
            assert!(says_so || of.state == State::Problem, "{name} cut at {part} ‰: {of:?}");
            let is_startup = name.contains("startup");
            assert!(!is_startup || of.state != State::Healthy, "{name} cut at {part} ‰: {of:?}");
        }
    }
}

/// Changes of a file in a recorder's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Removed,
    Emptied,
    Cut,
}

/// A copy of a folder in which some files are changed.
fn copy(of: &Path, changed: &[(&str, Change)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        let kept = match changed.iter().find(|(file, _)| *file == name).map(|(_, change)| change) {
            Some(Change::Removed) => continue,
            Some(Change::Emptied) => 0,
            Some(Change::Cut) => bytes.len() / 10,
            None => bytes.len(),
        };
        fs::write(copy.path().join(name), &bytes[..kept]).unwrap();
    }
    copy
}

const PROVENANCE: &str = "exhibit.toml";

#[test]
fn a_sick_recorders_folder_whose_files_are_changed_is_not_called_healthy() {
    let files =
        ["trace.nettrace.zst", "samples.nettrace.zst", "names.nettrace.zst", "host.csv", "thread_cpu.csv"];
    // Only the readings of the host show what is wrong.
    let Some(folder) = shared("mutants_of_folders", "cases/cpu-throttled") else { return };
    for file in files {
        for change in [Change::Removed, Change::Emptied, Change::Cut] {
            for provenance in [None, Some((PROVENANCE, Change::Removed))] {
                // Without the provenance, a missing file is noticed only if the main session mentions its contents.
                let is_missed = file.starts_with("samples") || file.starts_with("host");
                if provenance.is_some() && change == Change::Removed && !is_missed {
                    continue;
                }
                let changed: Vec<(&str, Change)> = [(file, change)].into_iter().chain(provenance).collect();
                let copy = copy(&folder, &changed);
                let Ok(evidence) = import::open(copy.path(), OPTIONS) else { continue };
                let of = verdict(&evidence.into_trace().unwrap());
                assert_ne!(of.state, State::Healthy, "{changed:?}: {}", of.text);
            }
        }
    }
}

/// A recorder that is killed: its folder says `recording`, and lists no file.
#[test]
fn a_sick_recorders_folder_whose_recorder_was_killed_is_not_called_healthy() {
    let Some(folder) = shared("mutants_of_killed", "cases/cpu-throttled") else { return };
    for part in [10, 25, 50, 80] {
        let of_samples = [0, part / 4, part];
        for samples in of_samples {
            let copy = copy(&folder, &[]);
            for (file, part) in
                [("trace", part), ("samples", samples), ("names-first-uses", part), ("names", part)]
            {
                let path = copy.path().join(file).with_extension("nettrace.zst");
                let Ok(bytes) = fs::read(&path) else { continue };
                if part == 0 {
                    fs::remove_file(&path).unwrap();
                } else {
                    fs::write(&path, &bytes[..bytes.len() * part / 100]).unwrap();
                }
            }
            let provenance = copy.path().join(PROVENANCE);
            let text = fs::read_to_string(&provenance).unwrap();
            let text = text.split("[cost]").next().unwrap().split("[[files]]").next().unwrap();
            fs::write(&provenance, text.replace("\"complete\"", "\"recording\"")).unwrap();
            let Ok(evidence) = import::open(copy.path(), OPTIONS) else { continue };
            let of = verdict(&evidence.into_trace().unwrap());
            assert_ne!(of.state, State::Healthy, "{part} % with {samples} % of the samples: {}", of.text);
        }
    }
}

/// A cut recording must not have a finding that the whole one does not have, just because names of methods are missing.
#[test]
fn a_recording_that_was_cut_is_not_accused_of_what_the_whole_one_does_not_show() {
    for name in ["async-lock", "healthy-async-wait"] {
        let name = format!("captures/labelled/{name}.nettrace.zst");
        let Some(path) = shared("cut_accused", &name) else { return };
        let raw = unpacked(&path);
        for part in [20, 72, 78, 84] {
            let of = said(&raw[..raw.len() / 100 * part]).unwrap();
            assert_ne!(of.state, State::Problem, "{name} cut at {part} %: {}", of.text);
        }
    }
}
