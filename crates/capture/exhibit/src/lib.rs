//! Evidence on disk: `exhibit.toml`, hashes, and files that appear only when they are complete.
//!
//! The program creates every file here, so that permissions, owners and links are handled in one place. This crate does not
//! know what any kind of evidence contains.
//!
//! - [`Folder`] creates, reads, replaces and removes files by their own names, through a handle of their folder.
//! - [`Place`] is a path that the user named for output, reached in a way that lets nobody exchange a part of it. [`Rules`]
//!   say which places are refused, who may read what is created, and whom it belongs to.
//! - [`Pending`] and [`PendingFolder`] get their name only once they are complete; [`write_whole`] and [`create_growing`]
//!   write where a user's path leads. All of them write through [`Limited`], which knows how large an output may be.
//! - [`Manifest`] is `exhibit.toml`, for writers and readers. [`preallocate`] reserves room on the disk for a file.
//! - [`Hashed`] hashes what passes through it, and [`check`] compares a listed file with the file on disk.
//!
//! Invariants: a file that is created did not exist before, and a link at its place is refused, never followed. A file is
//! replaced only by renaming a complete one over it, and nobody can guess the temporary name. Only regular files are read:
//! pipes and devices are never opened.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod budget;
mod check;
mod entry;
mod error;
mod escape;
mod folder;
mod group;
mod hash;
mod manifest;
mod pending;
mod place;
mod preallocate;
mod rules;
mod whole;

pub use budget::{Full, Limited, MAX_BYTES, Output, Space};
pub use check::{Check, check};
pub use entry::EntryKind;
pub use error::Error;
pub use folder::Folder;
pub use hash::{Hashed, Sum, sum};
pub use manifest::{FILE, FileEntry, MAX_FILES, Manifest, ManifestFile, ReadOutcome, SubjectEntry, read};
pub use pending::{Pending, PendingFolder, remove_unfinished, unfinished};
pub use place::Place;
pub use preallocate::{is_full, preallocate};
pub use rules::{Readers, Rules};
pub use whole::{create_growing, open_regular, same_file, write_whole};
