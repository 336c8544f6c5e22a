//! Texts, each kept once and referred to by number.

use base::seeded::SeededMap;
use std::sync::Arc;

/// A text of a [`Strings`]; [`Sym::NONE`] stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(pub u32);

impl Sym {
    /// No text: null in a table.
    pub const NONE: Self = Self(u32::MAX);
}

/// Texts by number.
#[derive(Debug, Default)]
pub struct Strings {
    texts: Vec<Arc<str>>,
    numbers: SeededMap<Arc<str>, Sym>,
    /// Bytes of all texts, without what keeping each costs.
    bytes: usize,
}

/// What keeping a text costs beside its bytes: its counts, its places in the list and among the numbers.
const BYTES_A_TEXT: usize = 48;

impl Strings {
    /// The number of a text, which is kept from now on.
    pub fn intern(&mut self, text: &str) -> Sym {
        if let Some(sym) = self.numbers.get(text) {
            return *sym;
        }
        // So many texts do not fit into memory. If they did, the last ones would be missing.
        let sym = Sym(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let kept: Arc<str> = Arc::from(text);
        self.bytes = self.bytes.saturating_add(text.len());
        self.texts.push(Arc::clone(&kept));
        self.numbers.insert(kept, sym);
        sym
    }

    /// The number of a text, if it is kept.
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.numbers.get(text).copied()
    }

    /// The text of a number.
    #[inline]
    pub fn get(&self, sym: Sym) -> Option<&str> {
        self.texts.get(sym.0 as usize).map(AsRef::as_ref)
    }

    /// The text of a number, or nothing.
    pub fn text(&self, sym: Sym) -> &str {
        self.get(sym).unwrap_or_default()
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Bytes that the texts take; known without going over them.
    pub fn bytes(&self) -> usize {
        self.texts.len().saturating_mul(BYTES_A_TEXT).saturating_add(self.bytes)
    }
}
