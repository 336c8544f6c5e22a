//! Values in words, by the unit that a column or a metric has.

use base::number::real_u64;
use maud::{Markup, html};
use report::unit::short;

/// A part of a whole, in percent; a dash if the whole is 0.
pub fn percent(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.1} %", part * 100.0 / whole) } else { String::from("–") }
}

/// A time since the session's start.
pub fn moment(ns: f64) -> String {
    format!("{:.6} s", ns / 1e9)
}

/// A count with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", short(real_u64(count)))
}

/// A text of ours, in which code stands between backticks.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
