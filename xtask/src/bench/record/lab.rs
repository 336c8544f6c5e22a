//! The Orders service of the lab, in a folder of its own, and closed-loop load for it.
//!
//! The service is stopped however this program ends, also by a signal: a shell that holds the other end of a pipe
//! stops it, by the ids that the lab recorded, once the pipe is closed.

use super::child::Running;
use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::Utf8PathBuf;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ROUTE: &str = "json/400";
/// Waits for the end of its input, whatever signals come, and stops the lab.
const STOP_AT_END: &str = r#"trap "" INT TERM HUP; read -r _; exec "$0" stop"#;
/// How long `wrk` may take beyond its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service that runs.
#[derive(Debug)]
pub(super) struct Lab {
    folder: Utf8PathBuf,
    shared: Utf8PathBuf,
    port: u16,
    /// Stops the service when its input ends.
    stopper: Child,
    /// The service's process.
    pub(super) pid: u32,
}

impl Lab {
    /// Starts the service; none, with the reason printed, where the ground is missing.
    pub(super) fn start(workspace: &Workspace) -> Result<Option<Self>> {
        let shared = workspace.root.join("../shared");
        if !shared.join("lab/lab").exists() || !shared.join("peers/peer").exists() {
            println!(
                "skipped: ../shared/lab and ../shared/peers are not there, so no service can be recorded"
            );
            return Ok(None);
        }
        if Command::new("wrk").arg("-v").output().is_err() {
            println!("skipped: wrk is not there, which makes the load (Debian: `apt install wrk`)");
            return Ok(None);
        }
        let folder = workspace.target.join("bench/lab");
        std::fs::create_dir_all(&folder)?;
        // Whoever else runs a lab has the usual port.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let script = shared.join("lab/lab");
        let mut stopper = Command::new("sh");
        stopper.args(["-c", STOP_AT_END, script.as_str()]).env("LAB", &folder);
        let stopper = stopper.stdin(Stdio::piped()).process_group(0).spawn().context("cannot start sh")?;
        let mut lab = Self { folder, shared, port, stopper, pid: 0 };
        let started = process::output(lab.command("lab/lab").args(["start", "ORDERS_DB=none"]))?;
        let started = String::from_utf8_lossy(&started);
        let pid = started.split_whitespace().next().and_then(|word| word.parse().ok());
        lab.pid = pid.with_context(|| format!("the lab named no process: {started:?}"))?;
        Ok(Some(lab))
    }

    /// A script of `../shared`, for this lab.
    pub(super) fn command(&self, script: &str) -> Command {
        let mut command = Command::new(self.shared.join(script));
        command.env("LAB", &self.folder).env("LAB_PORT", self.port.to_string());
        command
    }

    /// Load that lasts so long, or until it is dropped.
    pub(super) fn load(&self, seconds: u32) -> Result<Load> {
        let url = format!("http://127.0.0.1:{}/{ROUTE}", self.port);
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c16", &format!("-d{seconds}s"), &url]);
        let patience = PATIENCE.saturating_add(Duration::from_secs(u64::from(seconds)));
        Ok(Load { running: Running::start(&mut wrk)?, patience })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stopper.stdin.take());
        drop(self.stopper.wait());
    }
}

/// Requests one after another over 16 connections.
#[derive(Debug)]
pub(super) struct Load {
    running: Running,
    patience: Duration,
}

impl Load {
    /// Waits for its end, and returns the requests per second.
    pub(super) fn throughput(self) -> Result<f64> {
        let output = self.running.finish(self.patience)?.stdout;
        throughput(&String::from_utf8_lossy(&output))
    }
}

fn throughput(output: &str) -> Result<f64> {
    let is_bad = |line: &&str| ["Socket errors:", "Non-2xx"].iter().any(|bad| line.trim().starts_with(bad));
    let bad = output.lines().find(is_bad);
    ensure!(bad.is_none(), "the load met errors: {}", bad.unwrap_or_default().trim());
    let line = output.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let line = line.with_context(|| format!("wrk printed no throughput: {output}"))?;
    Ok(line.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::throughput;

    #[test]
    fn a_throughput_counts_only_if_all_requests_were_answered_well() {
        let output = "  12 requests in 4.00s, 3MB read\nRequests/sec:   1203.50\nTransfer/sec: 1MB\n";
        assert!((throughput(output).unwrap() - 1203.5).abs() < 1e-9);
        let bad = format!("  Non-2xx or 3xx responses: 3\n{output}");
        let error = throughput(&bad).unwrap_err().to_string();
        assert_eq!(error, "the load met errors: Non-2xx or 3xx responses: 3");
        assert!(throughput("unable to connect").is_err());
    }
}
