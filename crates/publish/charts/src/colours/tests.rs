//! Tests of the map: contrasts as WCAG 2.2 computes them, and how far apart colours are for any colour vision.

use super::values::{BASE, MEANINGS, TONES, Theme, Tone};
use super::*;
use std::collections::BTreeMap;

const THEMES: [Theme; 2] = [Theme::Light, Theme::Dark];

/// The value of a variable of the style.
fn value(theme: Theme, name: &str) -> String {
    let wanted = format!("  --{name}: ");
    let text = variables(theme);
    let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
    line.unwrap_or_else(|| panic!("no variable {name}")).trim_end_matches(';').to_owned()
}

/// Red, green and blue as amounts of light.
fn light(colour: &str) -> [f64; 3] {
    [1, 3, 5].map(|at| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance([r, g, b]: [f64; 3]) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(light(a)), luminance(light(b)));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn check(theme: Theme, front: &str, back: &str, least: f64) {
    let (a, b) = (value(theme, front), value(theme, back));
    let found = contrast(&a, &b);
    assert!(found >= least, "{} theme: {front} {a} on {back} {b} is {found:.2}", theme.name());
}

#[test]
fn texts_are_readable_on_both_surfaces() {
    let texts = ["text", "text-quiet", "accent", "good", "note", "warning", "critical"];
    for theme in THEMES {
        for (text, back) in texts.iter().flat_map(|text| [(text, "surface"), (text, "surface-2")]) {
            check(theme, text, back, 4.5);
        }
        // What is selected or marked has the colours the other way round.
        check(theme, "surface", "accent", 4.5);
        check(theme, "surface", "text", 4.5);
    }
}

#[test]
fn names_are_readable_on_frames_of_any_tone() {
    for theme in THEMES {
        for Tone { name, .. } in TONES {
            check(theme, &format!("frame-{name}-text"), &format!("frame-{name}"), 4.5);
            check(theme, &format!("frame-{name}"), "surface", 3.0);
        }
        for name in ["diff-less", "diff-same", "diff-more"] {
            check(theme, "diff-text", name, 4.5);
            check(theme, name, "surface", 3.0);
        }
    }
}

#[test]
fn shapes_stand_out_from_both_surfaces() {
    for theme in THEMES {
        for name in MEANINGS.iter().map(|(name, ..)| format!("c-{name}")).chain(["line".to_owned()]) {
            for back in ["surface", "surface-2"] {
                check(theme, &name, back, 3.0);
            }
        }
    }
}

/// How colours look without one of the three kinds of cones, as matrices on amounts of light (Machado, Oliveira and
/// Fernandes 2009, severity 1), after normal vision.
const VISIONS: [[[f64; 3]; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ],
    [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ],
    [
        [1.255_528, -0.076_749, -0.178_779],
        [-0.078_411, 0.930_809, 0.147_602],
        [0.004_733, 0.691_367, 0.303_900],
    ],
];

fn times(matrix: &[[f64; 3]; 3], from: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(from).map(|(part, amount)| part * amount).sum())
}

/// A colour in Oklab, in which equal distances look equally far apart.
fn oklab(amounts: [f64; 3]) -> [f64; 3] {
    let cones = times(
        &[
            [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
            [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
            [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
        ],
        amounts,
    );
    times(
        &[
            [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
            [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
            [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
        ],
        cones.map(f64::cbrt),
    )
}

/// How far two colours are apart at least, in any vision.
fn distance(a: &str, b: &str) -> f64 {
    let seen = |colour: &str, matrix: &[[f64; 3]; 3]| {
        oklab(times(matrix, light(colour)).map(|amount| amount.clamp(0.0, 1.0)))
    };
    let apart = |matrix: &[[f64; 3]; 3]| {
        let (a, b) = (seen(a, matrix), seen(b, matrix));
        (0..3).map(|at| (a[at] - b[at]).powi(2)).sum::<f64>().sqrt()
    };
    VISIONS.iter().map(apart).fold(f64::MAX, f64::min)
}

#[test]
fn colours_of_one_picture_differ_in_any_colour_vision() {
    let waiting = ["waiting", "io", "signal", "sleep", "task", "lock", "other"];
    let pictures: [&[&str]; 6] = [
        &waiting,
        &["gen0", "gen1", "gen2", "background", "pause"],
        &["gen0", "gen1", "gen2", "large", "pinned"],
        &["running", "running-other"],
        &["requests", "requests-slow"],
        &["fatal", "error", "notice", "information", "debug", "trace"],
    ];
    let meanings = pictures.iter().map(|of| of.iter().map(|name| format!("c-{name}")).collect::<Vec<_>>());
    // Frames without a name are grey, like those of the runtime.
    let frames = TONES.iter().filter(|of| of.name != "unknown").map(|of| format!("frame-{}", of.name));
    let ends = ["diff-less", "diff-more"].map(str::to_owned).to_vec();
    for picture in meanings.chain([frames.collect(), ends]) {
        for theme in THEMES {
            for (at, a) in picture.iter().enumerate() {
                for b in picture.iter().skip(at + 1) {
                    let apart = distance(&value(theme, a), &value(theme, b));
                    assert!(apart >= 0.07, "{} theme: {a} and {b} are {apart:.3} apart", theme.name());
                }
            }
        }
    }
}

#[test]
fn every_class_of_the_map_has_a_colour() {
    let known: Vec<String> = MEANINGS.iter().map(|(name, ..)| format!("c-{name}")).collect();
    let lists = LANES.iter().chain(&LAYERS).chain(&SUBJECTS).map(|(_, class)| *class);
    for class in lists.chain(PAUSES.iter().map(|(_, class, _)| *class)) {
        assert!(known.iter().any(|of| of == class), "{class}");
    }
    for tone in OWN.iter().chain(&PACKAGES).chain(&["framework", "dynamic", "unknown"]) {
        assert!(TONES.iter().any(|of| of.name == *tone), "{tone}");
    }
}

#[test]
fn every_variable_that_is_used_is_there() {
    let style = style();
    let names = BASE.iter().map(|(name, ..)| (*name).to_owned());
    let names = names.chain(MEANINGS.iter().map(|(name, ..)| format!("c-{name}")));
    let names = names.chain(TONES.iter().flat_map(|of| {
        let name = of.name;
        [format!("frame-{name}"), format!("frame-{name}-text")]
    }));
    let known: Vec<String> = names.chain(["of", "on", "lane-scale"].map(str::to_owned)).collect();
    let used = style.split("var(--").skip(1).filter_map(|rest| rest.split([')', ',']).next());
    let missing: Vec<&str> = used.filter(|name| !known.iter().any(|of| of == name)).collect();
    assert_eq!(missing, [""; 0]);
    assert!(!include_str!("../charts.css").contains('#'), "all values of colours are in values.rs");
}

#[test]
fn the_tone_of_a_module_depends_on_nothing_but_its_name() {
    let of = |module| tone(NameClass::User, module);
    assert_eq!(of("Orders.Data"), of("orders.data"));
    assert_eq!(
        (tone(NameClass::Framework, "a"), tone(NameClass::Framework, "b")),
        ("framework", "framework")
    );
    // The names of many modules spread over all tones.
    for (class, tones) in [(NameClass::User, &OWN[..]), (NameClass::Library, &PACKAGES[..])] {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for number in 0..1_000 {
            *counts.entry(tone(class, &format!("Shop.Module{number}"))).or_default() += 1;
        }
        assert!(counts.len() == tones.len() && counts.values().all(|count| *count > 100), "{counts:?}");
    }
}

#[test]
fn a_layer_means_the_same_in_every_lane() {
    assert_eq!(of_layer("locks", "Waiting for locks"), of_layer("waiting", "locks"));
    assert_eq!(of_layer("heap", "gen 1"), of_pause("gen1"));
    assert_eq!(of_layer("exceptions", "Exceptions"), of_layer("logs", "Error"));
    assert_eq!(of_layer("cores", "CPU cores used"), of_layer("running", "your code"));
    assert_eq!((of_subject("/gc"), of_subject("gc"), of_subject("/sql")), (Some("c-gc"), Some("c-gc"), None));
}
