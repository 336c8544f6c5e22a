//! The Universal Scalability Law: throughput as a function of concurrency.
//!
//! `X(N) = γN / (1 + α(N−1) + βN(N−1))` (N. Gunther, Guerrilla Capacity Planning, 2007; called σ, κ and λ in B. Schwartz,
//! Practical Scalability Analysis). α is contention, the part of the work that is done one at a time; β is coherency, the
//! cost of each pair that must agree; γ is the throughput of one.

/// The three parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Contention, from 0 to 1.
    pub alpha: f64,
    /// Coherency, from 0 to 1.
    pub beta: f64,
    /// The throughput of one, at least 0.
    pub gamma: f64,
}

/// The share of the time of one request that each cause takes, relative to a single user's. Each is 1/N of what N users would
/// wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overhead {
    /// What would be left without contention and coherency: `1/N`.
    pub ideal: f64,
    /// `α(N−1)/N`.
    pub contention: f64,
    /// `β(N−1)/2`.
    pub coherency: f64,
}

impl Usl {
    /// By how much longer a request takes among `load` than alone.
    fn slowdown(self, load: f64) -> f64 {
        1.0 + self.alpha * (load - 1.0) + self.beta * load * (load - 1.0)
    }

    /// X(N), in requests per unit of time.
    pub fn throughput(self, load: f64) -> f64 {
        self.gamma * load / self.slowdown(load)
    }

    /// R(N) = N / X(N) by Little's law: the mean response time, in the unit of time of the throughput.
    pub fn response(self, load: f64) -> f64 {
        self.slowdown(load) / self.gamma
    }

    /// X(N) / (γN): throughput as a share of linear scaling.
    pub fn efficiency(self, load: f64) -> f64 {
        1.0 / self.slowdown(load)
    }

    /// What takes the time at a load.
    pub fn overhead(self, load: f64) -> Overhead {
        Overhead {
            ideal: 1.0 / load,
            contention: self.alpha * (load - 1.0) / load,
            coherency: self.beta * (load - 1.0) / 2.0,
        }
    }

    /// The load of the highest throughput, √((1−α)/β). `None` if β is 0: throughput then never falls.
    pub fn peak_load(self) -> Option<f64> {
        let peak = ((1.0 - self.alpha) / self.beta).sqrt();
        (self.beta > 0.0 && peak.is_finite()).then_some(peak)
    }

    /// The throughput that contention alone would allow, γ/α. `None` if α is 0: contention then sets no limit.
    pub fn contention_limit(self) -> Option<f64> {
        let limit = self.gamma / self.alpha;
        (self.alpha > 0.0 && limit.is_finite()).then_some(limit)
    }

    /// The load at which linear scaling would reach [`contention_limit`](Self::contention_limit), 1/α.
    pub fn contention_load(self) -> Option<f64> {
        let load = 1.0 / self.alpha;
        (self.alpha > 0.0 && load.is_finite()).then_some(load)
    }

    /// The loads at which the throughput is `throughput`: the one before the peak, and the one behind it. Both are `None` if the
    /// throughput is never reached, and the second one if β is 0.
    ///
    /// They are the roots of `xβN² + (x(α−β) − γ)N + x(1−α) = 0`. usl4j and usl-rs publish `N(X)` by way of a formula
    /// without κ, which is wrong near the peak and has one branch only.
    pub fn loads_at_throughput(self, throughput: f64) -> [Option<f64>; 2] {
        let square = throughput * self.beta;
        let linear = self.gamma - throughput * (self.alpha - self.beta);
        let constant = throughput * (1.0 - self.alpha);
        let discriminant = linear * linear - 4.0 * square * constant;
        if !(throughput >= 0.0 && linear > 0.0 && discriminant >= 0.0) {
            return [None, None];
        }
        // This sum loses no digits; the difference of the textbook formula would.
        let sum = linear + discriminant.sqrt();
        [2.0 * constant / sum, sum / (2.0 * square)].map(|load| Some(load).filter(|load| load.is_finite()))
    }

    /// The load at which the mean response time is `response`. `None` if it never is: a single user takes longer, or it does
    /// not grow.
    ///
    /// It is the root above 0 of `βN² + (α−β)N + 1 − α − γR = 0`.
    pub fn load_at_response(self, response: f64) -> Option<f64> {
        let linear = self.alpha - self.beta;
        let constant = self.gamma * response - 1.0 + self.alpha;
        if constant.is_nan() || constant <= 0.0 {
            return None;
        }
        let root = (linear * linear + 4.0 * self.beta * constant).sqrt();
        // Each form loses no digits for its sign.
        let load = if linear >= 0.0 {
            2.0 * constant / (linear + root)
        } else {
            (root - linear) / (2.0 * self.beta)
        };
        (load.is_finite() && load > 0.0).then_some(load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64, digits: f64) {
        assert!((value / expected - 1.0).abs() < digits, "{value} is not {expected}");
    }

    /// The coefficients of B. Schwartz's book, with which usl4j and usl-rs test.
    const CISCO: Usl = Usl { alpha: 0.026_715_91, beta: 7.690_945e-4, gamma: 995.648_6 };

    #[test]
    fn a_published_model_has_its_published_values() {
        for (load, response) in [(1.0, 0.001_004_370_2), (20.0, 0.001_807_724_4), (35.0, 0.002_835_903_5)] {
            close(CISCO.response(load), response, 1e-5);
        }
        for (load, throughput) in [(1.0, 995.648_8), (20.0, 11_063.633_1), (35.0, 12_341.745_7)] {
            close(CISCO.throughput(load), throughput, 1e-5);
        }
        for (response, load) in [(0.03, 177.698), (0.04, 208.525), (0.05, 235.615)] {
            let at = CISCO.load_at_response(response).unwrap();
            close(at, load, 1e-4);
            // X(R) is N/R. usl4j publishes 7047.844, 6056.536 and 5387.032 here: its formula has the signs of σ and κ the wrong
            // way round, and its own model has another throughput at its own N(R).
            close(CISCO.throughput(at), at / response, 1e-12);
        }
        let peak = CISCO.peak_load().unwrap();
        assert_eq!(
            (peak.floor().to_bits(), CISCO.throughput(35.0).floor().to_bits()),
            (35f64.to_bits(), 12_341f64.to_bits())
        );
    }

    #[test]
    fn a_throughput_has_a_load_on_each_side_of_the_peak() {
        // usl4j's formula without κ says 15.35 and 17.73 here.
        let check = |throughput: f64, expected: [f64; 2]| {
            for (load, expected) in CISCO.loads_at_throughput(throughput).into_iter().zip(expected) {
                let load = load.unwrap();
                close(load, expected, 3e-4);
                close(CISCO.throughput(load), throughput, 1e-9);
            }
        };
        check(12_201.0, [29.57, 42.80]);
        close(CISCO.loads_at_throughput(11_048.0)[0].unwrap(), 19.92, 3e-4);
        close(CISCO.loads_at_throughput(955.0)[0].unwrap(), 0.958_07, 1e-5);
        assert_eq!(CISCO.loads_at_throughput(12_343.0), [None, None]);
        assert_eq!(CISCO.loads_at_throughput(-1.0), [None, None]);
        assert_eq!(CISCO.loads_at_throughput(f64::NAN), [None, None]);
    }

    #[test]
    fn without_coherency_there_is_a_limit_and_no_peak() {
        let amdahl = Usl { alpha: 0.25, beta: 0.0, gamma: 8.0 };
        assert_eq!(
            (amdahl.peak_load(), amdahl.contention_limit(), amdahl.contention_load()),
            (None, Some(32.0), Some(4.0))
        );
        assert_eq!(amdahl.loads_at_throughput(32.0), [None, None]);
        let [rising, falling] = amdahl.loads_at_throughput(16.0);
        assert_eq!((rising, falling), (Some(3.0), None));
        assert_eq!(amdahl.load_at_response(0.5), Some(13.0));
        let linear = Usl { alpha: 0.0, beta: 0.0, gamma: 8.0 };
        assert_eq!(
            (linear.peak_load(), linear.contention_limit(), linear.load_at_response(1.0)),
            (None, None, None)
        );
        assert_eq!(linear.loads_at_throughput(80.0), [Some(10.0), None]);
    }

    #[test]
    fn what_if_and_overhead_match_the_r_package() {
        // The package `usl`, its README and tests: specsdm91.
        let what_if = Usl { alpha: 0.001, beta: 0.000_01, gamma: 89.995_233 };
        close(what_if.peak_load().unwrap(), 316.069_6, 1e-6);
        close(what_if.contention_limit().unwrap(), 89_995.23, 1e-6);
        close(what_if.contention_load().unwrap(), 1_000.0, 1e-12);
        let of = Usl { alpha: 0.027_728_5, beta: 0.000_104_4, gamma: 89.995_233 };
        for (load, ideal, contention, coherency) in [
            (18.0, 0.055_56, 0.0262, 0.000_887),
            (216.0, 0.004_63, 0.0276, 0.011_219),
            (2.0, 0.5, 0.0139, 0.000_052_2),
            (4.0, 0.25, 0.0208, 0.000_156_5),
        ] {
            let overhead = of.overhead(load);
            close(overhead.ideal, ideal, 1e-3);
            close(overhead.contention, contention, 4e-3);
            close(overhead.coherency, coherency, 1e-3);
        }
    }
}
