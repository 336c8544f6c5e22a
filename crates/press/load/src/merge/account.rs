//! `run.json` of a part: what was to be done, and what came of it.

use super::error::MergeError;
use crate::generator::Generator;
use crate::outcome::Failure;
use crate::plan::{Drive, Plan, Protocol};
use crate::record::Counts;
use crate::schedule::Schedule;
use crate::second::Second;
use crate::target::Target;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The largest `run.json`: it has no more than 7,200 rows.
const MAX_BYTES: usize = 16 << 20;
/// Connections and threads of a part.
const MOST: u32 = 1_000_000;
/// Seconds of a part.
const LONGEST_S: f64 = 31.0 * 86_400.0;
/// Requests of a part, so that sums of all parts fit.
const MAX_COUNT: u64 = 1 << 50;

/// A run that is a part of another.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) plan: Plan,
    /// The schedule as it stands in the file, to compare it.
    pub(super) schedule: serde_json::Value,
    /// Its number among the workers of a schedule, from 1 on, and how many there are.
    pub(super) worker: Option<(u32, u32)>,
    pub(super) start: SystemTime,
    pub(super) planned: u64,
    pub(super) counts: Counts,
    pub(super) seconds: Vec<Second>,
    pub(super) due_seconds: f64,
    pub(super) wall_seconds: f64,
    pub(super) connections_at_start: u64,
    pub(super) generator: Generator,
    pub(super) ended: String,
    pub(super) had_warmup: bool,
}

/// The members that are read. Others may be there.
#[derive(Debug, Deserialize)]
struct Account {
    casebook_load: u32,
    url: String,
    /// A run of a scenario has none.
    method: Option<String>,
    start_utc: String,
    schedule: serde_json::Value,
    worker: Option<Worker>,
    connections: u32,
    #[serde(default)]
    connections_at_start: u64,
    #[serde(default)]
    connections_opened: u64,
    http: Option<String>,
    streams: Option<u32>,
    threads: u32,
    timeout_ms: f64,
    #[serde(default)]
    bytes_received: u64,
    planned: u64,
    sent: u64,
    responses: u64,
    errors: BTreeMap<String, u64>,
    timeouts: u64,
    unsent: u64,
    status: BTreeMap<String, u64>,
    seconds: f64,
    wall_seconds: f64,
    client: Client,
    ended: String,
    warmup: Option<serde_json::Value>,
    by_second: Rows,
}

#[derive(Debug, Deserialize)]
struct Worker {
    number: u32,
    of: u32,
}

#[derive(Debug, Deserialize)]
struct Client {
    cpu_share: f64,
    lateness_ms_p50: Option<f64>,
    lateness_ms_p99: Option<f64>,
    lateness_ms_max: Option<f64>,
    stopped_ms: f64,
    limited: bool,
}

#[derive(Debug, Deserialize)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<u64>>,
}

impl Part {
    /// Reads an account. `name` is that of the run in messages.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Self, MergeError> {
        let damaged = |what: String| MergeError::Damaged { file: format!("{name}/run.json"), what };
        if bytes.len() > MAX_BYTES {
            return Err(damaged("larger than 16 MB".to_owned()));
        }
        // The reason itself may repeat what stands in the file.
        let account: Account = serde_json::from_slice(bytes).map_err(|error| {
            damaged(format!(
                "not an account of `casebook load`, at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        account.part(name.to_owned()).map_err(|what| damaged(what.to_owned()))
    }
}

impl Account {
    fn part(self, name: String) -> Result<Part, &'static str> {
        if self.casebook_load != 1 {
            return Err("of another version than 1");
        }
        let counts = self.counts()?;
        let seconds = self.by_second.seconds()?;
        let start = utc(&self.start_utc).ok_or("`start_utc` is not a time")?;
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= LONGEST_S);
        let duration = time(self.seconds).ok_or("`seconds` is not a time of up to 31 days")?;
        time(self.wall_seconds).ok_or("`wall_seconds` is not a time of up to 31 days")?;
        let timeout = time(self.timeout_ms / 1e3).ok_or("`timeout_ms` is not a time")?;
        if self.connections > MOST || self.threads > MOST {
            return Err("`connections` or `threads` are more than there can be");
        }
        let worker = self.worker.map(|of| (of.number, of.of));
        if worker.is_some_and(|(number, of)| number == 0 || number > of || of > crate::schedule::MAX_PARTS) {
            return Err("`worker` is not a part of a schedule");
        }
        let of = self.client;
        let protocol = match self.http.as_deref() {
            None | Some("1.1") => Protocol::Http1,
            Some("2") => Protocol::Http2 { streams: self.streams.unwrap_or(1).clamp(1, MOST) },
            Some(_) => return Err("`http` is neither 1.1 nor 2"),
        };
        Ok(Part {
            name,
            worker,
            plan: Plan {
                protocol,
                method: self.method.ok_or("a run of a scenario, which cannot be added to others")?,
                drive: drive(&self.schedule, &seconds).ok_or("`schedule` is not one of `casebook load`")?,
                duration,
                connections: self.connections,
                threads: usize::try_from(self.threads).unwrap_or(1),
                timeout,
                ..Plan::to(Target::parse(&self.url).map_err(|_no_url| "`url` is not a URL")?)
            },
            schedule: self.schedule,
            start,
            planned: self.planned,
            counts,
            seconds,
            due_seconds: self.seconds,
            wall_seconds: self.wall_seconds,
            connections_at_start: self.connections_at_start.min(u64::from(MOST)),
            generator: Generator {
                cpu_share: of.cpu_share,
                lateness_ms_p50: of.lateness_ms_p50,
                lateness_ms_p99: of.lateness_ms_p99,
                lateness_ms_max: of.lateness_ms_max,
                stopped_ms: of.stopped_ms,
                is_limited: of.limited,
            },
            ended: self.ended.chars().take(20).collect(),
            had_warmup: self.warmup.is_some(),
        })
    }

    fn counts(&self) -> Result<Counts, &'static str> {
        let numbers =
            [self.planned, self.sent, self.responses, self.timeouts, self.unsent, self.bytes_received];
        let of_maps = self.errors.values().chain(self.status.values()).copied();
        if numbers.into_iter().chain(of_maps).any(|count| count > MAX_COUNT) {
            return Err("a count is larger than any can be");
        }
        let mut counts = Counts {
            sent: self.sent,
            responses: self.responses,
            timeouts: self.timeouts,
            unsent: self.unsent,
            bytes: self.bytes_received,
            connections: self.connections_opened.min(MAX_COUNT),
            ..Counts::default()
        };
        for (kind, count) in &self.errors {
            let at = Failure::ALL.iter().position(|of| of.name() == kind);
            let sum = at.and_then(|at| counts.errors.get_mut(at)).ok_or("`errors` has an unknown kind")?;
            *sum += count;
        }
        for (status, count) in &self.status {
            counts.statuses.push((status.parse().map_err(|_no_status| "`status` has no number")?, *count));
        }
        let ended = counts.responses + counts.failed() + counts.timeouts + counts.unsent;
        let answered: u64 = self.status.values().sum();
        if ended != self.planned || answered != counts.responses {
            return Err("the account does not add up");
        }
        // When the last ones were is known to the second.
        let last = |column: &str| self.by_second.last_ns(column);
        (counts.last_sent_ns, counts.last_response_ns) = (last("sent"), last("answered"));
        Ok(counts)
    }
}

impl Rows {
    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|of| of == name)
    }

    /// The end of the last row with something in a column.
    fn last_ns(&self, column: &str) -> u64 {
        let column = self.column(column);
        let of = |row: &&Vec<u64>| column.and_then(|at| row.get(at)).is_some_and(|count| *count > 0);
        let last = self.rows.iter().rfind(of);
        last.map_or(0, |row| row.iter().take(2).fold(0, |end: u64, part| end.saturating_add(*part)))
    }

    fn seconds(&self) -> Result<Vec<Second>, &'static str> {
        let names = ["ts_ns", "dur_ns", "asked", "sent", "answered", "errors", "timeouts", "lateness_max_ns"];
        if self.columns != names {
            return Err("`by_second` has other columns");
        }
        let row = |row: &Vec<u64>| match row[..] {
            [ts_ns, dur_ns, asked, sent, responses, errors, timeouts, lateness_max_ns]
                if row.iter().all(|number| *number <= MAX_COUNT << 3) =>
            {
                let mut counts = Counts { sent, responses, timeouts, lateness_max_ns, ..Counts::default() };
                // Of which kind the errors of a row are is not known; the run's own account says it of all.
                if let Some(other) = counts.errors.last_mut() {
                    *other = errors;
                }
                Ok(Second { ts_ns, dur_ns, asked, counts, ..Second::default() })
            }
            _ => Err("`by_second` has a row that is none"),
        };
        self.rows.iter().map(row).collect()
    }
}

/// A time since 1970, as RFC 3339 writes it.
pub fn utc(text: &str) -> Option<SystemTime> {
    let of: Timestamp = text.parse().ok()?;
    let since = u64::try_from(of.as_nanosecond()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(since))
}

/// What drove a run.
fn drive(schedule: &serde_json::Value, seconds: &[Second]) -> Option<Drive> {
    let number = |name: &str| schedule.get(name)?.as_f64().filter(|of| of.is_finite() && *of >= 0.0);
    let schedule = match schedule.get("kind")?.as_str()? {
        "constant" => Schedule::Constant { rate: number("rate")? },
        "steps" => {
            let rates = schedule.get("rates")?.as_array()?.iter().map(serde_json::Value::as_f64);
            Schedule::Steps { rates: rates.collect::<Option<Vec<f64>>>().filter(|rates| !rates.is_empty())? }
        }
        "ramp" => Schedule::Ramp { from: number("from")?, to: number("to")? },
        "poisson" => Schedule::Poisson { rate: number("rate")?, seed: schedule.get("seed")?.as_u64()? },
        // The times themselves are not in the file: of each second is known how many there were, which is enough for a rate.
        "replay" => {
            let asked: u64 = seconds.iter().map(|of| of.asked).sum();
            let length = seconds.iter().map(|of| of.ts_ns.saturating_add(of.dur_ns)).max().unwrap_or(0);
            let rate = base::number::real_u64(asked) * 1e9 / base::number::real_u64(length.max(1));
            Schedule::Constant { rate }
        }
        "closed" => {
            let users = u32::try_from(schedule.get("users")?.as_u64()?).ok()?.min(MOST);
            let think = Duration::try_from_secs_f64(number("think_ms")? / 1e3).ok()?;
            return Some(Drive::Users { users, think });
        }
        "max" => return Some(Drive::Max),
        _ => return None,
    };
    Some(Drive::Schedule(schedule))
}
