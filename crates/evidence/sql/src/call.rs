//! Our functions as SQLite calls them.
//!
//! A function is plain Rust: it reads the arguments of its [`Call`] and gives an [`Outcome`]. rusqlite's own way for this has
//! no access to a number as the text that SQLite makes of it, which `like` and `replace` need.
#![allow(unsafe_code, reason = "SQLite calls C functions, with pointers to its values")]

use crate::limits::{LOOK_AT_CLOCK, Paused, is_over};
use base::number::wide;
use rusqlite::{Connection, Result, ffi};
use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::panic::catch_unwind;
use std::slice;

/// A function of SQL.
pub(crate) type Function = fn(&Call<'_>) -> Outcome;

/// What a function gives.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Null,
    Int(i64),
    /// Null if it is not a number.
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
    /// A text that other functions take for JSON, not for a string.
    Json(Vec<u8>),
    /// An error with its text.
    Error(String),
    /// The result is longer than a value may be.
    TooLong,
    /// The time of the query is over.
    Stopped,
    /// SQLite has no memory for an argument.
    NoMemory,
}

/// What type a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Null,
    Number,
    Text,
    Blob,
}

/// A number as SQLite has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Real(f64),
}

/// One call of a function.
pub(crate) struct Call<'a> {
    context: *mut ffi::sqlite3_context,
    arguments: &'a [*mut ffi::sqlite3_value],
    /// The values are this thread's, and gone after the call.
    of: PhantomData<*mut ()>,
}

impl Call<'_> {
    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// The type of an argument; that of one which is not there is null.
    pub(crate) fn kind(&self, at: usize) -> Type {
        let Some(value) = self.arguments.get(at) else { return Type::Null };
        // SAFETY: SQLite's arguments are valid for as long as the call.
        match unsafe { ffi::sqlite3_value_type(*value) } {
            ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT => Type::Number,
            ffi::SQLITE_TEXT => Type::Text,
            ffi::SQLITE_BLOB => Type::Blob,
            _ => Type::Null,
        }
    }

    /// The bytes of an argument: a number as SQLite prints it, a blob as it is. The outcome of the call if it is null, if
    /// there is no memory for it, or if it is long and the time of the query is over.
    pub(crate) fn bytes(&self, at: usize) -> std::result::Result<&[u8], Outcome> {
        let kind = self.kind(at);
        let Some(value) = self.arguments.get(at).filter(|_| kind != Type::Null) else {
            return Err(Outcome::Null);
        };
        // SAFETY: SQLite's arguments are valid for as long as the call, and so is what it says are their bytes: nothing
        // here asks for a value in another form afterwards, which could move them.
        unsafe {
            let bytes = match kind {
                Type::Blob => ffi::sqlite3_value_blob(*value).cast::<u8>(),
                _ => ffi::sqlite3_value_text(*value),
            };
            // SQLite returns no negative length.
            let len = usize::try_from(ffi::sqlite3_value_bytes(*value)).unwrap_or(0);
            if len >= LOOK_AT_CLOCK && is_over() {
                return Err(Outcome::Stopped);
            }
            match (bytes.is_null(), len) {
                (false, len) => Ok(slice::from_raw_parts(bytes, len)),
                (true, 0) if kind == Type::Blob => Ok(&[]),
                (true, _) => Err(Outcome::NoMemory),
            }
        }
    }

    /// An argument that is a number, or a text that reads as one. `None` for every other.
    pub(crate) fn number(&self, at: usize) -> Option<Number> {
        let value = self.arguments.get(at)?;
        // SAFETY: SQLite's arguments are valid for as long as the call. No bytes of a text are held, which looking at it as
        // a number could move: `bytes` borrows this call, and no function asks for both forms of an argument.
        unsafe {
            match ffi::sqlite3_value_numeric_type(*value) {
                ffi::SQLITE_INTEGER => Some(Number::Int(ffi::sqlite3_value_int64(*value))),
                ffi::SQLITE_FLOAT => Some(Number::Real(ffi::sqlite3_value_double(*value))),
                _ => None,
            }
        }
    }

    /// The longest value that there may be, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.limit(ffi::SQLITE_LIMIT_LENGTH)
    }

    /// One of SQLite's limits of this connection.
    pub(crate) fn limit(&self, which: c_int) -> usize {
        // SAFETY: the context is valid for as long as the call; -1 only asks.
        let limit = unsafe { ffi::sqlite3_limit(ffi::sqlite3_context_db_handle(self.context), which, -1) };
        // A negative limit does not exist, so nothing passes it.
        usize::try_from(limit).unwrap_or(0)
    }
}

/// The type of a text that is JSON, among SQLite's functions.
const JSON: u32 = 74;

/// Makes a function known, in the place of one that SQLite has under this name and number of arguments.
pub(crate) fn define(
    connection: &Connection,
    name: &'static CStr,
    arguments: c_int,
    function: Function,
) -> Result<()> {
    let flags =
        ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS | ffi::SQLITE_RESULT_SUBTYPE;
    // SAFETY: the handle is that of an open connection, the name ends with a zero, and the function's address, which
    // `call` turns back, is valid for as long as the program.
    let code = unsafe {
        ffi::sqlite3_create_function_v2(
            connection.handle(),
            name.as_ptr(),
            arguments,
            flags,
            function as *mut c_void,
            Some(call),
            None,
            None,
            None,
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

unsafe extern "C" fn call(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    arguments: *mut *mut ffi::sqlite3_value,
) {
    // SQLite passes no negative count.
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: SQLite passes so many arguments, and as user data what `define` gave it: a `Function`. Without arguments the
    // pointer may be null.
    let (function, arguments) = unsafe {
        let function: Function = std::mem::transmute(ffi::sqlite3_user_data(context));
        let arguments = if count == 0 { &[] } else { slice::from_raw_parts(arguments.cast_const(), count) };
        (function, arguments)
    };
    let outcome = catch_unwind(|| {
        let _paused = Paused::begin();
        function(&Call { context, arguments, of: PhantomData })
    });
    let outcome = outcome.unwrap_or_else(|_| Outcome::Error("a function of Casebook has a fault".to_owned()));
    // SAFETY: the context is valid for as long as the call. SQLite copies the bytes, and tells by itself if they are too
    // many.
    unsafe {
        let text = |text: &[u8]| {
            let len = wide(text.len());
            let (bytes, encoding) = (text.as_ptr().cast(), ffi::SQLITE_UTF8.unsigned_abs());
            let encoding = u8::try_from(encoding).unwrap_or(1);
            ffi::sqlite3_result_text64(context, bytes, len, ffi::SQLITE_TRANSIENT(), encoding);
        };
        match outcome {
            Outcome::Null => ffi::sqlite3_result_null(context),
            Outcome::Int(value) => ffi::sqlite3_result_int64(context, value),
            Outcome::Real(value) => ffi::sqlite3_result_double(context, value),
            Outcome::Text(bytes) => text(&bytes),
            Outcome::Json(bytes) => {
                text(&bytes);
                ffi::sqlite3_result_subtype(context, JSON);
            }
            Outcome::Blob(bytes) => {
                let len = wide(bytes.len());
                ffi::sqlite3_result_blob64(context, bytes.as_ptr().cast(), len, ffi::SQLITE_TRANSIENT());
            }
            Outcome::Error(message) => {
                // Our messages are short.
                let len = c_int::try_from(message.len()).unwrap_or(0);
                ffi::sqlite3_result_error(context, message.as_ptr().cast(), len);
            }
            Outcome::TooLong => ffi::sqlite3_result_error_toobig(context),
            Outcome::Stopped => ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERRUPT),
            Outcome::NoMemory => ffi::sqlite3_result_error_nomem(context),
        }
    }
}
