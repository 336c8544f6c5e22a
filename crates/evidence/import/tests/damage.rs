//! Any bytes in: every small fixture cut at every byte, with every byte changed, and fed in pieces of any size.
//!
//! What is asked: no panic, no hang, either a clear error or a recording that tells its damage, and never more events
//! than the whole file has.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::{Options, open_bytes};
use model::ComputedColumn;
use std::path::PathBuf;

const OPTIONS: Options = Options { payloads: true, threads: 1 };

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/format");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "nettrace" || ending == "netperf"));
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// Reads the bytes and looks at every event's fields; gives how many events there were.
fn read(bytes: &[u8]) -> Option<usize> {
    let recording = open_bytes(bytes, "test", OPTIONS).ok()?.into_trace()?;
    for row in 0..recording.events.len() {
        recording.events.text(row);
    }
    Some(recording.events.len())
}

#[test]
fn a_file_cut_at_any_byte_keeps_what_is_whole() {
    for (name, bytes) in fixtures() {
        let whole = read(&bytes).unwrap();
        let mut most = 0;
        for len in 0..bytes.len() {
            let Some(events) = read(&bytes[..len]) else { continue };
            assert!(events <= whole, "{name} cut at {len}: {events} events of {whole}");
            assert!(events >= most, "{name} cut at {len}: {events} events, {most} in less of it");
            most = events;
            let recording = open_bytes(&bytes[..len], "test", OPTIONS).unwrap().into_trace().unwrap();
            let is_reported = recording.lost.truncated_at.is_some() || events == whole;
            assert!(is_reported, "{name} cut at {len}: nothing is reported");
        }
    }
}

#[test]
fn a_changed_byte_never_stops_the_program() {
    for (_, bytes) in fixtures() {
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for value in [bytes[at] ^ 1, bytes[at] ^ 0x80, 0xff, 0] {
                changed[at] = value;
                read(&changed);
            }
            changed[at] = bytes[at];
        }
    }
}

/// Damaged fields are shown by the fields of the event, and counted among what is lost: one reader decides.
#[test]
fn a_damaged_field_is_counted_where_it_is_shown_and_nowhere_else() {
    let mut seen = 0;
    for (name, bytes) in fixtures() {
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for value in [0, 0xff] {
                changed[at] = value;
                let Ok(evidence) = open_bytes(&changed, "test", OPTIONS) else { continue };
                let recording = evidence.into_trace().unwrap();
                let texts = (0..recording.events.len()).map(|row| recording.events.text(row));
                let shown = texts.flatten().filter(|text| text.contains("<damaged>")).count() as u64;
                let what = "event with fewer bytes than its fields need";
                let kinds = recording.lost.damage.kinds();
                let counted = kinds.iter().find(|kind| kind.what == what).map_or(0, |kind| kind.count);
                assert_eq!(counted, shown, "{name}: byte {at} is {value}");
                seen += shown;
            }
            changed[at] = bytes[at];
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_length_of_ten_gigabytes_is_damage_and_no_allocation() {
    for (name, bytes) in fixtures() {
        for at in (0..bytes.len().saturating_sub(4)).step_by(3) {
            let mut changed = bytes.clone();
            changed[at..at + 4].copy_from_slice(&0x7fff_fff0u32.to_le_bytes());
            if let Ok(evidence) = open_bytes(&changed, &name, OPTIONS) {
                let recording = evidence.into_trace().unwrap();
                assert!(recording.events.payload_bytes.len() <= bytes.len() * 2, "{name} at {at}");
            }
        }
    }
}
