//! What a run costs: memory that is held at once, and calls for memory, both in proportion to the input.
//!
//! A run that costs more ends the process, so that libFuzzer keeps its input: a small input that takes much is found without
//! its having to fill the machine. Calls for memory stand for steps where nothing else counts them; a loop over nothing is
//! found by `-timeout`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a run may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that may be held at once, whatever the input: tables, and what is made once.
    pub bytes: usize,
    /// Bytes more for each byte of the input.
    pub bytes_per_byte: usize,
    /// Calls for memory, whatever the input.
    pub calls: usize,
    /// Calls more for each byte of the input.
    pub calls_per_byte: usize,
}

impl Limits {
    /// Those of readers: 64 MB and 300 bytes a byte. Real recordings take 5 to 20.
    pub const READER: Self =
        Self { bytes: 64 << 20, bytes_per_byte: 300, calls: 200_000, calls_per_byte: 100 };
    /// Those of whatever unpacks: a packed file may always unpack to 64 MB.
    pub const UNPACKER: Self = Self { bytes: 512 << 20, calls: 20_000_000, ..Self::READER };
}

static HELD: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static MAX_HELD: AtomicUsize = AtomicUsize::new(usize::MAX);
static MAX_CALLS: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system's memory, counted.
#[derive(Debug)]
pub struct Meter;

#[global_allocator]
static METER: Meter = Meter;

impl Meter {
    fn took(bytes: usize) {
        let held = HELD.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        let calls = CALLS.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // A count below nothing is that of memory from before the run.
        if held > MAX_HELD.load(Ordering::Relaxed) && held < usize::MAX / 2 {
            give_up(b"\nfuzz: the run holds more memory than its input allows\n");
        }
        if calls > MAX_CALLS.load(Ordering::Relaxed) {
            give_up(b"\nfuzz: the run calls for memory more often than its input allows\n");
        }
    }
}

fn give_up(text: &[u8]) -> ! {
    MAX_HELD.store(usize::MAX, Ordering::Relaxed);
    MAX_CALLS.store(usize::MAX, Ordering::Relaxed);
    let _nowhere_to_say_it = std::io::stderr().write_all(text);
    std::process::abort()
}

// SAFETY: every call goes to the system's allocator as it is; counting takes no memory.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::took(layout.size());
        // SAFETY: the caller's promise holds for the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::took(size.wrapping_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Runs with an input of so many bytes, within limits.
pub fn within<T>(limits: Limits, input: usize, run: impl FnOnce() -> T) -> T {
    let held = HELD.load(Ordering::Relaxed);
    let bytes = limits.bytes.saturating_add(limits.bytes_per_byte.saturating_mul(input));
    let calls = limits.calls.saturating_add(limits.calls_per_byte.saturating_mul(input));
    CALLS.store(0, Ordering::Relaxed);
    MAX_HELD.store(held.saturating_add(bytes), Ordering::Relaxed);
    MAX_CALLS.store(calls, Ordering::Relaxed);
    let done = run();
    MAX_HELD.store(usize::MAX, Ordering::Relaxed);
    MAX_CALLS.store(usize::MAX, Ordering::Relaxed);
    done
}
