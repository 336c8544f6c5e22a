//! The scripts and the style of the pages, built into the program.

use crate::reply::Reply;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::OnceLock;
use views::script::in_script;

/// The style of all pages.
pub(crate) fn style() -> &'static str {
    static STYLE: OnceLock<String> = OnceLock::new();
    STYLE.get_or_init(|| format!("{}{}", include_str!("../../../../web/style.css"), views::style()))
}

/// The modules of the script: the name by which others import it, and its text.
const MODULES: [(&str, &str); 10] = [
    ("app", include_str!("../../../../web/app.js")),
    ("exhibit", include_str!("../../../../web/exhibit.js")),
    ("flame", include_str!("../../../../web/flame.js")),
    ("format", include_str!("../../../../web/format.js")),
    ("graph", include_str!("../../../../web/graph.js")),
    ("menu", include_str!("../../../../web/menu.js")),
    ("paint", include_str!("../../../../web/paint.js")),
    ("sql", include_str!("../../../../web/sql.js")),
    ("table", include_str!("../../../../web/table.js")),
    ("timeline", include_str!("../../../../web/timeline.js")),
];

const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b5fa5"/><path d="M3 4h10v2H3zM3 7h7v2H3zM3 10h4v2H3z" fill="#fff"/></svg>"##;

/// A hash of all assets. It is part of their addresses, so that browsers, which cache by address, fetch changed assets.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hash = blake3::Hasher::new();
        for text in MODULES.iter().map(|(_, text)| *text).chain([style(), ICON]) {
            hash.update(text.as_bytes());
        }
        hash.finalize().to_hex().chars().take(12).collect()
    })
}

/// The answer to an address below `/assets/`.
pub(crate) fn reply(path: &str) -> Reply {
    let name = path.strip_prefix("/assets/").and_then(|rest| rest.strip_prefix(version())?.strip_prefix('/'));
    match name.and_then(served) {
        Some((content_type, body)) => Reply { is_asset: true, ..Reply::of(200, content_type, body) },
        None => Reply::of(404, "text/plain; charset=utf-8", "there is no such file\n"),
    }
}

/// The media type and text of an asset.
fn served(name: &str) -> Option<(&'static str, String)> {
    match name {
        "style.css" => return Some(("text/css; charset=utf-8", style().to_owned())),
        "icon.svg" => return Some(("image/svg+xml", ICON.to_owned())),
        _ => {}
    }
    let module = name.strip_suffix(".js")?;
    let (_, text) = MODULES.iter().find(|(of, _)| *of == module)?;
    Some(("text/javascript; charset=utf-8", with_paths(text)))
}

/// The links of a served page to all assets. Modules are listed too: otherwise the browser would load a module only
/// after it has read the one that imports it.
pub(crate) fn links() -> Markup {
    html! {
        @let folder = format!("assets/{}", version());
        link rel="icon" href=(format!("{folder}/icon.svg")) type="image/svg+xml";
        link rel="stylesheet" href=(format!("{folder}/style.css"));
        @for (name, _) in MODULES { link rel="modulepreload" href=(format!("{folder}/{name}.js")); }
        script type="module" src=(format!("{folder}/app.js")) {}
    }
}

/// A module with its imports (`casebook/NAME`) changed to relative paths, since served modules are in one folder.
fn with_paths(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, _) in MODULES {
        text = text.replace(&format!("\"casebook/{name}\""), &format!("\"./{name}.js\""));
    }
    text
}

/// The content security policy of a page of one file: it may run its own script and use its own style, and nothing
/// else; pictures are in its addresses. It sends no request, so that even a text that became markup could neither run nor send anything.
///
/// The modules of the script are `data:` addresses, which a policy cannot list by hash. They are loaded because the
/// script that imports them has the nonce.
pub(crate) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; form-action 'none'; \
         base-uri 'none'"
    )
}

/// The nonce of a page of one file: a hash of the page's content. So the same content makes the same file, and no
/// text in the page can contain the nonce.
pub(crate) fn nonce(body: &str) -> String {
    blake3::hash(body.as_bytes()).to_hex().chars().take(32).collect()
}

/// The script of a page of one file: an import map that contains the modules.
pub(crate) fn inline(nonce: &str) -> String {
    let mut imports = serde_json::Map::new();
    for (name, text) in MODULES {
        imports.insert(format!("casebook/{name}"), Value::String(data_url(text)));
    }
    let map = serde_json::json!({ "imports": imports });
    format!(
        "<script type=\"importmap\" nonce=\"{nonce}\">{}</script>\
         <script type=\"module\" nonce=\"{nonce}\">import \"casebook/app\";</script>",
        in_script(&map)
    )
}

fn data_url(text: &str) -> String {
    let mut url = String::from("data:text/javascript;charset=utf-8,");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~!*'();:@&=+$,/?[] ".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.extend([format!("%{byte:02X}")]);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_keeps_has_an_address_of_its_own() {
        let links = links().into_string();
        let places: Vec<&str> = links.split('"').filter(|part| part.starts_with("assets/")).collect();
        assert_eq!(places.len(), MODULES.len() + 3);
        for place in places {
            assert_eq!(reply(&format!("/{place}")).status, 200, "{place}");
        }
        for path in ["/assets/app.js", "/assets/", "/assets/000000000000/app.js", "/assets/../app.js"] {
            assert_eq!(reply(path).status, 404, "{path}");
        }
    }

    #[test]
    fn modules_find_each_other() {
        for (name, text) in MODULES {
            assert!(!with_paths(text).contains("\"casebook/"), "{name} imports what is not there");
        }
    }
}
