//! What the live recorder wrote beside a recording: `host.csv` and `thread_cpu.csv`.
//!
//! `host.csv` has the columns `ts_ns,name,value,unit`, `thread_cpu.csv` `ts_ns,thread,user_ns,system_ns`, each with a
//! header line. Values hold no commas or quotes, so a line is split at its commas.

use crate::builder::Builder;
use model::{HostRow, ThreadCpuRow};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Larger files are cut off: a reading a second of a hundred threads fills this in a day.
const MOST_BYTES: u64 = 256 << 20;

/// Reads what there is.
pub(crate) fn read_folder(folder: &Path, builder: &mut Builder) {
    for line in lines(&folder.join("host.csv"), builder) {
        let row = fields::<4>(&line).and_then(|[ts, name, value, unit]| {
            let strings = &mut builder.recording.strings;
            let (name, unit) = (strings.intern(name), strings.intern(unit));
            Some(HostRow { ts_ns: ts.parse().ok()?, name, value: value.parse().ok()?, unit })
        });
        match row {
            Some(row) => builder.recording.host.push(row),
            None => builder.note_damage("line of host.csv that cannot be read", 0),
        }
    }
    for line in lines(&folder.join("thread_cpu.csv"), builder) {
        let row = fields::<4>(&line).and_then(|[ts, thread, user, system]| {
            let number = |text: &str| text.parse::<i64>().ok();
            let (ts_ns, thread) = (number(ts)?, number(thread)?);
            Some(ThreadCpuRow { ts_ns, thread, user_ns: number(user)?, system_ns: number(system)? })
        });
        match row {
            Some(row) => builder.recording.thread_cpu.push(row),
            None => builder.note_damage("line of thread_cpu.csv that cannot be read", 0),
        }
    }
}

/// The lines behind the header; none where there is no file.
fn lines(path: &Path, builder: &mut Builder) -> Vec<String> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let mut text = String::new();
    if file.take(MOST_BYTES).read_to_string(&mut text).is_err() {
        builder.note_damage("table beside the recording that cannot be read", 0);
    }
    text.lines().skip(1).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split(',').collect::<Vec<_>>().try_into().ok()
}
