//! A fit of the Universal Scalability Law: the curve with its measurements and residuals, a sentence, and the same as a table.

use capacity::{Fit, Interval};
use maud::{Markup, PreEscaped, html};
use text::capacity::{number, sentence};

/// Rows of the table.
const MAX_ROWS: usize = 500;

/// The fit as a section.
pub fn scalability(fit: &Fit) -> Markup {
    let said = sentence(fit);
    let more = fit.points.len().saturating_sub(MAX_ROWS);
    html! {
        section.block aria-label="Throughput by load" {
            h2 { "Throughput by load" }
            p.said { (said) }
            (PreEscaped(charts::scalability(fit, &format!("Throughput by load, with the fitted curve. {said}"))))
            p.hint {
                "Above: measurements, the Universal Scalability Law fitted to them, and its 95 % band. Below: what each measurement is above or \
                 below the curve. Residuals without a pattern mean that the law describes the service."
            }
            details.largest {
                summary { "The same as a table" }
                div.scroll tabindex="0" role="region" aria-label="Throughput by load, as a table" {
                    table {
                        thead { tr { @for name in ["load", "measured", "fitted", "from", "to", "residual", "efficiency"] { th.num scope="col" { (name) } } } }
                        tbody { @for of in fit.points.iter().take(MAX_ROWS) { tr {
                            td.num { (number(of.load)) }
                            td.num { (number(of.throughput)) }
                            td.num { (number(fit.model.throughput(of.load))) }
                            @for end in ends(fit.band(of.load)) { td.num { (end) } }
                            td.num { (number(fit.residual(of))) }
                            td.num { (number(of.throughput / (fit.model.gamma * of.load) * 100.0)) " %" }
                        } } }
                    }
                    @if more > 0 { p.hint { "… " (more) " more" } }
                }
            }
        }
    }
}

fn ends(of: Option<Interval>) -> [String; 2] {
    of.map_or_else(|| [0, 1].map(|_| "–".to_owned()), |of| [of.low, of.high].map(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use capacity::Point;

    #[test]
    fn a_fit_has_a_title_a_sentence_a_picture_and_a_table() {
        let point = |(load, throughput): (f64, f64)| Point { load, throughput, latency: None };
        let rows =
            [(1.0, 64.9), (18.0, 995.9), (36.0, 1652.4), (72.0, 1853.2), (108.0, 1828.9), (216.0, 1702.2)];
        let html = scalability(&Fit::of(rows.map(point).into()).unwrap()).into_string();
        for expected in [
            "<h2>Throughput by load</h2>",
            "Throughput is highest at a load of",
            "role=\"img\"",
            "<details",
            "995.9",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert_eq!(html.matches("<tr>").count(), 7);
    }
}
