//! What is to be said beside the values: what is missing of them and why.
//!
//! On the page notes stand in its last lines; elsewhere each goes to standard error, once.

use crate::terminal;
use import::CounterNote;
use std::collections::BTreeSet;

/// Different notes that are told.
const MOST_NOTES: usize = 20;
/// Notes that a page has room for.
const MOST_SHOWN: usize = 3;

/// Says a sentence on standard error.
pub(super) fn say(text: &str) {
    terminal::say(text);
}

/// Where notes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the page, which shows them as long as they hold.
    Page,
    /// On standard error, where each is said once.
    StandardError,
}

/// Notes as they come up.
#[derive(Debug)]
pub(super) struct Notes {
    told: Vec<String>,
    place: Place,
    /// The providers of which nothing was heard yet.
    silent: BTreeSet<String>,
    /// Whether the user named them.
    by_name: bool,
    has_heard: bool,
    silence: Option<String>,
}

impl Notes {
    pub(super) fn new(providers: Vec<String>, by_name: bool, place: Place) -> Self {
        let silent = providers.into_iter().collect();
        Self { told: Vec::new(), place, silent, by_name, has_heard: false, silence: None }
    }

    /// A value came, whether it was asked for or not: the process lives, and its event sources are on.
    pub(super) fn lives(&mut self) {
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

    /// Once it is `late` for values to come, says of whom none did.
    pub(super) fn look_for_silence(&mut self, late: bool) {
        if !late {
            return;
        }
        let silence = self.silence_in_words();
        if let Some(text) =
            silence.as_ref().filter(|_| self.silence.is_none() && self.place == Place::StandardError)
        {
            say(text);
        }
        self.silence = silence;
    }

    fn silence_in_words(&self) -> Option<String> {
        let names: Vec<&str> = self.silent.iter().map(String::as_str).collect();
        let names = names.join(", ");
        if !self.has_heard {
            return Some(format!(
                "no value yet: is the process stopped, or are event sources switched off in it (EventSourceSupport)? asked for {names}"
            ));
        }
        // Of the usual ones a service has those whose libraries it uses.
        (self.by_name && !names.is_empty()).then(|| {
            format!("nothing that was asked for came from {names}: no meter, event source or instrument has that name, or it was not used yet; still waiting")
        })
    }

    /// Passes on what the source of the metrics says.
    pub(super) fn tell_of(&mut self, note: &CounterNote) {
        let Some(text) = words(note) else { return };
        if self.told.len() >= MOST_NOTES || self.told.contains(&text) {
            return;
        }
        if self.place == Place::StandardError {
            say(&text);
        }
        self.told.push(text);
    }

    /// The lines of a page: the newest notes, and what is missing by now.
    pub(super) fn lines(&self, lost: u64, left_out: u64) -> Vec<String> {
        let lost = (lost > 0)
            .then(|| format!("{lost} events lost: the runtime dropped them, so values are missing"));
        let left_out = (left_out > 0).then(|| {
            format!("{left_out} values left out: there are more series than are followed; name fewer with --counters")
        });
        let told = self.told.iter().rev().take(MOST_SHOWN).rev().cloned();
        let lines = lost.into_iter().chain(left_out).chain(self.silence.clone()).chain(told);
        lines.map(|line| format!("note: {line}")).collect()
    }
}

/// A note in words; none where it is about somebody else.
fn words(note: &CounterNote) -> Option<String> {
    let first_line = |text: &String| text.lines().next().unwrap_or_default().to_owned();
    Some(match note {
        CounterNote::Error(text) => format!("the runtime's metrics fail: {}", first_line(text)),
        CounterNote::TimeSeriesLimit => {
            "the runtime follows 1,000 series, and there are more: later ones are missing; name fewer with --counters"
                .to_owned()
        }
        CounterNote::HistogramLimit => {
            "the runtime follows 100 histograms, and there are more: later ones are missing; name fewer with --counters"
                .to_owned()
        }
        CounterNote::CallbackError(text) => format!("an instrument's callback throws: {}", first_line(text)),
        // Somebody else came when the shared session, ours too, was there.
        CounterNote::OtherSession(session) if session == "SHARED" => return None,
        CounterNote::OtherSession(_) => {
            "another tool reads the meters of this process and shares with nobody: meters are missing until it ends"
                .to_owned()
        }
        CounterNote::OtherSettings { client, .. } if !client.is_empty() && !is_ours(client) => return None,
        CounterNote::OtherSettings { interval, .. } => format!(
            "another tool reads this process's meters every {interval} s: they come at its interval, and those that it does not read are missing; ask with --interval {interval}s"
        ),
        _ => return None,
    })
}

/// Whether it is what `recorder::profile::meters` calls this process.
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
    fn silence_is_told_when_it_lasts_and_only_then() {
        let mut notes = notes(true);
        notes.look_for_silence(false);
        assert_eq!(notes.lines(0, 0), [""; 0]);
        notes.look_for_silence(true);
        assert!(notes.lines(0, 0)[0].contains("asked for My.Meter, System.Runtime"), "{notes:?}");
        notes.heard("System.Runtime");
        notes.look_for_silence(true);
        let expected = "note: nothing that was asked for came from My.Meter: no meter, event source or instrument has that \
                        name, or it was not used yet; still waiting";
        assert_eq!(notes.lines(0, 0), [expected]);
        notes.heard("my.meter");
        notes.look_for_silence(true);
        assert_eq!(notes.lines(0, 0), [""; 0]);
    }

    #[test]
    fn libraries_that_a_service_does_not_use_are_no_note() {
        let mut notes = notes(false);
        notes.heard("System.Runtime");
        notes.look_for_silence(true);
        assert_eq!(notes.lines(0, 0), [""; 0]);
    }

    #[test]
    fn what_the_metrics_source_could_not_do_is_told_once() {
        let mut notes = notes(false);
        let callback = CounterNote::CallbackError("System.Exception: no\n   at X()".to_owned());
        let others = CounterNote::OtherSettings { client: "casebook-0".to_owned(), interval: "5".to_owned() };
        let all = [&callback, &callback, &CounterNote::OtherSession("SHARED".to_owned()), &others];
        for note in all {
            notes.tell_of(note);
        }
        let told = "note: an instrument's callback throws: System.Exception: no";
        let lost = "note: 7 events lost: the runtime dropped them, so values are missing";
        assert_eq!(notes.lines(7, 0), [lost, told]);
    }
}
