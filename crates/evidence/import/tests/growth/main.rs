//! What reading costs grows in proportion to the input, whatever it holds: each generator of hostile recordings makes
//! one of a size and one of four times that, and the second may cost at most five times as much.
//!
//! What is counted are the steps that the readers count for their own limits, and the bytes that the tables take.

#![expect(clippy::unwrap_used, reason = "a test")]

mod writer;

use import::{Options, open_bytes};
use model::Trace;
use std::sync::Arc;
use writer::{BYTE, Event, METRICS, RUNDOWN, RUNTIME, SAMPLER, TEXT, Writer, text16};

const OPTIONS: Options = Options { payloads: false, threads: 1 };

fn read(bytes: &[u8]) -> Arc<Trace> {
    open_bytes(bytes, "test", OPTIONS).unwrap().into_trace().unwrap()
}

/// Steps and bytes in memory of a recording, after it is looked at.
fn costs(bytes: &[u8], look: impl Fn(&Trace)) -> [u64; 2] {
    let recording = read(bytes);
    look(&recording);
    [recording.session.work, recording.size_bytes() as u64]
}

/// Asks that what four times as much costs is at most five times as much, and that a byte costs few steps.
fn check(small: usize, generate: impl Fn(usize) -> Vec<u8>, look: impl Fn(&Trace)) {
    check_within(64, small, generate, look);
}

/// The same, where a byte may cost so many steps: if there are too many, the reading of more ends early.
fn check_within(steps: u64, small: usize, generate: impl Fn(usize) -> Vec<u8>, look: impl Fn(&Trace)) {
    let [one, four] = [generate(small), generate(4 * small)];
    let times = four.len() as f64 / one.len() as f64;
    assert!((3.0..5.0).contains(&times), "the generator makes {times} times as much");
    let (before, after) = (costs(&one, &look), costs(&four, &look));
    for (what, before, after) in [("steps", before[0], after[0]), ("bytes", before[1], after[1])] {
        assert!(after <= 5 * before + 10_000, "{what}: {before}, then {after}");
    }
    assert!(before[0] <= steps * one.len() as u64, "{} steps for {} bytes", before[0], one.len());
}

fn damage(recording: &Trace, what: &str) -> u64 {
    let kinds = recording.lost.damage.kinds().iter();
    kinds.filter(|kind| kind.what.contains(what)).map(|kind| kind.count).sum()
}

/// Up to version 5: objects whose size reaches far, to a byte that is not the end of one.
fn fake_objects(count: usize) -> Vec<u8> {
    let mut bytes = b"Nettrace\x14\0\0\0!FastSerialization.1".to_vec();
    let object = |bytes: &mut Vec<u8>, name: &str, version: u32| {
        bytes.extend([5, 5, 1]);
        let len = u32::try_from(name.len()).unwrap();
        bytes.extend([version, version, len].map(u32::to_le_bytes).concat());
        bytes.extend(name.bytes().chain([6]));
    };
    object(&mut bytes, "Trace", 4);
    bytes.extend([0; 16]);
    bytes.extend([1000i64, 1_000_000_000].map(i64::to_le_bytes).concat());
    bytes.extend([8u32, 1, 2, 1].map(u32::to_le_bytes).concat());
    bytes.push(6);
    for _ in 0..count {
        object(&mut bytes, "EventBlock", 2);
        bytes.extend(30_000_000u32.to_le_bytes());
    }
    bytes
}

#[test]
fn fake_objects_with_large_sizes_do_not_move_the_waiting_bytes_each() {
    check(5_000, fake_objects, |recording| assert!(damage(recording, "skipped to the next") > 1_000));
}

#[test]
fn a_stream_is_not_compared_with_all_earlier_ones() {
    let streams = |count| {
        let mut writer = Writer::default();
        for at in 0..count {
            writer.stream(u16::try_from(at % 50_000).unwrap());
            writer.kind(1, RUNTIME, 80, &[]);
            writer.event(Event { kind: 1, ticks: 10, ..Event::default() }, &[0; 40]);
            writer.end();
        }
        writer.bytes
    };
    check(1_000, streams, |recording| assert!(recording.session.streams >= 1_000));
}

#[test]
fn a_sequence_point_does_not_walk_over_all_threads() {
    let points = |count: usize| {
        let mut writer = Writer::default();
        writer.stream(1);
        writer.threads(8..count as u64);
        for _ in 0..count {
            writer.sequence_point(0..1);
        }
        writer.bytes
    };
    check(2_000, points, |_| {});
}

#[test]
fn waiting_events_are_not_sorted_anew_for_each_removed_thread() {
    let removed = |count: usize| {
        let mut writer = Writer::default();
        writer.stream(1);
        writer.kind(1, RUNTIME, 80, &[]);
        writer.threads(8..count as u64);
        for at in 0..count as u64 {
            // Threads whose events step back and forth in time.
            let ticks = if at % 2 == 0 { 1_000_000 } else { 0u64.wrapping_sub(999_000) };
            writer.event(Event { kind: 1, thread: at % 8, ticks, ..Event::default() }, &[]);
        }
        writer.flush();
        for at in 8..count as u64 {
            let mut block = Vec::new();
            writer::var(at, &mut block);
            writer::var(5, &mut block);
            writer.block(7, &block);
        }
        writer.end();
        writer.bytes
    };
    check(5_000, removed, |recording| assert!(recording.events.len() >= 5_000));
}

#[test]
fn events_of_far_ahead_with_changing_labels_do_not_pile_up() {
    let ahead = |count: usize| {
        let mut writer = Writer::default();
        writer.stream(1);
        writer.kind(1, RUNTIME, 80, &[]);
        writer.labels(&[vec![0x81; 17], vec![0x8a, 1]]);
        for at in 0..count as u64 {
            // Every fourth is far ahead; the others say that all before them are there.
            let (is_ahead, was_ahead) = (at % 4 == 0, at % 4 == 1);
            let back = if was_ahead { 0u64.wrapping_sub(1 << 40) } else { 0 };
            let ticks = if is_ahead { 1 << 40 } else { back.wrapping_add(2) };
            let (thread, labels, sorted) = (u64::from(is_ahead), 1 + at % 2, !is_ahead);
            writer.event(Event { kind: 1, thread, ticks, labels, sorted, ..Event::default() }, &[]);
        }
        writer.end();
        writer.bytes
    };
    check(150_000, ahead, |recording| assert!(recording.events.len() >= 150_000));
}

/// Methods whose code overlaps that of all others, and samples in them.
fn overlapping(count: usize, starts: u64, samples: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.stream(1);
    writer.kind(1, RUNDOWN, 144, &[]);
    writer.kind(2, SAMPLER, 0, &[]);
    writer.kind(3, RUNTIME, 143, &[]);
    let addresses: Vec<Vec<u64>> = (0..samples as u64).map(|at| vec![0x100_0000 + at]).collect();
    writer.stacks(&addresses);
    for at in 0..count as u64 {
        // Loaded one after another, none of them ever unloaded; all reach to the samples.
        let start = 0x1000 + at % starts;
        let event = Event { kind: 3, ticks: 1000, ..Event::default() };
        writer.method(event, [start, 0x200_0000 - at], &format!("M{at}"));
        let stack = 1 + at % samples as u64;
        writer.event(Event { kind: 2, ticks: 10, stack, ..Event::default() }, &[2, 0, 0, 0]);
    }
    writer.end();
    writer.bytes
}

#[test]
fn an_address_in_much_code_is_not_held_against_all_of_it() {
    check(
        2_000,
        |count| overlapping(count, u64::MAX, count),
        |recording| {
            assert!(damage(recording, "more than 64 different starts") > 1_000);
        },
    );
    // The time decides between codes that lay in one place in turn.
    check(
        2_000,
        |count| overlapping(count, 1, 10),
        |recording| {
            let names: Vec<&str> =
                recording.samples.stack.iter().filter_map(|stack| recording.leaf_name(*stack)).collect();
            assert!(names.len() >= 2_000 && names[1_999].contains(".M1999"), "{:?}", names.get(1_999));
        },
    );
}

#[test]
fn kinds_of_thousands_of_fields_are_not_kept_for_good() {
    let fields = |count: usize| {
        let mut writer = Writer::default();
        let names: Vec<String> = (0..900).map(|at| format!("f{at}")).collect();
        let fields: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), BYTE)).collect();
        writer.stream(1);
        for at in 0..count as u64 {
            writer.kind(at + 1, "P", at, &fields);
            writer.event(Event { kind: at + 1, ..Event::default() }, &[]);
        }
        writer.end();
        writer.bytes
    };
    check(100, fields, |recording| assert!(recording.events.len() >= 100));
    let recording = read(&fields(850));
    assert!(damage(&recording, "beyond the 32 MB") > 10, "{:?}", recording.lost.damage);
    let mut writer = Writer::default();
    writer.stream(1);
    writer.kind(1, "P", 1, &vec![("", BYTE); 5_000]);
    writer.end();
    let recording = read(&writer.bytes);
    assert_eq!(damage(&recording, "description of a kind of event damaged"), 1);
}

#[test]
fn labels_do_not_multiply_kinds_without_end() {
    let labelled = |count: usize| {
        let mut writer = Writer::default();
        let name = "n".repeat(2_000);
        writer.stream(1);
        let lists: Vec<Vec<u8>> = (0..count)
            .map(|at| vec![7, u8::try_from(at % 256).unwrap(), 0x8a, u8::try_from(at / 256 % 256).unwrap()])
            .collect();
        writer.labels(&lists);
        writer.kind(1, &name, 1, &[]);
        for at in 0..count as u64 {
            writer.event(Event { kind: 1, labels: at + 1, ..Event::default() }, &[]);
        }
        writer.end();
        writer.bytes
    };
    check(8_000, labelled, |recording| assert!(recording.events.kind_id.len() < 9_000));
    assert!(damage(&read(&labelled(20_000)), "more than 8,192 kinds") > 1_000);
}

#[test]
fn tags_of_an_instrument_are_not_written_at_any_length_for_each_value() {
    const FIELDS: [(&str, u8); 7] = [
        ("meterName", TEXT),
        ("meterVersion", TEXT),
        ("instrumentName", TEXT),
        ("unit", TEXT),
        ("tags", TEXT),
        ("meterTags", TEXT),
        ("value", TEXT),
    ];
    let tagged = |count: usize| {
        let mut writer = Writer::default();
        writer.stream(1);
        writer.kind(1, METRICS, 7, &FIELDS);
        writer.kind(2, METRICS, 4, &FIELDS);
        let tags: Vec<String> = (0..2_000).map(|at| format!("k{at}=v")).collect();
        let mut event = |kind: u64, texts: [&str; 7]| {
            let mut payload = Vec::new();
            for text in texts {
                text16(text, &mut payload);
            }
            writer.event(Event { kind, ..Event::default() }, &payload);
        };
        event(1, ["m", "", "i", "", "", &tags.join(","), ""]);
        for at in 0..count {
            event(2, ["m", "", "i", "", &format!("a={at}"), "", "1"]);
        }
        writer.end();
        writer.bytes
    };
    check_within(128, 3_000, tagged, |recording| assert!(recording.counters.ts_ns.len() >= 3_000));
}

#[test]
fn threads_have_a_limit() {
    let threads = |count: usize| {
        let mut writer = Writer::default();
        writer.stream(1);
        writer.kind(1, RUNTIME, 80, &[]);
        for at in 0..count as u64 {
            writer.event(Event { kind: 1, thread: at, ..Event::default() }, &[]);
        }
        writer.end();
        writer.bytes
    };
    check(10_000, threads, |recording| assert!(recording.thread_ids.len() < 50_000));
}

/// Events of a few bytes each would fill a machine's memory with their rows.
#[test]
fn a_recording_that_takes_far_more_memory_than_its_size_ends_early_with_what_was_read() {
    let mut writer = Writer::default();
    writer.stream(1);
    writer.kind(1, RUNTIME, 1, &[]);
    let mut block = vec![20, 0, 1, 0];
    block.extend([0; 16]);
    // The first says what the others are: collections that begin, with nothing in them.
    block.extend([0x9f, 1, 0, 1, 0, 1, 0, 0, 0, 0]);
    block.resize(90_000, 0);
    while writer.bytes.len() < 4 << 20 {
        writer.block(2, &block);
    }
    let recording = read(&writer.bytes);
    assert_eq!(damage(&recording, "takes far more memory"), 1, "{:?}", recording.lost.damage);
    assert!(recording.gc.number.len() > 100_000 && recording.lost.truncated_at.is_some());
    assert!(recording.size_bytes() < 300 << 20, "{}", recording.size_bytes());
}
