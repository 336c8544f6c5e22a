//! The first lines of a page: what was recorded, and when.

use crate::loss::{are_small, losses};
use crate::observed::observed_ns;
use base::number::real;
use model::{NO_INT, ProcessRow, Trace};
use report::Heading;
use report::unit::duration;
use std::cmp::Reverse;

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
        are_losses_small: are_small(recording),
        nothing_lost: "nothing: no event dropped, no damage",
    }
}

/// What is known of the service and its machine, one fact each.
pub fn subject(recording: &Trace) -> Vec<String> {
    let exhibit = &recording.exhibit;
    let runtime =
        exhibit.runtime.as_ref().map_or_else(|| "runtime unknown".to_owned(), |of| format!(".NET {of}"));
    let machine = [exhibit.os.as_deref(), exhibit.arch.as_deref()];
    let machine: Vec<&str> = machine.into_iter().flatten().collect();
    let facts = [
        exhibit.name.clone(),
        Some(runtime),
        exhibit.pid.map(|pid| format!("process {pid}")),
        exhibit.container.as_ref().map(|id| format!("container {}", id.get(..12).unwrap_or(id))),
        exhibit.cores.map(|n| if n == 1 { "1 CPU core".to_owned() } else { format!("{n} CPU cores") }),
        (!machine.is_empty()).then(|| machine.join(" ")),
        recording
            .session
            .server_gc
            .map(|server| if server { "server GC" } else { "workstation GC" }.to_owned()),
        others(recording),
    ];
    facts.into_iter().flatten().collect()
}

/// How many other processes a heading names.
const MAX_OTHERS: usize = 5;

/// The other processes in the recording, those with the most samples first.
pub fn other_processes(recording: &Trace) -> Vec<ProcessRow> {
    let this = recording.exhibit.pid.map_or(NO_INT, u64::cast_signed);
    let rows = &recording.processes;
    let rows = (0..rows.process.len()).filter_map(|at| rows.row(at));
    let mut others: Vec<ProcessRow> =
        rows.filter(|row| row.process != this && row.process != NO_INT).collect();
    others.sort_by_key(|row| (Reverse(row.samples), Reverse(row.events), row.process));
    others
}

fn others(recording: &Trace) -> Option<String> {
    let others = other_processes(recording);
    let called = |row: &ProcessRow| match recording.strings.get(row.name) {
        Some(name) => format!("{name} ({})", row.process),
        None => row.process.to_string(),
    };
    let named: Vec<String> = others.iter().take(MAX_OTHERS).map(called).collect();
    let more = others.len().saturating_sub(MAX_OTHERS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| format!("the recording also holds {}{more}: --pid chooses", named.join(", ")))
}

/// When it was recorded, how long, and how much of that time was observed.
pub fn recorded(recording: &Trace) -> String {
    let exhibit = &recording.exhibit;
    let long = |ns: i64| duration(millis(ns));
    let start = if exhibit.start_utc.is_empty() { "start unknown" } else { &exhibit.start_utc };
    let mut text = format!("{start} · {}", long(exhibit.duration_ns));
    if let Some(profile) = &recording.session.profile {
        text.extend([" · profile ", profile]);
    }
    match recording.missing.began_inside {
        0 => {}
        1 => text.push_str(" · began inside a collection"),
        several => text.extend([" · began inside ", &several.to_string(), " collections"]),
    }
    for source in ["events", "samples"] {
        // Rates are of the observed time, so it is shown if it is not the whole recording.
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
