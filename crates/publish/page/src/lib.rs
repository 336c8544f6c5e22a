//! A recording as a page: answers to the addresses of a site, or one file that needs no site.
//!
//! Every view is complete HTML that works without script; the state of a view is in its address. Script (`web/` of the
//! project) adds zooming, selecting and completion. Nothing here speaks HTTP: [`Pages::answer`] takes a path with its
//! parameters and gives a [`Reply`].
//!
//! ```text
//! path, parameters ─► Pages::answer ─┬─ summary, cards ─────────────┐
//!                                    ├─ stackview, tree, flame.json ┼─► page: heading, tabs, time bar ─► HTML
//!                                    └─ tabs, sqlpage ─► tables ────┘
//! ```
//!
//! The invariant: no text of a recording becomes markup or script. Texts pass through `maud`, which escapes them, or
//! through [`assets::data`], which makes JSON safe to stand in a page.

mod assets;
mod cards;
mod changes;
mod exhibit;
mod flame;
mod page;
mod params;
mod selection;
mod sqlpage;
mod stackview;
mod summary;
mod summed;
mod tables;
mod tabs;
#[cfg(test)]
mod tests;
mod timebar;
mod tour;
mod tree;
mod words;
mod works;

pub use exhibit::Exhibit;
pub use params::Params;
pub use tour::Tour;

use model::Trace;
use page::{Ctx, TABS, Tab};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that a page of one file has at most, unless the texts of its tables alone are longer.
pub const FILE_BYTES: usize = 5_000_000;

/// A recording's pages, beside another one where they are compared.
#[derive(Debug)]
pub struct Pages {
    pub(crate) here: Exhibit,
    pub(crate) against: Option<Exhibit>,
    pub(crate) diff: Option<report::Diff>,
    /// Readers' own queries that run now.
    queries: AtomicUsize,
    /// What there is to see, where the recording is one of a tour.
    pub(crate) about: Option<String>,
}

/// Readers' own queries that may run at a time.
const MOST_QUERIES: usize = 2;

/// A query that runs; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The answer to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it stays the same as long as the program does.
    pub is_asset: bool,
}

impl Reply {
    fn page(html: String) -> Self {
        Self {
            status: 200,
            content_type: "text/html; charset=utf-8",
            body: html.into_bytes(),
            is_asset: false,
        }
    }

    fn of(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), is_asset: false }
    }
}

impl Pages {
    /// The pages of a recording.
    pub fn new(recording: Arc<Trace>) -> Self {
        Self {
            here: Exhibit::new(recording),
            against: None,
            diff: None,
            about: None,
            queries: AtomicUsize::new(0),
        }
    }

    /// The pages of a recording that is compared with an earlier one.
    pub fn compared(recording: Arc<Trace>, earlier: Arc<Trace>) -> Self {
        let (here, against) = (Exhibit::new(recording), Exhibit::new(earlier));
        let diff = changes::diff_of(&against, &here);
        Self { here, against: Some(against), diff: Some(diff), about: None, queries: AtomicUsize::new(0) }
    }

    /// The recording that the pages are of.
    pub fn exhibit(&self) -> &Exhibit {
        &self.here
    }

    /// The addresses of the tabs that have anything.
    pub fn tabs(&self) -> impl Iterator<Item = &'static str> + '_ {
        TABS.iter().map(|tab| tab.path).filter(|path| self.has(path))
    }

    /// Whether there is anything on a tab.
    pub(crate) fn has(&self, path: &str) -> bool {
        let recording = &self.here.recording;
        let any = |names: &[&str]| {
            names.iter().any(|name| recording.table(name).is_some_and(|table| table.rows > 0))
        };
        match path {
            "/diff" => self.diff.is_some(),
            "/stacks" => !self.here.offers.is_empty(),
            "/gc" => any(&["gc", "pauses"]),
            "/allocations" => any(&["allocations"]),
            "/requests" => any(&["requests", "spans"]),
            "/locks" => any(&["contention", "waits", "samples"]),
            "/exceptions" => any(&["exceptions"]),
            "/jit" => any(&["jit"]),
            "/threads" => any(&["threads", "threadpool"]),
            "/logs" => any(&["logs"]),
            "/counters" => any(&["counters", "host"]),
            _ => true,
        }
    }

    /// Answers an address: a path, and its parameters decoded.
    pub fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        if path.starts_with("/assets/") {
            return assets::reply(path);
        }
        let params = Params::new(query);
        let ctx = Ctx { pages: self, params: &params, path, file: false };
        match path {
            "/flame.json" => self.flame_json(&ctx),
            "/lanes.json" => Reply::of(200, "application/json", timebar::json(&ctx).to_string()),
            "/rows.csv" => rows_csv(&ctx),
            "/answer.csv" => self.answer_csv(&ctx),
            _ => {
                if let Some((title, body)) = self.body(&ctx) {
                    return Reply::page(page::whole(&ctx, title, &body));
                }
                let body = maud::html! { p.error { "There is no such page." } p { a href="./" { "To the summary" } } };
                Reply { status: 404, ..Reply::page(page::whole(&ctx, "Not found", &body)) }
            }
        }
    }

    fn body(&self, ctx: &Ctx<'_>) -> Option<(&'static str, maud::Markup)> {
        if ctx.path == "/stack" {
            return Some(("Stack", tabs::one_stack(ctx)));
        }
        let tab = TABS.iter().find(|tab| tab.path == ctx.path && self.has(tab.path))?;
        let body = match tab.path {
            "/" => summary::summary(ctx),
            "/diff" => changes::changes(ctx),
            "/stacks" => stackview::stack_view(ctx),
            "/sql" => sqlpage::sql_page(ctx),
            path => tabs::tab(ctx, path),
        };
        Some((tab.title, body))
    }

    fn flame_json(&self, ctx: &Ctx<'_>) -> Reply {
        let Some(selection) = selection::Selection::of(self, ctx.params) else {
            return Reply::of(404, "application/json", "{\"error\":\"the recording has no stacks\"}");
        };
        let (profile, _) = selection.profile(self);
        let view = stacks::view(&profile, &selection.view);
        let json = flame::json(&profile, &view, selection.metric.unit());
        Reply::of(200, "application/json", json.to_string())
    }

    /// A turn for a reader's own query; none where as many run as may at a time, so that pages are always answered.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        let taken = Turn(&self.queries);
        (self.queries.fetch_add(1, Ordering::AcqRel) < MOST_QUERIES).then_some(taken)
    }

    fn answer_csv(&self, ctx: &Ctx<'_>) -> Reply {
        let Some(_turn) = self.turn() else {
            return Reply::of(503, "text/plain; charset=utf-8", sqlpage::BUSY);
        };
        csv_reply(tables::answer_csv(
            &self.here.recording,
            ctx.params.get("q").unwrap_or_default(),
            Some(sqlpage::CSV_ROWS),
        ))
    }

    /// The page as one file, that needs no server: summary, flame graphs, tables. It is made smaller until it has at
    /// most [`FILE_BYTES`], as far as that goes; what is not in it is said in it.
    pub fn file(&self) -> String {
        // Finer first: what is smaller than the least share of a picture is left out and counted.
        let attempts = [(0.0001, 20_000), (0.0005, 8_000), (0.001, 3_000), (0.003, 1_000), (0.01, 300)];
        let mut file = String::new();
        for (least_share, most_nodes) in attempts {
            file = self.file_with(least_share, most_nodes);
            if file.len() <= FILE_BYTES {
                break;
            }
        }
        file
    }

    fn file_with(&self, least_share: f64, most_nodes: usize) -> String {
        let params = Params::default();
        let of = |path| Ctx { pages: self, params: &params, path, file: true };
        let (flames, data) = tabs::stacks_in_file(&of("/stacks"), least_share, most_nodes);
        let mut sections: Vec<(Tab, maud::Markup)> = Vec::new();
        for tab in TABS.iter().filter(|tab| self.has(tab.path) && tab.path != "/sql") {
            let ctx = of(tab.path);
            let body = match tab.path {
                "/" => maud::html! {
                    (summary::headline(&self.here)) (timebar::lanes(&ctx)) (summary::summary(&ctx))
                },
                "/diff" => changes::changes(&ctx),
                "/stacks" => flames.clone(),
                path => tabs::tab(&ctx, path),
            };
            sections.push((*tab, body));
        }
        page::one_file(&of("/"), &sections, &data)
    }
}

fn rows_csv(ctx: &Ctx<'_>) -> Reply {
    let of = ctx.params.get("of").unwrap_or_default().to_owned();
    let id = ctx.params.get("table").unwrap_or_default();
    let specs = tabs::tables_of(ctx, &of);
    let Some(spec) = specs.iter().find(|spec| spec.id == id) else {
        return Reply::of(404, "text/plain; charset=utf-8", "there is no such table\n");
    };
    csv_reply(tables::csv(ctx, spec))
}

fn csv_reply(written: Result<Vec<u8>, sql::Error>) -> Reply {
    match written {
        Ok(body) => Reply::of(200, "text/csv; charset=utf-8", body),
        Err(error) => Reply::of(400, "text/plain; charset=utf-8", format!("{}\n", tables::told(&error))),
    }
}
