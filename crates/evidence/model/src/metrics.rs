//! Figures of the whole, which every kind of evidence has.

use crate::strings::Sym;
use crate::tables::table;

table! { Metrics, MetricRow, "metrics",
    "A figure of the whole exhibit: what claims, comparisons and lists read.";
    name text "" "Which one"
    value real "" "Its value; null if the exhibit cannot give it"
    unit text "" "The value's unit"
    low real "" "Lower end of its interval; null if it has none"
    high real "" "Upper end of its interval; null if it has none"
    n int "" "How many observations it stands on"
    partial int "" "1 if a limit that was reached leaves a part of it out, else 0 (loss.limits of explain)"
}

impl Metrics {
    /// The value of a figure: `None` if it is not there, or has no value.
    pub(crate) fn value_of(&self, name: Sym) -> Option<f64> {
        let at = self.name.iter().position(|of| *of == name)?;
        self.value.get(at).copied().filter(|value| !value.is_nan())
    }
}
