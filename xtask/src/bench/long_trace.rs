//! A long trace from a short one: its blocks over and over, with times and sequence numbers moved on.
//!
//! Every event stays as it was recorded, payload and stack; only its header is written anew, so that the result is one
//! healthy session of version 4 in which nothing is lost. Metadata is written in the first round only, the
//! rundown in the last.

use anyhow::{Context, Result, bail};
use base::bytes::{Cursor, ReadError};
use std::collections::{HashMap, HashSet};
use std::io::Write;

/// An object of the short trace: its kind and payload.
struct Block<'a> {
    name: &'a [u8],
    payload: &'a [u8],
    rundown: bool,
}

/// Writes rounds of `input` to `out` until at least `size` bytes are there; gives how many.
pub(crate) fn write(input: &[u8], size: u64, out: &mut impl Write) -> Result<u64> {
    let (head, blocks) = read(input)?;
    let mut file = File { out, written: 0, sequences: HashMap::new() };
    file.put(head)?;
    let span = survey(&blocks)?;
    let mut shift = 0u64;
    loop {
        let last = file.written + input.len() as u64 >= size;
        for block in &blocks {
            let is_repeated = shift > 0 && block.name == b"MetadataBlock";
            if !is_repeated && (last || !block.rundown) {
                file.block(block, shift)?;
            }
        }
        if last {
            break;
        }
        shift = shift.wrapping_add(span);
    }
    file.put(&[1])?;
    Ok(file.written)
}

/// The bytes up to the first block, and the blocks.
fn read(input: &[u8]) -> Result<(&[u8], Vec<Block<'_>>)> {
    let mut cursor = Cursor::new(input, 0);
    cursor.take(32, "magic")?;
    let (name, _) = object(&mut cursor)?;
    if name != b"Trace" {
        bail!("the short trace is not of version 4");
    }
    cursor.take(49, "trace header")?;
    let head = input.get(..usize::try_from(cursor.offset())?).context("the short trace is too short")?;
    let mut blocks = Vec::new();
    let mut rundown_ids = HashSet::new();
    while cursor.rest().first() == Some(&5) {
        let (name, _) = object(&mut cursor)?;
        let len = cursor.u32("BlockSize")? as usize;
        let padding = (4 - cursor.offset() % 4) % 4;
        cursor.take(usize::try_from(padding)?, "padding")?;
        let payload = cursor.take(len, "block")?;
        cursor.take(1, "end tag")?;
        if name == b"MetadataBlock" {
            rundown_ids.extend(rundown_kinds(payload)?);
        }
        let mut rundown = name == b"EventBlock";
        if rundown {
            events(payload, |event, _| rundown &= rundown_ids.contains(&event.metadata_id))?;
        }
        blocks.push(Block { name, payload, rundown });
    }
    Ok((head, blocks))
}

fn object<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], u32)> {
    cursor.take(3, "begin tags")?;
    let version = cursor.u32("version")?;
    cursor.u32("minimum reader version")?;
    let len = cursor.u32("name length")? as usize;
    let name = cursor.take(len, "type name")?;
    cursor.take(1, "end tag")?;
    Ok((name, version))
}

/// The numbers of the kinds of events that the rundown provider sends.
fn rundown_kinds(payload: &[u8]) -> Result<Vec<u32>> {
    let name: Vec<u8> = "Microsoft-Windows-DotNETRuntimeRundown".bytes().flat_map(|byte| [byte, 0]).collect();
    let mut kinds = Vec::new();
    events(payload, |_, row| {
        let id = row.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        if row.get(4..).is_some_and(|rest| rest.starts_with(&name)) {
            kinds.extend(id);
        }
    })?;
    Ok(kinds)
}

/// A compressed header, unpacked.
#[derive(Debug, Clone, Copy, Default)]
struct Header {
    metadata_id: u32,
    sequence: u32,
    capture_thread: u64,
    processor: u32,
    thread: u64,
    stack: u32,
    ticks: u64,
    activity: [u8; 16],
    related: [u8; 16],
    sorted: bool,
    len: u32,
}

impl Header {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let flags = cursor.u8("flags")?;
        if flags & 1 != 0 {
            self.metadata_id = cursor.varu32("MetadataId")?;
        }
        if flags & 2 != 0 {
            self.sequence = self.sequence.wrapping_add(cursor.varu32("SequenceNumber")?).wrapping_add(1);
            self.capture_thread = cursor.varu64("CaptureThreadId")?;
            self.processor = cursor.varu32("ProcessorNumber")?;
        } else if self.metadata_id != 0 {
            self.sequence = self.sequence.wrapping_add(1);
        }
        if flags & 4 != 0 {
            self.thread = cursor.varu64("ThreadId")?;
        }
        if flags & 8 != 0 {
            self.stack = cursor.varu32("StackId")?;
        }
        self.ticks = self.ticks.wrapping_add(cursor.varu64("TimeStamp")?);
        if flags & 16 != 0 {
            self.activity = cursor.guid("ActivityId")?;
        }
        if flags & 32 != 0 {
            self.related = cursor.guid("RelatedActivityId")?;
        }
        self.sorted = flags & 64 != 0;
        if flags & 128 != 0 {
            self.len = cursor.varu32("PayloadSize")?;
        }
        Ok(())
    }

    /// Writes this header behind `before`, leaving out what repeats.
    fn write(&self, before: &Self, out: &mut Vec<u8>) {
        let in_turn = self.capture_thread == before.capture_thread
            && self.processor == before.processor
            && self.sequence == before.sequence.wrapping_add(u32::from(self.metadata_id != 0));
        let flags = [
            self.metadata_id != before.metadata_id,
            !in_turn,
            self.thread != before.thread,
            self.stack != before.stack,
            self.activity != before.activity,
            self.related != before.related,
            self.sorted,
            self.len != before.len,
        ];
        let set = |at: usize| flags.get(at).copied().unwrap_or(false);
        out.push(flags.iter().enumerate().fold(0, |byte, (at, set)| byte | (u8::from(*set) << at)));
        if set(0) {
            varint(u64::from(self.metadata_id), out);
        }
        if set(1) {
            varint(u64::from(self.sequence.wrapping_sub(before.sequence).wrapping_sub(1)), out);
            varint(self.capture_thread, out);
            varint(u64::from(self.processor), out);
        }
        if set(2) {
            varint(self.thread, out);
        }
        if set(3) {
            varint(u64::from(self.stack), out);
        }
        varint(self.ticks.wrapping_sub(before.ticks), out);
        if set(4) {
            out.extend_from_slice(&self.activity);
        }
        if set(5) {
            out.extend_from_slice(&self.related);
        }
        if set(7) {
            varint(u64::from(self.len), out);
        }
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Every event of a block: its header and payload.
fn events(payload: &[u8], mut each: impl FnMut(&Header, &[u8])) -> Result<()> {
    let mut cursor = Cursor::new(payload, 0);
    let size = usize::from(cursor.u16("HeaderSize")?);
    cursor.take(size.saturating_sub(2), "block header")?;
    let mut header = Header::default();
    while !cursor.is_empty() {
        header.read(&mut cursor)?;
        let body = cursor.take(header.len as usize, "payload")?;
        each(&header, body);
    }
    Ok(())
}

/// How many ticks a round lasts.
fn survey(blocks: &[Block<'_>]) -> Result<u64> {
    let (mut first, mut last) = (u64::MAX, 0);
    for block in blocks.iter().filter(|block| block.name == b"EventBlock" && !block.rundown) {
        events(block.payload, |event, _| {
            first = first.min(event.ticks);
            last = last.max(event.ticks);
        })?;
    }
    Ok(last.saturating_sub(first).saturating_add(1_000_000))
}

struct File<'a, W> {
    out: &'a mut W,
    written: u64,
    /// The number of each thread's last event so far.
    sequences: HashMap<u64, u32>,
}

impl<W: Write> File<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes a block, moved on in time.
    fn block(&mut self, block: &Block<'_>, shift: u64) -> Result<()> {
        let payload = match block.name {
            b"EventBlock" => moved_events(block.payload, shift, &mut self.sequences)?,
            b"SPBlock" => moved_point(block.payload, shift, &self.sequences)?,
            _ => block.payload.to_vec(),
        };
        let mut object = vec![5, 5, 1];
        object.extend_from_slice(&2u32.to_le_bytes());
        object.extend_from_slice(&0u32.to_le_bytes());
        object.extend_from_slice(&u32::try_from(block.name.len())?.to_le_bytes());
        object.extend_from_slice(block.name);
        object.push(6);
        object.extend_from_slice(&u32::try_from(payload.len())?.to_le_bytes());
        let padding = (4 - (self.written + object.len() as u64) % 4) % 4;
        object.extend(std::iter::repeat_n(0, usize::try_from(padding)?));
        self.put(&object)?;
        self.put(&payload)?;
        self.put(&[6])
    }
}

fn moved_events(payload: &[u8], shift: u64, sequences: &mut HashMap<u64, u32>) -> Result<Vec<u8>> {
    let size = Cursor::new(payload, 0).u16("HeaderSize")?;
    let mut out = payload.get(..usize::from(size)).context("a block shorter than its header")?.to_vec();
    for at in [4, 12] {
        if let Some(place) = out.get_mut(at..at + 8) {
            let ticks = place.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            place.copy_from_slice(&ticks.wrapping_add(shift).to_le_bytes());
        }
    }
    let mut before = Header::default();
    events(payload, |event, body| {
        let sequence = sequences.entry(event.capture_thread).or_default();
        *sequence = sequence.wrapping_add(1);
        let moved = Header { sequence: *sequence, ticks: event.ticks.wrapping_add(shift), ..*event };
        moved.write(&before, &mut out);
        out.extend_from_slice(body);
        before = moved;
    })?;
    Ok(out)
}

fn moved_point(payload: &[u8], shift: u64, sequences: &HashMap<u64, u32>) -> Result<Vec<u8>> {
    let mut cursor = Cursor::new(payload, 0);
    let mut out = cursor.u64("TimeStamp")?.wrapping_add(shift).to_le_bytes().to_vec();
    let count = cursor.u32("ThreadCount")?;
    out.extend_from_slice(&count.to_le_bytes());
    for _ in 0..count {
        let thread = cursor.u64("ThreadId")?;
        cursor.u32("SequenceNumber")?;
        let sequence = sequences.get(&thread).copied().unwrap_or(0);
        out.extend_from_slice(&thread.to_le_bytes());
        out.extend_from_slice(&sequence.to_le_bytes());
    }
    Ok(out)
}
