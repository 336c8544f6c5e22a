//! What the runtime says about the process as a whole: its version, its settings, its command line.

use super::kinds::ProcessEvent;
use super::seen::Seen;
use model::{Exhibit, GcSettings, Session};

/// `STARTUP_SERVER_GC` of the hosting interface's `STARTUP_FLAGS`.
const SERVER_GC: i64 = 0x1000;
/// Bit of GC/SettingsRundown: a limit was set for the GC itself.
const GC_LIMIT_SET: i64 = 0x8;

/// Takes an event about the process. Every rundown repeats them, with the same values.
pub(crate) fn take(event: ProcessEvent, seen: &Seen<'_>, exhibit: &mut Exhibit, session: &mut Session) {
    let fields = &seen.fields;
    let text = |name| fields.text(name).filter(|text| !text.is_empty());
    match event {
        ProcessEvent::RuntimeStart => {
            // Before .NET Core 3.0 both versions read 4.0; a library version of 5 or more is the product's.
            // A part that is missing is the same as 0: the version is then read elsewhere.
            let part = |name| fields.int(name).unwrap_or(0);
            let (major, minor, build) =
                (part("BclMajorVersion"), part("BclMinorVersion"), part("BclBuildNumber"));
            if major >= 5 {
                exhibit.runtime = Some(format!("{major}.{minor}.{build}"));
            }
            session.server_gc = fields.int("StartupFlags").map(|flags| flags & SERVER_GC != 0);
        }
        ProcessEvent::GcSettings => {
            let Some(flags) = fields.int("BitSettings") else { return };
            // 0 without a limit. If the machine's memory is the limit, it is as large as that.
            let hard_limit_bytes = fields.int("HardLimit").map(i64::cast_unsigned).filter(|bytes| *bytes > 0);
            let is_limit_set = flags & GC_LIMIT_SET != 0;
            session.gc_settings = Some(GcSettings { hard_limit_bytes, is_limit_set });
        }
        ProcessEvent::Info => {
            exhibit.command_line = text("CommandLine");
            exhibit.os = text("OSInformation");
            exhibit.arch = text("ArchInformation");
        }
    }
}
