//! The settings that apply, as text.

use crate::page::{printable, wrap};
use crate::width::Width;
use anstyle::Style;

/// A setting that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name, as in the configuration.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

/// A page with a heading, which is the file, and one line for each setting; a long value has several.
pub fn page(heading: &str, rows: &[Row], width: Width) -> String {
    const BOLD: Style = Style::new().bold();
    const GAP: usize = 2;
    let bold = |line: &String| format!("{BOLD}{line}{BOLD:#}\n");
    let mut text: String = wrap(&printable(heading), width.prose()).iter().map(bold).collect();
    text.push('\n');
    let longest =
        |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0) + GAP;
    let (of_name, of_source) = (longest(|row| row.name), longest(|row| &row.source));
    for Row { name, value, source } in rows {
        let indent = of_name + of_source;
        let lines = wrap(&printable(value), width.prose().saturating_sub(indent));
        let value = lines.join(&format!("\n{:indent$}", ""));
        text.extend([format!("{BOLD}{name:<of_name$}{BOLD:#}{source:<of_source$}{value}\n")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_its_source_and_a_long_value_fits() {
        let row = |name, value: &str, source: &str| Row { name, value: value.into(), source: source.into() };
        let rows = [
            row("my", "Orders.*, Billing.*, Addresses.*", "line 2"),
            row("record.profile", "light\u{1b}[2J", "default"),
        ];
        let text = page("config.toml", &rows, Width::of(40));
        let expected = "\
config.toml

my              line 2   Orders.*,
                         Billing.*,
                         Addresses.*
record.profile  default  light [2J
";
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }
}
