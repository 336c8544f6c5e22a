//! The user's configuration, and `casebook config`, which shows it.

use crate::format::{Format, print_json};
use crate::terminal;
use anyhow::Result;
use recorder::Profile;
use serde::Serialize;
use settings::{Colours, WrittenValue};
use std::process::ExitCode;

mod file;
mod settings;

pub(crate) use settings::{Config, Given, Record};

const AFTER_HELP: &str = "\
Examples:
  casebook config
  casebook config --format json | jq -r .file

A configuration with everything that may be in it:
  colours = \"auto\"            # auto, always or never
  my = [\"Orders.*\"]           # which code is yours, as with --my

  [record]                    # defaults of `casebook record`
  profile = \"requests\"
  duration = \"30s\"
  provider = [\"MyCompany-Orders\"]
  buffer = 256
  max-size = \"2GB\"

Options on the command line take precedence over the file, and the file over NO_COLOR and CLICOLOR_FORCE. The duration is for \
recordings of a running process without -d, --keep and --stop-on.";

/// Show which settings apply, and where each comes from
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads the user's configuration.
pub(crate) fn read() -> Result<Config> {
    let path = file::path(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"));
    let read = path.as_deref().map(file::read).transpose()?.flatten();
    Ok(read.unwrap_or(Config { file: path, ..Config::default() }))
}

fn settings(config: &Config) -> Vec<Setting> {
    let Record { profile, duration, provider, buffer, max_size } = &config.record;
    vec![
        colour_setting(config),
        setting("my", config.my.as_ref(), "all code except .NET and well-known packages"),
        setting("record.profile", profile.as_ref(), Profile::Default.name()),
        setting("record.duration", duration.as_ref(), "until Ctrl-C"),
        setting("record.provider", provider.as_ref(), "those of the profile"),
        setting("record.buffer", buffer.as_ref(), "256, or less in a container with little memory"),
        setting("record.max-size", max_size.as_ref(), "32GB"),
    ]
}

const COLOURS: &str = "auto";

/// Colours may come from the environment too.
fn colour_setting(config: &Config) -> Setting {
    let colours = config.colours.as_ref();
    if colours.is_none_or(|colours| colours.value == Colours::Auto)
        && let Some((variable, value)) = colours_of_environment()
    {
        let source = Source::Environment { variable };
        let value = Some(WrittenValue::Text(value.to_owned()));
        return Setting { name: "colours", value, default: COLOURS, source };
    }
    setting("colours", colours, COLOURS)
}

/// A setting that applies.
#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    /// That of the file or the environment.
    value: Option<WrittenValue>,
    /// What applies without one, in words.
    default: &'static str,
    #[serde(flatten)]
    source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "lowercase")]
enum Source {
    Default,
    File { line: usize },
    Environment { variable: &'static str },
}

fn setting<T>(name: &'static str, given: Option<&Given<T>>, default: &'static str) -> Setting {
    let source = given.map_or(Source::Default, |given| Source::File { line: given.line });
    Setting { name, value: given.map(|given| given.written.clone()), default, source }
}

/// The variable that decides about colours, and what it says. The rules are those of `anstream`, which prints them.
fn colours_of_environment() -> Option<(&'static str, &'static str)> {
    let value = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_zero = |name| value(name).is_some_and(|value| value == "0");
    if value("NO_COLOR").is_some() {
        Some(("NO_COLOR", "never"))
    } else if value("CLICOLOR_FORCE").is_some() && !is_zero("CLICOLOR_FORCE") {
        Some(("CLICOLOR_FORCE", "always"))
    } else {
        is_zero("CLICOLOR").then_some(("CLICOLOR", "never"))
    }
}

/// `CLICOLOR_FORCE=0` forces nothing; `anstream` takes any value for yes.
pub(crate) fn leave_colours_unforced() {
    let is_zero = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0");
    if is_zero && !terminal::is_stdout() && anstream::ColorChoice::global() == anstream::ColorChoice::Auto {
        anstream::ColorChoice::Never.write_global();
    }
}

#[derive(Serialize)]
struct Document {
    file: Option<String>,
    exists: bool,
    settings: Vec<Setting>,
}

/// Prints which settings apply.
pub(crate) fn run(args: &Args, config: &Config) -> Result<ExitCode> {
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let settings = settings(config);
    if args.format == Format::Json {
        print_json(&Document { file, exists: config.exists, settings })?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = match (&file, config.exists) {
        (Some(file), true) => file.clone(),
        (Some(file), false) => {
            format!("{file} (does not exist or may not be read; `casebook config --help` shows an example)")
        }
        (None, _) => "no configuration: neither XDG_CONFIG_HOME nor HOME is set".to_owned(),
    };
    let rows: Vec<text::settings::Row> = settings
        .into_iter()
        .map(|Setting { name, value, default, source }| text::settings::Row {
            name,
            value: value.map_or_else(|| default.to_owned(), |value| value.to_string()),
            source: match source {
                Source::Default => "default".to_owned(),
                Source::File { line } => format!("line {line}"),
                Source::Environment { variable } => variable.to_owned(),
            },
        })
        .collect();
    terminal::print(&text::settings::page(&heading, &rows, terminal::width()))?;
    Ok(ExitCode::SUCCESS)
}
