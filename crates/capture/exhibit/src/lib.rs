//! Evidence on disk: `exhibit.toml`, hashes, and files that appear whole.
//!
//! Every file that the program creates is created here, so that permissions, owners and links are decided in one place.
//! This crate does not know what any kind of evidence contains.
//!
//! - [`Folder`] creates, reads, replaces and removes files by their own names, through a handle of their folder.
//! - [`Place`] is a path that the user named for output, reached so that nobody can exchange a part of it; [`Rules`] say
//!   which places are refused, who may read what is created, and whom it belongs to.
//! - [`Pending`] and [`PendingFolder`] get their name only once they are complete; [`write_whole`] and [`create_growing`]
//!   write where a user's path leads. All of them write through [`Limited`], which knows how large an output may be.
//! - [`Exhibit`] is `exhibit.toml`, for writers and for readers; [`set_apart`] gives files room on the disk beforehand.
//! - [`Hashed`] hashes what passes through it, and [`check`] compares a listed file with the file on disk.
//!
//! Invariants: a file that is created did not exist before, and a link in its place is refused, never followed. A file is
//! replaced only by renaming a complete one over it, and nobody can guess the temporary name. What is read must be a
//! regular file: pipes and devices are never opened.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod apart;
mod check;
mod error;
mod escape;
mod folder;
mod group;
mod hash;
mod pending;
mod place;
mod provenance;
mod room;
mod rules;
mod whole;

pub use apart::{is_full, set_apart};
pub use check::{Check, check};
pub use error::Error;
pub use folder::Folder;
pub use hash::{Hashed, Sum, sum};
pub use pending::{Pending, PendingFolder, remove_unfinished, unfinished};
pub use place::{Kind, Place};
pub use provenance::{Exhibit, FILE, Listed, MOST_FILES, ReadOutcome, Roomy, Subject, read};
pub use room::{Full, Limited, MOST_BYTES, Output, Space};
pub use rules::{Readers, Rules};
pub use whole::{create_growing, open_regular, same_file, write_whole};
