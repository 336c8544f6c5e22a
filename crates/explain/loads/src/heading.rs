//! The first lines about a load run.

use base::number::count;
use model::Load;
use report::Heading;
use report::unit::{duration, short};

/// Settings of the schedule that the heading names.
const MOST_SETTINGS: usize = 6;

/// Where the load went and how, when, and what could not be read.
pub fn heading(load: &Load) -> Heading {
    let exhibit = &load.exhibit;
    let run = &load.run;
    let target = run.url.as_ref().map(|url| match &run.method {
        Some(method) => format!("{method} {url}"),
        None => url.clone(),
    });
    let schedule = run.schedule.as_ref().map(|kind| {
        let settings = run.settings.iter().take(MOST_SETTINGS).map(|(name, value)| format!("{name} {value}"));
        let all: Vec<String> = std::iter::once(format!("{kind} schedule")).chain(settings).collect();
        all.join(", ")
    });
    let connections = load.metric("connections").map(|of| counted(of, "connection"));
    let ended = run.ended.clone().filter(|ended| ended != "complete");
    let subject = [exhibit.name.clone().filter(|_| target.is_none()), target, schedule, connections, ended];
    let lost = &load.lost;
    let files = lost.files.iter().map(|file| (file.file.as_str(), file.what.as_str()));
    Heading {
        name: exhibit.own_name().unwrap_or("load run").to_owned(),
        file: exhibit.file.clone(),
        subject: subject.into_iter().flatten().collect(),
        command: exhibit.command_line.clone(),
        recorded: recorded(load),
        losses: report::damage_sentences(lost.truncated_at, &lost.damage, files),
        are_losses_small: false,
        nothing_lost: "nothing: no damage",
    }
}

fn recorded(load: &Load) -> String {
    let exhibit = &load.exhibit;
    let length = base::number::real(load.length_ns()) / 1e6;
    let start = match load.run.clock {
        Some(clock) => {
            let after = duration(base::number::real(clock.offset_ns) / 1e6);
            format!("{after} after the recording began at {}", exhibit.start_utc)
        }
        None => exhibit.start_utc.clone(),
    };
    let parts = [
        (!start.is_empty()).then_some(start),
        (length > 0.0).then(|| duration(length)),
        load.metric("sent").map(|sent| counted(sent, "request")),
        (!load.requests.sent_ns.is_empty())
            .then(|| format!("{} one by one", short(count(load.requests.sent_ns.len())))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn counted(of: f64, one: &str) -> String {
    let text = short(of);
    let plural = if text == "1" { "" } else { "s" };
    format!("{text} {one}{plural}")
}
