//! The pages of one exhibit of any kind: from an address to a reply, or to one file.

use crate::ctx::Ctx;
use crate::kind::{Detail, InFile, KindOfPages, Section, Shown, Tab};
use crate::{FILE_BYTES, Reply, assets, frame, shorten, sqlpage, tabletab, timebar};
use maud::Markup;
use model::Tables;
use report::Explanation;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use views::{Params, tables};

/// Where the values of the time line's lanes are, for script.
const LANES: &str = "/lanes.json";
/// Where all rows of a tab's table are, as CSV.
pub(crate) const ROWS: &str = "/rows.csv";

/// The pages of an exhibit.
#[derive(Debug)]
pub(crate) struct Site<K> {
    /// What they are of.
    pub(crate) kind: K,
    /// What there is to see, if the exhibit is one of a tour.
    pub(crate) about: Option<String>,
    /// Readers' own queries that run now.
    queries: AtomicUsize,
}

/// Readers' own queries that may run at the same time.
const MOST_QUERIES: usize = 2;

/// A slot for a query; dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A site, for whoever must not know the kind of evidence.
pub(crate) trait AnySite: Debug + Send + Sync {
    /// The paths of the tabs that are shown.
    fn tabs(&self) -> Vec<&'static str>;
    /// Answers an address: a path, and its parameters decoded.
    fn answer(&self, path: &str, query: &[(String, String)]) -> Reply;
    /// All of it as one file.
    fn file(&self) -> String;
    /// The tables.
    fn tables(&self) -> &Arc<dyn Tables>;
    /// What is said of the exhibit.
    fn explanation(&self) -> &Explanation;
    /// Says what there is to see in it.
    fn set_about(&mut self, about: &str);
}

impl<K: KindOfPages> Site<K> {
    /// The pages of an exhibit.
    pub(crate) fn new(kind: K) -> Self {
        Self { kind, about: None, queries: AtomicUsize::new(0) }
    }

    /// The tab of a path. `None` if there is no such tab, or nothing is on it.
    pub(crate) fn tab(&self, path: &str) -> Option<&'static Tab<K>> {
        K::TABS.iter().find(|tab| tab.path == path && self.is_shown(tab))
    }

    /// The tabs that are shown.
    pub(crate) fn shown_tabs(&self) -> impl Iterator<Item = &'static Tab<K>> + '_ {
        K::TABS.iter().filter(|tab| self.is_shown(tab))
    }

    fn is_shown(&self, tab: &Tab<K>) -> bool {
        match tab.shown {
            Shown::Always => true,
            Shown::Rows(names) => {
                names.iter().any(|name| self.kind.tables().table(name).is_some_and(|table| table.rows > 0))
            }
            Shown::If(holds) => holds(&self.kind),
        }
    }

    /// Claims a slot for a reader's query. `None` if all are taken, so that pages stay responsive.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        let taken = Turn(&self.queries);
        (self.queries.fetch_add(1, Ordering::AcqRel) < MOST_QUERIES).then_some(taken)
    }

    /// The tabs of a page of one file, in their order, as far as `draw` draws them.
    fn sections(
        &self,
        draw: impl Fn(&Ctx<'_, K>, &'static Tab<K>) -> Option<Section>,
    ) -> Vec<Option<Section>> {
        let params = Params::default();
        let kept = self.shown_tabs().filter(|tab| !matches!(tab.in_file, InFile::Nothing));
        kept.map(|tab| {
            let ctx = Ctx { site: self, params: &params, path: tab.path, tab: Some(tab), file: true };
            draw(&ctx, tab)
        })
        .collect()
    }
}

impl<K: KindOfPages> AnySite for Site<K> {
    fn tabs(&self) -> Vec<&'static str> {
        self.shown_tabs().map(|tab| tab.path).collect()
    }

    fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        if path.starts_with("/assets/") {
            return assets::reply(path);
        }
        let params = Params::new(query);
        reply(&Ctx { site: self, params: &params, path, tab: self.tab(path), file: false })
    }

    fn file(&self) -> String {
        // Finer first: each attempt leaves out more of the pictures.
        let attempts = [(0.0001, 20_000), (0.0005, 8_000), (0.001, 3_000), (0.003, 1_000), (0.01, 300)];
        // What does not depend on the detail is drawn once.
        let fixed = self.sections(|ctx, tab| {
            let is_same = matches!(tab.in_file, InFile::Same);
            is_same.then(|| Section { body: frame::in_file(ctx, tab), data: String::new() })
        });
        let params = Params::default();
        let ctx = Ctx { site: self, params: &params, path: "/", tab: self.tab("/"), file: true };
        let mut whole = String::new();
        for (least_share, most_nodes) in attempts {
            let pictures = self.sections(|ctx, tab| match tab.in_file {
                InFile::Pictures(draw) => Some(draw(ctx, Detail { least_share, most_nodes })),
                InFile::Same | InFile::Nothing => None,
            });
            let either =
                fixed.iter().zip(&pictures).filter_map(|(one, other)| one.as_ref().or(other.as_ref()));
            let tabs = self.shown_tabs().filter(|tab| !matches!(tab.in_file, InFile::Nothing));
            let sections: Vec<(&'static Tab<K>, &Section)> = tabs.zip(either).collect();
            whole = frame::one_file(&ctx, &sections);
            let file = shorten::file(&whole);
            if file.len() <= FILE_BYTES {
                return file;
            }
            if pictures.iter().all(Option::is_none) {
                break;
            }
        }
        shorten::file_within(&whole, FILE_BYTES)
    }

    fn tables(&self) -> &Arc<dyn Tables> {
        self.kind.tables()
    }

    fn explanation(&self) -> &Explanation {
        self.kind.explanation()
    }

    fn set_about(&mut self, about: &str) {
        self.about = Some(about.to_owned());
    }
}

fn reply<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Reply {
    match ctx.path {
        LANES if K::TIME.is_some() => return Reply::json(&timebar::json(ctx)),
        ROWS => return rows_csv(ctx),
        sqlpage::CSV => return sqlpage::answer_csv(ctx),
        _ => {}
    }
    if let Some(further) = K::FURTHER.iter().find(|further| further.path == ctx.path) {
        return (further.answer)(ctx);
    }
    match ctx.tab {
        Some(tab) => page(ctx, tab.title, &tabletab::body(ctx, tab)),
        None => Reply { status: 404, ..Reply::page(&frame::not_found(ctx), String::new) },
    }
}

/// A page, if it is of a size that a browser can take.
pub(crate) fn page<K: KindOfPages>(ctx: &Ctx<'_, K>, title: &str, body: &Markup) -> Reply {
    Reply::page(&frame::whole(ctx, title, body), || frame::too_large(ctx, title))
}

/// All rows of a table, of a tab that need not be the one that is asked.
fn rows_csv<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Reply {
    let of = ctx.params.get("of").unwrap_or_default();
    let id = ctx.params.get("table").unwrap_or_default();
    let tab = K::TABS.iter().find(|tab| tab.path == of);
    let mut specs = tab.map_or(&[][..], Tab::tables).iter().map(|table| table(ctx));
    let Some(spec) = specs.find(|spec| spec.id == id) else {
        return Reply::of(404, "text/plain; charset=utf-8", "there is no such table\n");
    };
    csv_reply(tables::csv(ctx.params, ctx.kind().tables(), &spec))
}

/// CSV, or why there is none.
pub(crate) fn csv_reply(written: Result<Vec<u8>, sql::Error>) -> Reply {
    match written {
        Ok(body) => Reply::of(200, "text/csv; charset=utf-8", body),
        Err(error) => Reply::of(400, "text/plain; charset=utf-8", format!("{}\n", tables::told(&error))),
    }
}
