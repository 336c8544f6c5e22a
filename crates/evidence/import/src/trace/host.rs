//! What the live recorder wrote beside a recording: `host.csv` and `thread_cpu.csv`.
//!
//! `host.csv` has the columns `monotonic_ns,name,value,unit`, `thread_cpu.csv` `monotonic_ns,thread,user_ns,system_ns`
//! and, of newer recorders, `waited_ns`, which may be empty; each with a header line. Times are of the clock that the sessions tick with; where the first column is called `ts_ns`
//! they are since the main session's start. Values hold no commas or quotes, so a line is split at its commas. Lines are
//! read one by one: what a table takes in memory is bounded by the rows that are kept of it.

use crate::surroundings::not_read;
use base::number::wide;
use base::seeded::{SeededMap, SeededSet};
use exhibit::{EntryKind, Folder};
use model::{Host, HostRow, Lost, ThreadCpuRow, Trace, or_none};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The tables, by the names of their files.
pub(crate) const TABLES: [&str; 2] = ["host.csv", "thread_cpu.csv"];

/// How much of a table is read: one reading per second of a hundred threads fills this in half a day.
const USUAL: Limits = Limits { bytes: 256 << 20, rows: 4_000_000, line: 4096 };

const UNREADABLE_LINE: &str = "line of a table beside the recording that cannot be read";
const IMPOSSIBLE_LINE: &str = "line of a table beside the recording with a value that cannot be";
/// Nothing that is read of the host is larger: bytes, counts and nanoseconds of the kernel have 64 bits.
const MOST: f64 = 18_446_744_073_709_551_616.0;
/// A thread's CPU time may grow by so much more than the time does: the kernel counts in ticks.
const CPU_SLACK_NS: i64 = 1_000_000_000;

/// Where a table is cut off.
#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: u64,
    rows: usize,
    /// Bytes of a line; a longer one is none.
    line: u64,
}

/// Reads a line, whose times are since the zero given, as a row.
type ReadRow = fn(&str, i64, &mut Trace) -> Option<()>;

/// Reads what there is. The main session began at `start_ns` of its clock.
pub(crate) fn read_folder(folder: &Path, start_ns: i64, recording: &mut Trace) {
    // It was opened before, to find the recording.
    let Ok(folder) = Folder::open(folder) else { return };
    let [host, thread_cpu] = TABLES;
    read_table(&folder, host, start_ns, recording, host_row);
    note_if_empty(&folder, host, recording.host.ts_ns.len(), &mut recording.lost);
    drop_after_end(recording);
    read_table(&folder, thread_cpu, start_ns, recording, thread_cpu_row);
    drop_impossible(recording);
    note_if_empty(&folder, thread_cpu, recording.thread_cpu.ts_ns.len(), &mut recording.lost);
}

/// Notes that a table is there and has no row: a recorder writes the first ones before the first event.
fn note_if_empty(folder: &Folder, name: &str, rows: usize, lost: &mut Lost) {
    if rows == 0 && matches!(folder.kind(name), Ok(Some(EntryKind::File))) {
        lost.note_altered(Path::new(name), "has no row that can be read".to_owned());
    }
}

/// Leaves out readings by which a thread used more CPU time than there was.
fn drop_impossible(recording: &mut Trace) {
    let rows = std::mem::take(&mut recording.thread_cpu);
    let mut before: SeededMap<i64, (i64, i64)> = SeededMap::default();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let used = row.user_ns.saturating_add(row.system_ns);
        let last = before.get(&row.thread);
        // A number that is given to another thread begins anew.
        let is_possible = last.is_none_or(|(ts_ns, last)| {
            let passed = row.ts_ns.saturating_sub(*ts_ns).max(0);
            used.saturating_sub(*last) <= passed.saturating_add(passed / 10).saturating_add(CPU_SLACK_NS)
        });
        if is_possible {
            before.insert(row.thread, (row.ts_ns, used));
            recording.thread_cpu.push(row);
        } else {
            recording.lost.damage.note(IMPOSSIBLE_LINE, 0);
        }
    }
}

/// Leaves out what earlier recorders wrote of a process that had ended: the kernel shows one that nobody has waited for yet
/// without memory and in another group, so that limits, memory and throttling of that group stand there as the subject's.
fn drop_after_end(recording: &mut Trace) {
    const OF_SUBJECT: [&str; 6] = ["process.", "cgroup.", "limit.", "throttled.", "periods", "tcp."];
    let Some(resident) = recording.strings.find("process.rss") else { return };
    let host = &recording.host;
    let rows = host.name.iter().zip(host.ts_ns.iter().zip(&host.value));
    // A process that runs has memory.
    let ended: SeededSet<i64> = rows
        .filter(|(name, (_, value))| **name == resident && **value <= 0.0)
        .map(|(_, (ts_ns, _))| *ts_ns)
        .collect();
    if ended.is_empty() {
        return;
    }
    let rows: Vec<HostRow> = (0..host.ts_ns.len()).filter_map(|at| host.row(at)).collect();
    let strings = &recording.strings;
    let is_kept = |row: &HostRow| {
        let name = strings.text(row.name);
        !ended.contains(&row.ts_ns) || !OF_SUBJECT.iter().any(|start| name.starts_with(start))
    };
    let kept: Vec<HostRow> = rows.into_iter().filter(is_kept).collect();
    recording.host = Host::default();
    for row in kept {
        recording.host.push(row);
    }
}

/// Reads a table if it is there: the lines behind its header.
fn read_table(folder: &Folder, name: &str, start_ns: i64, recording: &mut Trace, read_row: ReadRow) {
    let path = Path::new(name);
    let found = match folder.kind(name) {
        Ok(None) => return,
        Ok(Some(EntryKind::File)) => folder.open_file(name),
        Ok(Some(EntryKind::Link)) => {
            return recording.lost.note_file(path, not_read(EntryKind::Link).to_owned());
        }
        Ok(Some(EntryKind::Folder | EntryKind::Other)) => {
            return recording.lost.note_file(path, "is not a file: not read".to_owned());
        }
        Err(error) => Err(error),
    };
    let found = found.map_err(|error| format!("cannot be read: {}", std::io::Error::from(error)));
    let read = |recording: &Trace| {
        let Trace { host, thread_cpu, lost, .. } = recording;
        let rows = host.ts_ns.len().saturating_add(thread_cpu.ts_ns.len());
        (lost.damage.count(UNREADABLE_LINE), wide(rows))
    };
    let (damaged, rows) = read(recording);
    match found {
        Ok(file) => {
            if let Err(what) = read_lines(file, USUAL, start_ns, recording, read_row) {
                recording.lost.note_file(path, what);
            }
        }
        Err(what) => recording.lost.note_file(path, what),
    }
    let (damaged_now, rows_now) = read(recording);
    let (damaged, rows) = (damaged_now.saturating_sub(damaged), rows_now.saturating_sub(rows));
    // A recorder that is killed leaves half a line; a table without a row is noted elsewhere.
    if rows > 0 && damaged > 1 && damaged > rows / 100 {
        let of = damaged.saturating_add(rows);
        recording.lost.note_altered(path, format!("is damaged: {damaged} of {of} lines cannot be read"));
    }
}

fn read_lines(
    file: impl Read,
    limits: Limits,
    start_ns: i64,
    recording: &mut Trace,
    read_row: ReadRow,
) -> Result<(), String> {
    let mut zero_ns = 0;
    let mut file = BufReader::new(file.take(limits.bytes));
    let (mut line, mut offset, mut rows) = (Vec::new(), 0u64, 0usize);
    let mut too_long = false;
    loop {
        line.clear();
        let read = (&mut file).take(limits.line).read_until(b'\n', &mut line);
        let len = read.map_err(|error| format!("cannot be read to its end: {error}"))? as u64;
        let cut = offset.saturating_add(len) >= limits.bytes;
        if cut || rows >= limits.rows && len > 0 {
            return Err(format!("is too large: only its first {rows} rows are here"));
        }
        if len == 0 {
            return Ok(());
        }
        let is_rest = too_long;
        too_long = len == limits.line && !line.ends_with(b"\n");
        let text = std::str::from_utf8(&line).ok().filter(|_| !too_long);
        let text = text.map(|text| text.trim_end_matches(['\n', '\r']));
        // The first line names the columns.
        if offset == 0 && text.is_some_and(|text| text.starts_with("monotonic_ns,")) {
            zero_ns = start_ns;
        }
        if offset > 0 && !is_rest && text != Some("") {
            match text.and_then(|text| read_row(text, zero_ns, recording)) {
                Some(()) => rows = rows.saturating_add(1),
                None => recording.lost.damage.note(UNREADABLE_LINE, offset),
            }
        }
        offset = offset.saturating_add(len);
    }
}

fn host_row(line: &str, zero_ns: i64, recording: &mut Trace) -> Option<()> {
    let [ns, name, value, unit] = fields(line)?;
    let ns = ns.parse::<i64>().ok()?;
    let value = value.parse().ok().filter(|value| (0.0..=MOST).contains(value))?;
    let ts_ns = ns.saturating_sub(zero_ns);
    let strings = &mut recording.strings;
    let (name, unit) = (strings.intern(name), strings.intern(unit));
    recording.host.push(HostRow { ts_ns, name, value, unit });
    Some(())
}

fn thread_cpu_row(line: &str, zero_ns: i64, recording: &mut Trace) -> Option<()> {
    let (four, waited) = fields(line).map_or_else(
        || line.rsplit_once(',').and_then(|(four, waited)| Some((fields(four)?, waited))),
        |four| Some((four, "")),
    )?;
    let [ns, thread, user_ns, system_ns] = four.map(|text| text.parse::<i64>().ok());
    let (ns, thread, user_ns, system_ns) = (ns?, thread?, user_ns?, system_ns?);
    let waited_ns = if waited.is_empty() { None } else { Some(waited.parse::<i64>().ok()?) };
    // What was not counted is not negative.
    if [thread, user_ns, system_ns, waited_ns.unwrap_or(0)].iter().any(|of| *of < 0) {
        return None;
    }
    let waited_ns = or_none(waited_ns);
    let ts_ns = ns.saturating_sub(zero_ns);
    recording.thread_cpu.push(ThreadCpuRow { ts_ns, thread, user_ns, system_ns, waited_ns });
    Some(())
}

fn fields(line: &str) -> Option<[&str; 4]> {
    let mut fields = line.split(',');
    let four = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    fields.next().is_none().then_some(four)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Limits = Limits { bytes: 1000, rows: 3, line: 20 };

    fn check(text: &[u8], rows: usize, damaged: u64, end: Result<(), &str>) {
        let mut recording = Trace::default();
        let ended = read_lines(text, FEW, 0, &mut recording, thread_cpu_row);
        let noted: u64 = recording.lost.damage.kinds().iter().map(|kind| kind.count).sum();
        let ended = ended.as_ref().copied().map_err(String::as_str);
        assert_eq!((recording.thread_cpu.ts_ns.len(), noted, ended), (rows, damaged, end));
    }

    #[test]
    fn times_of_the_sessions_clock_are_set_against_the_main_sessions_start() {
        let mut recording = Trace::default();
        let text = b"monotonic_ns,thread,user_ns,system_ns\n7005,2,3,4\n";
        read_lines(text.as_slice(), USUAL, 7000, &mut recording, thread_cpu_row).unwrap();
        assert_eq!(recording.thread_cpu.ts_ns, [5]);
    }

    #[test]
    fn a_process_that_has_ended_has_no_row_of_another_group() {
        let mut recording = Trace::default();
        let text =
            b"monotonic_ns,name,value,unit\n1,cores,2,cores\n1,process.rss,500,B\n1,cgroup.memory,600,B\n\
            2,cores,2,cores\n2,process.rss,0,B\n2,cgroup.memory,16000,B\n2,periods,0,count\n";
        read_lines(text.as_slice(), USUAL, 0, &mut recording, host_row).unwrap();
        drop_after_end(&mut recording);
        let Trace { host, strings, .. } = &recording;
        let rows: Vec<_> = (0..host.ts_ns.len()).filter_map(|at| host.row(at)).collect();
        let rows: Vec<_> = rows.iter().map(|row| (row.ts_ns, strings.text(row.name), row.value)).collect();
        let expected =
            [(1, "cores", 2.0), (1, "process.rss", 500.0), (1, "cgroup.memory", 600.0), (2, "cores", 2.0)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn readings_of_the_host_that_cannot_be_are_damage_and_no_figures() {
        let mut recording = Trace::default();
        let text = b"monotonic_ns,name,value,unit\n1,cores,2,cores\n2,cores,nan,cores\n3,cores,-5,cores\n\
            4,process.rss,1e308,B\n5,cores,inf,cores\n6,memory.total,9223372036854771712,B\n";
        read_lines(text.as_slice(), USUAL, 0, &mut recording, host_row).unwrap();
        assert_eq!(recording.host.ts_ns, [1, 6]);
        assert_eq!(recording.lost.damage.count(UNREADABLE_LINE), 4);
    }

    #[test]
    fn a_thread_does_not_use_more_cpu_time_than_there_was() {
        let mut recording = Trace::default();
        let second = 1_000_000_000i64;
        for (at, used) in
            [(0, 5 * second), (second, 6 * second), (2 * second, 900 * second), (3 * second, 8 * second)]
        {
            let row = ThreadCpuRow { ts_ns: at, thread: 7, user_ns: used, system_ns: 0, waited_ns: 0 };
            recording.thread_cpu.push(row);
        }
        drop_impossible(&mut recording);
        assert_eq!(recording.thread_cpu.ts_ns, [0, second, 3 * second]);
        assert_eq!(recording.lost.damage.count(IMPOSSIBLE_LINE), 1);
    }

    #[test]
    fn a_table_beside_the_recording_is_bounded_and_its_damage_is_counted() {
        check(b"", 0, 0, Ok(()));
        check(b"header\n1,2,3,4\r\n\n\r\n5,6,7,8", 2, 0, Ok(()));
        check(b"header\n1,2,3,4\nno row\n1,2,3,\xff\n", 1, 2, Ok(()));
        check(b"header\n1,2,3,4\n1,2,3,4,5,6\n", 1, 1, Ok(()));
        // The fifth column is of newer recorders, and empty where the kernel does not count.
        check(b"header\n1,2,3,4,5\n1,2,3,4,\n1,2,3,4,x\n", 2, 1, Ok(()));
        // CPU times do not run backwards from 0.
        check(b"header\n1,2,3,4\n1,2,-3,4\n1,2,3,4,-1\n", 1, 2, Ok(()));
        // The rest of a line that is too long does not make a row.
        check(&[b"header\n1,2,3,4\n", [b'9'; 20].as_slice(), b"1,2,3,4\n5,6,7,8"].concat(), 2, 1, Ok(()));
        let four = b"header\n1,2,3,4\n1,2,3,4\n1,2,3,4\n1,2,3,4\n";
        check(four, 3, 0, Err("is too large: only its first 3 rows are here"));
        let blank = [b"header\n".as_slice(), &[b'\n'; 2000]].concat();
        check(&blank, 0, 0, Err("is too large: only its first 0 rows are here"));
    }
}
