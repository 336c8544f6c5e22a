//! The pictures of a load run: latency over time, and by percentile. Each has a title, a sentence with its figures, and a table.

use crate::words::{counted, counted_len};
use base::number::real;
use loads::{Course, Pictures};
use maud::{Markup, PreEscaped, html};
use report::unit::{duration, show};
use report::{List, Part, Row};

/// Latency over time as a heat map; empty without a latency log. `basis` is what the latency counts from.
pub fn heat(of: &Pictures, basis: &str) -> Markup {
    let Some(map) = &of.heat else { return html! {} };
    let sentence = heat_sentence(&of.courses, basis);
    html! {
        section.block aria-label="Latency over time" {
            h2 { "Latency over time" }
            p.said { (sentence) }
            (PreEscaped(charts::heat_map(map, &format!("Latency over time. {sentence}"))))
            p.hint { "Each cell counts the requests of its time with its latency. A stall is a tooth of a saw, saturation is a slope." }
            details.largest {
                summary { "The same as a table" }
                div.scroll tabindex="0" role="region" aria-label="Latency over time, as a table" {
                    table {
                        thead { tr { th.num scope="col" { "time" } @for name in ["requests", "p50", "p99", "max"] { th.num scope="col" { (name) } } } }
                        tbody { @for row in &of.courses { tr {
                            td.num { (duration(real(row.from_ns) / 1e6)) }
                            td.num { (row.requests) }
                            @for value in [row.p50_ms, row.p99_ms, row.max_ms] { (cell(value)) }
                        } } }
                    }
                }
            }
        }
    }
}

/// The heat map alone, over a range that may be longer than the run: beside other pictures of that range.
pub fn heat_over(of: &Pictures, span: timeline::Span, basis: &str) -> Markup {
    let sentence = heat_sentence(&of.courses, basis);
    let map = of.heat.as_ref().map(|map| report::HeatMap {
        from_ns: span.from_ns,
        to_ns: span.to_ns,
        ..map.clone()
    });
    html! {
        @if let Some(map) = map { (PreEscaped(charts::heat_map(&map, &format!("Latency over time. {sentence}")))) }
    }
}

fn heat_sentence(courses: &[Course], basis: &str) -> String {
    let requests = courses.iter().fold(0u64, |sum, of| sum.saturating_add(of.requests));
    let longest = courses.iter().filter_map(|of| Some((of.max_ms?, of.from_ns)));
    let Some((ms, at)) = longest.max_by(|a, b| a.0.total_cmp(&b.0)) else {
        return counted(requests, "request");
    };
    let mut medians: Vec<f64> = courses.iter().filter_map(|of| of.p50_ms).collect();
    medians.sort_by(f64::total_cmp);
    let usual = medians
        .get(medians.len() / 2)
        .map_or_else(String::new, |ms| format!(", most often about {}", show(*ms, "ms")));
    format!(
        "{} {basis}{usual}; the longest took about {}, at {}.",
        counted(requests, "request"),
        show(ms, "ms"),
        duration(real(at) / 1e6)
    )
}

fn cell(value: Option<f64>) -> Markup {
    html! {
        @if let Some(value) = value { td.num data-v=(value) { (show(value, "ms")) } }
        @else { td.none { span.quiet { "none" } } }
    }
}

/// Latency by percentile, from the schedule and from the send. `latency` is the part with the list of them.
pub fn percentiles(of: &Pictures, latency: Option<&Part>) -> Markup {
    let Some(list) = latency.and_then(|part| part.list("percentiles")).filter(|list| !list.rows.is_empty())
    else {
        return html! {};
    };
    let sentence = percentile_sentence(list);
    html! {
        section.block aria-label="Latency by percentile" {
            h2 { "Latency by percentile" }
            p.said { (sentence) }
            (PreEscaped(charts::percentiles(&of.percentiles, "ms", &format!("Latency by percentile. {sentence}"))))
            p.hint {
                "From the schedule, latency counts from when a request was due, as users feel it; from the send, what a request waited before it \
                 could be sent is missing. They differ if the service holds up requests, since those behind them are sent late."
            }
            details.largest open[of.percentiles.is_empty()] {
                summary { "The same as a table" }
                div.scroll tabindex="0" role="region" aria-label="Latency by percentile, as a table" {
                    table {
                        thead { tr { th scope="col" { "percentile" } @for column in list.columns { th.num scope="col" { (column.name) } } } }
                        tbody { @for row in &list.rows { tr { td.name { (row.name) } @for value in &row.values { (cell(*value)) } } } }
                    }
                }
            }
        }
    }
}

/// The highest of the usual percentiles that the run carries, from both; and another one, if the two are further apart there.
fn percentile_sentence(list: &List) -> String {
    /// A smaller factor is not worth a sentence.
    const APART: f64 = 2.0;
    let row =
        ["p99", "p95", "p90", "p50"].iter().find_map(|name| list.rows.iter().find(|row| row.name == *name));
    let Some(row) = row else { return counted_len(list.rows.len(), "percentile") };
    let values = |row: &Row| -> Vec<String> {
        let of = row.values.iter().zip(list.columns);
        of.filter_map(|(value, column)| Some(format!("{} {}", show((*value)?, "ms"), column.name))).collect()
    };
    let factor = |row: &Row| match row.values.as_slice() {
        [Some(schedule), Some(send)] if *send > 0.0 => schedule / send,
        _ => 1.0,
    };
    let is_usual = |other: &&Row| other.name.starts_with('p');
    let widest = list.rows.iter().filter(is_usual).max_by(|a, b| factor(a).total_cmp(&factor(b)));
    let widest = widest.filter(|other| factor(other) >= APART * factor(row).max(1.0));
    let other =
        widest.map_or_else(String::new, |of| format!("; {} is {}", of.name, values(of).join(" and ")));
    format!("{} is {}{other}.", row.name, values(row).join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::{Curve, HeatCell, HeatMap, ListColumn};

    #[test]
    fn pictures_have_a_sentence_with_their_figures_and_a_table() {
        let cells = vec![HeatCell { from_ns: 0, to_ns: 10, low: 0.1, high: 0.2, count: 7 }];
        let heat = Some(HeatMap { from_ns: 0, to_ns: 10, unit: "ms", cells });
        let course = Course {
            from_ns: 0,
            to_ns: 1,
            requests: 7,
            p50_ms: Some(0.15),
            p99_ms: None,
            max_ms: Some(950.0),
        };
        let percentiles = vec![Curve { name: "from the send", points: vec![(1.0, 0.1), (2.0, 0.2)] }];
        let pictures = Pictures { heat, courses: vec![course], percentiles };
        let html = super::heat(&pictures, "from the schedule").into_string();
        assert!(html.contains("7 requests from the schedule, most often about 150 µs; the longest took about 950 ms, at 0 ms."), "{html}");
        assert!(
            html.contains("<details")
                && html.contains("<td class=\"none\">")
                && html.contains("role=\"img\""),
            "{html}"
        );
        let mut part = Part::new("latency");
        let columns: &[ListColumn] = &[
            ListColumn { name: "from the schedule", unit: "ms" },
            ListColumn { name: "from the send", unit: "ms" },
        ];
        let row =
            |name: &str, values: [f64; 2]| Row { name: name.to_owned(), values: values.map(Some).into() };
        let rows = vec![row("p90", [500.0, 0.25]), row("p99", [950.0, 4.0])];
        part.lists.push(List { name: "percentiles", about: "", columns, rows, more: 0 });
        let html = super::percentiles(&pictures, Some(&part)).into_string();
        assert!(html.contains("p99 is 950 ms from the schedule and 4 ms from the send; p90 is 500 ms from the schedule and 250 µs from the send."), "{html}");
        assert!(super::percentiles(&pictures, None).into_string().is_empty());
    }
}
