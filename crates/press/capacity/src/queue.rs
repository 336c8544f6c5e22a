//! Queues with random arrivals and random service times: M/M/1, M/M/c, M/M/c/K, M/M/∞, and Erlang's B and C formulas.
//!
//! Arrivals are independent (Poisson), service times exponential, and whoever comes first is served first. Probabilities come
//! from recurrences, so that thousands of servers neither overflow nor lose digits: Erlang B by `B(k) = aB(k−1) / (k + aB(k−1))`
//! (R. Cooper, Introduction to Queueing Theory, 1981), Erlang C from it, and states with limited places by weights that are scaled
//! down while they are added. Waiting times of M/M/c: L. Kleinrock, Queueing Systems, volume 1, 1975, 3.5.

use base::number::real_u64;

/// Servers or places for which the recurrences are made.
const MAX_PLACES: u64 = 10_000_000;
/// The least and the largest rate, per second.
const RATES: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// How many servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// So many, at least 1.
    Of(u64),
    /// One for everybody: nobody waits.
    Unlimited,
}

/// A queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Queue {
    arrivals: f64,
    service: f64,
    servers: Servers,
    places: Option<u64>,
}

/// Why there is no such queue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QueueError {
    /// A rate out of range.
    #[error("expected {what} between 1e-12 and 1e12 per second, found {found}")]
    Rate {
        /// Which one.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// Servers out of range.
    #[error("expected 1 to 10,000,000 servers, found {0}")]
    Servers(u64),
    /// Fewer places than servers.
    #[error(
        "expected as many places as servers or more ({servers}), up to 10,000,000, found {places}: places count requests in service, too"
    )]
    Places {
        /// Servers.
        servers: u64,
        /// Places.
        places: u64,
    },
    /// Places without a limit of servers.
    #[error("expected a number of servers with a number of places, found unlimited servers")]
    Unlimited,
}

/// A queue in its steady state. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// The share of the time that a server works.
    pub utilization: f64,
    /// Work that arrives, in servers: λ/μ (Erlang).
    pub offered: f64,
    /// The probability that nobody is there.
    pub empty: f64,
    /// The probability that whoever is let in has to wait (Erlang C without a limit of places).
    pub waits: f64,
    /// The probability that an arrival finds no place and is refused (Erlang B if there are as many places as servers). `None` if
    /// places are not limited.
    pub refused: Option<f64>,
    /// The mean number there.
    pub there: f64,
    /// The mean number that waits.
    pub queue: f64,
    /// The mean time from arrival to the end of service.
    pub response: f64,
    /// The mean time of waiting.
    pub wait: f64,
    /// The mean time of waiting of those who do.
    pub wait_of_waiting: f64,
    /// What is served per second.
    pub throughput: f64,
}

impl Queue {
    /// A queue: arrivals per second, what one server serves per second when busy, servers, and how many may be there at once
    /// (waiting and in service); `None` for no limit.
    pub fn new(
        arrivals: f64,
        service: f64,
        servers: Servers,
        places: Option<u64>,
    ) -> Result<Self, QueueError> {
        for (what, found) in [("arrivals", arrivals), ("a service rate", service)] {
            if !RATES.contains(&found) {
                return Err(QueueError::Rate { what, found });
            }
        }
        match (servers, places) {
            (Servers::Of(servers), _) if !(1..=MAX_PLACES).contains(&servers) => {
                return Err(QueueError::Servers(servers));
            }
            (Servers::Of(servers), Some(places)) if !(servers..=MAX_PLACES).contains(&places) => {
                return Err(QueueError::Places { servers, places });
            }
            (Servers::Unlimited, Some(_)) => return Err(QueueError::Unlimited),
            _ => {}
        }
        Ok(Self { arrivals, service, servers, places })
    }

    /// Arrivals per second.
    pub fn arrivals(&self) -> f64 {
        self.arrivals
    }

    /// What one busy server serves per second.
    pub fn service(&self) -> f64 {
        self.service
    }

    /// How many servers there are.
    pub fn servers(&self) -> Servers {
        self.servers
    }

    /// How many may be there at once.
    pub fn places(&self) -> Option<u64> {
        self.places
    }

    /// Work that arrives, in servers.
    pub fn offered(&self) -> f64 {
        self.arrivals / self.service
    }

    /// Its name in Kendall's notation: `M/M/4`, `M/M/5/12`, `M/M/∞`.
    pub fn notation(&self) -> String {
        match (self.servers, self.places) {
            (Servers::Unlimited, _) => "M/M/∞".to_owned(),
            (Servers::Of(servers), None) => format!("M/M/{servers}"),
            (Servers::Of(servers), Some(places)) => format!("M/M/{servers}/{places}"),
        }
    }

    /// The fewest servers that keep up with the arrivals. `None` if more would be needed than are computed.
    pub fn least_servers(&self) -> Option<u64> {
        let servers = self.offered().floor() + 1.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and in the range before"
        )]
        (servers <= real_u64(MAX_PLACES)).then_some(servers as u64)
    }

    /// The steady state. `None` if there is none: as much or more arrives than all servers serve, and the queue grows without limit.
    pub fn state(&self) -> Option<State> {
        let offered = self.offered();
        match (self.servers, self.places) {
            (Servers::Unlimited, _) => Some(State {
                utilization: 0.0,
                offered,
                empty: (-offered).exp(),
                waits: 0.0,
                refused: None,
                there: offered,
                queue: 0.0,
                response: 1.0 / self.service,
                wait: 0.0,
                wait_of_waiting: 0.0,
                throughput: self.arrivals,
            }),
            (Servers::Of(servers), None) => self.unlimited_places(real_u64(servers), servers),
            (Servers::Of(servers), Some(places)) => Some(self.limited_places(servers, places)),
        }
    }

    fn unlimited_places(&self, servers: f64, number: u64) -> Option<State> {
        let offered = self.offered();
        if offered >= servers {
            return None;
        }
        let waits = erlang_c(number, offered);
        let wait_of_waiting = 1.0 / (servers * self.service - self.arrivals);
        let wait = waits * wait_of_waiting;
        let response = wait + 1.0 / self.service;
        Some(State {
            utilization: offered / servers,
            offered,
            empty: empty(number, offered),
            waits,
            refused: None,
            there: self.arrivals * response,
            queue: self.arrivals * wait,
            response,
            wait,
            wait_of_waiting,
            throughput: self.arrivals,
        })
    }

    fn limited_places(&self, servers: u64, places: u64) -> State {
        let offered = self.offered();
        let sums = Sums::of(offered, servers, places);
        let refused = sums.last / sums.all;
        let throughput = self.arrivals * (1.0 - refused);
        let queue = sums.waiting / sums.all;
        let there = sums.there / sums.all;
        // Of those who are let in, those who find all servers busy.
        let waits = (sums.all_busy - sums.last) / (sums.all - sums.last);
        let wait = queue / throughput;
        State {
            utilization: throughput / (real_u64(servers) * self.service),
            offered,
            empty: sums.empty / sums.all,
            waits,
            refused: Some(refused),
            there,
            queue,
            response: there / throughput,
            wait,
            wait_of_waiting: if waits > 0.0 { wait / waits } else { 0.0 },
            throughput,
        }
    }

    /// A quantile of the time of waiting. `None` without a closed form (limited places), or without a steady state.
    pub fn wait_quantile(&self, share: f64) -> Option<f64> {
        let state = self.state()?;
        match self.places {
            Some(_) => None,
            None if state.waits <= 1.0 - share => Some(0.0),
            None => Some((state.waits / (1.0 - share)).ln() * state.wait_of_waiting),
        }
    }

    /// A quantile of the response time, under the same conditions.
    pub fn response_quantile(&self, share: f64) -> Option<f64> {
        let state = self.state()?;
        if self.places.is_some() {
            return None;
        }
        let above = |units: f64| self.longer(state, units);
        // In units of the mean service time.
        let (mut low, mut high) = (0.0, 1.0);
        while above(high) > 1.0 - share && high < 1e18 {
            high *= 2.0;
        }
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if above(middle) > 1.0 - share {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(f64::midpoint(low, high) / self.service)
    }

    /// The probability that a response takes longer than so many mean service times.
    fn longer(&self, state: State, units: f64) -> f64 {
        let Servers::Of(servers) = self.servers else { return (-units).exp() };
        // e^−t · (1 + C · (1 − e^−dt)/d), where d is how much faster the queue empties than one server serves.
        let faster = real_u64(servers) - state.offered - 1.0;
        let of_waiting = if (faster * units).abs() < 1e-9 {
            units * (-units).exp()
        } else {
            ((-units).exp() - (-units * (1.0 + faster)).exp()) / faster
        };
        (-units).exp() + state.waits * of_waiting
    }
}

/// Erlang's B formula: the share of arrivals that find all of `servers` busy and are refused, for so much offered work.
fn erlang_b(servers: u64, offered: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, number| {
        let load = offered * blocked;
        load / (real_u64(number) + load)
    })
}

/// Erlang's C formula: the probability of waiting, for less work than servers.
fn erlang_c(servers: u64, offered: f64) -> f64 {
    let blocked = erlang_b(servers, offered);
    let servers = real_u64(servers);
    servers * blocked / (servers - offered * (1.0 - blocked))
}

/// The probability that nobody is there, without a limit of places.
fn empty(servers: u64, offered: f64) -> f64 {
    let sums = Sums::of(offered, servers, servers);
    let utilization = offered / real_u64(servers);
    // Behind the last server, weights fall by the utilization.
    sums.empty / (sums.all + sums.last * utilization / (1.0 - utilization))
}

/// Sums over the states with so many there, each weighted by its probability but for one factor.
#[derive(Debug, Default)]
struct Sums {
    empty: f64,
    all: f64,
    there: f64,
    waiting: f64,
    /// States in which all servers work.
    all_busy: f64,
    /// The state without a free place.
    last: f64,
}

impl Sums {
    fn of(offered: f64, servers: u64, places: u64) -> Self {
        /// Weights beyond are scaled down, with all sums.
        const FAR: f64 = 1e250;
        let mut sums = Self { empty: 1.0, all: 1.0, last: 1.0, ..Self::default() };
        let mut weight = 1.0;
        for there in 1..=places {
            weight *= offered / real_u64(there.min(servers));
            let there_now = real_u64(there);
            sums.all += weight;
            sums.there += weight * there_now;
            if there >= servers {
                sums.all_busy += weight;
                sums.waiting += weight * (there_now - real_u64(servers));
            }
            sums.last = weight;
            if weight > FAR {
                for of in [
                    &mut sums.empty,
                    &mut sums.all,
                    &mut sums.there,
                    &mut sums.waiting,
                    &mut sums.all_busy,
                    &mut sums.last,
                    &mut weight,
                ] {
                    *of /= FAR;
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64, digits: f64) {
        assert!((value - expected).abs() <= digits * expected.abs(), "{value} is not {expected}");
    }

    fn state(arrivals: f64, service: f64, servers: u64, places: Option<u64>) -> State {
        Queue::new(arrivals, service, Servers::Of(servers), places).unwrap().state().unwrap()
    }

    #[test]
    fn one_server_has_its_documented_values() {
        // The R package `queueing`, Report.o_MM1.
        let of = state(0.25, 1.0 / 3.0, 1, None);
        for (value, expected) in [
            (of.empty, 0.25),
            (of.utilization, 0.75),
            (of.there, 3.0),
            (of.queue, 2.25),
            (of.response, 12.0),
            (of.wait, 9.0),
            (of.wait_of_waiting, 12.0),
        ] {
            close(value, expected, 1e-12);
        }
        let queue = Queue::new(8.0, 10.0, Servers::Of(1), None).unwrap();
        let of = queue.state().unwrap();
        close(of.there, 4.0, 1e-12);
        close(of.response, 0.5, 1e-12);
        // 2.302585: ln 100 / 2.
        close(queue.response_quantile(0.99).unwrap(), std::f64::consts::LN_10, 1e-12);
        // P(W > t) = ρ e^−(μ−λ)t.
        close(queue.wait_quantile(0.99).unwrap(), 80f64.ln() / 2.0, 1e-12);
        assert_eq!(queue.wait_quantile(0.1), Some(0.0));
    }

    #[test]
    fn several_servers_have_their_values() {
        let of = state(5.0, 10.0, 2, None);
        for (value, expected) in [
            (of.utilization, 0.25),
            (of.empty, 0.6),
            (of.waits, 0.1),
            (of.queue, 0.033_333_3),
            (of.wait, 0.006_666_67),
            (of.response, 0.106_667),
            (of.there, 0.533_333),
        ] {
            close(value, expected, 4e-6);
        }
        let of = state(35.0, 10.0, 4, None);
        close(of.waits, 0.737_861_1, 1e-7);
        close(of.queue, 5.165_027_7, 1e-7);
        close(of.wait, 0.147_572_2, 1e-6);
        close(of.response, 0.247_572_2, 1e-6);
    }

    #[test]
    fn limited_places_have_their_values() {
        let of = state(3.0, 0.25, 15, Some(15));
        close(of.refused.unwrap(), 0.085_729_249_5, 1e-9);
        close(erlang_b(15, 12.0), 0.085_729_249_5, 1e-9);
        let of = state(8.0, 4.0, 5, Some(12));
        close(of.refused.unwrap(), 5.869_125e-5, 1e-6);
        close(of.there, 2.039_346_1, 1e-7);
        close(of.throughput, 7.999_530_5, 1e-7);
        close(of.response, 0.254_933_2, 1e-6);
        // More arrives than is served: with a limit of places there is a steady state nevertheless.
        let of = state(100.0, 10.0, 4, Some(8));
        close(of.throughput, 40.0 * of.utilization, 1e-12);
        assert!(of.refused.unwrap() > 0.6);
    }

    #[test]
    fn unlimited_servers_let_nobody_wait() {
        let queue = Queue::new(3.0, 0.5, Servers::Unlimited, None).unwrap();
        let of = queue.state().unwrap();
        close(of.empty, (-6f64).exp(), 1e-12);
        close(of.there, 6.0, 1e-12);
        close(queue.response_quantile(0.5).unwrap(), 2.0 * 2f64.ln(), 1e-12);
        assert_eq!(queue.notation(), "M/M/∞");
    }

    #[test]
    fn as_much_work_as_servers_has_no_steady_state() {
        let queue = Queue::new(40.0, 10.0, Servers::Of(4), None).unwrap();
        assert_eq!(
            (queue.state(), queue.response_quantile(0.5), queue.least_servers()),
            (None, None, Some(5))
        );
        let queue = Queue::new(41.0, 10.0, Servers::Of(4), None).unwrap();
        assert_eq!((queue.state(), queue.least_servers()), (None, Some(5)));
    }

    #[test]
    fn thousands_of_servers_neither_overflow_nor_lose_digits() {
        // With places for all that may come, the two ways of computing agree.
        let one = state(4_950.0, 1.0, 5_000, None);
        let other = state(4_950.0, 1.0, 5_000, Some(20_000));
        close(one.waits, other.waits, 1e-9);
        close(one.queue, other.queue, 1e-9);
        close(one.response, other.response, 1e-12);
        // Erlang B of a million servers that are offered as much: √(2/(πa)) to first order (D. Jagerman, 1974).
        let million = 1_000_000;
        close(erlang_b(million, 1e6), (2.0 / (std::f64::consts::PI * 1e6)).sqrt(), 1e-3);
        assert!(state(1.0, 1e-9, 10, Some(1_000)).response.is_finite());
    }

    #[test]
    fn quantiles_are_where_the_distribution_says() {
        // Little's law for the distribution: the mean is the integral of what is longer.
        for (arrivals, servers) in [(35.0, 4), (9.0, 1), (10.0, 2), (15.0, 5)] {
            let queue = Queue::new(arrivals, 10.0, Servers::Of(servers), None).unwrap();
            let of = queue.state().unwrap();
            let step = 0.001;
            let sum: f64 = (0..200_000).map(|at| queue.longer(of, (f64::from(at) + 0.5) * step) * step).sum();
            close(sum / 10.0, of.response, 1e-5);
            let p99 = queue.response_quantile(0.99).unwrap();
            close(queue.longer(of, p99 * 10.0), 0.01, 1e-9);
        }
        // Where both exponents are equal, the form of the limit takes over.
        let queue = Queue::new(10.0, 10.0, Servers::Of(2), None).unwrap();
        let close_by = Queue::new(10.000_001, 10.0, Servers::Of(2), None).unwrap();
        close(queue.response_quantile(0.9).unwrap(), close_by.response_quantile(0.9).unwrap(), 1e-5);
    }

    #[test]
    fn what_is_not_a_queue_is_refused() {
        let check = |arrivals, service, servers, places, expected: &str| {
            let message = Queue::new(arrivals, service, servers, places).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(0.0, 1.0, Servers::Of(1), None, "expected arrivals between");
        check(1.0, f64::NAN, Servers::Of(1), None, "expected a service rate between");
        check(1.0, 1.0, Servers::Of(0), None, "1 to 10,000,000 servers, found 0");
        check(1.0, 1.0, Servers::Of(4), Some(3), "found 3: places count requests in service");
        check(1.0, 1.0, Servers::Unlimited, Some(3), "found unlimited servers");
    }
}
