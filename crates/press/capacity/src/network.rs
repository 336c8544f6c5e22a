//! A closed network: users who think, then pass through stations, each with a queue.
//!
//! Exact mean value analysis (M. Reiser, S. Lavenberg, 1980): whoever arrives at a station finds the queue that a network with one
//! user less would have. It is exact for one kind of user, whatever the order, if service times are exponential (or the station
//! shares its time among all).

use base::number::real_u64;

/// Users of a network.
const MAX_USERS: u64 = 1_000_000;
/// Stations of a network.
const MAX_STATIONS: usize = 100;
/// The longest time of a demand or of thinking, in seconds.
const MAX_SECONDS: f64 = 1e9;

/// Something that serves one after another: a CPU, a disk, a lock, a database connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// What it is called.
    pub name: String,
    /// How many seconds of it a request needs, over all its visits.
    pub demand: f64,
}

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    stations: Vec<Station>,
    think: f64,
}

/// Why there is no such network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// No or too many stations.
    #[error("expected 1 to 100 stations, found {0}")]
    Stations(usize),
    /// A time out of range.
    #[error("expected {what} from 0 to 1e9 seconds, found {found}")]
    Time {
        /// Which one.
        what: String,
        /// Its value.
        found: f64,
    },
    /// No work at all.
    #[error("expected a demand above 0 at one station or more: without one, nothing limits the throughput")]
    NoDemand,
    /// Users out of range.
    #[error("expected 1 to 1,000,000 users, found {0}")]
    Users(u64),
}

/// A network with so many users. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Users.
    pub users: u64,
    /// Requests per second.
    pub throughput: f64,
    /// The mean response time, without thinking.
    pub response: f64,
    /// The mean number at each station.
    pub there: Vec<f64>,
}

impl Network {
    /// A network of stations, with a mean time of thinking in seconds.
    pub fn new(stations: Vec<Station>, think: f64) -> Result<Self, NetworkError> {
        if stations.is_empty() || stations.len() > MAX_STATIONS {
            return Err(NetworkError::Stations(stations.len()));
        }
        let demands = stations.iter().map(|of| (format!("the demand at {}", of.name), of.demand));
        for (what, found) in demands.chain([("a time of thinking".to_owned(), think)]) {
            if !(0.0..=MAX_SECONDS).contains(&found) {
                return Err(NetworkError::Time { what, found });
            }
        }
        let network = Self { stations, think };
        if network.largest() > 0.0 { Ok(network) } else { Err(NetworkError::NoDemand) }
    }

    /// The stations.
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// The mean time of thinking, in seconds.
    pub fn think(&self) -> f64 {
        self.think
    }

    /// The time that a request takes alone.
    pub fn demand(&self) -> f64 {
        self.stations.iter().map(|of| of.demand).sum()
    }

    fn largest(&self) -> f64 {
        self.stations.iter().map(|of| of.demand).fold(0.0, f64::max)
    }

    /// The station with the largest demand.
    pub fn bottleneck(&self) -> Option<&Station> {
        self.stations.iter().find(|of| of.demand >= self.largest())
    }

    /// The throughput that no number of users exceeds.
    pub fn limit(&self) -> f64 {
        1.0 / self.largest()
    }

    /// The number of users at which the bounds meet, (Z + D) / Dmax: fewer do not fill the bottleneck, more only wait.
    pub fn knee(&self) -> f64 {
        (self.think + self.demand()) / self.largest()
    }

    /// The network with so many users, and with each number of `also` that is lower, in ascending order.
    pub fn solve(&self, users: u64, also: &[u64]) -> Result<Vec<Step>, NetworkError> {
        if !(1..=MAX_USERS).contains(&users) {
            return Err(NetworkError::Users(users));
        }
        let mut steps = Vec::new();
        let mut there = vec![0.0; self.stations.len()];
        for number in 1..=users {
            let times: Vec<f64> =
                self.stations.iter().zip(&there).map(|(of, there)| of.demand * (1.0 + there)).collect();
            let response: f64 = times.iter().sum();
            let throughput = real_u64(number) / (self.think + response);
            for (there, time) in there.iter_mut().zip(times) {
                *there = throughput * time;
            }
            if number == users || also.contains(&number) {
                steps.push(Step { users: number, throughput, response, there: there.clone() });
            }
        }
        Ok(steps)
    }

    /// Numbers of users that show the curve up to so many: 1, 2, 5, 10, …, and the knee.
    pub fn usual(&self, users: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut ten: u64 = 1;
        while ten < users {
            numbers.extend([1, 2, 5].map(|of| ten.saturating_mul(of)));
            ten = ten.saturating_mul(10);
        }
        let knee = self.knee().ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, at least 1, and below the number of users"
        )]
        numbers.extend((knee < real_u64(users)).then_some(knee as u64));
        numbers.retain(|of| *of < users);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The share of the time that each station works, at a throughput.
    pub fn utilization(&self, throughput: f64) -> impl Iterator<Item = (&str, f64)> {
        self.stations.iter().map(move |of| (of.name.as_str(), of.demand * throughput))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(demands: &[f64], think: f64) -> Network {
        let station = |demand: &f64| Station { name: "db".to_owned(), demand: *demand };
        Network::new(demands.iter().map(station).collect(), think).unwrap()
    }

    #[test]
    fn one_station_has_its_values() {
        let network = network(&[0.1], 1.0);
        assert!((network.knee() - 11.0).abs() < 1e-12);
        let steps = network.solve(20, &[1, 5, 11]).unwrap();
        for (step, (users, throughput, response)) in steps.iter().zip([
            (1, 0.909_091, 0.1),
            (5, 4.360_478, 0.146_663),
            (11, 8.367_677, 0.314_582),
            (20, 9.981_310, 1.003_745),
        ]) {
            assert_eq!(step.users, users);
            assert!(
                (step.throughput - throughput).abs() < 5e-7 && (step.response - response).abs() < 5e-7,
                "{step:?}"
            );
        }
        assert_eq!(network.usual(20), [1, 2, 5, 10, 11]);
        assert_eq!(network.usual(1), [0; 0]);
    }

    #[test]
    fn equal_stations_share_users_evenly() {
        // Without thinking, R(N) = D (N + K − 1) for K equal stations: balanced job bounds, exact.
        let network = network(&[0.02, 0.02, 0.02], 0.0);
        for step in network.solve(50, &[1, 10]).unwrap() {
            let users = real_u64(step.users);
            assert!((step.response - 0.02 * (users + 2.0)).abs() < 1e-12);
            assert!(step.there.iter().all(|there| (there - users / 3.0).abs() < 1e-9));
        }
    }

    #[test]
    fn many_users_reach_the_limit_and_no_more() {
        let network = network(&[0.1, 0.03, 0.0], 5.0);
        let step = network.solve(100_000, &[]).unwrap().pop().unwrap();
        assert!((step.throughput - 10.0).abs() < 1e-9 && step.throughput <= 10.0 + 1e-12);
        assert!((step.response - (10_000.0 - 5.0)).abs() < 1e-3);
        assert_eq!(network.bottleneck().map(|of| of.demand), Some(0.1));
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        let station = |demand| vec![Station { name: "db".to_owned(), demand }];
        let check = |of: Result<Network, NetworkError>, expected: &str| {
            let message = of.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(Network::new(Vec::new(), 0.0), "1 to 100 stations, found 0");
        check(Network::new(station(-1.0), 0.0), "expected the demand at db");
        check(Network::new(station(f64::NAN), 0.0), "expected the demand at db");
        check(Network::new(station(1.0), f64::INFINITY), "expected a time of thinking");
        check(Network::new(station(0.0), 1.0), "expected a demand above 0");
        assert_eq!(network(&[0.1], 0.0).solve(0, &[]), Err(NetworkError::Users(0)));
    }
}
