//! Evidence that was recorded and is gone: an all-clear stands only on what was read whole.
//!
//! A recorder or a service that died leaves a recording that ends early: what is there was read, and counts. Damage of a
//! few events among many hides nothing. Neither is a gap.

use base::damage::{DESCRIPTION, NOT_DESCRIBED, PACKING, STEPS_BACK};
use base::number::real_u64;
use model::Trace;
use report::unit::short;

/// From this share of the events on, those that cannot be read may be the ones that matter.
const MOST_UNREADABLE: f64 = 0.01;

/// What a gap hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides {
    /// Events, and with them everything but the readings of the host.
    Events,
    /// Samples of threads, or the names of their methods.
    Samples,
    /// Readings of the host.
    Host,
    /// Details that no check needs.
    Details,
}

/// A part of the evidence that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What it hides.
    pub hides: Hides,
    /// What is gone, and how: the beginning of a sentence.
    pub what: String,
}

/// What of a recording is missing, changed or unreadable to a share that matters.
pub fn gaps(recording: &Trace) -> Vec<Gap> {
    let altered = recording.lost.files.iter().filter(|of| of.is_altered);
    let files = altered.map(|of| Gap { hides: hides(&of.file), what: format!("{} {}", of.file, of.what) });
    unreadable(recording).into_iter().chain(files).collect()
}

/// What a recorder's file holds, by its name.
fn hides(file: &str) -> Hides {
    let begins = |start: &str| file.starts_with(start);
    match file {
        _ if begins("host.") => Hides::Host,
        _ if begins("samples") || begins("names") => Hides::Samples,
        _ if file.contains(".nettrace") => Hides::Events,
        _ => Hides::Details,
    }
}

/// That too many events cannot be read.
fn unreadable(recording: &Trace) -> Option<Gap> {
    let damage = &recording.lost.damage;
    let gap = |what| Some(Gap { hides: Hides::Events, what });
    if damage.count(PACKING) > 0 {
        return gap("the file is damaged, and what follows the damage was not read".to_owned());
    }
    let read = real_u64(u64::try_from(recording.events.len()).unwrap_or(u64::MAX));
    // Events whose numbers step back were read.
    let lost = real_u64(damage.lost().saturating_sub(damage.count(STEPS_BACK)));
    if lost > MOST_UNREADABLE * (read + lost) {
        let (lost, all) = (short(lost), short(read + lost));
        return gap(format!("{lost} of {all} events cannot be read: the file is damaged"));
    }
    // One description stands for all events of its kind, however few those are.
    let undescribed = damage.count(NOT_DESCRIBED);
    let is_kind_gone = undescribed > 0 && damage.count(DESCRIPTION) > 0;
    if is_kind_gone {
        return gap(format!(
            "no event of some kinds can be read ({}): the file is damaged",
            short(real_u64(undescribed))
        ));
    }
    // Damage that takes whole blocks shows as a gap in the numbers of the events.
    let missing = real_u64(recording.missing.events);
    let is_gone = lost > 0.0 && missing > MOST_UNREADABLE * (read + missing);
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
        // The runtime drops events under load: that is no damage, and judged by its own share.
        check(&[], 5, None);
        // Undamaged recordings of busy services have thousands of these.
        check(&[(STEPS_BACK, 13_052)], 5, None);
        check(&[(NOT_DESCRIBED, 9)], 0, Some("9 of 9 events cannot be read: the file is damaged"));
        check(&[(PACKING, 1)], 0, Some("the file is damaged, and what follows the damage was not read"));
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
