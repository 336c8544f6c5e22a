//! The tables beside a recording: what the host says of the process, and the CPU time of each thread.
//!
//! Times are of the system's monotonic clock, which every session on the machine uses too. So a table need not know the
//! session. A reading is on its way to the disk at once.

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

/// The time of the system's monotonic clock, in nanoseconds.
pub(crate) fn monotonic_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// The CPU time that a thread has used so far, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    user: u64,
    system: u64,
    /// How long it was ready to run and waited for a CPU core; `None` if the kernel does not count it.
    waited: Option<u64>,
}

/// Writes readings to both tables.
#[derive(Debug)]
pub(crate) struct Tables {
    folder: Folder,
    proc: Proc,
    readings: Readings,
    threads: ThreadReader,
    host: Table,
    thread_cpu: Table,
    /// The last row of each thread. A thread that has not run since needs no new row.
    last: BTreeMap<u32, Times>,
    /// Whether the next reading writes a row of every thread, even of threads that have not run.
    needs_all_rows: bool,
    /// How long all threads have waited for a CPU core since the first reading, including threads that have ended. `None` if
    /// the kernel does not count it.
    waited_ns: Option<u64>,
    /// Whether nothing more is written.
    is_over: bool,
    /// How far the subject's clock is ahead of ours; 0 unless it has a clock of its own.
    ahead_ns: i64,
}

impl Tables {
    /// Creates both files, which must not exist.
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
            needs_all_rows: true,
            waited_ns: None,
            is_over: false,
            ahead_ns: 0,
        })
    }

    /// Sets how far the subject's clock is ahead of ours.
    pub(crate) fn set_ahead(&mut self, ahead_ns: i64) {
        self.ahead_ns = ahead_ns;
    }

    /// The size of both files.
    pub(crate) fn bytes(&self) -> u64 {
        self.host.bytes.saturating_add(self.thread_cpu.bytes)
    }

    /// Stops writing. The rows so far stay.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    /// Takes a reading of everything.
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
        // Threads that have ended are dropped from the list: a service may start thousands.
        let before = std::mem::take(&mut self.last);
        let is_first = self.waited_ns.is_none();
        for thread in self.threads.read(&self.proc) {
            let times = Times { user: thread.user_ns, system: thread.system_ns, waited: thread.waited_ns };
            let last = before.get(&thread.namespace_id);
            if self.needs_all_rows || last != Some(&times) {
                let Times { user, system, waited } = times;
                let waited = waited.map_or_else(String::new, |ns| ns.to_string());
                text.extend([format!("{ns},{},{user},{system},{waited}\n", thread.namespace_id)]);
            }
            if let Some(waited) = times.waited {
                // What a thread waited before the first reading does not count. A thread without a row is new, and all of its
                // waiting counts.
                let earlier = last.and_then(|last| last.waited).unwrap_or(0);
                let since = if is_first { waited } else { earlier };
                let sum = self.waited_ns.unwrap_or(0);
                self.waited_ns = Some(sum.saturating_add(waited.saturating_sub(since)));
            }
            self.last.insert(thread.namespace_id, times);
        }
        if let Some(waited) = self.waited_ns.filter(|_| !self.last.is_empty()) {
            let seconds = waited as f64 / 1e9;
            host.extend([format!("{ns},process.cpu.waited,{seconds},s\n")]);
        }
        self.needs_all_rows = false;
        self.host.add(&host)?;
        self.thread_cpu.add(&text)
    }

    /// Removes the rows before a time of our clock, since the segments of that time are no longer kept.
    pub(crate) fn forget_before(&mut self, ns: i64) -> std::io::Result<()> {
        let ns = ns.saturating_add(self.ahead_ns);
        self.host = rewritten(&self.folder, HOST, ns)?;
        self.thread_cpu = rewritten(&self.folder, THREAD_CPU, ns)?;
        self.needs_all_rows = true;
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
    /// Adds all rows of a reading, or none of them: a row that is cut could pass for another one.
    fn add(&mut self, rows: &str) -> std::io::Result<()> {
        self.file.write_all(rows.as_bytes()).inspect_err(|_| {
            // Errors here are dropped: the first error is the one to report.
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

/// Replaces a table by one without the rows before a time, and returns the new one to write on.
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

/// How often a process with so many threads is read. Every thread costs reading its files, so it is done less often if there are
/// many.
pub(crate) fn reading_every(threads: usize) -> Duration {
    const USUAL: Duration = Duration::from_secs(1);
    const THREADS_PER_SECOND: usize = 200;
    // A number of threads that does not fit is far more than Linux allows.
    USUAL.saturating_mul(u32::try_from(threads.div_ceil(THREADS_PER_SECOND)).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_a_time_are_removed_and_writing_goes_on() {
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
    fn what_threads_waited_is_counted_once_although_rows_are_removed() {
        let there = tempfile::tempdir().unwrap();
        let task = there.path().join("proc/40/task/40");
        std::fs::create_dir_all(&task).unwrap();
        std::fs::write(task.join("stat"), "40 (x) R 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 100 0 0 0")
            .unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let mut tables =
            Tables::create(&folder, &Proc::at(there.path().join("proc")), 40, Some(100)).unwrap();
        for waited in [7_000_000_000u64, 8_000_000_000, 9_000_000_000] {
            std::fs::write(task.join("schedstat"), format!("1 {waited} 1")).unwrap();
            tables.read().unwrap();
            tables.forget_before(0).unwrap();
        }
        assert_eq!(tables.waited_ns, Some(2_000_000_000));
        let rows = std::fs::read_to_string(there.path().join(THREAD_CPU)).unwrap();
        assert_eq!(rows.lines().count(), 4, "every thread has a row after each cut: {rows}");
    }

    #[test]
    fn a_process_of_many_threads_is_read_less_often() {
        assert_eq!([0, 40, 200, 201, 5000].map(|threads| reading_every(threads).as_secs()), [1, 1, 1, 2, 25]);
    }
}
