//! Capacity: a fit of the Universal Scalability Law with its residuals, a queue, a closed network.

mod models;
mod words;

pub use models::{network, queue};
pub use words::number;

use crate::page::{Page, Tone};
use crate::width::Width;
use anstyle::Style;
use base::number::count;
use capacity::{Asked, Bracket, Fit, Growth, Headroom, Holds, Interval, Little, Measured, Point};
use report::unit::duration;
use words::time;

/// The width of a number in the table of measurements.
const NUMBER: usize = 10;
/// Rows of the table; JSON has all.
const MAX_ROWS: usize = 60;

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Where the measurements came from.
    pub title: &'a str,
    /// The fit, or why there is none.
    pub fit: Result<&'a Fit, &'a str>,
    /// What was asked of it.
    pub asked: &'a Asked<'a>,
}

/// The page of a fit.
pub fn page(shown: &Shown<'_>, width: Width) -> String {
    let Shown { title, fit, asked } = *shown;
    let mut page = Page::new(width);
    page.title(title);
    match fit {
        Ok(fit) => of_fit(&mut page, fit, asked),
        Err(why) => page.warning("no fit", why),
    }
    if let Some((text, of)) = asked.headroom {
        page.gap();
        headroom(&mut page, text, of, asked);
    }
    if let Some((text, of)) = asked.measured {
        page.gap();
        measured(&mut page, text, of, asked.growth);
    }
    if let Some(of) = asked.little {
        page.gap();
        little(&mut page, of);
    }
    for warning in fit.map(Fit::warnings).unwrap_or_default().iter().chain(asked.notes) {
        page.warning("note", warning);
    }
    page.into_text()
}

fn of_fit(page: &mut Page, fit: &Fit, asked: &Asked<'_>) {
    let range = fit.range();
    let counts = format!(
        "{} measurements at {} loads from {} to {}",
        fit.points.len(),
        fit.loads,
        number(range.low),
        number(range.high)
    );
    page.line("", &counts);
    page.gap();
    let tone = if fit.is_identified() { Tone::Plain } else { Tone::Warning };
    page.block("peak", tone, &sentence(fit));
    page.gap();
    parameters(page, fit);
    page.gap();
    points(page, fit);
    at(page, fit, asked);
}

/// What a fit says about the peak, in a sentence or two.
pub fn sentence(fit: &Fit) -> String {
    let range = fit.range();
    let limit = fit.model.contention_limit().map_or_else(
        || "so far it grows in proportion to the load".to_owned(),
        |limit| format!("contention alone limits it to {}", number(limit)),
    );
    let Some(peak) = fit.peak() else {
        return format!(
            "No maximum: the best fit has no coherency (β = 0), so throughput does not fall up to a load of {}; {limit}.",
            number(range.high)
        );
    };
    let [load, throughput] = [peak.load, peak.throughput].map(number);
    if !fit.is_identified() {
        let why = match fit.intervals() {
            Some([_, beta, _]) => format!("the interval of β, {}, contains 0", between(beta)),
            None => "the measurements do not determine β".to_owned(),
        };
        return format!(
            "Peak not identified: {why}. The best fit has its maximum, {throughput}, at a load of {load}, but the data also fit a curve \
             without one. Measure at higher loads."
        );
    }
    if peak.load < range.low {
        return format!(
            "Throughput falls at all measured loads, from {} on: the fit has its maximum below them, at {load}.",
            number(range.low)
        );
    }
    let interval = |of: Option<Interval>| of.map_or_else(String::new, |of| format!(" ({})", between(of)));
    let place = if fit.is_extrapolated() {
        " That is above all measured loads, so it is extrapolated: measure there before you rely on it."
    } else {
        ""
    };
    format!(
        "Throughput is highest at a load of {load}{}: {throughput}{}. Beyond it, more load means less throughput.{place}",
        interval(peak.load_interval),
        interval(peak.throughput_interval)
    )
}

fn parameters(page: &mut Page, fit: &Fit) {
    let model = fit.model;
    let intervals = fit.intervals();
    page.line("fit", "X(N) = γN / (1 + α(N−1) + βN(N−1))");
    let rows = [
        ("α", model.alpha, "contention: the share of the work that is done one at a time"),
        ("β", model.beta, "coherency: what each pair of users costs the others"),
        ("γ", model.gamma, "throughput of a single user"),
    ];
    for (at, (name, value, about)) in rows.into_iter().enumerate() {
        let interval = intervals.and_then(|of| of.get(at).copied()).map_or_else(|| "–".to_owned(), between);
        let line = format!("{:>NUMBER$}  {:<25}", number(value), format!("({interval})"));
        let room = page.room().saturating_sub(line.chars().count() + 1);
        let short = about.split(':').next().unwrap_or_default();
        match [about, short].into_iter().find(|of| of.chars().count() <= room) {
            Some(about) => page.line_as(name, &format!("{line} {about}"), Style::new()),
            None => page.line(name, &format!("{} ({interval}) {short}", number(value))),
        }
    }
    if intervals.is_some() {
        page.line("", "In brackets: 95 % intervals.");
    }
    if let Some(limit) = model.contention_limit() {
        let is_unsure = intervals.is_none_or(|[alpha, ..]| alpha.low <= 0.0);
        let unsure = if is_unsure { "; not identified, since the interval of α contains 0" } else { "" };
        page.line("limit", &format!("{}, if there were contention only (γ/α){unsure}", number(limit)));
    }
    let text = format!(
        "{} is the standard error of a measurement around the curve (degrees of freedom: {})",
        number(fit.residual_error()),
        fit.degrees
    );
    page.line("residuals", &text);
}

/// Measurements, the curve at them, and their residuals as bars.
fn points(page: &mut Page, fit: &Fit) {
    let columns = Columns::of(page.room());
    page.line_as("data", &columns.heads(), Style::new().dimmed());
    let largest = fit.points.iter().map(|of| fit.residual(of).abs()).fold(0.0, f64::max);
    for of in fit.points.iter().take(MAX_ROWS) {
        page.line_as("", &columns.row(fit, of, largest), Style::new());
    }
    let more = fit.points.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        page.line("", &format!("… {more} more, see --format json"));
    }
}

/// Which columns of the table have room, and how wide they are. A width of 0 leaves a column out.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    number: usize,
    band: usize,
    residual: usize,
    efficiency: usize,
    /// One side of the bars.
    bar: usize,
}

impl Columns {
    /// The first of these that fits.
    fn of(room: usize) -> Self {
        let wide = Self { number: 11, band: 22, residual: 11, efficiency: 12, bar: 10 };
        let usual = Self { band: 0, ..wide };
        let tight = Self { number: 9, residual: 9, bar: 8, ..usual };
        let bare = Self { bar: 0, ..tight };
        let few = Self { efficiency: 0, ..bare };
        let fitting = [wide, usual, tight, bare, few].into_iter().find(|of| of.width() <= room);
        fitting.unwrap_or(Self { residual: 0, ..few })
    }

    fn width(self) -> usize {
        let band = if self.band > 0 { self.band + 2 } else { 0 };
        let bars = if self.bar > 0 { 2 * self.bar + 3 } else { 0 };
        3 * self.number + band + self.residual + self.efficiency + bars
    }

    /// A line of cells. The texts of columns that are left out are not shown.
    fn line(self, numbers: [&str; 3], band: &str, residual: &str, efficiency: &str, bar: &str) -> String {
        let mut line = numbers.map(|of| format!("{of:>width$}", width = self.number)).concat();
        if self.band > 0 {
            line.extend([format!("  {band:<width$}", width = self.band)]);
        }
        for (text, width) in [(residual, self.residual), (efficiency, self.efficiency)] {
            let text = if width > 0 { text } else { "" };
            line.extend([format!("{text:>width$}")]);
        }
        if self.bar > 0 {
            line.extend(["  ", bar]);
        }
        line
    }

    fn heads(self) -> String {
        let bars = format!("{:>width$}|above", "below", width = self.bar);
        self.line(["load", "measured", "fitted"], "95 % interval", "residual", "efficiency", &bars)
    }

    fn row(self, fit: &Fit, of: &Point, largest: f64) -> String {
        let [load, measured, fitted] = [of.load, of.throughput, fit.model.throughput(of.load)].map(number);
        let band = fit.band(of.load).map_or_else(|| "–".to_owned(), between);
        let efficiency = format!("{} %", number(of.throughput / (fit.model.gamma * of.load) * 100.0));
        let residual = fit.residual(of);
        let bar = bar(residual, largest, self.bar);
        self.line([&load, &measured, &fitted], &band, &number(residual), &efficiency, &bar)
    }
}

/// A residual as a bar to the left or to the right of the axis. The largest has all of the width.
fn bar(residual: f64, largest: f64, width: usize) -> String {
    let share = if largest > 0.0 { (residual.abs() / largest).min(1.0) } else { 0.0 };
    let length = (1..=width).filter(|part| count(*part) <= share * count(width) + 0.5).count();
    let blocks = "█".repeat(length);
    if residual < 0.0 { format!("{blocks:>width$}|") } else { format!("{:width$}|{blocks}", "") }
}

fn at(page: &mut Page, fit: &Fit, asked: &Asked<'_>) {
    let model = fit.model;
    if asked.loads.len() + asked.throughputs.len() + asked.responses.len() > 0 {
        page.gap();
    }
    for load in asked.loads {
        let band = fit.band(*load).map_or_else(String::new, |of| format!(" ({})", between(of)));
        let extrapolated = if fit.range().contains(*load) { "" } else { "; extrapolated" };
        let text = format!(
            "at a load of {}: throughput {}{band}, mean response time {}, efficiency {} %{extrapolated}",
            number(*load),
            number(model.throughput(*load)),
            time(model.response(*load) * asked.per),
            number(model.efficiency(*load) * 100.0)
        );
        page.line("predicted", &text);
    }
    for throughput in asked.throughputs {
        let text = match model.loads_at_throughput(*throughput) {
            [None, _] => "never reached".to_owned(),
            [Some(rising), None] => format!("reached at a load of {}", number(rising)),
            [Some(rising), Some(falling)] => format!(
                "reached at a load of {}, and again at {} where throughput falls",
                number(rising),
                number(falling)
            ),
        };
        page.line("predicted", &format!("throughput {}: {text}", number(*throughput)));
    }
    for seconds in asked.responses {
        let text = match model.load_at_response(seconds / asked.per) {
            Some(load) => format!(
                "reached at a load of {}, with a throughput of {}",
                number(load),
                number(load / (seconds / asked.per))
            ),
            None => "never the mean".to_owned(),
        };
        page.line("predicted", &format!("mean response time {}: {text}", time(*seconds)));
    }
}

fn headroom(page: &mut Page, objective: &str, of: &Headroom, asked: &Asked<'_>) {
    match &of.holds {
        Holds::Never => page.block(
            "headroom",
            Tone::Bad,
            &format!("{objective} never holds: by the fit, a single user already waits longer."),
        ),
        Holds::Always => page.block(
            "headroom",
            Tone::Plain,
            &format!("{objective} holds at every load: by the fit, the response time does not grow."),
        ),
        Holds::Below {
            load,
            load_interval,
            throughput,
            throughput_interval,
            is_at_peak,
            is_extrapolated,
        } => {
            let interval =
                |of: &Option<Interval>| of.map_or_else(String::new, |of| format!(" ({})", between(of)));
            let text =
                format!("{objective} holds below a load of {}{}.", number(*load), interval(load_interval));
            page.block("headroom", Tone::Plain, &text);
            let most = format!("{}{}", number(*throughput), interval(throughput_interval));
            let text = if *is_at_peak {
                format!("Throughput has its maximum before that: {most}.")
            } else {
                format!("The throughput there is {most}.")
            };
            page.line("", &text);
            if *is_extrapolated {
                page.warning("", "That lies outside the measured loads, so it is extrapolated.");
            }
        }
    }
    if let (Some(of_growth), Some((throughput, interval))) = (asked.growth, of.throughput()) {
        growth(page, of_growth, throughput, interval);
    }
}

/// When growth reaches a throughput.
fn growth(page: &mut Page, growth: Growth, throughput: f64, interval: Option<Interval>) {
    let start =
        format!("From {} with {} % more each month", number(growth.from), number(growth.per_month * 100.0));
    let when = growth.months(throughput);
    let text = if when <= 0.0 {
        format!("{} is already more than that.", number(growth.from))
    } else {
        let interval = interval.map_or_else(String::new, |of| {
            let Interval { low, high } = growth.months_between(of);
            format!(" ({low:.1} to {high:.1})")
        });
        format!("{start}, that is reached in {when:.1} months{interval}.")
    };
    page.line("", &text);
}

fn measured(page: &mut Page, objective: &str, of: &Bracket, by: Option<Growth>) {
    let run = |of: Measured| {
        format!("{}/s ({})", number(of.rate), of.value.map_or_else(|| "–".to_owned(), duration))
    };
    let (tone, text) = match (of.held, of.missed) {
        (Some(held), Some(missed)) => (
            Tone::Plain,
            format!(
                "{objective} holds at {} and is missed at {}: the limit is between the two.",
                run(held),
                run(missed)
            ),
        ),
        (Some(held), None) => (
            Tone::Good,
            format!(
                "{objective} holds in every run, up to {}. Measure at higher rates to find the limit.",
                run(held)
            ),
        ),
        (None, Some(missed)) => (
            Tone::Bad,
            format!(
                "{objective} is missed in every run from {} on. Measure at lower rates to find the limit.",
                run(missed)
            ),
        ),
        (None, None) => {
            (Tone::Warning, format!("{objective} cannot be judged: no run has enough requests for it."))
        }
    };
    page.block("headroom", tone, &text);
    if !of.odd.is_empty() {
        let rates: Vec<String> = of.odd.iter().take(5).map(|of| format!("{}/s", number(*of))).collect();
        page.warning(
            "",
            &format!("It also holds at {}, a higher rate: runs vary, so repeat them.", rates.join(", ")),
        );
    }
    if of.unknown > 0 {
        page.warning("", &format!("{} of the runs have too few requests for this percentile.", of.unknown));
    }
    if let (Some(by), Some(held)) = (by, of.held) {
        let to = of.missed.map(|missed| Interval { low: held.rate, high: missed.rate });
        growth(page, by, held.rate, to);
    }
}

fn little(page: &mut Page, of: &Little) {
    let unit = if of.is_named {
        format!("latencies are in {}, as the header says", of.unit)
    } else {
        format!("latencies are read in {}, the unit that fits best", of.unit)
    };
    if of.broken == 0 {
        return page
            .line("N = X·R", &format!("holds within 10 % in all {} measurements ({unit})", of.checked));
    }
    let worst = of.worst.map_or_else(String::new, |(load, within)| {
        format!(", most at a load of {}, where X·R is {}", number(load), number(within))
    });
    let text = format!(
        "does not hold in {} of {} measurements{worst} ({unit}). By Little's law, load = throughput × mean latency: check that all three are \
         of the same time and the same requests, that the latency is a mean, and that users do not pause between requests.",
        of.broken, of.checked
    );
    page.warning("N = X·R", &text);
}

/// An interval in words.
fn between(of: Interval) -> String {
    format!("{} to {}", number(of.low), number(of.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use capacity::read;

    fn shown(table: &str, asked: &Asked<'_>) -> String {
        let fit = Fit::of(read(table.as_bytes()).unwrap().points).unwrap();
        let page = page(&Shown { title: "orders.csv", fit: Ok(&fit), asked }, Width::of(110));
        anstream::adapter::strip_str(&page).to_string()
    }

    #[test]
    fn a_bar_is_on_its_side_of_the_axis() {
        assert_eq!(bar(-1.0, 1.0, 10), "██████████|");
        assert_eq!(bar(0.5, 1.0, 10), "          |█████");
        assert_eq!(bar(0.0, 0.0, 10), "          |");
    }

    #[test]
    fn a_page_says_where_the_peak_is_or_that_there_is_none() {
        let asked = Asked {
            per: 1.0,
            loads: &[300.0],
            throughputs: &[1_000.0, 1e6],
            responses: &[0.1],
            ..Asked::default()
        };
        let text =
            shown("1,64.9\n18,995.9\n36,1652.4\n72,1853.2\n108,1828.9\n144,1775.0\n216,1702.2", &asked);
        for expected in [
            "Throughput is highest at a load of 96.52",
            "1,884",
            "1.044e−4  (4.918e−5 to 1.595e−4)",
            "extrapolated",
            "throughput 1,000,000: never reached",
            "and again at",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let text = shown(
            "1,20\n4,78\n8,130\n12,170\n16,190\n20,200\n24,210\n28,230\n32,260\n48,280\n64,310",
            &Asked { per: 1.0, ..Asked::default() },
        );
        assert!(text.contains("No maximum: the best fit has no coherency (β = 0)"), "{text}");
    }

    #[test]
    fn every_width_has_lines_that_fit() {
        let fit = Fit::of(read(b"1,65\n18,996\n36,1652\n72,1853\n108,1829").unwrap().points).unwrap();
        let asked = Asked { per: 1.0, ..Asked::default() };
        for columns in [40, 60, 80, 100, 160] {
            let page = page(&Shown { title: "x", fit: Ok(&fit), asked: &asked }, Width::of(columns));
            let text = anstream::adapter::strip_str(&page).to_string();
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns, "{columns}: {widest}\n{text}");
            assert_eq!(text.contains('█'), columns >= 80);
        }
    }
}
