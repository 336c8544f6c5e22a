//! The list of formats, and which of them a file is of.
//!
//! Its first bytes, unpacked, decide. Its name counts only inside a folder, for a file whose first bytes are damaged: it is
//! reported as damaged instead of passed over.

use crate::error::Error;
use crate::feed::Format;
use crate::head::Head;
use crate::{bench, foreign, load, trace};

/// Every format.
pub(crate) static FORMATS: &[&Format] = &[&trace::FORMAT, &bench::FORMAT, &load::RUN, &load::HLOG];

/// The format of a file that begins so, or why it cannot be read.
pub(crate) fn of(head: Head, name: &str) -> Result<&'static Format, Error> {
    let path = name.to_owned();
    if let Some(foreign) = foreign::of(&head) {
        return Err(Error::Foreign { path, what: foreign.what, opens: foreign.opens });
    }
    match FORMATS.iter().copied().find(|format| (format.sniff)(&head)) {
        Some(format) => Ok(format),
        None => Err(head.refusal(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn messages_name_every_format() {
        let titles: Vec<&str> = FORMATS.iter().map(|format| format.names.title).collect();
        assert_eq!(titles, names::ALL.map(|names| names.title));
    }
}
