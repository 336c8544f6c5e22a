//! The pages of one exhibit of any kind: from an address to a reply, or to one file.

use crate::kind::{Ctx, Detail, InFile, KindOfPages, Section, Site, Tab};
use crate::reply::Reply;
use crate::shorten::FILE_BYTES;
use crate::{assets, frame, paths, shorten, sqlpage, tabletab, timebar};
use model::Tables;
use report::Explanation;
use std::fmt::Debug;
use std::sync::Arc;
use views::{Params, tables};

/// How detailed the pictures of a file are: the first level that makes the file small enough is taken.
const DETAILS: [Detail; 5] = [
    Detail { least_share: 0.0001, most_nodes: 20_000 },
    Detail { least_share: 0.0005, most_nodes: 8_000 },
    Detail { least_share: 0.001, most_nodes: 3_000 },
    Detail { least_share: 0.003, most_nodes: 1_000 },
    Detail { least_share: 0.01, most_nodes: 300 },
];

/// A site of any kind, for code that must not know the kind.
pub(crate) trait AnySite: Debug + Send + Sync {
    /// The paths of the tabs that are shown.
    fn tabs(&self) -> Vec<&'static str>;
    /// Answers an address: a path, and its decoded parameters.
    fn answer(&self, path: &str, query: &[(String, String)]) -> Reply;
    /// All tabs as one file.
    fn file(&self) -> String;
    /// The tables of the exhibit.
    fn tables(&self) -> &Arc<dyn Tables>;
    /// The explanation of the exhibit.
    fn explanation(&self) -> &Explanation;
    /// Sets what the head of every page says there is to see.
    fn set_about(&mut self, about: &str);
}

/// The tabs of a page of one file, in order, each with the section that `draw` returns for it.
fn sections<K: KindOfPages>(
    site: &Site<K>,
    draw: impl Fn(&Ctx<'_, K>, &'static Tab<K>) -> Option<Section>,
) -> Vec<(&'static Tab<K>, Option<Section>)> {
    let params = Params::default();
    let kept = site.shown_tabs().filter(|tab| !matches!(tab.in_file, InFile::Nothing));
    kept.map(|tab| {
        let ctx = Ctx { site, params: &params, path: tab.path, tab: Some(tab), file: true };
        (tab, draw(&ctx, tab))
    })
    .collect()
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
        // Sections whose content does not depend on the detail are drawn once.
        let fixed = sections(self, |ctx, tab| {
            let is_same = matches!(tab.in_file, InFile::Same);
            is_same.then(|| Section { body: frame::in_file(ctx, tab), data: String::new() })
        });
        let params = Params::default();
        let ctx = Ctx { site: self, params: &params, path: "/", tab: self.tab("/"), file: true };
        let mut whole = String::new();
        for detail in DETAILS {
            let pictures = sections(self, |ctx, tab| match tab.in_file {
                InFile::Pictures(draw) => Some(draw(ctx, detail)),
                InFile::Same | InFile::Nothing => None,
            });
            // A tab is either fixed or a picture: one of the two lists has its section.
            let either = fixed.iter().zip(&pictures);
            let all: Vec<(&'static Tab<K>, &Section)> = either
                .filter_map(|((tab, fixed), (_, picture))| Some((*tab, fixed.as_ref().or(picture.as_ref())?)))
                .collect();
            whole = frame::one_file(&ctx, &all);
            let file = shorten::file(&whole);
            if file.len() <= FILE_BYTES {
                return file;
            }
            if pictures.iter().all(|(_, picture)| picture.is_none()) {
                // Less detail changes nothing.
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
        paths::LANES if K::TIME.is_some() => return Reply::json(&timebar::json(ctx)),
        paths::ROWS => return rows_csv(ctx),
        paths::ANSWER => return sqlpage::answer_csv(ctx),
        _ => {}
    }
    if let Some(further) = K::FURTHER.iter().find(|further| further.path == ctx.path) {
        return (further.answer)(ctx);
    }
    match ctx.tab {
        Some(tab) => frame::reply(ctx, tab.title, &tabletab::body(ctx, tab)),
        None => Reply { status: 404, ..Reply::page(&frame::not_found(ctx, None), String::new) },
    }
}

/// All rows of a table. The parameter `of` names the table's tab, since the address of the rows is not in it.
fn rows_csv<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Reply {
    let of = ctx.params.get("of").unwrap_or_default();
    let id = ctx.params.get("table").unwrap_or_default();
    let tab = K::TABS.iter().find(|tab| tab.path == of);
    let mut specs = tab.map_or(&[][..], Tab::tables).iter().map(|table| table(ctx));
    let Some(spec) = specs.find(|spec| spec.id == id) else {
        return Reply::of(404, "text/plain; charset=utf-8", "there is no such table\n");
    };
    Reply::csv(tables::csv(ctx.params, ctx.kind().tables(), &spec))
}
