//! `json_patch`, with a limit on the size of its arguments.

use crate::call::{Call, Outcome, Type};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::cell::RefCell;

/// The most work of a patch: its bytes times the bytes of what it makes. SQLite looks for each member of the patch among
/// all that the target has by then, and cannot be stopped meanwhile.
const MAX_WORK: usize = 10_000_000_000;

thread_local! {
    /// SQLite's own function.
    static OWN: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// `json_patch(X, Y)`.
pub(super) fn patch(call: &Call<'_>) -> Outcome {
    patched(call, "select json_patch(?1, ?2)").unwrap_or_else(|outcome| outcome)
}

/// `jsonb_patch(X, Y)`.
pub(super) fn patch_binary(call: &Call<'_>) -> Outcome {
    patched(call, "select jsonb_patch(?1, ?2)").unwrap_or_else(|outcome| outcome)
}

fn patched(call: &Call<'_>, sql: &str) -> Result<Outcome, Outcome> {
    let bytes = |at| match call.bytes(at) {
        Err(Outcome::Null) => Ok(None),
        other => other.map(Some),
    };
    let (target, patch) = (bytes(0)?, bytes(1)?);
    let [target_len, patch_len] = [target, patch].map(|of| of.map_or(0, <[u8]>::len));
    if patch_len.saturating_mul(target_len.saturating_add(patch_len)) > MAX_WORK {
        let message = "json_patch: the documents are too long, SQLite would take minutes; take parts of them";
        return Err(Outcome::Error(message.to_owned()));
    }
    let value = |at: usize, bytes: Option<_>| match (bytes, call.kind(at)) {
        (None, _) => ValueRef::Null,
        (Some(bytes), Type::Blob) => ValueRef::Blob(bytes),
        (Some(bytes), _) => ValueRef::Text(bytes),
    };
    OWN.with_borrow_mut(|own| {
        let failed = |error: rusqlite::Error| match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => Outcome::Error(message),
            other => Outcome::Error(other.to_string()),
        };
        let own = match own {
            Some(own) => own,
            none => none.insert(Connection::open_in_memory().map_err(failed)?),
        };
        let mut statement = own.prepare(sql).map_err(failed)?;
        let values = [value(0, target), value(1, patch)].map(rusqlite::types::ToSqlOutput::Borrowed);
        let outcome = |row: &Row<'_>| {
            Ok(match row.get_ref(0)? {
                ValueRef::Text(text) => Outcome::Json(text.to_vec()),
                ValueRef::Blob(blob) => Outcome::Blob(blob.to_vec()),
                _ => Outcome::Null,
            })
        };
        statement.query_row(values, outcome).map_err(failed)
    })
}
