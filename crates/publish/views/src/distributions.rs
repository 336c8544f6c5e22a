//! Distributions as box plots, one for each thing that was measured.

use crate::words::counted;
use maud::{Markup, PreEscaped, html};
use report::Distribution;

/// Plots of one view; of further ones it is said how many there are.
const MOST_PLOTS: usize = 200;

/// The plots; nothing if there is no distribution.
pub fn distributions(of: &[Distribution]) -> Markup {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    html! {
        @if !of.is_empty() {
            section.block aria-label="Distributions" {
                h2 { "Distributions" }
                p.hint {
                    "Each dot is a result. The box spans the quartiles, the line in it is the median. The whiskers end at the \
                     last values within one and a half times the box's length; values beyond are outliers. Each plot has its \
                     own scale."
                }
                div.distributions {
                    @for of in of.iter().take(MOST_PLOTS) {
                        section {
                            h3.name { (of.name) }
                            p.hint {
                                (counted(count(of.values.len()), "result"))
                                @if of.outliers > 0 { ", " (counted(count(of.outliers), "outlier")) }
                            }
                            (PreEscaped(charts::distribution(of)))
                        }
                    }
                }
                @if of.len() > MOST_PLOTS {
                    p.hint { (counted(count(of.len() - MOST_PLOTS), "more distribution")) " not plotted: the table has all figures." }
                }
            }
        }
    }
}
