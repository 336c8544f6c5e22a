//! Event headers: three layouts, two of which have a compressed form.
//!
//! A compressed header holds only what differs from the header before it in the same block. So the headers of a block are
//! read in order, each over the one before, into one [`EventHeader`].

use base::bytes::{Cursor, ReadError};

/// The header of an event, with the ids that the trace uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EventHeader {
    pub(crate) metadata_id: u32,
    pub(crate) sequence: u32,
    /// Before version 6 the operating system's thread id; from version 6 on the index of a row of a thread block.
    pub(crate) thread: u64,
    pub(crate) capture_thread: u64,
    pub(crate) stack_id: u32,
    pub(crate) ticks: i64,
    pub(crate) label_list: u32,
    pub(crate) activity: [u8; 16],
    pub(crate) related: [u8; 16],
    /// Whether no later event in the file is earlier in time.
    pub(crate) sorted: bool,
    pub(crate) payload_size: u32,
    /// Bytes behind the payload that belong to the event: a stack (version 3) or padding.
    pub(crate) trailing: u32,
    /// The groups of fields that this header sets, as bits of [`flag`].
    pub(crate) changed: u8,
}

/// Bits of a compressed header's first byte.
pub(crate) mod flag {
    pub(crate) const METADATA_ID: u8 = 1;
    pub(crate) const CAPTURE_THREAD_AND_SEQUENCE: u8 = 2;
    pub(crate) const THREAD: u8 = 4;
    pub(crate) const STACK: u8 = 8;
    /// Versions 4 and 5.
    pub(crate) const ACTIVITY: u8 = 16;
    /// Version 6.
    pub(crate) const LABEL_LIST: u8 = 16;
    /// Versions 4 and 5.
    pub(crate) const RELATED_ACTIVITY: u8 = 32;
    pub(crate) const SORTED: u8 = 64;
    pub(crate) const PAYLOAD_SIZE: u8 = 128;
}

/// How a block's headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeaderLayout {
    pub(crate) version: u32,
    pub(crate) compressed: bool,
}

impl EventHeader {
    /// Reads the next header over this one.
    #[inline]
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>, layout: HeaderLayout) -> Result<(), ReadError> {
        if layout.compressed {
            self.read_compressed(cursor, layout.version >= 6)
        } else if layout.version >= 6 {
            self.read_v6(cursor)
        } else {
            self.read_v4(cursor)
        }
    }

    #[inline]
    fn read_compressed(&mut self, cursor: &mut Cursor<'_>, v6: bool) -> Result<(), ReadError> {
        let flags = cursor.u8("event header flags")?;
        self.changed = flags;
        if flags & flag::METADATA_ID != 0 {
            self.metadata_id = cursor.varu32("MetadataId")?;
        }
        if flags & flag::CAPTURE_THREAD_AND_SEQUENCE != 0 {
            let step = cursor.varu32("SequenceNumber")?;
            self.sequence = self.sequence.wrapping_add(step).wrapping_add(1);
            self.capture_thread = cursor.varu64("CaptureThread")?;
            cursor.varu32("ProcessorNumber")?;
        } else if self.metadata_id != 0 {
            self.sequence = self.sequence.wrapping_add(1);
        }
        if flags & flag::THREAD != 0 {
            self.thread = cursor.varu64("Thread")?;
        }
        if flags & flag::STACK != 0 {
            self.stack_id = cursor.varu32("StackId")?;
        }
        // The writer does not sort, so the difference may be negative: it is then written as one that wraps.
        self.ticks = self.ticks.wrapping_add(cursor.varu64("TimeStamp")?.cast_signed());
        if v6 {
            if flags & flag::LABEL_LIST != 0 {
                self.label_list = cursor.varu32("LabelListId")?;
            }
        } else {
            if flags & flag::ACTIVITY != 0 {
                self.activity = cursor.guid("ActivityId")?;
            }
            if flags & flag::RELATED_ACTIVITY != 0 {
                self.related = cursor.guid("RelatedActivityId")?;
            }
        }
        self.sorted = flags & flag::SORTED != 0;
        if flags & flag::PAYLOAD_SIZE != 0 {
            self.payload_size = cursor.varu32("PayloadSize")?;
        }
        Ok(())
    }

    fn read_v4(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        self.read_fixed_start(cursor)?;
        self.activity = cursor.guid("ActivityId")?;
        self.related = cursor.guid("RelatedActivityId")?;
        self.payload_size = cursor.u32("PayloadSize")?;
        self.set_trailing(76);
        Ok(())
    }

    fn read_v6(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        self.read_fixed_start(cursor)?;
        self.label_list = cursor.u32("LabelListId")?;
        self.payload_size = cursor.u32("PayloadSize")?;
        self.set_trailing(48);
        Ok(())
    }

    fn read_fixed_start(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        self.changed = u8::MAX;
        // Until the payload's size is read, `trailing` holds the whole event's.
        self.trailing = cursor.u32("EventSize")?;
        let id = cursor.u32("MetadataId")?;
        self.metadata_id = id & 0x7fff_ffff;
        self.sorted = id & 0x8000_0000 == 0;
        self.sequence = cursor.u32("SequenceNumber")?;
        self.thread = cursor.u64("Thread")?;
        self.capture_thread = cursor.u64("CaptureThread")?;
        cursor.u32("ProcessorNumber")?;
        self.stack_id = cursor.u32("StackId")?;
        self.ticks = cursor.i64("TimeStamp")?;
        Ok(())
    }

    /// Computes the padding behind the payload from the event's size. The size does not count its own field, and some writers
    /// leave out more: if it is too small for the payload, there is no padding.
    fn set_trailing(&mut self, header_len: u32) {
        self.trailing = self.trailing.saturating_sub(header_len).saturating_sub(self.payload_size).min(3);
    }

    /// Reads a version 3 header: of fixed size, without a sequence number, followed by the payload and then the stack.
    pub(crate) fn read_v3(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let size = cursor.u32("EventSize")?;
        self.metadata_id = cursor.u32("MetaDataId")?;
        self.thread = u64::from(cursor.u32("ThreadId")?);
        self.ticks = cursor.i64("TimeStamp")?;
        self.activity = cursor.guid("ActivityID")?;
        self.related = cursor.guid("RelatedActivityID")?;
        self.payload_size = cursor.u32("PayloadSize")?;
        self.trailing = size.saturating_sub(52).saturating_sub(self.payload_size);
        Ok(())
    }
}
