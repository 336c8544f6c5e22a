//! HAR files: what a browser saves of the requests of a page (HTTP Archive 1.2). Only the requests are read.

use super::entry::{Entry, EntryBody, Notes, Skipped};
use crate::scenario::template::percent_encoded;
use serde::Deserialize;

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    entries: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    request: Request,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    headers: Vec<Named>,
    post_data: Option<PostData>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Named {
    name: String,
    value: Option<String>,
    file_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PostData {
    mime_type: String,
    text: Option<String>,
    params: Vec<Named>,
}

/// The requests of a file, in its order.
pub(super) fn entries(bytes: &[u8], notes: &mut Notes) -> Result<Vec<Entry>, serde_json::Error> {
    let har: Har = serde_json::from_slice(bytes)?;
    let mut entries = Vec::new();
    for entry in har.log.entries {
        let Ok(Recorded { request }) = serde_json::from_value(entry) else {
            notes.add("entries without a request that can be read: left out");
            continue;
        };
        let body = match request.post_data.map(body).transpose() {
            Ok(body) => body.flatten(),
            Err(skipped) => {
                notes.add(skipped.words());
                continue;
            }
        };
        let headers = request.headers.into_iter().map(|of| (of.name, of.value.unwrap_or_default()));
        entries.push(Entry { method: request.method, url: request.url, headers: headers.collect(), body });
    }
    Ok(entries)
}

/// A body as it was sent, or made of the fields of its form.
fn body(of: PostData) -> Result<Option<EntryBody>, Skipped> {
    if let Some(text) = of.text.filter(|text| !text.is_empty()) {
        return Ok(Some(EntryBody::Text(text)));
    }
    if of.params.is_empty() {
        return Ok(None);
    }
    if of.mime_type.starts_with("multipart/") || of.params.iter().any(|of| of.file_name.is_some()) {
        return Err(Skipped::Form);
    }
    let field = |of: &Named| {
        format!("{}={}", percent_encoded(&of.name), percent_encoded(of.value.as_deref().unwrap_or_default()))
    };
    Ok(Some(EntryBody::Text(of.params.iter().map(field).collect::<Vec<_>>().join("&"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_request_is_counted_and_the_others_are_read() {
        let bytes = br#"{"log": {"entries": [{"request": null}, 7, {"request": {"method": "GET", "url": "http://a/"}}]}}"#;
        let mut notes = Notes::default();
        let entries = entries(bytes, &mut notes).unwrap();
        assert_eq!(entries.iter().map(|of| of.url.as_str()).collect::<Vec<_>>(), ["http://a/"]);
    }
}
