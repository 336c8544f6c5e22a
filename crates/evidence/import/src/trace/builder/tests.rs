//! Streams beside each other, and copies of sessions.

use super::*;
use crate::trace::kinds::RUNTIME;
use crate::trace::streams::OTHER_PROCESS;
use model::NO_INT;
use nettrace::Metadata;

const ALLOCATION: u32 = 10;
const EXCEPTION: u32 = 80;
const SAMPLE: u32 = 0;
const LOCK_START: u32 = 81;
const LOCK_STOP: u32 = 91;
const WAIT_START: u32 = 301;
const WAIT_STOP: u32 = 302;
/// Not an event: that events were lost until then.
const GAP: u32 = u32::MAX;

fn session(sync_ticks: i64, process: u64) -> StreamHeader {
    let ticks_per_second = 1_000_000_000;
    StreamHeader {
        sync_ticks,
        ticks_per_second,
        pointer_size: 8,
        process: Some(process),
        ..StreamHeader::default()
    }
}

/// Reads streams of events, each an id and its ticks, as one recording.
fn read(streams: &[(StreamHeader, &[(u32, i64)])]) -> Trace {
    let mut builder = Builder::new(false, None);
    let mut index = 0;
    for (header, events) in streams {
        builder.stream(header);
        for (event_id, ticks) in *events {
            if *event_id == GAP {
                builder.gap(Gap { thread: 7, from_ticks: 0, to_ticks: *ticks, events: 1 });
                continue;
            }
            let sampler = *event_id == SAMPLE;
            let provider = if sampler { "Microsoft-DotNETCore-SampleProfiler" } else { RUNTIME };
            let (event_id, provider) = (*event_id, provider.to_owned());
            let metadata = Metadata { provider, event_id, index, ..Metadata::default() };
            index += 1;
            builder.event(&Event {
                metadata: &metadata,
                ticks: *ticks,
                thread: 7,
                thread_slot: 0,
                process: None,
                stack: None,
                activity: [0; 16],
                related: [0; 16],
                opcode: None,
                version: None,
                payload: &[0; 64],
                offset: 0,
            });
        }
    }
    builder.finish("test")
}

/// Samples, allocations and exceptions of a recording.
fn rows(recording: &Trace) -> [usize; 3] {
    let Trace { samples, allocations, exceptions, .. } = recording;
    [samples.ts_ns.len(), allocations.ts_ns.len(), exceptions.ts_ns.len()]
}

fn damage(recording: &Trace) -> Vec<&str> {
    recording
        .lost
        .damage
        .kinds()
        .iter()
        .map(|kind| kind.what)
        .filter(|what| what.contains("stream"))
        .collect()
}

#[test]
fn a_stop_after_a_gap_does_not_end_a_wait_that_began_before_it() {
    let events = [
        (LOCK_START, 10),
        (LOCK_STOP, 15),
        (LOCK_START, 20),
        (WAIT_START, 30),
        // A stop and the next start are lost.
        (GAP, 900),
        (LOCK_STOP, 910),
        (WAIT_STOP, 920),
        (WAIT_START, 930),
        (WAIT_STOP, 931),
    ];
    let recording = read(&[(session(0, 1), &events)]);
    let waited = |starts: &[i64], lengths: &[i64]| -> Vec<(i64, i64)> {
        starts.iter().copied().zip(lengths.iter().copied()).collect()
    };
    let (locks, waits) = (&recording.contention, &recording.waits);
    assert_eq!(waited(&locks.ts_ns, &locks.dur_ns), [(10, 5), (20, NO_INT)]);
    assert_eq!(waited(&waits.ts_ns, &waits.dur_ns), [(30, NO_INT), (930, 1)]);
}

#[test]
fn what_only_the_second_session_of_a_provider_asked_for_is_kept() {
    let main = [(ALLOCATION, 10), (ALLOCATION, 90)];
    let burst = [(ALLOCATION, 40), (EXCEPTION, 50), (SAMPLE, 55), (EXCEPTION, 60)];
    let recording = read(&[(session(0, 1), &main), (session(30, 1), &burst)]);
    assert_eq!(rows(&recording), [1, 2, 2]);
    assert_eq!(damage(&recording), [""; 0]);
}

#[test]
fn a_copy_of_a_session_does_not_double_what_happened() {
    let whole = [(SAMPLE, 10), (EXCEPTION, 20), (SAMPLE, 30)];
    let same = session(5, 1);
    let recording = read(&[(same.clone(), &whole), (same.clone(), &whole)]);
    assert_eq!((recording.events.len(), rows(&recording)), (3, [2, 0, 1]));
    assert_eq!(damage(&recording), ["copy of a stream that was read before: left out"]);
    let broken_off = read(&[(same.clone(), &whole[..2]), (same, &whole)]);
    assert_eq!((broken_off.events.len(), rows(&broken_off)), (3, [2, 0, 1]));
    let covered: Vec<i64> = broken_off.coverage.to_ns.clone();
    assert!(covered.contains(&25), "{covered:?}");
}

#[test]
fn another_processs_rows_are_not_taken_for_the_main_sessions() {
    let events = [(SAMPLE, 10), (EXCEPTION, 20), (EXCEPTION, 30)];
    let recording = read(&[(session(0, 1), &events), (session(5, 2), &events)]);
    assert_eq!(rows(&recording), [2, 0, 4]);
    assert_eq!((recording.exhibit.pid, damage(&recording)), (Some(1), vec![OTHER_PROCESS]));
}
