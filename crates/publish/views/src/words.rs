//! Values and sentences as texts of a page.

use base::number::{count, real_u64};
use maud::{Markup, html};
use report::unit::{MANY_DIGITS, short};

/// A share in percent; a dash if the whole is 0.
pub fn percent(part: f64, whole: f64) -> String {
    let percent = part * 100.0 / whole;
    match whole > 0.0 {
        true if percent.abs() < MANY_DIGITS => format!("{percent:.1} %"),
        true => format!("{} %", short(percent)),
        false => String::from("–"),
    }
}

/// A time since the session's start.
pub fn moment(ns: f64) -> String {
    let seconds = ns / 1e9;
    if seconds.abs() < MANY_DIGITS { format!("{seconds:.6} s") } else { format!("{} s", short(seconds)) }
}

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    with_noun(real_u64(count), noun)
}

/// The length of a list with its noun.
pub fn counted_len(len: usize, noun: &str) -> String {
    with_noun(count(len), noun)
}

#[expect(clippy::float_cmp, reason = "a whole number")]
fn with_noun(count: f64, noun: &str) -> String {
    let plural = if count == 1.0 { "" } else { "s" };
    format!("{} {noun}{plural}", short(count))
}

/// One of our own texts, with code between backticks.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A sentence in which no line break divides a value from its unit (`241 ms`) or an option (`--profile`).
pub fn unbroken(text: &str) -> Markup {
    const UNITS: &[&str] =
        &["ns", "µs", "ms", "s", "min", "B", "kB", "MB", "GB", "B/s", "kB/s", "MB/s", "GB/s", "%", "cores"];
    let is_unit = |word: &str| UNITS.contains(&word.trim_end_matches([',', ';', ':', '.', ')']));
    let mut words = text.split(' ').peekable();
    html! {
        @while let Some(word) = words.next() {
            @let unit = words.next_if(|next| word.ends_with(|c: char| c.is_ascii_digit()) && is_unit(next));
            @match unit {
                Some(unit) => span.unbroken { (word) " " (unit) },
                None if word.starts_with("--") => span.unbroken { (word) },
                None => (word),
            }
            @if words.peek().is_some() { " " }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_unit_stay_on_one_line() {
        let check = |text, expected: &str| assert_eq!(unbroken(text).into_string(), expected);
        check("stopped 241 ms, often", "stopped <span class=\"unbroken\">241 ms,</span> often");
        check("31.6 threads <b>", "31.6 threads &lt;b&gt;");
        check("Use --profile requests.", "Use <span class=\"unbroken\">--profile</span> requests.");
        check("", "");
    }
}
