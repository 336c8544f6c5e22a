//! Values as text: what the program prints for people, in Markdown, and the JSON documents of `explain` and `diff`.
//!
//! One module per kind of output; each takes plain values and returns a string or a JSON value. Nothing here opens a
//! file, reads a clock, asks for the terminal's size or prints: the caller passes a [`Width`]. Colours are escape sequences in the text; whoever
//! prints it removes them if they are not wanted.
//!
//! Names come from recordings and running processes, so anyone may have written them: every text passes through
//! [`printable`] before it becomes part of a page.

pub mod capacity;
pub mod counters;
pub mod diff;
pub mod explain;
pub mod exported;
pub mod guide;
pub mod help;
pub mod load;
mod markup;
pub mod meanwhile;
mod page;
mod process;
pub mod processes;
pub mod progress;
pub mod recorded;
pub mod settings;
mod sparkline;
pub mod stacks;
pub mod tables;
pub mod topics;
mod width;

pub use page::printable;
pub use process::Process;
pub use width::Width;
