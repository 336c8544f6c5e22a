//! Numbers on the command line, and the range that each option accepts.

use std::ops::RangeInclusive;

/// Lets every option of all commands take a negative number for its value, so that the option itself says what it expects.
/// clap would take it for an unknown option.
pub(crate) fn negative_is_a_value(command: clap::Command) -> clap::Command {
    let allow = |arg: clap::Arg| {
        let takes_values = arg.get_action().takes_values() && !arg.is_positional();
        if takes_values { arg.allow_negative_numbers(true) } else { arg }
    };
    command.mut_args(allow).mut_subcommands(negative_is_a_value)
}

/// Reads a number within a range. `expected` says what is expected, in a sentence that ends an error.
fn within<T>(text: &str, range: RangeInclusive<u64>, expected: &str) -> Result<T, String>
where
    T: TryFrom<u64>,
{
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| format!("expected {expected}"))
}

/// Reads the size of a buffer.
pub(crate) fn megabytes(text: &str) -> Result<u32, String> {
    within(text, 1..=4096, "1 to 4096 megabytes")
}

/// Reads a port.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    within(text, 0..=65_535, "a port from 0 to 65535")
}

/// Reads a number of rows.
pub(crate) fn rows(text: &str) -> Result<usize, String> {
    within(text, 0..=u64::MAX, "a number of rows, 0 or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_is_refused_with_the_range() {
        assert_eq!(["1", "4096"].map(megabytes), [Ok(1), Ok(4096)]);
        for text in ["0", "4097", "999999", "-1", "1.5", "", "x"] {
            assert_eq!(megabytes(text), Err("expected 1 to 4096 megabytes".to_owned()), "{text}");
        }
        assert_eq!(["0", "65535"].map(port), [Ok(0), Ok(65_535)]);
        assert_eq!(port("80000"), Err("expected a port from 0 to 65535".to_owned()));
        assert_eq!(rows("0"), Ok(0));
        assert_eq!(rows("-3"), Err("expected a number of rows, 0 or more".to_owned()));
    }
}
