//! What is missing from a recording, in sentences that stand beside the figures.

use crate::endings::{at_time, early_end, end_words, without_host, without_samples};
use base::damage::{Damage, DamageLog};
use base::number::real_u64;
use model::{EarlyEnd, Limit, LimitKind, NO_INT, Trace};
use report::unit::short;

/// A sentence for each kind of loss. Empty if the recording is complete.
pub fn losses(recording: &Trace) -> Vec<String> {
    let lost = &recording.lost;
    let mut sentences = Vec::new();
    match recording.exhibit.state.as_deref() {
        None | Some("complete") => {}
        Some("recording") => {
            sentences.push("the recording was not ended: its recorder was killed, or still runs".to_owned());
        }
        Some(why) => sentences.push(format!("the recording ended early: {why}")),
    }
    if recording.missing.events > 0 {
        // Damage can look like a gap in the numbers of events.
        let who = if lost.is_damaged() {
            "missing by their numbers (dropped by the runtime, or damaged)"
        } else {
            "dropped by the runtime"
        };
        sentences.push(format!("{} {who}{}", events(recording.missing.events), when(recording)));
    }
    let files = lost.files.iter().map(|file| (file.file.as_str(), file.what.as_str()));
    sentences.extend(recording.missing.early_ends.iter().map(end_sentence));
    // A file that breaks off before its first event has only an offset, and no time.
    let offset = lost.truncated_at.filter(|_| recording.missing.early_ends.is_empty());
    sentences.extend(report::damage_sentences(offset, &further_damage(recording), files));
    // The verdict calls these files missing, so the heading does, too.
    sentences.extend(without_samples(recording).into_iter().chain(without_host(recording)));
    sentences.extend(recording.missing.limits.all().iter().map(|limit| limit_sentence(limit, recording)));
    sentences.extend(names(recording));
    sentences
}

/// Whether all that is missing are names of frames and the outermost frames of stacks, each in less than one per cent.
pub(crate) fn are_small(recording: &Trace) -> bool {
    let is_small = |part: u64, whole: u64| part.saturating_mul(100) < whole;
    let missing = &recording.missing;
    // Frames without a name have a sentence of their own, see `names`.
    let has_names = missing.unnamed_frames > 0 && !missing.no_rundown;
    let names = usize::from(has_names && is_small(missing.unnamed_frames, missing.frames));
    let samples = recording.samples.ts_ns.len() as u64;
    let is_cut = |limit: &&Limit| {
        limit.kind == LimitKind::Stacks && is_small(limit.samples.unwrap_or(u64::MAX), samples)
    };
    let small = names + missing.limits.all().iter().filter(is_cut).count();
    losses(recording).len() <= small
}

/// The damage that is not the end of a file itself, which has its own sentence.
fn further_damage(recording: &Trace) -> DamageLog {
    let is_end = |of: &Damage| {
        of.count == 1 && recording.missing.early_ends.iter().any(|end| end.offset == of.first_offset)
    };
    let mut further = DamageLog::default();
    recording.lost.damage.kinds().iter().filter(|of| !is_end(of)).for_each(|of| further.add(of));
    further
}

/// Why methods have no names, and how many frames lack one.
fn names(recording: &Trace) -> Option<String> {
    let missing = &recording.missing;
    let unnamed = (missing.unnamed_frames > 0).then(|| {
        format!(
            "{} of {} frames in samples have no name ({})",
            short(real_u64(missing.unnamed_frames)),
            short(real_u64(missing.frames)),
            percent(missing.unnamed_frames, missing.frames)
        )
    });
    if !missing.no_rundown {
        return unnamed;
    }
    let why = if early_end(recording).is_some() {
        "names of methods are missing, because they come at the end"
    } else {
        "the runtime sent no names at the end (no rundown), so methods compiled before the recording may have none"
    };
    Some(unnamed.map_or_else(|| why.to_owned(), |unnamed| format!("{why}: {unnamed}")))
}

fn end_sentence(end: &EarlyEnd) -> String {
    format!("{} (offset {:#x}): everything after that is missing", end_words(end), end.offset)
}

/// What a limit cut or dropped, and what is missing because of it.
fn limit_sentence(limit: &Limit, recording: &Trace) -> String {
    let followed = |what: &str| {
        let of = limit.limit.map_or_else(String::new, |limit| format!(" {}", short(real_u64(limit))));
        format!("the runtime follows only{of} {what}: what other series measured is missing")
    };
    let times = |what: &str| {
        let times = if limit.count == 1 { String::new() } else { format!(", {} times", limit.count) };
        let text = limit.text.as_deref().and_then(|text| text.lines().next());
        let text = text.map_or_else(String::new, |text| format!(": {text}"));
        format!("{what}{times}{text}")
    };
    match limit.kind {
        LimitKind::LongStacks => format!(
            "{} stacks have more than {} frames: the outermost ones are left out",
            short(real_u64(limit.count)),
            // The importer sets the limit of stacks whenever it cuts one.
            limit.limit.unwrap_or(0),
        ),
        LimitKind::Stacks => {
            // The importer sets both whenever a stack is cut.
            let (samples, kept) = (limit.samples.unwrap_or(0), limit.limit.unwrap_or(0));
            let all = recording.samples.ts_ns.len() as u64;
            format!(
                "{} of the samples ({} of {}) have stacks deeper than {kept} frames: their outermost frames \
                 (callers) are missing",
                percent(samples, all),
                short(real_u64(samples)),
                short(real_u64(all)),
            )
        }
        LimitKind::Histograms => followed("series of histograms (HistogramLimitReached)"),
        LimitKind::TimeSeries => followed("series of meters (TimeSeriesLimitReached)"),
        LimitKind::Metrics => times("the source of the meters failed, so values may be missing"),
        LimitKind::Callbacks => times("an observed instrument failed, so its values are missing"),
        LimitKind::OtherSession => times("another tool listens to the meters, so they are not recorded"),
        LimitKind::OtherSettings => {
            times("another tool listens to the meters, and its interval and limits apply")
        }
    }
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{} events", short(real_u64(count))) }
}

fn when(recording: &Trace) -> String {
    let at = |column: &[i64]| -> Vec<i64> { column.iter().copied().filter(|ns| *ns != NO_INT).collect() };
    let first = at(&recording.loss.from_ns).into_iter().min();
    let last = at(&recording.loss.to_ns).into_iter().max();
    let (Some(first), Some(last)) = (first, last) else { return String::new() };
    let gaps = match recording.loss.from_ns.len() {
        1 => "in 1 gap".to_owned(),
        gaps => format!("in {gaps} gaps"),
    };
    format!(", {gaps} from {} to {}", at_time(first), at_time(last))
}

fn percent(part: u64, whole: u64) -> String {
    format!("{} %", short(real_u64(part) * 100.0 / real_u64(whole.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::LossRow;

    #[test]
    fn only_few_names_and_few_cut_stacks_are_a_small_loss() {
        let mut recording = Trace::default();
        (recording.missing.frames, recording.missing.unnamed_frames) = (1_000, 9);
        assert!(are_small(&recording));
        recording.missing.unnamed_frames = 10;
        assert!(!are_small(&recording));
        // Without such frames there is no such sentence, and a single dropped event is not small.
        recording.missing.unnamed_frames = 0;
        recording.missing.events = 1;
        assert!(!are_small(&recording));
        recording.missing.unnamed_frames = 9;
        assert!(!are_small(&recording));
    }

    #[test]
    fn every_kind_of_loss_has_its_sentence() {
        let mut recording = Trace::default();
        assert_eq!(losses(&recording), Vec::<String>::new());
        recording.exhibit.state = Some("recording".to_owned());
        recording.missing.events = 1_200;
        recording.loss.push(LossRow {
            thread: 7,
            from_ns: 1_000_000_000,
            to_ns: 2_500_000_000,
            events: 1_200,
        });
        let cut = |file: &str, in_names: bool| EarlyEnd {
            file: file.to_owned(),
            is_main: !in_names,
            at_ns: 4_200_000_000,
            offset: 0x40,
            in_names,
        };
        recording.missing.early_ends = vec![cut("", false), cut("names.nettrace.zst", true)];
        recording.lost.damage.note("event cut short", 0x30);
        // The end itself, which is said once.
        recording.lost.damage.note("compressed data damaged or cut off", 0x40);
        let file = model::FileDamage {
            file: "host.csv".to_owned(),
            what: "is not a file: not read".to_owned(),
            is_altered: false,
        };
        recording.lost.files.push(file);
        recording.missing.limits.note(LimitKind::Histograms, None);
        recording.missing.limits.of(LimitKind::Histograms).limit = Some(100);
        recording.missing.limits.note(LimitKind::Callbacks, Some("boom\n   at Shop.Queue"));
        recording.missing.limits.note(LimitKind::Callbacks, Some("other"));
        recording.missing.no_rundown = true;
        (recording.missing.frames, recording.missing.unnamed_frames) = (200, 3);
        assert_eq!(
            losses(&recording),
            [
                "the recording was not ended: its recorder was killed, or still runs",
                "1,200 events missing by their numbers (dropped by the runtime, or damaged), in 1 gap from 1 s to 2.50 s",
                "the recording is cut off at 4.20 s (offset 0x40): everything after that is missing",
                "names.nettrace.zst is cut off among the names of methods (offset 0x40): everything after that is missing",
                "event cut short, at offset 0x30",
                "host.csv is not a file: not read",
                "the runtime follows only 100 series of histograms (HistogramLimitReached): what other series measured is missing",
                "an observed instrument failed, so its values are missing, 2 times: boom",
                "names of methods are missing, because they come at the end: 3 of 200 frames in samples have no name (1.50 %)",
            ]
        );
    }
}
