//! Distributions as box plots, one per benchmark.

use crate::words::counted_len;
use maud::{Markup, PreEscaped, html};
use report::Distribution;

/// The most plots of one view. The view says how many more distributions there are.
const MAX_PLOTS: usize = 200;

/// The plots; empty if there is no distribution.
pub fn distributions(of: &[Distribution]) -> Markup {
    html! {
        @if !of.is_empty() {
            section.block aria-label="Distributions" {
                h2 { "Distributions" }
                p.hint {
                    "Each dot is a result. The box spans the quartiles, and the line in it is the median. The whiskers end at the \
                     last values within one and a half times the box's length; values beyond are outliers. Each plot has its \
                     own scale."
                }
                div.distributions {
                    @for of in of.iter().take(MAX_PLOTS) {
                        section {
                            h3.name { (of.name) }
                            p.hint {
                                (counted_len(of.values.len(), "result"))
                                @if of.outliers > 0 { ", " (counted_len(of.outliers, "outlier")) }
                            }
                            (PreEscaped(charts::distribution(of)))
                        }
                    }
                }
                @if of.len() > MAX_PLOTS {
                    p.hint { (counted_len(of.len() - MAX_PLOTS, "more distribution")) " not plotted: the table has all figures." }
                }
            }
        }
    }
}
