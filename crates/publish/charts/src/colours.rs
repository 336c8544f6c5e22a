//! Tests of the colours in `charts.css`: contrast, and equal sets of variables in all themes.

use std::collections::BTreeMap;

const CSS: &str = include_str!("charts.css");

type Theme = BTreeMap<&'static str, &'static str>;

/// The variables of the light theme, of dark by the system's setting, and of dark by the reader's choice.
fn themes() -> [Theme; 3] {
    let blocks: Vec<Theme> = CSS
        .split('}')
        .filter(|block| block.contains("color-scheme:"))
        .map(|block| {
            let body = block.rsplit('{').next().unwrap_or_default();
            body.split(';')
                .filter_map(|line| line.split_once(':'))
                .map(|(name, of)| (name.trim(), of.trim()))
                .collect()
        })
        .collect();
    blocks.try_into().expect("three themes")
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn check(fronts: &[&str], backs: &[&str], least: f64) {
    for theme in themes() {
        for front in fronts {
            for back in backs {
                let (a, b) = (theme[front], theme[back]);
                assert!(contrast(a, b) >= least, "{front} {a} on {back} {b}: {:.2}", contrast(a, b));
            }
        }
    }
}

#[test]
fn texts_are_readable_on_both_surfaces() {
    let texts = ["--text", "--text-quiet", "--accent", "--good", "--note", "--warning", "--critical"];
    check(&texts, &["--surface", "--surface-2"], 4.5);
}

#[test]
fn names_are_readable_on_frames_of_any_colour() {
    let frames = [
        "--frame-user",
        "--frame-library",
        "--frame-framework",
        "--frame-dynamic",
        "--frame-unknown",
        "--diff-less",
        "--diff-same",
        "--diff-more",
    ];
    check(&["--frame-text"], &frames, 4.5);
    check(&frames, &["--surface"], 3.0);
}

#[test]
fn shapes_stand_out_from_both_surfaces() {
    let shapes = [
        "--line",
        "--series-0",
        "--series-1",
        "--series-2",
        "--series-3",
        "--series-4",
        "--series-5",
        "--series-6",
    ];
    check(&shapes, &["--surface", "--surface-2"], 3.0);
}

#[test]
fn both_dark_themes_are_equal() {
    let [light, wished, chosen] = themes();
    assert_eq!(wished, chosen);
    assert!(light.keys().eq(chosen.keys()));
}

#[test]
fn every_variable_that_is_used_is_there() {
    let [light, ..] = themes();
    let used = CSS.split("var(").skip(1).filter_map(|rest| rest.split(')').next());
    let missing: Vec<&str> =
        used.filter(|name| !light.contains_key(name) && *name != "--lane-caption").collect();
    assert_eq!(missing, [""; 0]);
}
