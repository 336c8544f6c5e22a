//! The diagnostics protocol of a runtime, for tests that play one.

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Result, Write};
use std::os::unix::net::UnixStream;

const HEADER_BYTES: u16 = 20;

/// Commands: their set, and their number in it.
pub(crate) const PROCESS_INFO: [u8; 2] = [4, 4];
pub(crate) const PROCESS_INFO_3: [u8; 2] = [4, 8];
pub(crate) const STOP_TRACING: [u8; 2] = [2, 1];

/// Reads a command.
pub(crate) fn command(stream: &mut UnixStream) -> Result<[u8; 2]> {
    let mut header = [0; HEADER_BYTES as usize];
    stream.read_exact(&mut header)?;
    let payload = u16::from_le_bytes([header[14], header[15]]).saturating_sub(HEADER_BYTES);
    std::io::copy(&mut Read::by_ref(stream).take(payload.into()), &mut std::io::sink())?;
    Ok([header[16], header[17]])
}

/// Answers that a command was carried out.
pub(crate) fn reply(stream: &mut UnixStream, payload: &[u8]) -> Result<()> {
    let size = HEADER_BYTES + u16::try_from(payload.len()).unwrap();
    let message = [b"DOTNET_IPC_V1\0".as_slice(), &size.to_le_bytes(), &[0xff, 0, 0, 0], payload].concat();
    stream.write_all(&message)
}

/// The answer to [`PROCESS_INFO`]: command line, operating system, architecture, name and version of a process.
pub(crate) fn process_info(pid: u32, texts: [&str; 5]) -> Vec<u8> {
    let mut info = u64::from(pid).to_le_bytes().to_vec();
    info.extend([7; 16]);
    for text in texts {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        info.extend(u32::try_from(units.len()).unwrap().to_le_bytes());
        info.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    info
}

/// The answer to [`PROCESS_INFO_3`].
pub(crate) fn process_info_3(pid: u32, texts: [&str; 5]) -> Vec<u8> {
    [1u32.to_le_bytes().as_slice(), &process_info(pid, texts)].concat()
}
