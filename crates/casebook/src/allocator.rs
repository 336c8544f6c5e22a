//! The allocator of the static program.
//!
//! musl's has one lock for all threads and asks the kernel for each large piece: with it, reading takes a third more time.
//! jemalloc needs as much memory as glibc's allocator does; mimalloc was as fast, with a third more memory. What jemalloc does not
//! do is to move large pieces without copying them, which growing tables need: those are mapped here, as glibc does it.

#![expect(unsafe_code, reason = "an allocator hands out raw pointers")]

use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Pieces of this size and more are mapped. Smaller ones are freed and used again so often that clearing their pages takes longer
/// than copying them: with 1 MB, reading logs took 8 % longer than with 8 MB; with 32 MB, a large file 6 %.
const MAPPED: usize = 8 << 20;
/// The least alignment of what the kernel maps.
const PAGE: usize = 4096;

struct Allocator;

fn is_mapped(size: usize, align: usize) -> bool {
    size >= MAPPED && align <= PAGE
}

/// A pointer that the kernel returned; null without memory.
fn or_null(mapped: rustix::io::Result<*mut std::ffi::c_void>) -> *mut u8 {
    mapped.map_or(null_mut(), <*mut std::ffi::c_void>::cast)
}

// SAFETY: a piece comes from the kernel or from jemalloc, and by its size and alignment it goes back to where it came from.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout.size(), layout.align()) {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: the kernel chooses an address that nothing uses.
            return or_null(unsafe { mmap_anonymous(null_mut(), layout.size(), access, MapFlags::PRIVATE) });
        }
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout.size(), layout.align()) {
            // SAFETY: as the caller promises. What the kernel maps is zero.
            return unsafe { self.alloc(layout) };
        }
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_mapped(layout.size(), layout.align()) {
            // SAFETY: `alloc` or `realloc` mapped this place with this size. Unmapping it whole cannot fail.
            let unmapped = unsafe { munmap(place.cast(), layout.size()) };
            debug_assert!(unmapped.is_ok());
        } else {
            // SAFETY: as the caller promises.
            unsafe { Jemalloc.dealloc(place, layout) }
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (is_mapped(layout.size(), layout.align()), is_mapped(size, layout.align())) {
            (true, true) => {
                // SAFETY: `alloc` or `realloc` mapped this place with this size.
                or_null(unsafe { mremap(place.cast(), layout.size(), size, MremapFlags::MAYMOVE) })
            }
            // SAFETY: as the caller promises.
            (false, false) => unsafe { Jemalloc.realloc(place, layout, size) },
            (is_large, _) => {
                // SAFETY: as the caller promises, `size` is not 0 and, rounded up to the alignment, at most `isize::MAX`.
                unsafe {
                    let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(place, if is_large { size } else { layout.size() });
                        self.dealloc(place, layout);
                    }
                    moved
                }
            }
        }
    }
}
