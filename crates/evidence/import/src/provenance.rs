//! What the recorder wrote of a recording: `exhibit.toml` beside it.
//!
//! It tells what the streams do not: the service's name, its container, the profile that was asked for, and whether the
//! recording was ended. Without it a folder reads as well.

use crate::builder::Builder;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file.
pub(crate) const FILE: &str = "exhibit.toml";
/// Bytes of it that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Files of a recording that are looked for.
const MOST_FILES: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Provenance {
    profile: Option<String>,
    state: Option<String>,
    subject: Subject,
    files: Vec<ListedFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedFile {
    name: String,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subject {
    name: Option<String>,
    container: Option<String>,
}

/// Reads it, if it is there.
pub(crate) fn read(folder: &Path, builder: &mut Builder) {
    let path = folder.join(FILE);
    // A pipe of that name would be waited for.
    if !std::fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
        return;
    }
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    let parsed = match read {
        Ok(_len) => toml::from_str::<Provenance>(&text).map_err(|error| error.message().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match parsed {
        Ok(provenance) => {
            let exhibit = &mut builder.recording.exhibit;
            exhibit.name = provenance.subject.name;
            exhibit.container = provenance.subject.container;
            exhibit.state = provenance.state;
            builder.recording.session.profile = provenance.profile;
            provenance.files.iter().take(MOST_FILES).for_each(|file| compare(folder, file, builder));
        }
        Err(what) => builder.note_file(&path, format!("cannot be read: {what}")),
    }
}

/// Tells of a file that is not there as it was recorded.
fn compare(folder: &Path, listed: &ListedFile, builder: &mut Builder) {
    // A name that leads elsewhere is none that the recorder wrote.
    if listed.name.contains('/') {
        return;
    }
    let path = folder.join(&listed.name);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.len() == listed.bytes => {}
        Ok(meta) => {
            let what = format!(
                "was changed since it was recorded: {} bytes instead of {}",
                meta.len(),
                listed.bytes
            );
            builder.note_file(&path, what);
        }
        Err(_missing) => builder.note_file(&path, "was recorded and is not there".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_recorder_wrote_is_read_and_what_it_did_not_write_is_no_matter() {
        let check = |text: &str, name: Option<&str>, state: Option<&str>, noted: usize| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let mut builder = Builder::new(false);
            read(folder.path(), &mut builder);
            let recording = builder.recording;
            let told = (recording.exhibit.name.as_deref(), recording.exhibit.state.as_deref());
            assert_eq!((told, recording.lost.files.len()), ((name, state), noted), "{text}");
        };
        check(
            "state = \"recording\"\n[subject]\nname = \"orders\"\npid = 7\n",
            Some("orders"),
            Some("recording"),
            0,
        );
        check("[[files]]\nname = \"exhibit.toml\"\nbytes = 9\n[[files]]\nname = \"gone\"\n", None, None, 2);
        check("", None, None, 0);
        check("state = 7", None, None, 1);
        check("\u{0}", None, None, 1);
    }
}
