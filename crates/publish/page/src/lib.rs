//! Evidence as pages: answers to the addresses of a site, or one file that needs no site.
//!
//! Every page is complete HTML that works without script; the state of a view is in its address. Script (`web/` in
//! the repository) adds zooming, selecting and completion. This crate speaks no HTTP: [`Pages::answer`] takes a path
//! with its parameters and returns a [`Reply`]. Crate `views` draws what is on a page; this crate puts it on pages.
//!
//! ```text
//! Evidence ─► Pages::new ─► a kind (trace/ …) declares: tabs, tables, explanation, time line
//!                                │
//! path, parameters ─► site ──────┴─► Ctx ─► the tab's body ─► frame: heading, tabs, time bar ─► HTML
//!                      └─► rows.csv, answer.csv, lanes.json, further addresses of the kind
//! ```
//!
//! Two invariants: everything outside a kind's folder works for every kind; and no text of the evidence becomes
//! markup or script.

mod assets;
mod bench;
mod frame;
mod kind;
mod load;
mod pages;
mod paths;
mod reply;
mod shorten;
mod site;
mod slots;
mod sqlpage;
mod summary;
mod tabletab;
#[cfg(test)]
mod tests;
mod timebar;
mod together;
mod tour;
mod trace;

pub use pages::{Error, Pages};
pub use reply::Reply;
pub use shorten::FILE_BYTES;
pub use together::Together;
pub use tour::Tour;
