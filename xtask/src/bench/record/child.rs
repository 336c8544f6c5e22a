//! Programs that are measured: their processor time, and an end in any case.
//!
//! Linux only, as the figures come from `/proc`.

use anyhow::{Context, Result, bail, ensure};
use base::time::Deadline;
use std::ops::Sub;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The unit of times in `/proc`, in a second: the same on every Linux that is in use.
const TICKS: f64 = 100.0;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Processor time in seconds. The sum is exact to the tick; how it is split is a guess of the kernel, made from samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu {
    pub(super) user: f64,
    pub(super) system: f64,
}

impl Cpu {
    pub(super) fn sum(self) -> f64 {
        self.user + self.system
    }

    /// Of this process so far, all its threads.
    pub(super) fn own() -> Result<Self> {
        Stat::read("self")?.times(11)
    }

    /// Of all children of this process that have ended and were waited for.
    fn of_ended_children() -> Result<Self> {
        Stat::read("self")?.times(13)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// The fields of `/proc/PID/stat` behind the program's name, which may hold anything.
struct Stat(Vec<String>);

impl Stat {
    fn read(pid: &str) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let (_, fields) = text.rsplit_once(')').with_context(|| format!("no name in {path}"))?;
        Ok(Self(fields.split_whitespace().map(str::to_owned).collect()))
    }

    fn times(&self, at: usize) -> Result<Cpu> {
        let seconds = |at: usize| -> Result<f64> {
            let field = self.0.get(at).context("a stat that is too short")?;
            Ok(field.parse::<u64>()? as f64 / TICKS)
        };
        Ok(Cpu { user: seconds(at)?, system: seconds(at + 1)? })
    }
}

/// A program that runs; it is killed where nobody waits for its end.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    line: String,
}

/// What a program left that has ended well.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) stdout: Vec<u8>,
    /// What it used from its first to its last instruction.
    pub(super) cpu: Cpu,
}

impl Running {
    /// Starts a program. What it prints must be short, since it is read at its end.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let line = format!("{command:?}");
        let child = command.spawn().with_context(|| format!("cannot start {line}"))?;
        Ok(Self { child, line })
    }

    /// What it has used so far; an error where it has ended.
    pub(super) fn cpu(&self) -> Result<Cpu> {
        let stat = Stat::read(&self.child.id().to_string())?;
        ensure!(stat.0.first().is_some_and(|state| state != "Z"), "{} ended too early", self.line);
        stat.times(11)
    }

    /// Waits for its end. Only one thread may do so at a time, or the processor time of others is in its own.
    pub(super) fn finish(mut self, patience: Duration) -> Result<Done> {
        let before = Cpu::of_ended_children()?;
        let status = self.wait(patience)?;
        let cpu = Cpu::of_ended_children()? - before;
        let read = |from: Option<&mut dyn std::io::Read>| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            from.map(|from| from.read_to_end(&mut bytes)).transpose()?;
            Ok(bytes)
        };
        let stdout = read(self.child.stdout.as_mut().map(|from| from as _))?;
        let stderr = read(self.child.stderr.as_mut().map(|from| from as _))?;
        if !status.success() {
            let output = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            bail!("{} ended with {status}: {}", self.line, output.concat());
        }
        Ok(Done { stdout, cpu })
    }

    fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Deadline::after(patience);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(deadline.pause(LOOK_EVERY), "{} did not end within {patience:?}", self.line);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is neither killed nor waited for again.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
