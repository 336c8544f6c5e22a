//! One recording under load: what the client counted over exactly the time that was recorded, beside the exhibit.

use super::backend::Backend;
use super::load::{Answers, Interval, Seen};
use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The program that is judged.
#[derive(Debug)]
pub(crate) struct Casebook(pub(crate) Utf8PathBuf);

impl Casebook {
    /// Runs it; its standard output, also when it exits with 1, which means that findings were reported.
    pub(crate) fn output(&self, words: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(&self.0);
        let done = command.args(words).stdin(Stdio::null()).output();
        let done = done.with_context(|| format!("cannot start {}", self.0))?;
        let error = String::from_utf8_lossy(&done.stderr);
        ensure!(
            done.status.code().is_some_and(|code| code < 2),
            "casebook {}: {}",
            words.join(" "),
            error.trim()
        );
        Ok(done.stdout)
    }

    /// The same as text.
    pub(crate) fn text(&self, words: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.output(words)?).into_owned())
    }

    pub(crate) fn json(&self, words: &[&str]) -> Result<Value> {
        let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
        let output = self.output(&words)?;
        serde_json::from_slice(&output)
            .with_context(|| format!("casebook {} printed no JSON", words.join(" ")))
    }

    /// Records a process for so many seconds.
    pub(crate) fn record(&self, pid: u32, seconds: u64, profile: &str, out: &Utf8Path) -> Result<Interval> {
        let (pid, length) = (pid.to_string(), format!("{seconds}s"));
        let out_word = out.as_str();
        self.json(&["record", "-p", &pid, "-d", &length, "--profile", profile, "--force", "-o", out_word])?;
        interval(out, seconds)
    }
}

/// What was recorded, by the recorder's own clock: from the start that `exhibit.toml` names, as long as was asked for.
/// What comes later in the file are names of methods alone.
fn interval(exhibit: &Utf8Path, seconds: u64) -> Result<Interval> {
    let path = exhibit.join("exhibit.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let table: toml::Table = toml::from_str(&text).with_context(|| format!("in {path}"))?;
    let start =
        table.get("start").and_then(toml::Value::as_str).with_context(|| format!("no start in {path}"))?;
    Ok(Interval { from: from_rfc3339(start)?, length: Duration::from_secs(seconds) })
}

fn from_rfc3339(text: &str) -> Result<SystemTime> {
    let time: jiff::Timestamp = text.parse().with_context(|| format!("{text} is not a time"))?;
    let nanos = u64::try_from(time.as_nanosecond()).with_context(|| format!("{text} lies before 1970"))?;
    Ok(UNIX_EPOCH + Duration::from_nanos(nanos))
}

/// What the clients and the back end counted in an interval, as JSON.
pub(crate) fn client(answers: &Answers, backend: &Backend, interval: Interval) -> Result<Value> {
    let from = jiff::Timestamp::try_from(interval.from)?;
    let all = answers.all_within(interval);
    let routes: Vec<Value> = answers.routes_within(interval).iter().map(as_json).collect();
    Ok(json!({
        "from_utc": from.to_string(),
        "seconds": interval.length.as_secs_f64(),
        "requests_per_second": rounded(all.per_second),
        "errors": all.errors,
        "outgoing_per_second": rounded(backend.rate_within(interval)),
        "routes": routes,
        "requests_each_second": answers.each_second(interval),
    }))
}

fn as_json(seen: &Seen) -> Value {
    json!({
        "route": seen.route,
        "requests": seen.count,
        "errors": seen.errors,
        "requests_per_second": rounded(seen.per_second),
        "p50_ms": rounded(seen.p50_ms),
        "p99_ms": rounded(seen.p99_ms),
        "max_ms": rounded(seen.max_ms),
    })
}

/// Three decimals; null for what is not a number.
fn rounded(value: f64) -> Value {
    if value.is_finite() { json!((value * 1000.0).round() / 1000.0) } else { Value::Null }
}

/// Writes a JSON document beside an exhibit.
pub(crate) fn write(path: &Utf8Path, document: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(document)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {path}"))
}
