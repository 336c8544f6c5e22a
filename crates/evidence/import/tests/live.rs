//! The feed of counters: what it gives of a session is what the table of the recording holds, in any cut.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::{CounterFeed, CounterReading, CounterSource, Options};
use std::path::{Path, PathBuf};

/// Every recording here that has counters; the names of those that are not here.
fn recordings() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut found =
        vec![root.join("fixtures/starvation.nettrace.zst"), root.join("fixtures/net8.nettrace.zst")];
    let healthy = root.join("../shared/captures/labelled/light-healthy.nettrace.zst");
    if healthy.exists() {
        found.push(healthy);
    } else {
        base::ground::skip("import::live", "the labelled captures are not there");
    }
    found
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut unpacker = zstd::stream::read::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    unpacker.window_log_max(27).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut unpacker, &mut bytes).unwrap();
    bytes
}

/// The readings of bytes taken in pieces, each reading as one line.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut feed = CounterFeed::new();
    let mut lines = Vec::new();
    for piece in pieces {
        feed.take(piece).unwrap();
        lines.extend(feed.readings().iter().map(line));
    }
    assert_eq!(feed.left_out(), 0);
    lines.sort();
    lines
}

fn line(of: &CounterReading) -> String {
    let CounterReading { ts_ns, provider, name, unit, kind, value, tags, .. } = of;
    format!("{ts_ns} {provider} {name} {unit} {kind} {value} {tags}")
}

#[test]
fn the_feed_gives_what_the_table_holds_in_any_cut() {
    for path in recordings() {
        let evidence = import::open(&path, Options { payloads: false, threads: 1 }).unwrap();
        let recording = evidence.into_trace().unwrap();
        let rows = (0..recording.counters.ts_ns.len()).filter_map(|at| recording.counters.row(at));
        let text = |sym| recording.strings.text(sym);
        let mut expected: Vec<String> = rows
            .map(|row| {
                let [provider, name, unit] = [row.provider, row.name, row.unit].map(text);
                format!(
                    "{} {provider} {name} {unit} {} {} {}",
                    row.ts_ns,
                    text(row.kind),
                    row.value,
                    text(row.tags)
                )
            })
            .collect();
        expected.sort();
        let bytes = unpacked(&path);
        assert_eq!(read([bytes.as_slice()].into_iter()), expected, "{}", path.display());
        for size in [1009, 4096, 100_003] {
            assert_eq!(read(bytes.chunks(size)), expected, "{} in pieces of {size}", path.display());
        }
    }
}

#[test]
fn the_feed_is_the_same_wherever_the_session_is_cut() {
    let bytes = unpacked(&recordings()[0]);
    // The beginning has the header, descriptions of events and the first values; every cut of it is tried.
    let bytes = &bytes[..bytes.len().min(60_000)];
    let whole = read([bytes].into_iter());
    for at in (0..bytes.len()).step_by(7) {
        let (left, right) = bytes.split_at(at);
        assert_eq!(read([left, right].into_iter()), whole, "cut at {at}");
    }
    assert_eq!(read(bytes.chunks(1)), whole);
}

#[test]
fn values_come_before_the_session_ends() {
    for path in recordings().iter().filter(|path| path.to_string_lossy().contains("starvation")) {
        let bytes = unpacked(path);
        let mut feed = CounterFeed::new();
        let mut first = None;
        for (at, piece) in bytes.chunks(4096).enumerate() {
            feed.take(piece).unwrap();
            if !feed.readings().is_empty() && first.is_none() {
                first = Some(at);
            }
        }
        let pieces = bytes.len().div_ceil(4096);
        assert!(first.unwrap() < pieces / 3, "the first value comes with piece {first:?} of {pieces}");
        assert!(feed.start_utc_ns().unwrap() > 1_700_000_000_000_000_000);
    }
}

#[test]
fn up_down_counters_that_are_not_observed_tell_changes() {
    let mut feed = CounterFeed::new();
    feed.take(&unpacked(&recordings()[0])).unwrap();
    let readings = feed.readings();
    let is_change = |name: &str| {
        let of: Vec<bool> = readings.iter().filter(|of| of.name == name).map(|of| of.is_change).collect();
        assert!(!of.is_empty(), "{name}");
        of.iter().all(|is_change| *is_change)
    };
    assert!(is_change("http.server.active_requests"));
    assert!(!is_change("dotnet.timer.count") && !is_change("dotnet.gc.collections"));
}

#[test]
fn any_bytes_make_an_error_or_nothing() {
    let bytes = unpacked(&recordings()[0]);
    let bytes = &bytes[..20_000];
    let mut changed = bytes.to_vec();
    for at in (0..bytes.len()).step_by(11) {
        for value in [bytes[at] ^ 1, 0xff, 0] {
            changed[at] = value;
            let mut feed = CounterFeed::new();
            drop(feed.take(&changed));
            let readings = feed.readings();
            assert!(readings.iter().all(|of| of.source == CounterSource::Meter || of.tags == "{}"));
        }
        changed[at] = bytes[at];
    }
    assert!(CounterFeed::new().take(b"HTTP/1.1 400 Bad Request").is_err());
}
