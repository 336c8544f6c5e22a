//! Texts of 16-bit units, most of which come again and again, each converted once.

use super::budget::{MAP, of};
use super::seen::Seen;
use base::bytes::utf16_text;
use base::seeded::SeededMap;
use model::{Strings, Sym};

/// How many texts are remembered; further ones are converted anew each time.
pub(crate) const MAX_REMEMBERED: usize = 1 << 16;

/// The texts that were seen, with their numbers.
#[derive(Debug, Default)]
pub(crate) struct SeenTexts {
    texts: SeededMap<Box<[u8]>, Sym>,
    bytes: usize,
}

impl SeenTexts {
    /// The text of a field.
    pub(crate) fn field(&mut self, seen: &Seen<'_>, name: &str, strings: &mut Strings) -> Sym {
        match seen.fields.utf16(name) {
            Some(&[]) => strings.intern(""),
            Some(bytes) => self.text(bytes, strings),
            None => seen.fields.text(name).map_or(Sym::NONE, |text| strings.intern(&text)),
        }
    }

    /// The text's number; none for an empty one.
    pub(crate) fn text(&mut self, bytes: &[u8], strings: &mut Strings) -> Sym {
        if bytes.is_empty() {
            return Sym::NONE;
        }
        if let Some(known) = self.texts.get(bytes) {
            return *known;
        }
        let sym = strings.intern(&text_of(bytes));
        if self.texts.len() < MAX_REMEMBERED {
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.texts.insert(bytes.into(), sym);
        }
        sym
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        of(self.texts.len(), MAP * 41).saturating_add(self.bytes)
    }
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    utf16_text(bytes, &mut text);
    text
}
