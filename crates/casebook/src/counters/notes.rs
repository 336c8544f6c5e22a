//! Notes about the values: which are missing, and why.
//!
//! A page shows them in its last lines. Otherwise each is printed on standard error once.

use crate::terminal;
use import::CounterNote;
use std::collections::BTreeSet;

/// The maximum number of different notes that are kept.
const MAX_NOTES: usize = 20;
/// The maximum number of notes on a page.
const MAX_SHOWN: usize = 3;

/// Where notes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the page, for as long as they hold.
    Page,
    /// On standard error, once each.
    StandardError,
}

/// All notes so far.
#[derive(Debug)]
pub(super) struct Notes {
    kept: Vec<String>,
    place: Place,
    /// The providers that have sent no value yet.
    silent: BTreeSet<String>,
    /// Whether the user named the providers.
    by_name: bool,
    has_heard: bool,
    /// The note about silent providers, while there are any.
    silence: Option<String>,
}

impl Notes {
    pub(super) fn new(providers: Vec<String>, by_name: bool, place: Place) -> Self {
        let silent = providers.into_iter().collect();
        Self { kept: Vec::new(), place, silent, by_name, has_heard: false, silence: None }
    }

    /// A value came, whether it was asked for or not. So the process runs, and its event sources are on.
    pub(super) fn heard_any(&mut self) {
        self.has_heard = true;
    }

    /// A value came that was asked for.
    pub(super) fn heard(&mut self, provider: &str) {
        if self.silent.is_empty() {
            return;
        }
        self.has_heard = true;
        self.silent.retain(|name| !name.eq_ignore_ascii_case(provider));
    }

    /// If `late`, notes the providers that should have sent values by now.
    pub(super) fn look_for_silence(&mut self, late: bool) {
        if !late {
            return;
        }
        let silence = self.silence_in_words();
        if let Some(text) =
            silence.as_ref().filter(|_| self.silence.is_none() && self.place == Place::StandardError)
        {
            terminal::say(text);
        }
        self.silence = silence;
    }

    fn silence_in_words(&self) -> Option<String> {
        let names: Vec<&str> = self.silent.iter().map(String::as_str).collect();
        let names = names.join(", ");
        if !self.has_heard {
            return Some(format!(
                "no value yet of {names}: is the process stopped, or does it have event sources switched off (EventSourceSupport)?"
            ));
        }
        // Of the default providers, a service has only those whose libraries it uses.
        (self.by_name && !names.is_empty()).then(|| {
            format!("nothing from {names} yet: no meter, event source or instrument has that name, or it was not used yet; still waiting")
        })
    }

    /// Adds a note from the runtime's source of metrics.
    pub(super) fn add(&mut self, note: &CounterNote) {
        let Some(text) = words(note) else { return };
        if self.kept.len() >= MAX_NOTES || self.kept.contains(&text) {
            return;
        }
        if self.place == Place::StandardError {
            terminal::say(&text);
        }
        self.kept.push(text);
    }

    /// The last lines of a page: what is missing so far, then the newest notes.
    pub(super) fn lines(&self, lost: u64, left_out: u64) -> Vec<String> {
        let lost = (lost > 0)
            .then(|| format!("{lost} events lost: the runtime dropped them, so values are missing"));
        let left_out = (left_out > 0)
            .then(|| format!("{left_out} values left out: too many series; name fewer with --counters"));
        let newest = self.kept.iter().rev().take(MAX_SHOWN).rev().cloned();
        let lines = lost.into_iter().chain(left_out).chain(self.silence.clone()).chain(newest);
        lines.map(|line| format!("note: {line}")).collect()
    }
}

/// A note in words. `None` if it is about another tool's session only.
fn words(note: &CounterNote) -> Option<String> {
    let first_line = |text: &String| text.lines().next().unwrap_or_default().to_owned();
    Some(match note {
        CounterNote::Error(text) => format!("the runtime's metrics fail: {}", first_line(text)),
        CounterNote::TimeSeriesLimit => {
            "series are missing: the runtime publishes 1,000 and there are more; name fewer with --counters"
                .to_owned()
        }
        CounterNote::HistogramLimit => {
            "histograms are missing: the runtime publishes 100 and there are more; name fewer with --counters"
                .to_owned()
        }
        CounterNote::CallbackError(text) => format!("an instrument's callback throws: {}", first_line(text)),
        // Another tool was refused because of the session that we share.
        CounterNote::OtherSession(session) if session == "SHARED" => return None,
        CounterNote::OtherSession(_) => {
            "meters are missing until another tool ends, which reads the meters of this process and does not share them"
                .to_owned()
        }
        CounterNote::OtherSettings { client, .. } if !client.is_empty() && !is_ours(client) => return None,
        CounterNote::OtherSettings { interval, .. } => format!(
            "another tool reads the meters of this process every {interval} s: values come at its interval, and meters that it does not read are missing; use --interval {interval}s"
        ),
        _ => return None,
    })
}

/// Whether the name is ours: `recorder::profile::meters` makes it.
fn is_ours(client: &str) -> bool {
    client == format!("casebook-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(by_name: bool) -> Notes {
        Notes::new(vec!["System.Runtime".to_owned(), "My.Meter".to_owned()], by_name, Place::Page)
    }

    #[test]
    fn silence_is_noted_while_it_lasts_and_only_then() {
        let mut notes = notes(true);
        notes.look_for_silence(false);
        assert_eq!(notes.lines(0, 0), [""; 0]);
        notes.look_for_silence(true);
        assert!(notes.lines(0, 0)[0].contains("no value yet of My.Meter, System.Runtime"), "{notes:?}");
        notes.heard("System.Runtime");
        notes.look_for_silence(true);
        let expected = "note: nothing from My.Meter yet: no meter, event source or instrument has that name, or it was not \
                        used yet; still waiting";
        assert_eq!(notes.lines(0, 0), [expected]);
        notes.heard("my.meter");
        notes.look_for_silence(true);
        assert_eq!(notes.lines(0, 0), [""; 0]);
    }

    #[test]
    fn libraries_that_a_service_does_not_use_make_no_note() {
        let mut notes = notes(false);
        notes.heard("System.Runtime");
        notes.look_for_silence(true);
        assert_eq!(notes.lines(0, 0), [""; 0]);
    }

    #[test]
    fn what_the_metrics_source_could_not_do_is_noted_once() {
        let mut notes = notes(false);
        let callback = CounterNote::CallbackError("System.Exception: no\n   at X()".to_owned());
        let others = CounterNote::OtherSettings { client: "casebook-0".to_owned(), interval: "5".to_owned() };
        let all = [&callback, &callback, &CounterNote::OtherSession("SHARED".to_owned()), &others];
        for note in all {
            notes.add(note);
        }
        let callback = "note: an instrument's callback throws: System.Exception: no";
        let lost = "note: 7 events lost: the runtime dropped them, so values are missing";
        assert_eq!(notes.lines(7, 0), [lost, callback]);
    }
}
