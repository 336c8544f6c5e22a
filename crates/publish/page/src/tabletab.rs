//! The content of a tab. A tab of tables has the figures of its parts, then its tables.

use crate::kind::{Body, Ctx, KindOfPages, PartPlace, Tab, TableOf};
use maud::{Markup, html};
use views::{parts, tables};

/// The content of a tab.
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
    PartPlace::of::<K>(part)?.first
}

/// What people call a part; its id if the kind has no title for it.
pub(crate) fn title_of<K: KindOfPages>(part: &'static str) -> &'static str {
    PartPlace::of::<K>(part).map_or(part, |place| place.title)
}
