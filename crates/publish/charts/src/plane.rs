//! A plane: two axes with ticks, and shapes on it.
//!
//! ```text
//! scale ┌─ plot: an svg that is stretched to its room ─┐   only shapes, no text
//!  1 s  │                                              │
//!  1 ms │                                              │
//!       └──────────────────────────────────────────────┘
//!        axis: texts at shares of the width
//! ```
//!
//! Values are on logarithmic scales as far as the caller says; what has no place on one is drawn at its lower end.

use crate::escape::escape;
use crate::number::{coordinate, share};

/// Width and height of a plot in its own units.
pub(crate) const WIDTH: f64 = 1000.0;
pub(crate) const HEIGHT: f64 = 400.0;

/// A logarithmic scale between two values above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The scale that has all values, from one factor of ten to another. `None` without a value above 0.
    pub(crate) fn decades(values: impl Iterator<Item = f64>) -> Option<Self> {
        /// Values beyond are not drawn to scale.
        const FAR: f64 = 1e15;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 1.0 / FAR && *value < FAR) {
            low = low.min(value);
            high = high.max(value);
        }
        let low = 10f64.powf((low.log10() + 1e-9).floor());
        let high = 10f64.powf((high.log10() - 1e-9).ceil());
        (low.is_finite() && high.is_finite()).then_some(Self { low, high: high.max(low * 10.0) })
    }

    /// A scale with these ends.
    pub(crate) fn between(low: f64, high: f64) -> Self {
        Self { low, high: high.max(low * 1.01) }
    }

    /// The place of a value, from 0 to 1.
    pub(crate) fn place(self, value: f64) -> f64 {
        if value <= self.low {
            return 0.0;
        }
        share((value / self.low).ln(), (self.high / self.low).ln())
    }

    /// Each factor of ten on it.
    pub(crate) fn ticks(self) -> Vec<f64> {
        let mut ticks = vec![self.low];
        // At most 30 factors of ten.
        while let Some(last) = ticks.last().copied().filter(|last| *last * 9.99 <= self.high) {
            ticks.push(last * 10.0);
        }
        ticks
    }
}

/// A tick of an axis: its place from 0 to 1, and its text.
pub(crate) type Tick = (f64, String);

/// The plane around shapes. `label` says what there is to see, and `class` how it looks.
pub(crate) fn plane(class: &str, label: &str, along: &[Tick], up: &[Tick], shapes: &str) -> String {
    let (mut grid, mut scale, mut axis) = (String::new(), String::new(), String::new());
    for (place, text) in up {
        let y = coordinate((1.0 - place) * HEIGHT, 1);
        grid.extend([format!("<path class=\"tick\" d=\"M0 {y}H{WIDTH}\"/>")]);
        // The texts at both ends stay within the picture.
        let baseline = match *place {
            low if low < 0.03 => "auto",
            high if high > 0.97 => "hanging",
            _ => "central",
        };
        scale.extend([format!(
            "<text x=\"100%\" y=\"{}%\" text-anchor=\"end\" dominant-baseline=\"{baseline}\">{}</text>",
            coordinate((1.0 - place) * 100.0, 2),
            escape(text)
        )]);
    }
    for (place, text) in along {
        let x = coordinate(place * WIDTH, 1);
        grid.extend([format!("<path class=\"tick\" d=\"M{x} 0V{HEIGHT}\"/>")]);
        let anchor = match *place {
            near if near < 0.04 => "start",
            far if far > 0.96 => "end",
            _ => "middle",
        };
        axis.extend([format!(
            "<text x=\"{}%\" y=\"15\" text-anchor=\"{anchor}\">{}</text>",
            coordinate(place * 100.0, 2),
            escape(text)
        )]);
    }
    let label = escape(label);
    format!(
        "<figure class=\"plane {class}\"><svg class=\"plane-scale\" width=\"100%\" height=\"100%\" aria-hidden=\"true\">{scale}</svg>\
         <div class=\"plane-room\"><svg class=\"plane-plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{label}\">{grid}{shapes}</svg></div>\
         <svg class=\"lane-axis plane-axis\" width=\"100%\" height=\"18\" aria-hidden=\"true\">{axis}</svg></figure>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_reaches_from_one_factor_of_ten_to_another() {
        let of = |values: &[f64]| Scale::decades(values.iter().copied());
        let scale = of(&[0.2, 950.0, 0.0, f64::NAN]).unwrap();
        assert_eq!(
            scale.ticks().iter().map(|tick| coordinate(*tick, 2)).collect::<Vec<_>>(),
            ["0.1", "1", "10", "100", "1000"]
        );
        assert!((scale.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((scale.place(0.0), scale.place(f64::INFINITY), scale.place(1e9)), (0.0, 0.0, 1.0));
        assert_eq!(of(&[10.0]).unwrap().ticks().len(), 2);
        assert_eq!(of(&[0.0, f64::INFINITY]), None);
    }
}
