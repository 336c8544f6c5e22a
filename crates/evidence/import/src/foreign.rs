//! Files of other tools: recognised by their first bytes, and refused with what they are and what opens them.
//!
//! They are looked for before our own formats, since one of them shares the first bytes with a trace. No message shows
//! bytes of a file.

use crate::head::Head;
use std::path::Path;

/// A kind of file that is not read.
pub(crate) struct Foreign {
    /// What it is.
    pub(crate) what: &'static str,
    /// What opens it.
    pub(crate) opens: &'static str,
    is: fn(&Head) -> bool,
}

/// The objects of FastSerialization begin with their type's name.
const SERIALIZED: &[u8] = b"!FastSerialization.1";

static KINDS: &[Foreign] = &[
    Foreign {
        what: "a .NET heap snapshot (.gcdump)",
        opens: "`dotnet-gcdump report FILE` lists its types; Visual Studio and PerfView open it",
        is: |head| is_serialized(head, &[b"GCHeapDump", b"Graphs."]),
    },
    Foreign {
        what: "a trace converted by PerfView (.etlx)",
        opens: "PerfView opens it; read the .nettrace that it was made of instead",
        is: |head| is_serialized(head, &[b"Microsoft.Diagnostics.Tracing.Etlx."]),
    },
    Foreign {
        what: "a trace of Event Tracing for Windows (.etl)",
        opens: "PerfView and Windows Performance Analyzer open it",
        is: |head| is_etl(head) || head.entries.iter().any(|name| is_named_etl(name)),
    },
    Foreign {
        what: "a Visual Studio diagnostics session (.diagsession)",
        opens: "Visual Studio opens it; traces and heap snapshots in it can be taken out, since it is a zip archive",
        is: |head| {
            ["[Content_Types].xml", "metadata.xml"]
                .iter()
                .all(|name| head.entries.iter().any(|of| of == name))
        },
    },
    Foreign {
        what: "a core dump (ELF)",
        opens: "`dotnet-dump analyze FILE` and lldb open it",
        is: |head| head.bytes().starts_with(b"\x7fELF") && elf_type(head.bytes()) == Some(ET_CORE),
    },
    Foreign {
        what: "a crash dump of Windows (minidump)",
        opens: "`dotnet-dump analyze FILE`, WinDbg and Visual Studio open it",
        is: |head| head.bytes().starts_with(b"MDMP\x93\xa7"),
    },
    Foreign {
        what: "a profile for speedscope",
        opens: "https://www.speedscope.app opens it",
        is: |head| is_json(head) && head.contains(b"speedscope.app/file-format-schema"),
    },
    Foreign {
        what: "a profile for the Firefox Profiler",
        opens: "https://profiler.firefox.com opens it",
        is: |head| is_json(head) && head.contains(b"\"preprocessedProfileVersion\""),
    },
    Foreign {
        what: "a Chrome trace",
        opens: "https://ui.perfetto.dev opens it",
        is: |head| is_json(head) && (head.contains(b"\"traceEvents\"") || is_list_of_events(head)),
    },
    Foreign {
        what: "a profile of perf (perf.data)",
        opens: "`perf report -i FILE` and hotspot open it",
        is: |head| head.bytes().starts_with(b"PERFILE2") || head.bytes().starts_with(b"PERFFILE"),
    },
    Foreign {
        what: "a profile in the format of pprof",
        opens: "`go tool pprof -http=: FILE` and https://www.speedscope.app open it",
        is: is_pprof,
    },
    Foreign {
        what: "an Apache Parquet file",
        opens: "DuckDB, pandas and Spark read it",
        is: |head| head.bytes().starts_with(b"PAR1"),
    },
];

/// The kind of file that begins so, if it is one of another tool.
pub(crate) fn of(head: &Head) -> Option<&'static Foreign> {
    KINDS.iter().find(|foreign| (foreign.is)(head))
}

/// `ET_CORE` of the ELF header.
const ET_CORE: u16 = 4;

/// The field `e_type` of an ELF header, in the byte order that the header says.
fn elf_type(bytes: &[u8]) -> Option<u16> {
    let field = bytes.get(16..18)?.first_chunk::<2>()?;
    Some(if bytes.get(5) == Some(&2) { u16::from_be_bytes(*field) } else { u16::from_le_bytes(*field) })
}

/// Whether the first object of a FastSerialization file is of a type whose name begins so.
fn is_serialized(head: &Head, types: &[&[u8]]) -> bool {
    /// Tags, versions and the length of the name lie between the magic and the name.
    const BEFORE_NAME: usize = 24;
    let Some(rest) = head.bytes().strip_prefix(b"\x14\0\0\0").and_then(|rest| rest.strip_prefix(SERIALIZED))
    else {
        return false;
    };
    let begins =
        |at: usize| rest.get(at..).is_some_and(|rest| types.iter().any(|name| rest.starts_with(name)));
    (0..BEFORE_NAME).any(begins)
}

/// An entry of an archive that is an .etl, as PerfView packs them.
fn is_named_etl(entry: &str) -> bool {
    Path::new(entry).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("etl"))
}

/// The first buffer of an .etl: `WMI_BUFFER_HEADER` (72 bytes, its first field the buffer's size), then the system event
/// that is the `TRACE_LOGFILE_HEADER`, whose header type is 1 (32 bits) or 2 (64 bits), marked by the flags 0xC0.
fn is_etl(head: &Head) -> bool {
    const MAX_BUFFER: u32 = 16 << 20;
    let Some(size) = head.bytes().first_chunk::<4>().map(|size| u32::from_le_bytes(*size)) else {
        return false;
    };
    let is_size = (1024..=MAX_BUFFER).contains(&size) && size.is_multiple_of(512);
    is_size && matches!(head.bytes().get(72..76), Some([_, _, 1 | 2, 0xc0]))
}

fn is_json(head: &Head) -> bool {
    let text = head.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes());
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A Chrome trace may be the bare list of its events, each with a phase.
fn is_list_of_events(head: &Head) -> bool {
    head.bytes().trim_ascii_start().starts_with(b"[") && head.contains(b"\"ph\":")
}

/// `profile.proto` begins with its first `sample_type`: field 1, a `ValueType` of a few bytes whose own first field is the
/// number of a text.
fn is_pprof(head: &Head) -> bool {
    matches!(head.bytes(), [0x0a, 2..=12, 0x08, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Option<&str>) {
        let found = of(&Head::of_stream(&mut &*bytes).unwrap()).map(|foreign| foreign.what);
        assert_eq!(found, expected, "{}", bytes.get(..40).unwrap_or(bytes).escape_ascii());
    }

    fn serialized(name: &[u8]) -> Vec<u8> {
        let tags = [5, 5, 1, 10, 0, 0, 0, 8, 0, 0, 0, 10, 0, 0, 0];
        [b"\x14\0\0\0!FastSerialization.1".as_slice(), &tags, name].concat()
    }

    #[test]
    fn files_of_other_tools_are_named() {
        check(&serialized(b"GCHeapDump"), Some("a .NET heap snapshot (.gcdump)"));
        check(
            &serialized(b"Microsoft.Diagnostics.Tracing.Etlx.TraceLog"),
            Some("a trace converted by PerfView (.etlx)"),
        );
        check(b"PERFILE2\x68\0\0\0", Some("a profile of perf (perf.data)"));
        check(b"\n\x04\x08\x01\x10\x02\n\x04\x08\x03\x10\x04", Some("a profile in the format of pprof"));
        check(
            b"{\"exporter\":\"x\",\"$schema\":\"https://www.speedscope.app/file-format-schema.json\"}",
            Some("a profile for speedscope"),
        );
        check(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0", Some("a core dump (ELF)"));
        check(b"MDMP\x93\xa7\0\0", Some("a crash dump of Windows (minidump)"));
        let mut etl = vec![0; 80];
        etl[..4].copy_from_slice(&65_536u32.to_le_bytes());
        etl[72..76].copy_from_slice(&[2, 0, 2, 0xc0]);
        check(&etl, Some("a trace of Event Tracing for Windows (.etl)"));
    }

    #[test]
    fn traces_programs_and_nonsense_are_not_taken_for_files_of_other_tools() {
        check(&serialized(b"Microsoft.DotNet.Runtime.EventPipeFile"), None);
        check(b"Nettrace\x14\0\0\0!FastSerialization.1", None);
        check(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", None);
        check(b"{\"Title\":\"x\",\"HostEnvironmentInfo\":{}}", None);
        check(b"\n\ntext", None);
        check(b"", None);
    }
}
