//! What the keys changed on the live page: the order of the rows, how far they are scrolled, and whether the page is paused.

use super::keys::Key;
use text::counters::{Page, Table, View};

/// In place of the keys while the session ends.
const ENDING: &str = "ending the session…  q again to end it now";

/// The page as it was when it was paused.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) table: Table,
    pub(super) title: String,
    pub(super) notes: Vec<String>,
}

/// What is shown of the page.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) view: View,
    pub(super) frozen: Option<Frozen>,
    /// How far the page can be scrolled.
    end: usize,
    /// How far a page is.
    page: usize,
    /// Whether a key changed what is shown since the page was drawn.
    pub(super) is_changed: bool,
    /// Whether keys are read, so that the last line names them.
    pub(super) has_keys: bool,
    pub(super) is_ending: bool,
}

impl Live {
    /// Does what a key asks of the order and the place.
    pub(super) fn press(&mut self, key: Key) {
        let View { sort, reversed, scroll } = self.view;
        let sorted = |back| View { sort: sort.next(back), reversed, scroll: 0 };
        let at = |scroll: usize| View { scroll: scroll.min(self.end), ..self.view };
        self.view = match key {
            Key::Sort => sorted(false),
            Key::SortBack => sorted(true),
            Key::Reverse => View { reversed: !reversed, scroll: 0, ..self.view },
            Key::Up => at(scroll.saturating_sub(1)),
            Key::Down => at(scroll.saturating_add(1)),
            Key::PageUp => at(scroll.saturating_sub(self.page)),
            Key::PageDown => at(scroll.saturating_add(self.page)),
            Key::Home => at(0),
            Key::End => at(self.end),
            Key::Quit | Key::Pause => self.view,
        };
        self.is_changed = true;
    }

    /// The last line, if keys are read.
    pub(super) fn footer(&self, columns: usize) -> Option<String> {
        let keys = || text::counters::keys(self.view, self.frozen.is_some(), columns);
        self.has_keys.then(|| if self.is_ending { ENDING.to_owned() } else { keys() })
    }

    /// Notes how far the page that was drawn is scrolled, and can be.
    pub(super) fn drawn(&mut self, page: &Page) {
        self.view.scroll = page.scroll;
        self.end = page.end;
        // One line of the page before stays in sight.
        self.page = page.room.saturating_sub(1).max(1);
        self.is_changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use text::counters::Sort;

    #[test]
    fn keys_scroll_within_the_rows_and_a_new_order_begins_at_its_top() {
        let mut live = Live::default();
        live.press(Key::Down);
        assert_eq!(live.view.scroll, 0);
        live.drawn(&Page { lines: Vec::new(), scroll: 0, end: 30, room: 20 });
        let mut scroll = |key| {
            live.press(key);
            live.view.scroll
        };
        assert_eq!([Key::Down, Key::PageDown, Key::PageDown].map(&mut scroll), [1, 20, 30]);
        assert_eq!(
            [Key::Up, Key::PageUp, Key::PageUp, Key::End, Key::Home].map(&mut scroll),
            [29, 10, 0, 30, 0]
        );
        assert_eq!([Key::End, Key::Sort].map(&mut scroll), [30, 0]);
        assert_eq!(live.view.sort, Sort::Value);
        live.press(Key::SortBack);
        live.press(Key::Reverse);
        assert_eq!(live.view, View { sort: Sort::Name, reversed: true, scroll: 0 });
    }
}
