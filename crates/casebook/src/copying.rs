//! `memcpy`, `memmove` and `memcmp` of the static program.
//!
//! musl copies even a few bytes with `rep movsq`, which takes 50 ns to begin on CPUs of today. Names of methods are put
//! together from such pieces, so reading a recording took a fifth more time than with glibc. Short copies here are a few
//! unaligned loads, then as many stores, as in most libraries of C; long ones are a loop, and very long ones `rep movsq` again.
//!
//! musl compares byte by byte, which takes several times as long as pieces of 16 bytes.
//!
//! Nothing here may compile to a call of these functions. LLVM makes none out of loops in a function of that name, and builds without
//! optimisation keep musl's functions.

#![expect(unsafe_code, reason = "functions of the C library take raw pointers")]
#![expect(clippy::inline_always, reason = "a call would take longer than the copy")]

use std::arch::asm;
use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_storeu_si128};

/// A line of the CPU's cache, in bytes: what a loop copies at a time.
const LINE: usize = 64;
/// From here on the beginning of `rep movsq` no longer matters.
const VERY_LONG: usize = 2048;

/// Copies `len` bytes between places that do not overlap. Returns `to`.
///
/// # Safety
///
/// Both places have `len` bytes, and they do not overlap.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: as the caller promises; each branch stays within `len` bytes.
    unsafe {
        match len {
            0..=128 => short(to, from, len),
            129..VERY_LONG => forward(to, from, len),
            VERY_LONG.. => {
                let tail = from.add(len - 8).cast::<u64>().read_unaligned();
                asm!("rep movsq", inout("rcx") len / 8 => _, inout("rdi") to => _, inout("rsi") from => _,
                     options(nostack, preserves_flags));
                to.add(len - 8).cast::<u64>().write_unaligned(tail);
            }
        }
    }
    to
}

/// Copies `len` bytes between places that may overlap. Returns `to`.
///
/// # Safety
///
/// Both places have `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: as the caller promises. `short` loads everything before it stores; the loops go away from the overlap.
    unsafe {
        if len <= 128 {
            short(to, from, len);
        } else if to.addr().wrapping_sub(from.addr()) >= len {
            // `to` is before `from`, or behind its end.
            forward(to, from, len);
        } else {
            backward(to, from, len);
        }
    }
    to
}

/// Compares `len` bytes: less than 0, 0 or more than 0, as the first byte that differs says.
///
/// # Safety
///
/// Both places have `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: as the caller promises; no piece reaches beyond `len` bytes.
    unsafe {
        match len {
            16.. => {
                let last = len - 16;
                let mut at = 0;
                while at < last {
                    if let Some(order) = differ(left.add(at), right.add(at)) {
                        return order;
                    }
                    at += 16;
                }
                // What was compared already is equal.
                differ(left.add(last), right.add(last)).unwrap_or(0)
            }
            8..=15 => {
                let word = |of: *const u8, at| u64::from_be(of.add(at).cast::<u64>().read_unaligned());
                let at = |at| word(left, at).cmp(&word(right, at));
                at(0).then(at(len - 8)) as i32
            }
            4..=7 => {
                let word = |of: *const u8, at| u32::from_be(of.add(at).cast::<u32>().read_unaligned());
                let at = |at| word(left, at).cmp(&word(right, at));
                at(0).then(at(len - 4)) as i32
            }
            0..=3 => {
                for at in 0..len {
                    let (one, other) = (left.add(at).read(), right.add(at).read());
                    if one != other {
                        return i32::from(one) - i32::from(other);
                    }
                }
                0
            }
        }
    }
}

/// Compares 16 bytes. `None` if they are equal.
#[inline(always)]
unsafe fn differ(left: *const u8, right: *const u8) -> Option<i32> {
    // SAFETY: the caller's places have 16 bytes.
    unsafe {
        let equal = _mm_movemask_epi8(_mm_cmpeq_epi8(load(left), load(right)));
        // One bit per byte.
        (equal != 0xffff).then(|| {
            let at = equal.trailing_ones() as usize;
            i32::from(left.add(at).read()) - i32::from(right.add(at).read())
        })
    }
}

/// The same as [`memcmp`]; for this function, only whether the result is 0 matters.
///
/// # Safety
///
/// Both places have `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { memcmp(left, right, len) }
}

/// Copies up to 128 bytes. All of them are loaded before any is stored, so the places may overlap.
///
/// Pieces at both ends overlap in the middle, so that no length needs a loop.
#[inline(always)]
unsafe fn short(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's places have `len` bytes, and no piece is longer than `len`.
    unsafe {
        match len {
            0 => {}
            1 => to.write(from.read()),
            2..=3 => both_ends::<u16>(to, from, len),
            4..=7 => both_ends::<u32>(to, from, len),
            8..=15 => both_ends::<u64>(to, from, len),
            16..=32 => {
                let (first, end) = (load(from), load(from.add(len - 16)));
                store(to, first);
                store(to.add(len - 16), end);
            }
            33..=64 => {
                let last = len - 32;
                let (a, b) = (load(from), load(from.add(16)));
                let (c, d) = (load(from.add(last)), load(from.add(last + 16)));
                store(to, a);
                store(to.add(16), b);
                store(to.add(last), c);
                store(to.add(last + 16), d);
            }
            _ => {
                let (first, end) = (load_line(from), load_line(from.add(len - LINE)));
                store_line(to, first);
                store_line(to.add(len - LINE), end);
            }
        }
    }
}

/// Copies a piece at the beginning and one at the end, which may overlap.
#[inline(always)]
unsafe fn both_ends<P>(to: *mut u8, from: *const u8, len: usize) {
    let last = len.wrapping_sub(size_of::<P>());
    // SAFETY: the caller's places have `len` bytes, which are at least one piece.
    unsafe {
        let (first, end) = (from.cast::<P>().read_unaligned(), from.add(last).cast::<P>().read_unaligned());
        to.cast::<P>().write_unaligned(first);
        to.add(last).cast::<P>().write_unaligned(end);
    }
}

#[inline(always)]
unsafe fn load(from: *const u8) -> __m128i {
    // SAFETY: the caller's place has 16 bytes.
    unsafe { _mm_loadu_si128(from.cast()) }
}

#[inline(always)]
unsafe fn store(to: *mut u8, piece: __m128i) {
    // SAFETY: the caller's place has 16 bytes.
    unsafe { _mm_storeu_si128(to.cast(), piece) }
}

#[inline(always)]
unsafe fn load_line(from: *const u8) -> [__m128i; 4] {
    // SAFETY: the caller's place has a line.
    unsafe { [load(from), load(from.add(16)), load(from.add(32)), load(from.add(48))] }
}

#[inline(always)]
unsafe fn store_line(to: *mut u8, line: [__m128i; 4]) {
    let [a, b, c, d] = line;
    // SAFETY: the caller's place has a line.
    unsafe {
        store(to, a);
        store(to.add(16), b);
        store(to.add(32), c);
        store(to.add(48), d);
    }
}

/// Copies a line or more from the beginning to the end. `to` may overlap `from` if it is before it.
#[inline(always)]
unsafe fn forward(to: *mut u8, from: *const u8, len: usize) {
    let last = len - LINE;
    // SAFETY: no line begins behind `last`. The last one is loaded before a store can change it.
    unsafe {
        let end = load_line(from.add(last));
        let mut at = 0;
        while at < last {
            let line = load_line(from.add(at));
            store_line(to.add(at), line);
            at += LINE;
        }
        store_line(to.add(last), end);
    }
}

/// Copies a line or more from the end to the beginning. `to` may overlap `from` if it is behind it.
#[inline(always)]
unsafe fn backward(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: no line begins before the place. The first one is loaded before a store can change it.
    unsafe {
        let first = load_line(from);
        let mut end = len;
        while end > LINE {
            end -= LINE;
            let line = load_line(from.add(end));
            store_line(to.add(end), line);
        }
        store_line(to, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ from their neighbours, so that a shifted copy shows.
    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at * 7 + at / 256) % 251).unwrap()).collect()
    }

    #[test]
    fn every_length_and_alignment_is_copied_and_nothing_beside_it() {
        for len in (0..300).chain([1023, 1024, 2047, 2048, 2049, 4093, 70_001]) {
            for (offset, skew) in [(0, 0), (1, 0), (0, 3), (7, 9), (15, 16)] {
                let from = pattern(offset + len);
                let mut to = vec![0xee; skew + len + 1];
                // SAFETY: both places have `len` bytes.
                unsafe { memcpy(to.as_mut_ptr().add(skew), from.as_ptr().add(offset), len) };
                assert_eq!(to[skew..skew + len], from[offset..], "{len} bytes");
                assert!(to[..skew].iter().chain(&to[skew + len..]).all(|byte| *byte == 0xee), "{len} bytes");
            }
        }
    }

    /// Moves bytes by a distance, back or forth.
    fn check_move(len: usize, distance: usize, from: usize) {
        let mut bytes = pattern(len + distance);
        let to = distance - from;
        let expected = bytes[from..from + len].to_vec();
        // SAFETY: both places are within the bytes.
        unsafe { memmove(bytes.as_mut_ptr().add(to), bytes.as_ptr().add(from), len) };
        assert_eq!(bytes[to..to + len], expected, "{len} bytes by {distance}");
    }

    #[test]
    fn overlapping_places_are_moved_in_both_directions() {
        for len in (0..300).chain([1023, 2048, 4093]) {
            for distance in (0..140).chain([500, 4096]) {
                check_move(len, distance, 0);
                check_move(len, distance, distance);
            }
        }
    }

    /// Compares bytes with a copy of them in which one byte is changed, and a later one.
    fn check_order(left: &[u8], skew: usize, at: usize, change: u8) {
        let mut right = left.to_vec();
        right[at] ^= change;
        *right.last_mut().unwrap() ^= 1;
        let len = left.len() - skew;
        // SAFETY: both places have `len` bytes.
        let (order, differ) = unsafe {
            let (left, right) = (left.as_ptr().add(skew), right.as_ptr().add(skew));
            (memcmp(left, right, len), bcmp(left, right, len))
        };
        assert_eq!(order.signum(), left[skew..].cmp(&right[skew..]) as i32, "byte {at} of {len}");
        assert_eq!(order == 0, differ == 0);
    }

    #[test]
    fn bytes_are_ordered_by_the_first_that_differs() {
        for len in 1..100 {
            for skew in [0, 1, 7] {
                let left = pattern(skew + len);
                for at in skew..skew + len {
                    check_order(&left, skew, at, 1);
                    check_order(&left, skew, at, 0x80);
                }
            }
        }
        // The last byte is changed twice, so that all are equal.
        check_order(b"equal", 0, 4, 1);
        // SAFETY: no byte is read.
        assert_eq!(unsafe { memcmp(b"a".as_ptr(), b"b".as_ptr(), 0) }, 0);
    }
}
