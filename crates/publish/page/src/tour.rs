//! Several exhibits side by side, with a page that leads to each.
//!
//! The pages of each exhibit are below `/NAME/`. Their links are relative, so they need not know that.

use crate::pages::Pages;
use crate::reply::Reply;
use crate::{assets, frame};
use maud::{DOCTYPE, Markup, html};
use report::{Explanation, Verdict};
use views::Params;

/// Exhibits of any kind, each with a title and what there is to see in it.
#[derive(Debug, Default)]
pub struct Tour {
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    name: String,
    title: String,
    about: String,
    views: Vec<View>,
    pages: Pages,
}

/// A view that the text about an exhibit mentions.
#[derive(Debug)]
struct View {
    /// Its address below the exhibit's.
    address: String,
    title: String,
}

impl Tour {
    /// Adds an exhibit: its name in addresses, a title, and what there is to see in it.
    ///
    /// `views` are the views that `about` mentions: an address below the exhibit's, and a name for the link.
    pub fn add(&mut self, name: &str, title: &str, about: &str, views: &[(&str, &str)], mut pages: Pages) {
        let views = views
            .iter()
            .map(|(address, title)| View { address: (*address).to_owned(), title: (*title).to_owned() });
        let views: Vec<_> = views.collect();
        pages.set_about(about);
        let (name, title, about) = (name.to_owned(), title.to_owned(), about.to_owned());
        self.cases.push(Case { name, title, about, views, pages });
    }

    /// Answers an address: a path, and its decoded parameters.
    pub fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        if path == "/" {
            return Reply::page(&self.index(), String::new);
        }
        if path.starts_with("/assets/") {
            return assets::reply(path);
        }
        let inner = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let case = inner.and_then(|(name, _)| self.cases.iter().find(|case| case.name == name));
        match (case, inner) {
            (Some(case), Some((_, rest))) => case.pages.answer(&format!("/{rest}"), query),
            _ => Reply { status: 404, ..Reply::page(&self.index(), String::new) },
        }
    }

    /// The address of every page that has no parameters.
    pub fn addresses(&self) -> Vec<String> {
        let of_case = |case: &Case| -> Vec<String> {
            let tabs = case.pages.tabs();
            tabs.map(|tab| format!("/{}{}", case.name, tab)).collect()
        };
        std::iter::once("/".to_owned()).chain(self.cases.iter().flat_map(of_case)).collect()
    }

    fn index(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                (frame::head("Casebook", &assets::links()))
                body.page {
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        div.title {
                            span.brand { "Casebook" }
                            h1 { "What is wrong with this service?" }
                            button type="button" data-theme-toggle="" hidden { "Light or dark" }
                        }
                        p.facts { "Real recordings of real .NET services. Each is explained from its own events: open one." }
                    }
                    main #main.tour { @for case in &self.cases { (card(case)) } }
                    footer.hint { "Your own: casebook record -p PID, then casebook open on what it has written." }
                }
            }
        }
        .into_string()
    }
}

fn card(case: &Case) -> Markup {
    let Explanation { heading, verdict, .. } = case.pages.explanation();
    let tone = verdict.as_ref().map_or("unclear", Verdict::tone);
    let to = |path: &str| format!("{}/{}", case.name, Params::default().href(path).trim_start_matches("./"));
    let path = |address: &str| format!("/{}", address.split('?').next().unwrap_or_default());
    let tabs: Vec<&str> = case.pages.tabs().collect();
    let is_there = |view: &&View| tabs.contains(&path(&view.address).as_str());
    html! {
        article class=(format!("card {tone}")) {
            h2 { a href=(to("/")) { (case.title) } }
            p { (case.about) }
            @if let Some(verdict) = verdict { p class=(format!("headline {tone}")) { (verdict.text) } }
            p.links {
                @for view in case.views.iter().filter(is_there) { a.button href=(format!("{}/{}", case.name, view.address)) { (view.title) } " " }
            }
            p.hint { (heading.recorded) }
        }
    }
}
