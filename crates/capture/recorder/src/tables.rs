//! The tables beside a recording: what the host says of the process, and the processor time of each thread.
//!
//! Times are of the system's monotonic clock, which is the clock of every session on the machine; so a table needs to
//! know nothing of the session it lies beside. A reading is on its way to the disk at once.

use exhibit::Folder;
use host::{Proc, Readings, ThreadReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

/// The files, as the reader of recordings knows them.
pub(crate) const FILES: [&str; 2] = [HOST, THREAD_CPU];
const HOST: &str = "host.csv";
const THREAD_CPU: &str = "thread_cpu.csv";
const HOST_HEADER: &str = "monotonic_ns,name,value,unit\n";
const THREAD_HEADER: &str = "monotonic_ns,thread,user_ns,system_ns,waited_ns\n";

/// Nanoseconds of the system's monotonic clock.
pub(crate) fn monotonic_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// What a thread has used so far: user and kernel time, and how long it was ready and waited.
type Times = (u64, u64, Option<u64>);

/// Writes readings to both tables.
#[derive(Debug)]
pub(crate) struct Tables {
    folder: Folder,
    proc: Proc,
    readings: Readings,
    threads: ThreadReader,
    host: Table,
    thread_cpu: Table,
    /// What was written last of each thread: a thread that did nothing since needs no row.
    last: BTreeMap<u32, Times>,
    /// How long all threads waited for a CPU core since the first reading, those that have ended by now included; none
    /// where the kernel does not count it.
    waited_ns: Option<u64>,
    /// Whether nothing more is written.
    is_over: bool,
    /// What the subject's clock is ahead of ours, where it has one of its own.
    ahead_ns: i64,
}

impl Tables {
    /// Makes both files, which must not be there.
    pub(crate) fn create(
        folder: &Folder,
        proc: &Proc,
        pid: u32,
        start_ticks: Option<u64>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            folder: folder.clone(),
            proc: proc.clone(),
            readings: Readings::new(proc.clone(), pid, start_ticks),
            threads: ThreadReader::new(pid),
            host: create(folder, HOST, HOST_HEADER)?,
            thread_cpu: create(folder, THREAD_CPU, THREAD_HEADER)?,
            last: BTreeMap::new(),
            waited_ns: None,
            is_over: false,
            ahead_ns: 0,
        })
    }

    /// Sets what the subject's clock is ahead of ours.
    pub(crate) fn set_ahead(&mut self, ahead_ns: i64) {
        self.ahead_ns = ahead_ns;
    }

    /// Bytes of both files.
    pub(crate) fn bytes(&self) -> u64 {
        self.host.bytes.saturating_add(self.thread_cpu.bytes)
    }

    /// Writes nothing more: what was read until now stays.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    /// Takes a reading of all.
    pub(crate) fn read(&mut self) -> std::io::Result<()> {
        if self.is_over {
            return Ok(());
        }
        let ns = monotonic_ns().saturating_add(self.ahead_ns);
        let mut text = String::new();
        for reading in self.readings.read() {
            text.extend([format!("{ns},{},{},{}\n", reading.name, reading.value, reading.unit)]);
        }
        let mut host = std::mem::take(&mut text);
        // Threads that have ended are forgotten: a service may make thousands.
        let before = std::mem::take(&mut self.last);
        let is_first = self.waited_ns.is_none();
        for thread in self.threads.read(&self.proc) {
            let times = (thread.user_ns, thread.system_ns, thread.waited_ns);
            let last = before.get(&thread.namespace_id);
            if last != Some(&times) {
                let waited = times.2.map_or_else(String::new, |ns| ns.to_string());
                text.extend([format!("{ns},{},{},{},{waited}\n", thread.namespace_id, times.0, times.1)]);
            }
            if let Some(waited) = times.2 {
                // What a thread waited before the first reading does not count; all that a new thread waited does.
                let since = if is_first { waited } else { last.and_then(|last| last.2).unwrap_or(0) };
                let sum = self.waited_ns.unwrap_or(0);
                self.waited_ns = Some(sum.saturating_add(waited.saturating_sub(since)));
            }
            self.last.insert(thread.namespace_id, times);
        }
        if let Some(waited) = self.waited_ns.filter(|_| !self.last.is_empty()) {
            let seconds = waited as f64 / 1e9;
            host.extend([format!("{ns},process.cpu.waited,{seconds},s\n")]);
        }
        self.host.add(&host)?;
        self.thread_cpu.add(&text)
    }

    /// Leaves out the rows before a time of our clock: what they lay beside is no longer kept.
    pub(crate) fn forget_before(&mut self, ns: i64) -> std::io::Result<()> {
        let ns = ns.saturating_add(self.ahead_ns);
        self.host = rewritten(&self.folder, HOST, ns)?;
        self.thread_cpu = rewritten(&self.folder, THREAD_CPU, ns)?;
        // Threads that do nothing need a row of what is kept now.
        self.last.clear();
        Ok(())
    }
}

/// A table that is being written.
#[derive(Debug)]
struct Table {
    file: File,
    bytes: u64,
}

impl Table {
    /// Adds the rows of a reading, or none of them: a row that is cut could pass for another one.
    fn add(&mut self, rows: &str) -> std::io::Result<()> {
        self.file.write_all(rows.as_bytes()).inspect_err(|_| {
            // The first error is the one to report.
            drop(self.file.set_len(self.bytes).and_then(|()| self.file.seek(SeekFrom::Start(self.bytes))));
        })?;
        self.bytes = self.bytes.saturating_add(rows.len() as u64);
        Ok(())
    }
}

fn create(folder: &Folder, name: &str, header: &str) -> std::io::Result<Table> {
    let mut table = Table { file: folder.create_file(name)?, bytes: 0 };
    table.add(header)?;
    Ok(table)
}

/// Replaces a table by one without the rows before a time. Returns the new one, to go on writing.
fn rewritten(folder: &Folder, name: &str, ns: i64) -> std::io::Result<Table> {
    let mut text = String::new();
    folder.open_file(name)?.read_to_string(&mut text)?;
    let is_kept = |line: &&str| {
        let time = line.split(',').next().and_then(|time| time.parse::<i64>().ok());
        time.is_none_or(|time| time >= ns)
    };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    let mut table = folder.begin(name)?;
    table.write_all(kept.as_bytes())?;
    Ok(Table { file: table.finish()?, bytes: kept.len() as u64 })
}

/// How often readings are taken of a process with so many threads: each costs a read of a file.
pub(crate) fn reading_every(threads: usize) -> Duration {
    const USUAL: Duration = Duration::from_secs(1);
    const THREADS_A_SECOND: usize = 200;
    USUAL.saturating_mul(u32::try_from(threads.div_ceil(THREADS_A_SECOND)).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_a_time_are_left_out_and_writing_goes_on() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let mut file = create(&folder, HOST, HOST_HEADER).unwrap();
        file.add("5,a,1,B\n9,a,2,B\n").unwrap();
        let mut file = rewritten(&folder, HOST, 6).unwrap();
        file.add("12,a,3,B\n").unwrap();
        let text = std::fs::read_to_string(there.path().join(HOST)).unwrap();
        assert_eq!(text, format!("{HOST_HEADER}9,a,2,B\n12,a,3,B\n"));
        assert_eq!(folder.names().unwrap(), [HOST]);
    }

    #[test]
    fn a_process_of_many_threads_is_read_less_often() {
        assert_eq!([0, 40, 200, 201, 5000].map(|threads| reading_every(threads).as_secs()), [1, 1, 1, 2, 25]);
    }
}
