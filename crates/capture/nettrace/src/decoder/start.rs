//! The header that a stream begins with.

use crate::stream::{StreamHeader, SyncTime};
use base::bytes::{Cursor, ReadError};

/// Facts of a stream's header that are kept; writers have a dozen.
const MOST_PROPERTIES: usize = 1000;

/// Reads what all versions begin with.
pub(super) fn read_trace_start(cursor: &mut Cursor<'_>) -> Result<StreamHeader, ReadError> {
    let year = cursor.i16("SyncTimeUTC year")?;
    let month = cursor.i16("SyncTimeUTC month")?;
    cursor.i16("SyncTimeUTC day of week")?;
    let day = cursor.i16("SyncTimeUTC day")?;
    let hour = cursor.i16("SyncTimeUTC hour")?;
    let minute = cursor.i16("SyncTimeUTC minute")?;
    let second = cursor.i16("SyncTimeUTC second")?;
    let millisecond = cursor.i16("SyncTimeUTC millisecond")?;
    Ok(StreamHeader {
        sync_time: SyncTime { year, month, day, hour, minute, second, millisecond },
        sync_ticks: cursor.i64("SyncTimeQPC")?,
        ticks_per_second: cursor.i64("QPCFrequency")?,
        pointer_size: u8::try_from(cursor.u32("PointerSize")?).unwrap_or(0),
        ..StreamHeader::default()
    })
}

/// Reads the header of version 6: the same, and facts by name.
pub(super) fn read_trace_v6(cursor: &mut Cursor<'_>) -> Result<StreamHeader, ReadError> {
    let mut header = read_trace_start(cursor)?;
    header.version = 6;
    let count = cursor.u32("KeyValueCount")?;
    for _ in 0..count {
        let key = String::from_utf8_lossy(cursor.utf8_counted("trace key")?).into_owned();
        let value = String::from_utf8_lossy(cursor.utf8_counted("trace value")?).into_owned();
        match key.as_str() {
            "ProcessId" => header.process = value.parse().ok(),
            "HardwareThreadCount" => header.processors = value.parse().ok(),
            "ExpectedCPUSamplingRate" => header.sampling_rate = value.parse().ok(),
            _ => {}
        }
        if header.properties.len() < MOST_PROPERTIES {
            header.properties.push((key, value));
        }
    }
    Ok(header)
}
