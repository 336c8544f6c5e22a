//! Reads the header that a stream begins with.

use crate::stream::{StreamHeader, SyncTime};
use base::bytes::{Cause, Cursor, ReadError};

/// Named values of a version 6 header that are kept; writers send a dozen.
const MAX_PROPERTIES: usize = 1000;

/// Reads the fields that all versions begin with.
pub(super) fn read_trace_start(cursor: &mut Cursor<'_>) -> Result<StreamHeader, ReadError> {
    let year = cursor.i16("SyncTimeUTC year")?;
    let month = cursor.i16("SyncTimeUTC month")?;
    cursor.i16("SyncTimeUTC day of week")?;
    let day = cursor.i16("SyncTimeUTC day")?;
    let hour = cursor.i16("SyncTimeUTC hour")?;
    let minute = cursor.i16("SyncTimeUTC minute")?;
    let second = cursor.i16("SyncTimeUTC second")?;
    let millisecond = cursor.i16("SyncTimeUTC millisecond")?;
    let sync_ticks = cursor.i64("SyncTimeQPC")?;
    let ticks_per_second = cursor.i64("QPCFrequency")?;
    let offset = cursor.offset();
    let pointer_size = cursor.u32("PointerSize")?;
    let too_large = ReadError { offset, what: "PointerSize", cause: Cause::Value(u64::from(pointer_size)) };
    Ok(StreamHeader {
        sync_time: SyncTime { year, month, day, hour, minute, second, millisecond },
        sync_ticks,
        ticks_per_second,
        pointer_size: u8::try_from(pointer_size).map_err(|_too_large| too_large)?,
        ..StreamHeader::default()
    })
}

/// Reads the header of version 6: the same fields, then named values.
pub(super) fn read_trace_v6(cursor: &mut Cursor<'_>) -> Result<StreamHeader, ReadError> {
    let mut header = read_trace_start(cursor)?;
    header.version = 6;
    let count = cursor.u32("KeyValueCount")?;
    for _ in 0..count {
        let key = String::from_utf8_lossy(cursor.utf8_counted("trace key")?).into_owned();
        let value = String::from_utf8_lossy(cursor.utf8_counted("trace value")?).into_owned();
        match key.as_str() {
            "ProcessId" => header.process = value.parse().ok(),
            "HardwareThreadCount" => header.cores = value.parse().ok(),
            "ExpectedCPUSamplingRate" => header.sampling_rate = value.parse().ok(),
            _ => {}
        }
        if header.properties.len() < MAX_PROPERTIES {
            header.properties.push((key, value));
        }
    }
    Ok(header)
}
