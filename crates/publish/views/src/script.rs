//! JSON for script, safe to embed in a page.

use serde_json::Value;

/// JSON in an element of its own. No text in it can end the element or the page.
pub fn data(id: &str, value: &Value) -> String {
    format!("<script type=\"application/json\" id=\"{id}\">{}</script>", in_script(value))
}

/// JSON without any character that has a meaning in HTML.
pub fn in_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_in_data_ends_the_element() {
        let text = data("d", &serde_json::json!({"name": "</script><script>alert(1)</script><!--"}));
        assert_eq!(text.matches("</script>").count(), 1);
        assert!(!text.contains("<!--"));
    }
}
