//! What a recording is of, and when it was made: the lines that pages begin with.

use crate::loss::losses;
use crate::observed::observed_ns;
use base::number::real;
use model::Trace;
use report::Heading;
use report::unit::duration;

/// The heading of a recording.
pub fn heading(recording: &Trace) -> Heading {
    let exhibit = &recording.exhibit;
    Heading {
        name: exhibit.own_name().unwrap_or("recording").to_owned(),
        file: exhibit.file.clone(),
        subject: subject(recording),
        command: exhibit.command_line.clone(),
        recorded: recorded(recording),
        losses: losses(recording),
        nothing_lost: "nothing: no event dropped, no damage",
    }
}

/// What is known of the service and its machine, one fact each.
pub fn subject(recording: &Trace) -> Vec<String> {
    let exhibit = &recording.exhibit;
    let runtime =
        exhibit.runtime.as_ref().map_or_else(|| "runtime not told".to_owned(), |of| format!(".NET {of}"));
    let machine = [exhibit.os.as_deref(), exhibit.arch.as_deref()];
    let machine: Vec<&str> = machine.into_iter().flatten().collect();
    let facts = [
        exhibit.name.clone(),
        Some(runtime),
        exhibit.pid.map(|pid| format!("process {pid}")),
        exhibit.container.as_ref().map(|id| format!("container {}", id.get(..12).unwrap_or(id))),
        exhibit.processors.map(|n| if n == 1 { "1 processor".to_owned() } else { format!("{n} processors") }),
        (!machine.is_empty()).then(|| machine.join(" ")),
        recording
            .session
            .server_gc
            .map(|server| if server { "server GC" } else { "workstation GC" }.to_owned()),
    ];
    facts.into_iter().flatten().collect()
}

/// When it was recorded, how long, and how much of that time was observed.
pub fn recorded(recording: &Trace) -> String {
    let exhibit = &recording.exhibit;
    let long = |ns: i64| duration(millis(ns));
    let start = if exhibit.start_utc.is_empty() { "start not told" } else { &exhibit.start_utc };
    let mut text = format!("{start} · {}", long(exhibit.duration_ns));
    if let Some(profile) = &recording.session.profile {
        text.extend([" · profile ", profile]);
    }
    for source in ["events", "samples"] {
        // Said only if it is not all of it: rates are of this time.
        let observed = observed_ns(recording, source);
        let whole = observed.is_some_and(|ns| millis(ns) > 0.98 * millis(exhibit.duration_ns));
        if let Some(ns) = observed.filter(|_| !whole) {
            let share = millis(ns) / millis(exhibit.duration_ns.max(1));
            text.extend([" · ", source, " over ", &long(ns), &format!(" ({:.0} %)", share * 100.0)]);
        }
    }
    text
}

fn millis(ns: i64) -> f64 {
    real(ns) / 1e6
}
