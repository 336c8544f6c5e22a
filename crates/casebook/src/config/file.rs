//! The configuration file: where it is, what may be in it, and how it is read.
//!
//! It is `casebook/config.toml` in `$XDG_CONFIG_HOME`, by default `~/.config`. It is optional, but one that cannot be read is
//! an error that names its file and line.

use super::settings::{Colours, Config, Given, Record, WrittenValue};
use anyhow::{Context, Result, anyhow, ensure};
use base::steering::without_quotes;
use clap::ValueEnum;
use runtime::MyCode;
use serde::Deserialize;
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The maximum size of the file.
const MAX_BYTES: u64 = 1 << 20;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    #[serde(alias = "colors")]
    colours: Option<Spanned<Word>>,
    my: Option<Spanned<List>>,
    #[serde(default)]
    record: WrittenRecord,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the section [record]")]
struct WrittenRecord {
    profile: Option<Spanned<Word>>,
    duration: Option<Spanned<Word>>,
    provider: Option<Spanned<List>>,
    buffer: Option<Spanned<Word>>,
    max_size: Option<Spanned<Word>>,
}

/// A value as on the command line: a text, or a number alone.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "invalid type, expected a text or a whole number")]
enum Word {
    Text(String),
    Number(i64),
}

/// Several texts, or one.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "invalid type, expected a list of texts, such as [\"Orders.*\"]")]
enum List {
    One(String),
    Several(Vec<String>),
}

/// The path of the configuration. Relative folders are ignored, as the XDG specification asks.
pub(super) fn path(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |folder: OsString| Some(PathBuf::from(folder)).filter(|folder| folder.is_absolute());
    let folder = config_home
        .and_then(absolute)
        .or_else(|| home.and_then(absolute).map(|home| home.join(".config")))?;
    Some(folder.join("casebook").join("config.toml"))
}

/// Reads the configuration. `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Config>> {
    let name = || path.display().to_string();
    // Looked at first: opening a pipe would wait for its writer.
    let known = match std::fs::metadata(path) {
        // A home that may not be entered is that of another user, from whom the variable was taken over.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            // A link whose target is missing was meant to lead to settings.
            ensure!(path.symlink_metadata().is_err(), "{}: the link leads nowhere", path.display());
            return Ok(None);
        }
        known => known.with_context(name)?,
    };
    ensure!(known.is_file(), "{}: expected a file", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(name)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).with_context(name)?;
    ensure!(text.len() as u64 <= MAX_BYTES, "{}: larger than {MAX_BYTES} bytes", path.display());
    Source { path, text: &text }.config().map(Some)
}

/// A file's text, for errors that name its lines.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn config(&self) -> Result<Config> {
        let written: Written = toml::from_str(self.text).map_err(|error| {
            // An error about the file as a whole has no span.
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message();
            // Under two names. The name is ours, not one of the file, and the place is that of the whole section.
            if let Some(name) = message.strip_prefix("duplicate field ") {
                return anyhow!("{}: {name} is there twice", self.path.display());
            }
            let is_twice = message.starts_with("duplicate key");
            let why =
                if is_twice { "this setting is there twice".to_owned() } else { without_quotes(message) };
            anyhow!("{}: {why}", self.place(at))
        })?;
        let record = written.record;
        Ok(Config {
            file: Some(self.path.to_owned()),
            exists: true,
            colours: self.word("colours", written.colours, |text| {
                Colours::from_str(text, false).map_err(|_unknown| "expected auto, always or never".to_owned())
            })?,
            my: self.list("my", written.my, MyCode::new)?,
            record: Record {
                profile: self.word("record.profile", record.profile, crate::profile::parse)?,
                duration: self.word("record.duration", record.duration, crate::duration::parse)?,
                provider: self.list("record.provider", record.provider, |texts| {
                    texts.iter().map(|text| recorder::profile::parse_provider(text)).collect()
                })?,
                buffer: self.word("record.buffer", record.buffer, crate::number::megabytes)?,
                max_size: self.word("record.max-size", record.max_size, crate::size::parse)?,
            },
        })
    }

    /// A value that is written like one on the command line.
    fn word<T>(
        &self,
        name: &str,
        written: Option<Spanned<Word>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Given<T>>> {
        let read = |written: Spanned<Word>| {
            let at = written.span().start;
            let written = match written.into_inner() {
                Word::Text(text) => text.parse().map_or(WrittenValue::Text(text), WrittenValue::Number),
                Word::Number(number) => WrittenValue::Number(number),
            };
            let value =
                parse(&written.to_string()).map_err(|why| anyhow!("{}: {name}: {why}", self.place(at)))?;
            Ok(Given { value, written, line: self.line(at) })
        };
        written.map(read).transpose()
    }

    /// A list of texts.
    fn list<T, E: Into<anyhow::Error>>(
        &self,
        name: &str,
        written: Option<Spanned<List>>,
        parse: impl Fn(&[String]) -> Result<T, E>,
    ) -> Result<Option<Given<T>>> {
        let read = |written: Spanned<List>| {
            let at = written.span().start;
            let texts = match written.into_inner() {
                List::One(text) => vec![text],
                List::Several(texts) => texts,
            };
            let value =
                parse(&texts).map_err(|why| why.into().context(format!("{}: {name}", self.place(at))))?;
            Ok(Given { value, written: WrittenValue::List(texts), line: self.line(at) })
        };
        written.map(read).transpose()
    }

    /// `FILE:LINE` of a place in the text.
    fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path.display(), self.line(at))
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_where_xdg_says_and_a_relative_place_is_none() {
        let check = |config: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let found = path(config.map(OsString::from), home.map(OsString::from));
            assert_eq!(found.as_deref(), expected.map(Path::new));
        };
        check(Some("/c"), Some("/users/a"), Some("/c/casebook/config.toml"));
        check(None, Some("/users/a"), Some("/users/a/.config/casebook/config.toml"));
        check(Some("relative"), Some("/users/a"), Some("/users/a/.config/casebook/config.toml"));
        check(None, None, None);
    }

    #[test]
    fn a_broken_configuration_is_an_error_with_its_file_and_line_and_none_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        assert!(read(&file).unwrap().is_none());
        let check = |text: &str, line: usize, about: &str| {
            std::fs::write(&file, text).unwrap();
            let error = format!("{:#}", read(&file).unwrap_err());
            assert!(error.contains(&format!("config.toml:{line}:")) && error.contains(about), "{error}");
        };
        check("# mine\nmy = [\"Orders.*\"\n", 2, "");
        check("# mine\nmine = [\"Orders.*\"]\n", 2, "expected one of");
        check("\n\nmy = 7\n", 3, "expected a list of texts");
        check("colours = \"auto\"\ncolours = \"never\"\n", 2, "this setting is there twice");
        check("my = [\"\"]\n", 1, "my: ");
        check("colours = \"red\"\n", 1, "colours: expected auto, always or never");
        check("colours = [\"red\"]\n", 1, "expected a text or a whole number");
        check(
            "[record]\n\nduration = \"10 parsecs\"\n",
            3,
            "record.duration: `10 parsecs` is not a duration",
        );
        check("[record]\nprofile = \"quick\"\n", 2, "record.profile: `quick` is not a profile");
        check("[record]\nbuffer = 0\n", 2, "record.buffer: expected 1 to 4096");
        check("record = 7\n", 1, "expected the section [record]");
        check("[record]\nkeep = \"60s\"\n", 2, "");
        std::fs::write(&file, "colours = \"auto\"\ncolors = \"never\"\n").unwrap();
        assert!(format!("{:#}", read(&file).unwrap_err()).contains("config.toml: `colours` is there twice"));
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(format!("{:#}", read(&file).unwrap_err()).contains("config.toml: "));
        std::fs::File::create(&file).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(format!("{:#}", read(&file).unwrap_err()).contains("larger than"));
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains("expected a file"));
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).unwrap();
        assert!(format!("{:#}", read(&link).unwrap_err()).contains("the link leads nowhere"));
    }

    #[test]
    fn values_are_written_as_on_the_command_line_or_as_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let text = "colors = \"never\"\nmy = [\"Orders.*\", \"Billing.*\"]\n\n[record]\nduration = 30\n\
                    profile = \"light\"\nmax-size = \"2GB\"\nbuffer = 64\nprovider = [\"Mine:1:5\"]\n";
        std::fs::write(&file, text).unwrap();
        let config = read(&file).unwrap().unwrap();
        let record = config.record;
        assert_eq!(config.colours.unwrap().value, Colours::Never);
        assert_eq!(
            config.my.map(|my| (my.written.to_string(), my.line)).unwrap(),
            ("Orders.*, Billing.*".to_owned(), 2)
        );
        assert_eq!(record.duration.map(|of| (of.value.as_secs(), of.line)).unwrap(), (30, 5));
        assert_eq!(record.profile.unwrap().value.name(), "light");
        assert_eq!(record.max_size.unwrap().value, 2_000_000_000);
        assert_eq!(record.buffer.unwrap().value, 64);
        assert_eq!(record.provider.unwrap().value.first().unwrap().name, "Mine");
    }
}
