//! The body of a tab; if it is a tab of tables: the figures of its parts, then each table.

use crate::ctx::Ctx;
use crate::kind::{Body, KindOfPages, Tab, TableOf};
use maud::{Markup, html};
use views::{parts, tables};

/// What a tab shows.
pub(crate) fn body<K: KindOfPages>(ctx: &Ctx<'_, K>, tab: &Tab<K>) -> Markup {
    match tab.body {
        Body::Drawn(draw) => draw(ctx),
        Body::Tables(tables) => tables_of(ctx, tab, tables),
    }
}

fn tables_of<K: KindOfPages>(ctx: &Ctx<'_, K>, tab: &Tab<K>, of: &[TableOf<K>]) -> Markup {
    let parts = ctx.kind().explanation().parts.iter().filter(|part| tab.parts.contains(&part.id));
    html! {
        @for part in parts { (parts::part_head(ctx, part, title_of::<K>(part.id))) }
        (K::above_tables(ctx))
        @for spec in of { (tables::table(ctx, ctx.kind().tables(), &spec(ctx))) }
        (K::below_tables(ctx))
    }
}

/// The list of a part whose first rows the summary shows.
pub(crate) fn first_list<K: KindOfPages>(part: &str) -> Option<&'static str> {
    K::PARTS.iter().find(|of| of.id == part).and_then(|of| of.first)
}

/// What people call a part: its own name if the kind has no title for it.
pub(crate) fn title_of<K: KindOfPages>(part: &'static str) -> &'static str {
    K::PARTS.iter().find(|of| of.id == part).map_or(part, |of| of.title)
}
