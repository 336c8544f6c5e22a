//! Fits whose answers others have published: the R package `usl`, B. Schwartz's book, usl4j and usl-rs.
//!
//! Three sources, each to the digits that it has: what R printed; SciPy's fits (to about 3e-6, where its descent ends); and the zero
//! of the gradient by Newton's method in arithmetic of 60 digits. The data is that of `shared/oracles/usl.csv`.

#![expect(clippy::unwrap_used, reason = "a test")]

use base::random::SplitMix;
use capacity::{Fit, FitError, Headroom, Holds, Interval, Point, Usl, read};

const SPECSDM91: &str = "1,64.9\n18,995.9\n36,1652.4\n72,1853.2\n108,1828.9\n144,1775.0\n216,1702.2";
const RAYTRACER: &str = "processors,throughput\n1,20\n4,78\n8,130\n12,170\n16,190\n20,200\n24,210\n28,230\n32,260\n48,280\n64,310";
const SYNTHETIC: &str = "1,1\n2,1.8868\n4,3.0769\n6,3.5294\n8,3.5398\n10,3.3557";
const CISCO: [f64; 32] = [
    955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37, 6531.08, 7219.8, 7867.61, 8278.71, 8646.7,
    9047.84, 9426.55, 9645.37, 9897.24, 10097.6, 10240.5, 10532.39, 10798.52, 11151.43, 11518.63, 11806.0,
    12089.37, 12075.41, 12177.29, 12211.41, 12158.93, 12155.27, 12118.04, 12140.4, 12074.39,
];

fn fit(table: &str) -> Fit {
    Fit::of(read(table.as_bytes()).unwrap().points).unwrap()
}

fn cisco(rows: usize) -> Fit {
    let points = CISCO.iter().take(rows).zip(1u32..);
    let points = points.map(|(x, n)| Point { load: f64::from(n), throughput: *x, latency: None });
    Fit::of(points.collect()).unwrap()
}

fn rows(table: &str, count: usize) -> String {
    table.lines().take(count + 1).collect::<Vec<_>>().join("\n")
}

/// The precision of parameters by SciPy.
const SCIPY: f64 = 3e-6;
/// The precision of parameters in arithmetic of 60 digits, rounded to 14.
const EXACT: f64 = 1e-11;

/// To the six digits that both SciPy and the exact fit have.
fn six(value: f64, expected: f64) {
    close(value, expected, 1.5e-6);
}

fn close(value: f64, expected: f64, relative: f64) {
    assert!((value - expected).abs() <= relative * expected.abs(), "{value} is not {expected}");
}

fn parameters(fit: &Fit, expected: [f64; 3], relative: f64) {
    let model = fit.model;
    for (value, expected) in [model.alpha, model.beta, model.gamma].into_iter().zip(expected) {
        close(value, expected, relative);
    }
}

fn intervals(fit: &Fit, expected: [[f64; 2]; 3], digits: [f64; 3]) {
    for ((Interval { low, high }, expected), digit) in
        fit.intervals().unwrap().into_iter().zip(expected).zip(digits)
    {
        assert!((low - expected[0]).abs() < digit && (high - expected[1]).abs() < digit, "{low} {high}");
    }
}

#[test]
fn specsdm91() {
    let fit = fit(SPECSDM91);
    parameters(&fit, [0.027_728_415_8, 1.043_657_70e-4, 89.995_186_0], SCIPY);
    parameters(&fit, [0.027_728_475_618_634, 1.043_654_838_440_9e-4, 89.995_233_104_332], EXACT);
    six(fit.squares, 27_453.719_59);
    let peak = fit.peak().unwrap();
    six(peak.load, 96.519_432);
    six(peak.throughput, 1_883.899_27);
    close(fit.model.contention_limit().unwrap(), 3_245.594_2, SCIPY);
    intervals(&fit, [[0.002_402, 0.053_054], [4.918e-5, 1.5955e-4], [50.53, 129.46]], [5e-7, 5e-9, 5e-3]);
    // As R prints it.
    assert!((fit.model.alpha - 0.027_728_5).abs() < 5e-8 && (fit.model.beta - 0.000_104_4).abs() < 5e-8);
    assert!((fit.model.gamma - 89.995_233_0).abs() < 2e-7 && (peak.load - 96.519_56).abs() < 5e-6);
    assert!((fit.model.contention_limit().unwrap() - 3_245.589).abs() < 5e-4);
    for (error, expected) in
        fit.standard_errors().unwrap().into_iter().zip([0.009_121_7, 0.000_019_9, 14.213_489_4])
    {
        close(error, expected, 3e-3);
    }
    close(fit.residual_error(), 82.85, 1e-4);
    assert_eq!((fit.degrees, fit.is_identified(), fit.is_extrapolated()), (4, true, false));
    close(fit.model.contention_load().unwrap(), 36.064_01, 1e-5);
    close(fit.model.throughput(36.064_01), 1_542.0, 4e-4);
    // R's test says 1100, to two digits.
    close(fit.model.throughput(20.0), 1_100.0, 0.05);
    let fitted = [90.0, 1078.0, 1541.0, 1850.0, 1879.0, 1822.0, 1646.0];
    let residuals = [-25.10, -81.66, 111.09, 3.05, -49.99, -46.60, 56.00];
    let efficiencies = [0.7211, 0.6148, 0.5100, 0.2860, 0.1882, 0.1370, 0.0876];
    for (at, point) in fit.points.iter().enumerate() {
        assert!((fit.model.throughput(point.load) - fitted[at]).abs() < 0.5);
        assert!((fit.residual(point) - residuals[at]).abs() < 0.006, "{}", fit.residual(point));
        assert!((point.throughput / (fit.model.gamma * point.load) - efficiencies[at]).abs() < 6e-5);
    }
}

#[test]
fn specsdm91_in_whole_numbers_with_its_first_row() {
    // usl-rs reads this file without its first row, and prints 0.028168, 90.691376 and X(10) = 718.134.
    let table = "1,65\n18,996\n36,1652\n72,1853\n108,1829\n144,1775\n216,1702";
    let fit = fit(table);
    assert!((fit.model.alpha - 0.027_729).abs() < 5e-7 && (fit.model.beta - 0.000_104).abs() < 5e-7);
    assert!((fit.model.gamma - 89.9871).abs() < 5e-5);
    six(fit.model.throughput(10.0), 714.778_4);
    six(fit.model.throughput(100.0), 1_883.282_9);
    let without = self::fit(table.split_once('\n').unwrap().1);
    assert!((without.model.alpha - 0.028_168).abs() < 5e-7);
    close(without.model.gamma, 90.691_366_576_241, EXACT);
    close(without.model.throughput(10.0), 718.134, 1e-6);
}

#[test]
fn raytracer() {
    let first = fit(&rows(RAYTRACER, 6));
    parameters(&first, [0.024_444_043_5, 0.001_626_809_20, 20.856_045_4], SCIPY);
    parameters(&first, [0.024_444_041_421_926, 0.001_626_809_280_410_1, 20.856_045_302_982], EXACT);
    six(first.squares, 10.091_881_8);
    close(first.residual_error(), 1.834_11, 3e-6);
    let peak = first.peak().unwrap();
    six(peak.load, 24.488_25);
    close(peak.throughput, 203.488, 3e-6);
    // R's own confint() prints 0.00754..0.04135 for α: a one-sided quantile, with n − 1 degrees of freedom.
    intervals(&first, [[-0.002_26, 0.051_15], [0.000_795, 0.002_459], [18.347, 23.365]], [5e-6, 5e-7, 5e-4]);
    assert!(first.is_identified() && first.is_extrapolated(), "24.5 is beyond 20");
    assert_eq!(first.warnings().len(), 0);
    let five = fit(&rows(RAYTRACER, 5));
    assert!((five.model.alpha - 0.028).abs() < 5e-4 && (five.model.beta - 0.001).abs() < 5e-4);
    assert!((five.model.gamma - 21.059).abs() < 5e-4);
    assert_eq!(five.warnings().len(), 1, "few values");
}

#[test]
fn all_of_raytracer_has_no_maximum() {
    // Without the bound, β would be −2.0112e-4.
    let fit = fit(RAYTRACER);
    assert_eq!(fit.model.beta.to_bits(), 0f64.to_bits());
    close(fit.model.alpha, 0.057_770_780_739_569, EXACT);
    close(fit.model.gamma, 21.848_842_865_682, EXACT);
    six(fit.squares, 697.237_8);
    six(fit.residual_error(), 9.335_67);
    assert_eq!(
        (fit.degrees, fit.peak(), fit.is_identified(), fit.is_extrapolated()),
        (8, None, false, false)
    );
    six(fit.model.contention_limit().unwrap(), 378.198_8);
    let load = fit.model.contention_load().unwrap();
    six(load, 17.309_79);
    six(fit.model.throughput(load), 194.724_1);
}

#[test]
fn exact_data_with_rounded_digits() {
    let fit = fit(SYNTHETIC);
    parameters(&fit, [0.020_005_761_329_581, 0.019_999_665_278_075, 1.000_005_121_735_1], EXACT);
    assert!(
        (fit.model.alpha - 0.02).abs() < 6e-6 && (fit.model.gamma - 1.0).abs() < 6e-6,
        "R prints 0.02, 0.02 and 1.00"
    );
    let peak = fit.peak().unwrap();
    six(peak.load, 7.000_04);
    six(peak.throughput, 3.571_409);
}

#[test]
fn cisco_of_the_book() {
    let fit = cisco(32);
    parameters(&fit, [0.026_715_945_035_725, 7.690_939_206_104_6e-4, 995.648_785_929_05], EXACT);
    six(fit.squares, 1_023_849.525);
    let peak = fit.peak().unwrap();
    six(peak.load, 35.573_788);
    six(peak.throughput, 12_342.852_6);
    // The book, with usl4j's tolerance.
    parameters(&fit, [0.026_715_91, 7.690_945e-4, 995.648_6], 2e-4);
    assert_eq!(
        (peak.load.floor().to_bits(), fit.model.throughput(35.0).floor().to_bits()),
        (35f64.to_bits(), 12_341f64.to_bits())
    );
}

#[test]
fn the_first_ten_points_of_cisco_show_no_peak() {
    let fit = cisco(10);
    parameters(&fit, [0.017_002_769_0, 4.465_389_97e-4, 938.379_276], SCIPY);
    parameters(&fit, [0.017_002_766_719_648, 4.465_391_720_270_2e-4, 938.379_271_968_74], EXACT);
    for (response, load) in [(0.0012, 7.2306), (0.0016, 20.2511), (0.002, 29.8889)] {
        close(fit.model.load_at_response(response).unwrap(), load, 2e-4);
    }
    assert!(!fit.is_identified());
    assert_eq!(fit.peak().unwrap().load_interval, None);
}

#[test]
fn the_file_of_the_oracles_is_this_data() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/oracles/usl.csv");
    let Ok(file) = std::fs::read_to_string(path) else {
        return base::ground::skip("the_file_of_the_oracles_is_this_data", "no ../shared");
    };
    let of = |name: &str| -> String {
        let rows = file.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(','));
        rows.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(fit(&of("specsdm91")), fit(SPECSDM91));
    assert_eq!(fit(&of("raytracer")), fit(RAYTRACER));
    assert_eq!(fit(&of("synthetic")), fit(SYNTHETIC));
    assert_eq!(fit(&of("cisco")), cisco(32));
}

/// A value of the standard normal distribution, by the polar method (G. Marsaglia, 1964).
fn normal(random: &mut SplitMix) -> f64 {
    loop {
        let [u, v] = [2.0 * random.unit() - 1.0, 2.0 * random.unit() - 1.0];
        let square = u * u + v * v;
        if square > 0.0 && square < 1.0 {
            return u * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

#[test]
fn intervals_contain_the_truth_as_often_as_they_say() {
    let truth = Usl { alpha: 0.03, beta: 0.000_4, gamma: 100.0 };
    let mut random = SplitMix(1);
    let runs = 1_000;
    let mut contained = [0; 5];
    for _ in 0..runs {
        let point = |load: f64| Point {
            load,
            throughput: truth.throughput(load) + 15.0 * normal(&mut random),
            latency: None,
        };
        let fit = Fit::of([1.0, 4.0, 12.0, 24.0, 40.0, 64.0, 96.0].map(point).into()).unwrap();
        let [alpha, beta, gamma] = fit.intervals().unwrap();
        let limit = truth.response(60.0);
        let Holds::Below { load_interval: Some(at_limit), .. } = Headroom::of(&fit, limit).holds else {
            panic!()
        };
        let peak = fit.peak().unwrap().throughput_interval.unwrap();
        for (count, is_in) in contained.iter_mut().zip([
            alpha.contains(truth.alpha),
            beta.contains(truth.beta),
            gamma.contains(truth.gamma),
            at_limit.contains(60.0),
            peak.contains(truth.throughput(truth.peak_load().unwrap())),
        ]) {
            *count += i32::from(is_in);
        }
    }
    // 95 %, and four standard errors of it: 2.8 %.
    assert!(contained.iter().all(|of| (922..=978).contains(of)), "{contained:?}");
}

#[test]
fn odd_data_have_an_answer_and_no_false_peak() {
    // Throughput that only falls.
    let falling = fit("1,100\n2,60\n3,45\n4,30\n5,26\n6,22");
    assert!(falling.model.beta <= 1.0 && falling.model.alpha <= 1.0);
    assert!(falling.peak().is_none_or(|peak| peak.load < 1.5), "{falling:?}");
    // Zero at every load but one.
    let zero = fit("1,5\n2,0\n3,0\n4,0\n5,0");
    assert!(zero.model.gamma.is_finite() && zero.squares.is_finite());
    // The extremes of what a table may hold.
    for table in [
        "1e-9,1e15\n1,1\n1e15,1e15\n1e10,5",
        "1e15,1e-300\n1e14,1e-300\n1e13,1e-300\n1e12,1e-300",
        "1,1e15\n2,2e15\n3,1e15\n4,0",
    ] {
        if let Ok(table) = read(table.as_bytes()) {
            let fit = Fit::of(table.points).unwrap();
            let model = fit.model;
            assert!(
                [model.alpha, model.beta, model.gamma, fit.squares].iter().all(|of| of.is_finite()),
                "{fit:?}"
            );
        }
    }
    // Perfectly linear: contention and coherency at their bounds.
    let linear = fit("1,10\n2,20\n4,40\n8,80\n16,160");
    assert_eq!((linear.model.alpha.to_bits(), linear.model.beta.to_bits(), linear.peak()), (0, 0, None));
    assert!(!linear.is_identified());
}

#[test]
fn too_few_measurements_are_refused() {
    let check = |table: &str, expected: FitError| {
        assert_eq!(Fit::of(read(table.as_bytes()).unwrap().points), Err(expected));
    };
    check("1,2\n2,3\n3,4", FitError::TooFew(3));
    check("5,2\n5,3\n5,4\n5,4", FitError::SameLoads(1));
    check("1,2\n1,3\n2,4\n2,4", FitError::SameLoads(2));
    check("1,0\n2,0\n3,0\n4,0", FitError::NoThroughput);
}

#[test]
fn rows_of_one_load_count_each() {
    // Twice the same rows: the same curve, and more degrees of freedom.
    let twice = fit(&format!("{SPECSDM91}\n{SPECSDM91}"));
    parameters(&twice, [0.027_728_475_618_634, 1.043_654_838_440_9e-4, 89.995_233_104_332], EXACT);
    assert_eq!((twice.degrees, twice.loads), (11, 7));
    six(twice.squares, 2.0 * 27_453.719_584_037);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn any_measurements_have_a_fit_that_is_no_worse_than_others(
        rows in proptest::collection::vec((1u32..2_000, 0.0f64..1e6), 4..20),
        other in (0.0f64..1.0, 0.0f64..0.01, 0.0f64..1e5),
    ) {
        let points: Vec<Point> =
            rows.iter().map(|(load, throughput)| Point { load: f64::from(*load), throughput: *throughput, latency: None }).collect();
        if let Ok(fit) = Fit::of(points.clone()) {
            let model = fit.model;
            proptest::prop_assert!((0.0..=1.0).contains(&model.alpha) && (0.0..=1.0).contains(&model.beta) && model.gamma >= 0.0);
            let other = Usl { alpha: other.0, beta: other.1, gamma: other.2 };
            let squares: f64 = points.iter().map(|of| (of.throughput - other.throughput(of.load)).powi(2)).sum();
            proptest::prop_assert!(fit.squares <= squares * (1.0 + 1e-9), "{fit:?}: {squares}");
        }
    }
}
