//! What surrounds the content of every page: heading, tabs, time bar, footer.

use crate::kind::{Ctx, KindOfPages, Section, Tab, section};
use crate::reply::Reply;
use crate::shorten::PAGE_BYTES;
use crate::{assets, tabletab, timebar};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use report::Heading;

/// The answer with a page, or with an excuse if the page is larger than browsers can take.
pub(crate) fn reply<K: KindOfPages>(ctx: &Ctx<'_, K>, title: &str, body: &Markup) -> Reply {
    Reply::page(&whole(ctx, title, body), || too_large(ctx, title))
}

/// A whole page.
fn whole<K: KindOfPages>(ctx: &Ctx<'_, K>, title: &str, body: &Markup) -> String {
    let name = &ctx.kind().explanation().heading.name;
    let preload = ctx.tab.and_then(|tab| tab.preload).and_then(|data| data(ctx));
    let above = ctx.tab.and_then(|tab| tab.above);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{title} · {name} · Casebook"), &html! {
                (assets::links())
                @if let Some(data) = preload { link rel="preload" as="fetch" crossorigin="anonymous" href=(data); }
            }))
            body.page {
                a.skip href="#main" { "Skip to the content" }
                (heading(ctx))
                (tabs(ctx))
                @if let Some(above) = above { (above(ctx)) }
                (timebar::bar(ctx))
                main #main class=[views::of_subject(ctx.path)] { (body) }
                (footer::<K>())
            }
        }
    }
    .into_string()
}

/// The head of every page. `style` brings its style and scripts.
pub(crate) fn head(title: &str, style: &Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            (style)
        }
    }
}

/// The page for an address that does not exist, with the reason if it is not that there is no such page.
pub(crate) fn not_found<K: KindOfPages>(ctx: &Ctx<'_, K>, why: Option<&str>) -> String {
    let body = html! { p.error { (why.unwrap_or("There is no such page.")) } p { a href="./" { "To the summary" } } };
    whole(ctx, "Not found", &body)
}

/// The page in place of one that is too large for browsers.
fn too_large<K: KindOfPages>(ctx: &Ctx<'_, K>, title: &str) -> String {
    let body = html! {
        p.error role="alert" { "This page would be larger than " (PAGE_BYTES / 1_000_000) " MB, even without long texts." }
        p { "Use SQL to read it in parts (" code { "limit" } ", " code { "substr" } "), or " code { "casebook query" } " for all of it." }
    };
    whole(ctx, title, &body)
}

/// A tab as a section of one file. Only the first section has the time line.
pub(crate) fn in_file<K: KindOfPages>(ctx: &Ctx<'_, K>, tab: &Tab<K>) -> Markup {
    let is_first = K::TABS.first().is_some_and(|first| first.path == tab.path);
    html! {
        @if let Some(above) = tab.above { (above(ctx)) }
        @if is_first { (timebar::lanes(ctx)) }
        (tabletab::body(ctx, tab))
    }
}

/// A page of one file: all sections one below the other. Script shows one at a time.
pub(crate) fn one_file<K: KindOfPages>(ctx: &Ctx<'_, K>, sections: &[(&'static Tab<K>, &Section)]) -> String {
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        (heading(ctx))
        nav.tabs aria-label="Views" { @for (tab, _) in sections { a href=(ctx.address(tab.path, ctx.params)) { (tab.title) } } }
        main #main {
            @for (tab, of) in sections {
                section #(section(tab.path)) class=(format!("view {}", views::of_subject(tab.path).unwrap_or_default())) data-view=(section(tab.path)) { (of.body) }
            }
        }
        (footer::<K>())
        @for (_, of) in sections { (PreEscaped(&of.data)) }
    };
    let body = body.into_string();
    let nonce = assets::nonce(&body);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{} · Casebook", ctx.kind().explanation().heading.name), &html! {
                meta http-equiv="Content-Security-Policy" content=(assets::policy(&nonce));
                style nonce=(nonce) { (PreEscaped(assets::style())) }
            }))
            body.page.file data-file="" {
                (PreEscaped(body))
                (PreEscaped(assets::inline(&nonce)))
            }
        }
    }
    .into_string()
}

fn heading<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let Heading { name, subject, recorded, losses, are_losses_small, nothing_lost, .. } =
        &ctx.kind().explanation().heading;
    let about = &ctx.site.about;
    html! {
        header.top {
            div.title {
                @if about.is_some() { a.brand href="../" { "Casebook" } } @else { span.brand { "Casebook" } }
                // The verdict, where there is one, is the page's first heading.
                @if ctx.begins_with_verdict() { p.name { (name) } } @else { h1 { (name) } }
                @if let Some(other) = ctx.kind().against() { span.against { "against " (other) } }
                button type="button" data-theme-toggle="" hidden { "Light or dark" }
            }
            p.facts { (subject.join(" · ")) }
            p.facts { (recorded) }
            @if let Some(about) = about { p.about { (about) " " a href="../" { @match ctx.site.up { Some(up) => (up), None => { "All " (K::NOUN) "s" } } } } }
            @if losses.is_empty() { p.facts.whole { "Missing: " (nothing_lost) } }
            @else {
                details.loss.quiet[*are_losses_small] {
                    summary { "Missing: " (losses.first().map_or("", String::as_str))
                        @if losses.len() > 1 { " (and " (losses.len() - 1) " more)" } }
                    ul { @for sentence in losses { li { (sentence) } } }
                }
            }
        }
    }
}

fn tabs<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    html! {
        nav.tabs aria-label="Views" {
            @for tab in ctx.site.shown_tabs() {
                a href=(ctx.opening(tab)) aria-current=[(tab.path == ctx.path).then_some("page")] { (tab.title) }
            }
        }
    }
}

fn footer<K: KindOfPages>() -> Markup {
    html! {
        footer.hint {
            @if K::TIME.is_some() { "Times are counted from the " (K::NOUN) "'s start. " }
            "A value that the " (K::NOUN) " cannot give is missing, never 0."
        }
    }
}
