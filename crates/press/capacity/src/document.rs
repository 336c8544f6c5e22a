//! Results as JSON. `docs/capacity.md` describes the shapes.

use crate::fit::{Fit, Interval, LEVEL};
use crate::headroom::{Growth, Headroom, Holds};
use crate::little::Little;
use crate::network::{Network, Step};
use crate::queue::{Queue, Servers};
use crate::rates::Bracket;
use crate::usl::Overhead;
use base::number::real_u64;
use serde_json::{Map, Value, json};

/// What is asked of a fit, besides its parameters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The unit of time of throughputs, in seconds.
    pub per: f64,
    /// Loads at which the curve is wanted.
    pub loads: &'a [f64],
    /// Throughputs whose loads are wanted.
    pub throughputs: &'a [f64],
    /// Mean response times whose loads are wanted, in seconds.
    pub responses: &'a [f64],
    /// A limit of the mean response time, as the user wrote it.
    pub headroom: Option<(&'a str, &'a Headroom)>,
    /// An objective that was measured, as the user wrote it.
    pub measured: Option<(&'a str, &'a Bracket)>,
    /// How throughput grows.
    pub growth: Option<Growth>,
    /// The check by Little's law.
    pub little: Option<&'a Little>,
    /// Remarks about the measurements.
    pub notes: &'a [String],
}

/// Quantiles that are listed, with their names.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}

fn interval(of: Option<Interval>) -> Value {
    of.map_or(Value::Null, |of| json!([of.low, of.high]))
}

fn overhead(of: Overhead) -> Value {
    json!({"ideal": of.ideal, "contention": of.contention, "coherency": of.coherency})
}

/// A fit, or why there is none, with all that was asked of it.
pub fn document(fit: Result<&Fit, &str>, asked: &Asked<'_>) -> Value {
    let mut document = match fit {
        Ok(fit) => of_fit(fit, asked),
        Err(why) => json!({
            "model": null, "reason": why, "parameters": null, "intervals": null, "peak": null, "identified": false,
            "extrapolated": false,
        }),
    };
    set(&mut document, "little", asked.little.map_or(Value::Null, little));
    let headroom = asked.headroom.map(|(text, of)| headroom(text, of, asked));
    let measured = asked.measured.map(|(text, of)| bracket(text, of, asked.growth));
    set(&mut document, "headroom", headroom.or(measured).unwrap_or(Value::Null));
    let warnings = fit.map(Fit::warnings).unwrap_or_default();
    set(&mut document, "warnings", warnings.iter().chain(asked.notes).map(String::as_str).collect::<Value>());
    document
}

fn of_fit(fit: &Fit, asked: &Asked<'_>) -> Value {
    let model = fit.model;
    let millis = 1e3 * asked.per;
    let names = ["alpha", "beta", "gamma"];
    let named = |values: Vec<Value>| -> Value {
        names.map(str::to_owned).into_iter().zip(values).collect::<Map<_, _>>().into()
    };
    let peak = fit.peak().map(|peak| {
        json!({
            "n": peak.load, "throughput": peak.throughput, "n_interval": interval(peak.load_interval),
            "throughput_interval": interval(peak.throughput_interval),
            "response_ms": model.response(peak.load) * millis,
        })
    });
    let points = fit.points.iter().map(|of| {
        json!({
            "n": of.load, "throughput": of.throughput, "latency": of.latency, "fitted": model.throughput(of.load),
            "interval": interval(fit.band(of.load)), "residual": fit.residual(of),
            "efficiency": of.throughput / (model.gamma * of.load), "overhead": overhead(model.overhead(of.load)),
        })
    });
    json!({
        "model": "usl",
        "parameters": {"alpha": model.alpha, "beta": model.beta, "gamma": model.gamma},
        "intervals": fit.intervals().map(|of| named(of.map(|of| json!([of.low, of.high])).into())),
        "standard_errors": fit.standard_errors().map(|of| named(of.map(Value::from).into())),
        "level": LEVEL,
        "peak": peak,
        "identified": fit.is_identified(),
        "extrapolated": fit.is_extrapolated(),
        "contention_limit": model.contention_limit().map(|limit| json!({"throughput": limit, "n": model.contention_load()})),
        "n": fit.points.len(),
        "loads": fit.loads,
        "degrees_of_freedom": fit.degrees,
        "residual_standard_error": fit.residual_error(),
        "residual_sum_of_squares": fit.squares,
        "throughput_per_seconds": asked.per,
        "points": points.collect::<Vec<Value>>(),
        "at": at(fit, asked),
    })
}

/// What the curve says at the places that were asked for.
fn at(fit: &Fit, asked: &Asked<'_>) -> Vec<Value> {
    let model = fit.model;
    let of_loads = asked.loads.iter().map(|load| {
        json!({
            "n": load, "throughput": model.throughput(*load), "throughput_interval": interval(fit.band(*load)),
            "response_ms": model.response(*load) * asked.per * 1e3, "efficiency": model.efficiency(*load),
            "overhead": overhead(model.overhead(*load)), "extrapolated": !fit.range().contains(*load),
        })
    });
    let of_throughputs = asked.throughputs.iter().map(|throughput| {
        let [rising, falling] = model.loads_at_throughput(*throughput);
        json!({"throughput": throughput, "n": rising, "n_beyond_peak": falling})
    });
    let of_responses = asked.responses.iter().map(|seconds| {
        let load = model.load_at_response(seconds / asked.per);
        json!({"response_ms": seconds * 1e3, "n": load, "throughput": load.map(|load| load / (seconds / asked.per))})
    });
    of_loads.chain(of_throughputs).chain(of_responses).collect()
}

fn little(of: &Little) -> Value {
    json!({
        "unit": of.unit, "unit_from": if of.is_named { "header" } else { "fit" }, "checked": of.checked, "broken": of.broken,
        "worst": of.worst.map(|(load, within)| json!({"n": load, "throughput_times_latency": within})),
    })
}

fn headroom(text: &str, of: &Headroom, asked: &Asked<'_>) -> Value {
    let mut headroom = json!({"slo": text, "basis": "fit", "holds": null, "n": null, "throughput": null});
    match &of.holds {
        Holds::Never => set(&mut headroom, "holds", "never"),
        Holds::Always => set(&mut headroom, "holds", "always"),
        Holds::Below {
            load,
            load_interval,
            throughput,
            throughput_interval,
            is_at_peak,
            is_extrapolated,
        } => {
            set(&mut headroom, "holds", "below");
            set(&mut headroom, "n", *load);
            set(&mut headroom, "n_interval", interval(*load_interval));
            set(&mut headroom, "throughput", *throughput);
            set(&mut headroom, "interval", interval(*throughput_interval));
            set(&mut headroom, "at_peak", *is_at_peak);
            set(&mut headroom, "extrapolated", *is_extrapolated);
        }
    }
    if let (Some(growth), Some((throughput, between))) = (asked.growth, of.throughput()) {
        let between = between.map(|of| growth.months_between(of));
        set(&mut headroom, "months", growth.months(throughput));
        set(&mut headroom, "months_interval", interval(between));
    }
    headroom
}

fn bracket(text: &str, of: &Bracket, growth: Option<Growth>) -> Value {
    let [held, missed] = [of.held, of.missed].map(|of| of.map(|of| of.rate));
    let months = growth.map(|growth| [held, missed].map(|rate| rate.map(|rate| growth.months(rate))));
    json!({
        "slo": text, "basis": "measured", "throughput": held, "interval": [held, missed],
        "value_at": {"held": of.held.and_then(|of| of.value), "missed": of.missed.and_then(|of| of.value)},
        "held_above_missed": of.odd, "runs_without_value": of.unknown, "months_interval": months,
    })
}

/// A queue. Times are in milliseconds.
pub fn queue_document(queue: &Queue) -> Value {
    let servers = match queue.servers() {
        Servers::Of(servers) => Value::from(servers),
        Servers::Unlimited => Value::Null,
    };
    let mut document = json!({
        "model": queue.notation(),
        "parameters": {
            "arrivals_per_second": queue.arrivals(), "service_per_second": queue.service(), "servers": servers,
            "places": queue.places(),
        },
        "offered": queue.offered(),
        "stable": false,
    });
    let Some(state) = queue.state() else {
        set(&mut document, "least_servers", queue.least_servers());
        return document;
    };
    let quantiles = |of: &dyn Fn(f64) -> Option<f64>| -> Value {
        let named =
            QUANTILES.iter().map(|(name, share)| ((*name).to_owned(), of(*share).map(|of| of * 1e3).into()));
        named.collect::<Map<String, Value>>().into()
    };
    set(&mut document, "stable", true);
    set(&mut document, "utilization", state.utilization);
    set(&mut document, "probability_empty", state.empty);
    set(&mut document, "probability_wait", state.waits);
    set(&mut document, "probability_refused", state.refused);
    set(&mut document, "throughput", state.throughput);
    set(&mut document, "in_system", state.there);
    set(&mut document, "in_queue", state.queue);
    set(&mut document, "response_ms", state.response * 1e3);
    set(&mut document, "wait_ms", state.wait * 1e3);
    set(&mut document, "wait_ms_of_waiting", state.wait_of_waiting * 1e3);
    set(&mut document, "response_quantiles_ms", quantiles(&|share| queue.response_quantile(share)));
    set(&mut document, "wait_quantiles_ms", quantiles(&|share| queue.wait_quantile(share)));
    document
}

/// A closed network with so many users. Times are in milliseconds.
pub fn network_document(network: &Network, steps: &[Step]) -> Value {
    let stations = network.stations().iter().map(|of| json!({"name": of.name, "demand_ms": of.demand * 1e3}));
    let row = |of: &Step| {
        let of_stations = network.utilization(of.throughput).zip(&of.there);
        let of_stations = of_stations.map(|((name, utilization), there)| {
            json!({"name": name, "utilization": utilization, "in_station": there})
        });
        json!({
            "users": of.users, "throughput": of.throughput, "response_ms": of.response * 1e3,
            "thinking": real_u64(of.users) - of.there.iter().sum::<f64>(), "stations": of_stations.collect::<Vec<Value>>(),
        })
    };
    json!({
        "model": "closed network",
        "parameters": {"think_ms": network.think() * 1e3, "stations": stations.collect::<Vec<Value>>()},
        "knee_users": network.knee(),
        "throughput_limit": network.limit(),
        "bottleneck": network.bottleneck().map(|of| of.name.as_str()),
        "result": steps.last().map(row),
        "steps": steps.iter().map(row).collect::<Vec<Value>>(),
    })
}
