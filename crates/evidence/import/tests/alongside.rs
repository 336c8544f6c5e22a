//! Reading along with a session whose events are not what a runtime sends.

#![expect(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "growth/writer.rs"]
mod writer;

use import::Alongside;
use writer::{Event, RUNTIME, Writer};

/// How long the sampler stopped the program, of suspensions and restarts at these times: the reason of a suspension, none
/// for a restart.
fn check(events: &[(u64, Option<u8>)], expected: u64) {
    let mut writer = Writer::default();
    writer.stream(1);
    writer.kind(1, RUNTIME, 9, &[]);
    writer.kind(2, RUNTIME, 3, &[]);
    let mut now = 0;
    for (at, reason) in events {
        let event = Event { kind: if reason.is_some() { 1 } else { 2 }, ticks: at - now, ..Event::default() };
        now = *at;
        writer.event(event, &reason.map_or_else(Vec::new, |reason| vec![reason, 0, 0, 0, 0, 0, 0, 0]));
    }
    writer.end();
    let mut reader = Alongside::new(None);
    reader.take(&writer.bytes);
    reader.end();
    assert_eq!((reader.along().events, reader.along().sampler_stopped_ns), (events.len() as u64, expected));
}

#[test]
fn a_restart_that_was_lost_does_not_make_the_sampler_stop_the_program_until_a_later_collection() {
    let (sampler, collection) = (Some(0), Some(1));
    check(&[(100, sampler), (150, None), (300, sampler), (310, None)], 60);
    check(&[(100, collection), (150, None)], 0);
    // The restart after the first one was lost.
    check(&[(100, sampler), (9_000, collection), (9_100, None)], 0);
}
