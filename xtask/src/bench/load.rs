//! The load generator beside wrk: requests for each second of its own CPU, and how late it sends at a fixed rate beside a bare loop
//! that sleeps.

use super::figures::{median, timed};
use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::Duration;

/// The server: it answers as fast as one thread can.
const SERVER: &str = "../shared/bench/stall.c";
/// Both programs take turns so many times.
const ROUNDS: usize = 5;
/// How long each round of each program is, in seconds.
const SECONDS: u64 = 4;
const CONNECTIONS: &str = "50";
/// Requests per second at which lateness is measured.
const RATE: u64 = 20_000;

/// Builds everything, and measures.
pub(crate) fn load(workspace: &Workspace) -> Result<()> {
    let source = workspace.root.join(SERVER);
    let has_wrk = process::succeeds(workspace.command("sh").args(["-c", "command -v wrk"]));
    if !source.exists() || !has_wrk {
        println!("# load: skipped, it needs {SERVER} and wrk (the package `wrk` of the distribution)");
        return Ok(());
    }
    process::run(&mut workspace.cargo("build --release --locked --quiet --package casebook"))?;
    let server = workspace.target.join("stall");
    process::run(workspace.command("cc").args(["-O2", "-o", server.as_str(), source.as_str()]))?;
    let (server, port) = start(workspace, server.as_str())?;
    let url = format!("http://127.0.0.1:{port}/");
    let measured = fastest(workspace, &url).and_then(|wrk_cpu_us| fixed(workspace, &url, wrk_cpu_us));
    drop(server);
    measured
}

/// A server that is killed when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(workspace: &Workspace, program: &str) -> Result<(Server, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = workspace.command(program);
    command.args([&port.to_string(), "5", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut server = Server(command.spawn().with_context(|| format!("cannot start {program}"))?);
    let mut line = String::new();
    let out = server.0.stdout.take().context("the server has no output")?;
    BufReader::new(out).read_line(&mut line)?;
    ensure!(line.trim() == "ready", "the server says `{}`", line.trim());
    Ok((server, port))
}

/// As fast as possible: how many requests each sends for a second of its CPU. Returns the CPU time that wrk needs for one, in µs.
fn fastest(workspace: &Workspace, url: &str) -> Result<f64> {
    println!(
        "# load: requests per second of the generator's own CPU, {CONNECTIONS} connections, one thread, {ROUNDS} rounds in turn"
    );
    println!("{:<8} {:>12} {:>12} {:>14}", "", "requests/s", "CPU", "requests/CPU s");
    let (mut wrks, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wrks.push(wrk(workspace, url)?);
        ours.push(casebook(workspace, url, &[])?.0);
    }
    let of = |rounds: &[Round], value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    for (name, rounds) in [("wrk", &wrks), ("casebook", &ours)] {
        println!(
            "{name:<8} {:>12.0} {:>10.0} % {:>14.0}",
            of(rounds, |round| round.requests / round.seconds),
            of(rounds, |round| 100.0 * round.cpu_s / round.seconds),
            of(rounds, Round::per_cpu_second)
        );
    }
    let ratios = ours.iter().zip(&wrks).map(|(ours, wrk)| ours.per_cpu_second() / wrk.per_cpu_second());
    println!("ratio (more is better): {:.2}x", median(ratios.collect()));
    Ok(1e6 / of(&wrks, Round::per_cpu_second))
}

/// At a fixed rate: its CPU for one request beside wrk's, and its lateness beside that of a loop that sleeps.
fn fixed(workspace: &Workspace, url: &str, wrk_cpu_us: f64) -> Result<()> {
    println!("# load at {RATE} requests/s: CPU time of one request, and how late 99 % of requests are sent");
    let (mut cpu, mut late, mut bare, mut from_wrk, mut from_loop) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let sleeping_us = sleeping();
        let (round, document) = casebook(workspace, url, &["--rate", &RATE.to_string()])?;
        let late_us = document["client"]["lateness_ms_p99"].as_f64().unwrap_or(f64::NAN) * 1e3;
        let cpu_us = 1e6 / round.per_cpu_second();
        from_wrk.push(cpu_us / wrk_cpu_us);
        from_loop.push(late_us / sleeping_us);
        cpu.push(cpu_us);
        late.push(late_us);
        bare.push(sleeping_us);
    }
    println!(
        "CPU       {:>8.1} µs, wrk as fast as possible {wrk_cpu_us:.1} µs: {:.2}x (limit 2)",
        median(cpu),
        median(from_wrk)
    );
    println!(
        "lateness  {:>8.1} µs, a loop that sleeps {:.1} µs: {:.2}x (limit 2)",
        median(late),
        median(bare),
        median(from_loop)
    );
    Ok(())
}

/// What a generator did, and its CPU time.
struct Round {
    requests: f64,
    seconds: f64,
    cpu_s: f64,
}

impl Round {
    fn per_cpu_second(&self) -> f64 {
        self.requests / self.cpu_s
    }
}

fn wrk(workspace: &Workspace, url: &str) -> Result<Round> {
    let mut command = workspace.command("wrk");
    command.args(["-t1", "-c", CONNECTIONS, "-d", &format!("{SECONDS}s"), url]);
    let ((output, seconds), cpu_s) = with_cpu(|| timed(|| process::output(&mut command)))?;
    let text = String::from_utf8_lossy(&output?).into_owned();
    // `  123456 requests in 4.00s, 10.00MB read`
    let line =
        text.lines().find(|line| line.contains(" requests in ")).context("wrk says nothing of requests")?;
    let requests = line.split_whitespace().next().and_then(|word| word.parse().ok());
    Ok(Round { requests: requests.context("wrk says no number of requests")?, seconds, cpu_s })
}

fn casebook(workspace: &Workspace, url: &str, more: &[&str]) -> Result<(Round, Value)> {
    let mut command = workspace.command(workspace.release_binary().as_str());
    command
        .args(["load", url, "-c", CONNECTIONS, "-d", &format!("{SECONDS}s"), "--format", "json"])
        .args(more);
    let ((output, seconds), cpu_s) = with_cpu(|| timed(|| process::output(&mut command)))?;
    let document: Value = serde_json::from_slice(&output?)?;
    let requests = document["responses"].as_f64().context("no responses")?;
    Ok((Round { requests, seconds, cpu_s }, document))
}

/// The result of a piece of work, and the CPU time of the processes that it started and that have ended, in seconds.
fn with_cpu<T>(work: impl FnOnce() -> T) -> Result<(T, f64)> {
    let before = children_cpu_s()?;
    let result = work();
    Ok((result, children_cpu_s()? - before))
}

/// The CPU time of all ended children (proc_pid_stat(5): `cutime` and `cstime`, in hundredths of a second).
fn children_cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program is in brackets and may have blanks.
    let (_, rest) = stat.rsplit_once(')').context("no name in /proc/self/stat")?;
    let ticks = rest.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

/// How late a loop is that only sleeps until each time is due, in microseconds: 99 % of the times at most.
fn sleeping() -> f64 {
    let every = Duration::from_secs(1) / u32::try_from(RATE).unwrap_or(1);
    let mut late: Vec<f64> = Vec::new();
    timed_loop(SECONDS * RATE, every, |lateness| late.push(lateness.as_secs_f64() * 1e6));
    late.sort_by(f64::total_cmp);
    late.get(late.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn timed_loop(times: u64, every: Duration, mut each: impl FnMut(Duration)) {
    let start = std::time::Instant::now();
    for number in 0..times {
        let due = start + every.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
        each(std::time::Instant::now().saturating_duration_since(due));
    }
}
