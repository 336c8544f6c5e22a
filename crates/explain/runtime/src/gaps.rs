//! Gaps: evidence that was recorded and is lost, so that no all-clear can be given.
//!
//! A recording that ends early, because the recorder or the service died, is not a gap: what is there was read, and counts.
//! Neither is damage to a few events among many. Both are gaps if the names of methods are lost with them: a session sends
//! names last, and checks that work from stacks find nothing without them.

use crate::endings::{at_time, early_end, end_words, without_host, without_samples};
use base::damage::{DESCRIBED_TWICE, NOT_DESCRIBED, PACKING, STEPS_BACK};
use base::number::{count, real_u64};
use model::Trace;
use report::unit::{short, show};

/// The largest share of events, or of bytes, that may be unreadable. Above it, they may be the ones that matter.
const MAX_UNREADABLE: f64 = 0.01;
/// The largest share of frames without a name. Complete recordings have up to 10 %: stubs, and code that was freed.
const MAX_UNNAMED: f64 = 0.2;
/// The same without a rundown. Without the framework's names nearly all frames lack one; if the recording began with the
/// process, nearly none do.
const MAX_UNNAMED_WITHOUT_RUNDOWN: f64 = 0.05;
/// Readings of the host are incomplete if they end this long, and a fifth of the recording, before its end.
const HOST_LATE_NS: i64 = 3_000_000_000;

/// The same for samples, whose bursts begin two seconds apart.
const SAMPLES_LATE_NS: i64 = 5_000_000_000;

/// What a gap hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides {
    /// Events, and with them everything but the readings of the host.
    Events,
    /// Samples of threads, or the file with the names of their methods.
    Samples,
    /// The names of methods in samples. Nothing is damaged, so another copy of the file has no more.
    Names,
    /// Readings of the host.
    Host,
    /// Details that no check needs.
    Details,
}

/// A part of the evidence that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What it hides.
    pub hides: Hides,
    /// What is lost, and how: the beginning of a sentence.
    pub what: String,
}

/// Everything that is missing, changed or unreadable to an extent that matters.
pub fn gaps(recording: &Trace) -> Vec<Gap> {
    let altered = recording.lost.files.iter().filter(|of| of.is_altered);
    let files = altered.map(|of| Gap { hides: hides(&of.file), what: format!("{} {}", of.file, of.what) });
    unreadable(recording)
        .into_iter()
        .chain(files)
        .chain(samples(recording))
        .chain(unnamed(recording))
        .chain(host(recording))
        .collect()
}

/// Samples that are missing, or that end long before the recording does.
fn samples(recording: &Trace) -> Option<Gap> {
    let end = recording.exhibit.duration_ns;
    let gap = |what| Some(Gap { hides: Hides::Samples, what });
    if recording.samples.ts_ns.is_empty() {
        return gap(without_samples(recording)?);
    }
    let samples = recording.strings.find("samples")?;
    let rows = recording.coverage.source.iter().zip(&recording.coverage.to_ns);
    let last = rows.filter(|(source, _)| **source == samples).map(|(_, to_ns)| *to_ns).max()?;
    let is_early = last < end.saturating_sub(SAMPLES_LATE_NS) && last / 4 < end / 5;
    if is_early {
        gap(format!("the samples end early, at {} of {}", at_time(last), at_time(end)))
    } else {
        None
    }
}

/// Readings of the host that are missing, or that end long before the recording does.
fn host(recording: &Trace) -> Option<Gap> {
    let gap = |what| Gap { hides: Hides::Host, what };
    if let Some(what) = without_host(recording) {
        return Some(gap(what));
    }
    let last = recording.host.ts_ns.iter().copied().max()?;
    let end = recording.exhibit.duration_ns;
    let is_early = last < end.saturating_sub(HOST_LATE_NS) && last / 4 < end / 5;
    is_early.then(|| gap(format!("host.csv ends early, at {} of {}", at_time(last), at_time(end))))
}

/// Frames of samples that have no name, so that checks cannot use them.
fn unnamed(recording: &Trace) -> Option<Gap> {
    let missing = &recording.missing;
    let share = real_u64(missing.unnamed_frames) / real_u64(missing.frames.max(1));
    let frames = format!("{} of the frames in samples have no name", show(share, "share"));
    let lacks_names = missing.no_rundown || missing.rundown_cut;
    let (most, what) = match early_end(recording).filter(|_| lacks_names) {
        // Some names are missing, and one of them may be that of what all threads wait for.
        Some(end) if end.in_names => (0.0, format!("{}, and {frames}", end_words(end))),
        Some(end) => {
            let ends = end_words(end);
            (MAX_UNNAMED_WITHOUT_RUNDOWN, format!("{ends}, before the names of methods, and {frames}"))
        }
        None if lacks_names => {
            (MAX_UNNAMED_WITHOUT_RUNDOWN, format!("the rundown of the recording is incomplete, and {frames}"))
        }
        None => (MAX_UNNAMED, frames),
    };
    (share > most).then_some(Gap { hides: Hides::Names, what })
}

/// What the loss of a file hides, by its name.
fn hides(file: &str) -> Hides {
    let begins = |start: &str| file.starts_with(start);
    match file {
        _ if begins("host.") => Hides::Host,
        _ if begins("samples") || begins("names") => Hides::Samples,
        _ if file.contains(".nettrace") => Hides::Events,
        _ => Hides::Details,
    }
}

/// Too many events that cannot be read.
fn unreadable(recording: &Trace) -> Option<Gap> {
    let damage = &recording.lost.damage;
    let gap = |what| Some(Gap { hides: Hides::Events, what });
    if damage.count(PACKING) > 0 {
        return gap("the file is damaged, and what follows the damage was not read".to_owned());
    }
    if damage.count(DESCRIBED_TWICE) > 0 {
        return gap("the file has parts of itself twice, so no count is right".to_owned());
    }
    // A skipped block counts as one damage, but holds hundreds of events: bytes tell.
    let unread = real_u64(recording.lost.unread_bytes) / real_u64(recording.exhibit.bytes.max(1));
    if unread > MAX_UNREADABLE {
        return gap(format!("{} of the file cannot be read: it is damaged", show(unread, "share")));
    }
    let read = count(recording.events.len());
    // Events whose numbers step back were read, so they are not lost.
    let lost = real_u64(damage.lost().saturating_sub(damage.count(STEPS_BACK)));
    if lost > MAX_UNREADABLE * (read + lost) {
        let (lost, all) = (short(lost), short(read + lost));
        return gap(format!("{lost} of {all} events cannot be read: the file is damaged"));
    }
    // Without its description, no event of a kind can be read, however few they are.
    let undescribed = damage.count(NOT_DESCRIBED);
    if undescribed > 0 {
        return gap(format!(
            "events of {} kinds cannot be read: the file is damaged",
            short(real_u64(undescribed))
        ));
    }
    // Damage to whole blocks shows as a gap in the numbers of events.
    let missing = real_u64(recording.missing.events);
    let is_gone = lost > 0.0 && missing > MAX_UNREADABLE * (read + missing);
    if is_gone {
        let (missing, all) = (short(missing), short(read + missing));
        return gap(format!("{missing} of {all} events are missing: the file is damaged"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::damage::{Damage, Harm};
    use model::EarlyEnd;
    use std::path::Path;

    fn check(damage: &[(&'static str, u64)], missing: u64, expected: Option<&str>) {
        let mut recording = Trace::default();
        recording.missing.events = missing;
        for (what, count) in damage {
            let of = Damage { what, count: *count, first_offset: 0, harm: Harm::Lost };
            recording.lost.damage.add(&of);
        }
        let of = gaps(&recording);
        assert_eq!(of.first().map(|gap| gap.what.as_str()), expected);
        assert!(of.iter().all(|gap| gap.hides == Hides::Events));
    }

    #[test]
    fn events_that_cannot_be_read_are_a_gap() {
        check(&[], 0, None);
        // The runtime drops events under load: that is not damage, and has a limit of its own.
        check(&[], 5, None);
        // Undamaged recordings of busy services have thousands of these.
        check(&[(STEPS_BACK, 13_052)], 5, None);
        check(&[(NOT_DESCRIBED, 9)], 0, Some("9 of 9 events cannot be read: the file is damaged"));
        let twice = "the file has parts of itself twice, so no count is right";
        check(&[(STEPS_BACK, 117), (DESCRIBED_TWICE, 1)], 0, Some(twice));
        check(&[(PACKING, 1)], 0, Some("the file is damaged, and what follows the damage was not read"));
    }

    #[test]
    fn a_block_that_cannot_be_read_counts_by_its_bytes_and_not_as_one_event() {
        let mut recording = Trace::default();
        recording.exhibit.bytes = 1_000_000;
        recording.lost.damage.note("block that cannot be read: skipped to the next", 0);
        recording.lost.unread_bytes = 9_000;
        for _ in 0..1_000 {
            recording.events.ts_ns.push(0);
        }
        assert_eq!(gaps(&recording), []);
        recording.lost.unread_bytes = 250_000;
        let of = gaps(&recording);
        assert_eq!(
            (of[0].hides, of[0].what.as_str()),
            (Hides::Events, "25 % of the file cannot be read: it is damaged")
        );
    }

    #[test]
    fn samples_that_are_gone_are_not_called_whole_in_one_line_and_gone_in_the_next() {
        let mut recording = Trace::default();
        assert_eq!(crate::heading::heading(&recording).losses, [""; 0]);
        recording.session.profile = Some("default".to_owned());
        let what = "there are no samples of threads, which the profile default takes";
        assert_eq!(gaps(&recording).first().map(|gap| gap.what.as_str()), Some(what));
        assert_eq!(crate::heading::heading(&recording).losses, [what]);
    }

    #[test]
    fn readings_of_the_host_that_end_long_before_the_recording_are_a_gap() {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 15_000_000_000;
        for second in 0..=12 {
            recording.host.ts_ns.push(second * 1_000_000_000);
        }
        assert_eq!(gaps(&recording), []);
        recording.host.ts_ns.truncate(3);
        let of = gaps(&recording);
        assert_eq!((of[0].hides, of[0].what.as_str()), (Hides::Host, "host.csv ends early, at 2 s of 15 s"));
    }

    #[test]
    fn samples_that_end_long_before_the_recording_are_a_gap() {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 10_200_000_000;
        recording.samples.ts_ns.push(0);
        recording.covers("samples", 0, 3_020_000_000);
        recording.covers("samples", 0, 8_100_000_000);
        assert_eq!(gaps(&recording), []);
        recording.coverage.to_ns.truncate(1);
        recording.coverage.source.truncate(1);
        let of = gaps(&recording);
        let what = "the samples end early, at 3.02 s of 10.2 s";
        assert_eq!((of[0].hides, of[0].what.as_str()), (Hides::Samples, what));
    }

    #[test]
    fn a_recording_whose_recorder_takes_samples_and_that_has_none_has_a_gap() {
        let what = |recording: &Trace| gaps(recording).first().map(|gap| (gap.hides, gap.what.clone()));
        let none =
            |rest: &str| Some((Hides::Samples, format!("there are no samples of threads, which {rest}")));
        let mut recording = Trace::default();
        assert_eq!(what(&recording), None);
        recording.session.profile = Some("light".to_owned());
        assert_eq!(what(&recording), None);
        recording.session.profile = Some("default".to_owned());
        assert_eq!(what(&recording), none("the profile default takes"));
        // Without `exhibit.toml`, the tables tell the profile.
        recording.session.profile = None;
        recording.host.ts_ns.push(0);
        assert_eq!(what(&recording), None);
        recording.jit.ts_ns.push(0);
        assert_eq!(what(&recording), none("are recorded with such events"));
        recording.samples.ts_ns.push(0);
        assert_eq!(what(&recording), None);
        recording.host.ts_ns.clear();
        recording.thread_cpu.ts_ns.push(0);
        let host = "host.csv is missing, which is recorded with thread_cpu.csv";
        assert_eq!(what(&recording), Some((Hides::Host, host.to_owned())));
    }

    #[test]
    fn names_that_a_recording_lacks_since_it_ends_early_are_a_gap() {
        let mut recording = Trace::default();
        (recording.missing.frames, recording.missing.unnamed_frames) = (1_000, 40);
        assert_eq!(gaps(&recording), []);
        recording.missing.no_rundown = true;
        assert_eq!(gaps(&recording), []);
        let what = |recording: &Trace| {
            let of = gaps(recording);
            assert!(of.len() == 1 && of[0].hides == Hides::Names, "{of:?}");
            of[0].what.clone()
        };
        recording.missing.unnamed_frames = 900;
        let frames = "and 90 % of the frames in samples have no name";
        assert_eq!(what(&recording), format!("the rundown of the recording is incomplete, {frames}"));
        let end = EarlyEnd { is_main: true, at_ns: 4_200_000_000, ..EarlyEnd::default() };
        recording.missing.early_ends.push(end);
        let ends = "the recording is cut off at 4.20 s, before the names of methods";
        assert_eq!(what(&recording), format!("{ends}, {frames}"));
        (recording.missing.no_rundown, recording.missing.rundown_cut) = (false, true);
        recording.missing.early_ends[0].in_names = true;
        recording.missing.unnamed_frames = 1;
        let among = "the recording is cut off among the names of methods";
        assert_eq!(what(&recording), format!("{among}, and 0.10 % of the frames in samples have no name"));
    }

    #[test]
    fn files_that_are_not_what_was_recorded_are_gaps_and_remarks_are_none() {
        let mut recording = Trace::default();
        recording.lost.note_file(Path::new("other"), "is an exhibit of its own: not read".to_owned());
        assert_eq!(gaps(&recording), []);
        for file in ["host.csv", "samples.nettrace.zst", "trace.nettrace.zst", "thread_cpu.csv"] {
            recording.lost.note_altered(Path::new(file), "was recorded and is not there".to_owned());
        }
        let hidden: Vec<Hides> = gaps(&recording).iter().map(|gap| gap.hides).collect();
        assert_eq!(hidden, [Hides::Host, Hides::Samples, Hides::Events, Hides::Details]);
    }
}
