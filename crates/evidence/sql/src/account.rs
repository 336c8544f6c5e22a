//! Where SQLite gets memory and temporary files: through the account of the query that asks for them.
//!
//! SQLite's own allocator and its own file system do the work. In front of the allocator stand three functions that ask
//! [`crate::limits`] first; of an opened file the functions that write, truncate and close are exchanged for ones that
//! count its size. SQLite takes an allocator only before it is used for the first time, hence [`install`].
#![allow(unsafe_code, reason = "SQLite takes its allocator and its file system as C functions")]

use crate::limits;
use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

/// The name under which connections ask for the file system that counts.
pub(crate) const VFS: &CStr = c"casebook";

/// Puts the accounts in front of SQLite's allocator and file system, once. Whether they are there.
pub(crate) fn install() -> bool {
    static DONE: OnceLock<bool> = OnceLock::new();
    *DONE.get_or_init(|| install_allocator() && install_files())
}

/// What we use of SQLite's own allocator.
struct Allocator {
    malloc: unsafe extern "C" fn(c_int) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    realloc: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
    size: unsafe extern "C" fn(*mut c_void) -> c_int,
}

static ALLOCATOR: OnceLock<Allocator> = OnceLock::new();
/// SQLite's own file system.
static FILES: OnceLock<Files> = OnceLock::new();

struct Files {
    vfs: *mut ffi::sqlite3_vfs,
    /// Where [`Extra`] begins behind one of its files.
    extra: usize,
}

// SAFETY: SQLite's own file system is registered for as long as the program runs, may be used from any thread, and is
// only read here.
unsafe impl Send for Files {}
// SAFETY: as above.
unsafe impl Sync for Files {}

fn install_allocator() -> bool {
    let mut own = ffi::sqlite3_mem_methods {
        xMalloc: None,
        xFree: None,
        xRealloc: None,
        xSize: None,
        xRoundup: None,
        xInit: None,
        xShutdown: None,
        pAppData: ptr::null_mut(),
    };
    // SAFETY: the option takes a pointer to such a struct, which SQLite fills. It refuses once it is in use.
    if unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &raw mut own) } != ffi::SQLITE_OK {
        return false;
    }
    let mut ours =
        ffi::sqlite3_mem_methods { xMalloc: Some(malloc), xFree: Some(free), xRealloc: Some(realloc), ..own };
    let (Some(malloc_of), Some(free_of), Some(realloc_of), Some(size)) =
        (own.xMalloc, own.xFree, own.xRealloc, own.xSize)
    else {
        return false;
    };
    // The allocator must be known before SQLite asks ours for memory.
    let allocator = Allocator { malloc: malloc_of, free: free_of, realloc: realloc_of, size };
    if ALLOCATOR.set(allocator).is_err() {
        return false;
    }
    // SAFETY: SQLite copies the struct. Its functions are those of the allocator that it gave us, or call them.
    unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw mut ours) == ffi::SQLITE_OK }
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let Some(own) = ALLOCATOR.get() else { return ptr::null_mut() };
    // A size that is negative is refused like one that is too large.
    if !limits::may_have(usize::try_from(bytes).unwrap_or(usize::MAX)) {
        return ptr::null_mut();
    }
    // SAFETY: SQLite asks for what its own allocator may be asked for.
    unsafe {
        let got = (own.malloc)(bytes);
        limits::note(size(own, got));
        got
    }
}

unsafe extern "C" fn free(memory: *mut c_void) {
    let Some(own) = ALLOCATOR.get() else { return };
    // SAFETY: the memory is of the own allocator, for ours has none.
    unsafe {
        limits::note(size(own, memory).saturating_neg());
        (own.free)(memory);
    }
}

unsafe extern "C" fn realloc(memory: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(own) = ALLOCATOR.get() else { return ptr::null_mut() };
    // SAFETY: the memory is of the own allocator.
    let before = unsafe { size(own, memory) };
    let more = i64::from(bytes).saturating_sub(before);
    // It is positive, so it fits.
    if more > 0 && !limits::may_have(usize::try_from(more).unwrap_or(usize::MAX)) {
        return ptr::null_mut();
    }
    // SAFETY: as above. What was moved is not used any more.
    unsafe {
        let got = (own.realloc)(memory, bytes);
        if !got.is_null() {
            limits::note(size(own, got).saturating_sub(before));
        }
        got
    }
}

/// Bytes of memory that the allocator gave; 0 of none.
unsafe fn size(own: &Allocator, memory: *mut c_void) -> i64 {
    if memory.is_null() {
        return 0;
    }
    // SAFETY: the caller has the memory from this allocator.
    i64::from(unsafe { (own.size)(memory) })
}

/// What stands behind one of the file system's own files.
#[repr(C)]
struct Extra {
    /// The file's functions, with ours in the place of three.
    ours: ffi::sqlite3_io_methods,
    own: *const ffi::sqlite3_io_methods,
    /// Bytes that are counted for it.
    size: i64,
}

fn install_files() -> bool {
    // SAFETY: without a name it is the default one, which is never unregistered. It initializes SQLite.
    let vfs = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if vfs.is_null() {
        return false;
    }
    // SAFETY: it is there, and nobody writes it while it is registered.
    let own = unsafe { ptr::read(vfs) };
    let Ok(extra) = usize::try_from(own.szOsFile) else { return false };
    let extra = extra.next_multiple_of(align_of::<Extra>());
    let Ok(whole) = c_int::try_from(extra.saturating_add(size_of::<Extra>())) else { return false };
    if FILES.set(Files { vfs, extra }).is_err() {
        return false;
    }
    let ours = ffi::sqlite3_vfs {
        szOsFile: whole,
        pNext: ptr::null_mut(),
        zName: VFS.as_ptr(),
        xOpen: Some(open),
        ..own
    };
    // SQLite keeps the pointer for as long as the program runs.
    let ours = Box::leak(Box::new(ours));
    // SAFETY: it lives on, and everything in it but `open` is the default one's.
    unsafe { ffi::sqlite3_vfs_register(ours, 0) == ffi::SQLITE_OK }
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(files) = FILES.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite has reserved `szOsFile` bytes, which is room for a file of the own system and `Extra` behind it.
    unsafe {
        let Some(open) = (*files.vfs).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = open(files.vfs, name, file, flags, out_flags);
        let own = (*file).pMethods;
        if code != ffi::SQLITE_OK || own.is_null() {
            return code;
        }
        // Version 1 has no shared memory and no mapping, through which a file could grow past us.
        let ours = ffi::sqlite3_io_methods {
            iVersion: 1,
            xWrite: Some(write),
            xTruncate: Some(truncate),
            xClose: Some(close),
            ..ptr::read(own)
        };
        let extra = extra(file);
        ptr::write(extra, Extra { ours, own, size: 0 });
        (*file).pMethods = &raw const (*extra).ours;
        code
    }
}

/// What stands behind a file that `open` opened.
unsafe fn extra(file: *mut ffi::sqlite3_file) -> *mut Extra {
    let behind = FILES.get().map_or(0, |files| files.extra);
    // SAFETY: the caller's file is followed by it, at a place that is aligned for it.
    unsafe { file.cast::<u8>().add(behind).cast() }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: only files that `open` opened have this function.
    unsafe {
        let extra = extra(file);
        let more = offset.saturating_add(i64::from(amount)).saturating_sub((*extra).size).max(0);
        if !limits::take_disk(more) {
            return ffi::SQLITE_FULL;
        }
        (*extra).size = (*extra).size.saturating_add(more);
        (*(*extra).own).xWrite.map_or(ffi::SQLITE_IOERR, |write| write(file, bytes, amount, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: only files that `open` opened have this function.
    unsafe {
        let extra = extra(file);
        let less = (*extra).size.saturating_sub(size).max(0);
        limits::free_disk(less);
        (*extra).size = (*extra).size.saturating_sub(less);
        (*(*extra).own).xTruncate.map_or(ffi::SQLITE_IOERR, |truncate| truncate(file, size))
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: only files that `open` opened have this function.
    unsafe {
        let extra = extra(file);
        limits::free_disk((*extra).size);
        (*extra).size = 0;
        (*(*extra).own).xClose.map_or(ffi::SQLITE_IOERR, |close| close(file))
    }
}
