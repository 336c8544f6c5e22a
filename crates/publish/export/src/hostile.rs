//! Recordings that were made to hurt: no format panics, grows without end, breaks its own syntax, or loses a sample
//! without a word.

use crate::testing::Builder;
use crate::{Format, What, Written, write};
use flate2::read::GzDecoder;
use model::{FrameId, NO_INT, StackId, Sym, ThreadId, Trace};
use std::io::Read;

const FORMATS: [Format; 5] =
    [Format::Speedscope, Format::Firefox, Format::Pprof, Format::Folded, Format::Chrome];

/// What readers of JSON, HTML, flame graph scripts and terminals trip over.
const NAMES: [&str; 9] = [
    "</script><script>alert(1)</script>",
    "\"],\"weights\":[1e999]}",
    ",\"threadCPUDelta\":[1,2],\"sampleUnits\":{}",
    "a;b;c 17",
    "line\nbreak 5\r\n\u{2028}\u{0085}",
    "\u{0}\u{1b}[31mred\u{7f}",
    "\\u0000\\",
    "\u{202e}\u{feff}😀",
    "",
];

fn written(recording: &Trace, format: Format) -> (Vec<u8>, Written) {
    let mut out = Vec::new();
    let report = write(recording, format, None, &mut out).unwrap();
    if matches!(format, Format::Firefox | Format::Pprof) {
        let mut plain = Vec::new();
        GzDecoder::new(out.as_slice()).take(1 << 30).read_to_end(&mut plain).unwrap();
        return (plain, report);
    }
    (out, report)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn is_json(format: Format) -> bool {
    matches!(format, Format::Speedscope | Format::Firefox | Format::Chrome)
}

/// Every text of a recording is one of the names.
fn named() -> Trace {
    let mut builder = Builder::default();
    builder.recording.exhibit.name = Some(NAMES[0].to_owned());
    builder.recording.exhibit.file = NAMES[1].to_owned();
    builder.recording.exhibit.start_utc = NAMES[4].to_owned();
    builder.recording.exhibit.os = Some(NAMES[5].to_owned());
    for (at, name) in (0..).zip(NAMES) {
        builder.sample(at, at, "running", None, &[name, "A", name]);
        builder.sample(at + 20, at, "waiting", Some(name), &[name, name]);
        builder.sample(at + 40, at, name, None, &[name]);
        builder.allocates(at, at, name, 10.0, &[name]);
        builder.contends(at, at, Some(3), &[name]);
        builder.throws(at, at, name, name, &[name]);
        builder.compiles(at, at, Some(1), name);
        builder.counter(at, name, name, 1.0);
        builder.counter(at, "threadpool-queue-length", "value", 1.0);
        builder.request(at, Some(1), name);
        builder.span(at, 1, name);
    }
    let texts: Vec<Sym> = NAMES.iter().map(|name| builder.recording.text(name)).collect();
    for (row, text) in (0..builder.recording.threads.name.len()).zip(texts.iter().cycle()) {
        builder.recording.threads.name[row] = *text;
        builder.recording.threads.kind[row] = *text;
    }
    builder.recording.counters.tags = builder.recording.counters.name.clone();
    builder.done()
}

#[test]
fn names_stay_texts_in_every_format() {
    let recording = named();
    let samples = recording.samples.ts_ns.len();
    for format in FORMATS {
        let (bytes, report) = written(&recording, format);
        assert_eq!(report.samples, u64::try_from(samples).unwrap(), "{format:?}");
        if format == Format::Pprof {
            let raw =
                ["\u{1b}[31m", "\u{202e}", "\u{85}"].iter().find(|raw| contains(&bytes, raw.as_bytes()));
            assert_eq!(raw, None, "pprof has characters that steer a terminal");
            let changed = report.left_out.iter().find(|left| left.what.contains("steer a terminal"));
            assert!(changed.is_some_and(|left| left.count > Some(2)), "{report:?}");
        }
        if is_json(format) {
            let text = String::from_utf8(bytes).unwrap();
            let steering = text.chars().find(|c| base::steering::is_unseen(*c) && *c != '\n');
            assert_eq!(steering, None, "{format:?} has characters that steer a terminal");
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let back = value.to_string();
            for name in NAMES {
                let escaped = serde_json::to_string(name).unwrap();
                assert!(back.contains(escaped.trim_matches('"')), "{format:?} lacks {name:?}");
            }
        }
    }
}

#[test]
fn a_line_of_a_folded_file_is_a_stack_and_a_number_whatever_the_names_are() {
    let recording = named();
    let mut out = Vec::new();
    write(&recording, Format::Folded, Some(What::Samples), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut sum = 0;
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let (stack, count) = line.rsplit_once(' ').unwrap();
        assert!(stack.split(';').count() <= 4, "{line:?}");
        sum += count.parse::<usize>().unwrap();
    }
    assert_eq!(sum, recording.samples.ts_ns.len());
}

/// Numbers at the ends of their ranges, everywhere, and references that lead nowhere.
fn extreme() -> Trace {
    const ENDS: [i64; 7] = [NO_INT, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let mut builder = Builder::default();
    builder.recording.exhibit.duration_ns = i64::MIN;
    builder.recording.exhibit.pid = Some(u64::MAX);
    for end in ENDS {
        builder.sample(0, end, "running", None, &["A"]);
        builder.sample(1, end, "waiting", None, &["A", "B"]);
        builder.sample(2, end, "external", None, &[]);
        builder.allocates(0, end, "T", f64::MAX, &["A"]);
        builder.contends(0, end, Some(end), &["A"]);
        builder.throws(0, end, "E", "m", &["A"]);
        builder.gc(0, Some(1));
        builder.compiles(0, end, Some(1), "A");
        builder.counter(0, "threadpool-queue-length", "value", f64::MAX);
        builder.request(0, Some(1), "/");
        builder.span(0, 1, "s");
    }
    let mut recording = builder.done();
    let ends = |column: &mut Vec<i64>| {
        for (value, end) in column.iter_mut().zip(ENDS.iter().cycle()) {
            *value = *end;
        }
    };
    let mut times = ENDS.repeat(3);
    times.sort_unstable();
    recording.samples.ts_ns = times;
    for column in [
        &mut recording.allocations.ts_ns,
        &mut recording.contention.ts_ns,
        &mut recording.exceptions.ts_ns,
        &mut recording.gc.start_ns,
        &mut recording.gc.heap_after_bytes,
        &mut recording.pauses.ts_ns,
        &mut recording.jit.ts_ns,
        &mut recording.counters.ts_ns,
        &mut recording.requests.start_ns,
        &mut recording.requests.status,
        &mut recording.spans.start_ns,
    ] {
        ends(column);
    }
    for column in [
        &mut recording.gc.dur_ns,
        &mut recording.pauses.dur_ns,
        &mut recording.jit.dur_ns,
        &mut recording.requests.dur_ns,
        &mut recording.spans.dur_ns,
    ] {
        column.fill(i64::MAX);
    }
    let nowhere = u32::MAX as usize - 1;
    recording.samples.stack[0] = StackId::new(nowhere);
    recording.samples.thread[1] = ThreadId::new(nowhere).unwrap();
    recording.samples.state[2] = Sym(u32::MAX - 7);
    recording.stacks.frame[0] = FrameId::new(nowhere).unwrap();
    recording.stacks.parent[0] = Some(StackId::from(7));
    recording
}

#[test]
fn numbers_at_the_ends_of_their_ranges_break_no_format() {
    let recording = extreme();
    for format in FORMATS {
        let (bytes, report) = written(&recording, format);
        let left_out: u64 = report.left_out.iter().filter_map(|left| left.count).sum();
        assert!(report.samples + left_out >= 21, "{format:?} loses samples: {report:?}");
        if is_json(format) {
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        }
    }
    for what in What::ALL {
        write(&recording, Format::Folded, Some(what), &mut Vec::new()).unwrap();
        write(&recording, Format::Pprof, Some(what), &mut Vec::new()).unwrap();
    }
}

#[test]
fn deep_stacks_and_long_names_do_not_multiply_into_endless_files() {
    let mut builder = Builder::default();
    let long = "x".repeat(20_000);
    let deep: Vec<&str> = std::iter::repeat_n(long.as_str(), 800).collect();
    for at in 0..8 {
        builder.sample(at, 1, "running", None, &deep);
        builder.sample(at, 2, "running", None, if at % 2 == 0 { &deep } else { &["A"] });
    }
    let recording = builder.done();
    for format in FORMATS {
        let mut out = Vec::new();
        let report = write(&recording, format, None, &mut out).unwrap();
        assert!(out.len() < 12_000_000, "{format:?}: {} bytes", out.len());
        assert_eq!(report.samples, 16, "{format:?}");
        let is_said = report.left_out.iter().any(|left| left.what.contains("deeper than"));
        assert!(is_said, "{format:?} does not say that stacks are cut");
    }
}

#[test]
fn names_that_a_format_writes_out_at_each_box_do_not_make_a_file_that_nobody_can_read() {
    let mut builder = Builder::default();
    let long = ["a", "b"].map(|name| name.repeat(2_000));
    for at in 0..150_000 {
        builder.sample(at, 1, "running", None, &[&long[usize::from(at % 2 == 0)]]);
        builder.sample(at, 2, "running", None, &["A"]);
    }
    let mut out = Vec::new();
    let report = write(&builder.done(), Format::Chrome, None, &mut out).unwrap();
    assert!(out.len() < 100_000, "{} bytes", out.len());
    let left = report.left_out.iter().find(|left| left.what.contains("500 MB of their names"));
    assert_eq!((report.samples, left.and_then(|left| left.count)), (150_000, Some(150_000)));
}

#[test]
fn a_writer_that_refuses_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let recording = crate::testing::usual();
    for format in FORMATS {
        let error = write(&recording, format, None, &mut Full).unwrap_err();
        assert_eq!(error.to_string(), "cannot write the export", "{format:?}");
    }
}
