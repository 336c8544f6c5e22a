//! A reader of markup that is stricter than browsers.

/// The opening tags of markup, without their brackets. Panics if elements do not nest, an attribute is not quoted, or
/// a text contains markup.
pub(crate) fn elements(markup: &str) -> Vec<String> {
    let (mut tags, mut open, mut rest) = (Vec::new(), Vec::<String>::new(), markup);
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains(['>', '"']), "a sign of markup in the text {text:?}");
        let (tag, after) = after.split_once('>').expect("a tag that ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "elements nest");
            continue;
        }
        let closed = tag.strip_suffix('/');
        let tag = closed.unwrap_or(tag);
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|of| of.is_ascii_alphanumeric()), "no element: {tag:?}");
        check_attributes(attributes);
        if closed.is_none() {
            open.push(name.to_owned());
        }
        tags.push(tag.to_owned());
    }
    assert!(open.is_empty() && !rest.contains('>'), "{open:?} is left open before {rest:?}");
    tags
}

fn check_attributes(mut rest: &str) {
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("an attribute in quotes");
        assert!(name.chars().all(|of| of.is_ascii_alphanumeric() || of == '-'), "no attribute: {name:?}");
        assert!(name != "style" && !name.starts_with("on"), "{name} is forbidden");
        let (value, after) = after.split_once('"').expect("a quote that ends");
        assert!(!value.contains('<'), "markup in {value:?}");
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
}

/// The value of a tag's attribute.
pub(crate) fn attribute(tag: &str, name: &str) -> String {
    let from = tag.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3);
    from.and_then(|from| tag[from..].split('"').next()).unwrap_or_default().to_owned()
}
