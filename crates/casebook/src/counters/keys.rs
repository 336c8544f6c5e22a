//! The keys of the live page: reads them from the terminal as they are pressed, and restores the terminal.
//!
//! While keys are read, the terminal neither waits for whole lines nor shows what is typed. Ctrl-C and Ctrl-Z stay signals.
//! Nothing of the input is kept but the state of one sequence, so it does not matter how much is typed or pasted.

use crate::enter::is_in_front;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use std::io::{IsTerminal, stdin};
use std::sync::{Mutex, PoisonError};

/// How many bytes to read at once.
const PIECE: usize = 1 << 12;
/// How many pieces to read before the page has its turn again.
const MAX_PIECES: usize = 16;
/// Begins what is pasted, as the number of a sequence. The page asks the terminal to mark it.
const PASTE: u32 = 200;
/// Ends what is pasted.
const PASTE_END: &[u8] = b"\x1b[201~";

/// How the terminal was before.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Pause,
    /// The next order of the rows.
    Sort,
    /// The order before.
    SortBack,
    Reverse,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The keyboard while a page is shown. Dropping this restores the terminal.
#[derive(Debug)]
pub(super) struct Keys {
    parser: Parser,
    /// Whether the terminal is still there.
    is_open: bool,
}

impl Keys {
    /// Reads keys from now on. `None` if standard input is not a terminal, or is that of another program in the foreground.
    pub(super) fn enter() -> Option<Self> {
        let input = stdin();
        if !input.is_terminal() || !is_in_front(&input) {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        // Noted before the change, so that a signal at any time restores it.
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.clone());
        let keys = Self { parser: Parser::default(), is_open: true };
        tcsetattr(&input, OptionalActions::Now, &for_keys(before)).ok()?;
        Some(keys)
    }

    /// The keys that were pressed, each passed on at once. Does not wait.
    pub(super) fn pressed(&mut self, mut act: impl FnMut(Key)) {
        let input = stdin();
        // Reading in the background would stop the process.
        if !self.is_open || !is_in_front(&input) {
            return;
        }
        Self::keep_mode();
        let mut piece = [0; PIECE];
        for _ in 0..MAX_PIECES {
            let mut waited = [PollFd::new(&input, PollFlags::IN)];
            if !matches!(poll(&mut waited, Some(&Timespec::default())), Ok(1..)) {
                return;
            }
            match read(&input, &mut piece) {
                Ok(0) => self.is_open = false,
                Ok(len) => {
                    let bytes = piece.get(..len).unwrap_or_default();
                    bytes.iter().filter_map(|byte| self.parser.take(*byte)).for_each(&mut act);
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => self.is_open = false,
            }
            if !self.is_open {
                return;
            }
        }
    }

    /// After Ctrl-Z and `fg` the terminal may be as the shell left it.
    fn keep_mode() {
        let input = stdin();
        let Ok(now) = tcgetattr(&input) else { return };
        if now.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO) {
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.clone());
            // If it fails, keys come with the next line end, as before.
            tcsetattr(&input, OptionalActions::Now, &for_keys(now)).ok();
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

fn for_keys(mut mode: Termios) -> Termios {
    mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    mode.local_modes.insert(LocalModes::ISIG);
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
    mode
}

/// Restores the terminal, from any thread. Does nothing if it is as it was.
pub(super) fn restore() {
    let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let input = stdin();
    // In the background the terminal is the shell's, and changing it would stop the process.
    if is_in_front(&input) {
        // What was typed for the page must not run in the shell.
        tcflush(&input, QueueSelector::IFlush).ok();
        // Fails if the terminal is gone. There is then nothing to restore.
        tcsetattr(&input, OptionalActions::Now, &before).ok();
    }
}

/// Recognises keys in bytes, which may come one by one.
#[derive(Debug, Default)]
struct Parser(State);

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Letters,
    /// After an escape character.
    Escape,
    /// In a sequence that began with `ESC [`: its first number, and whether that has ended.
    Sequence { number: u32, has_ended: bool },
    /// After `ESC O`, with which some terminals begin the arrows.
    Arrow,
    /// In what is pasted: how many bytes of its end have come.
    Paste { matched: usize },
}

impl Parser {
    /// Takes the next byte. Other bytes are ignored.
    fn take(&mut self, byte: u8) -> Option<Key> {
        let (state, key) = match (self.0, byte) {
            (State::Paste { matched }, _) => (in_paste(matched, byte), None),
            (_, b'\x1b') => (State::Escape, None),
            (State::Escape, b'[') => (State::Sequence { number: 0, has_ended: false }, None),
            (State::Escape, b'O') => (State::Arrow, None),
            // A letter with Alt, or after the Esc key.
            (State::Letters | State::Escape, letter) => (State::Letters, of_letter(letter)),
            (State::Arrow, letter) => (State::Letters, of_sequence(0, letter)),
            (State::Sequence { number, has_ended: false }, b'0'..=b'9') => {
                let number = number.saturating_mul(10).saturating_add(u32::from(byte - b'0'));
                (State::Sequence { number, has_ended: false }, None)
            }
            (State::Sequence { number, .. }, b' '..=b'?') => {
                (State::Sequence { number, has_ended: true }, None)
            }
            (State::Sequence { number: PASTE, .. }, b'~') => (State::Paste { matched: 0 }, None),
            (State::Sequence { number, .. }, last) => (State::Letters, of_sequence(number, last)),
        };
        self.0 = state;
        key
    }
}

fn in_paste(matched: usize, byte: u8) -> State {
    let matched = match PASTE_END.get(matched) {
        Some(next) if *next == byte => matched + 1,
        // Only its first byte is an escape character, so no other place can be the beginning.
        _ => usize::from(PASTE_END.first() == Some(&byte)),
    };
    if matched == PASTE_END.len() { State::Letters } else { State::Paste { matched } }
}

fn of_letter(letter: u8) -> Option<Key> {
    Some(match letter {
        b'q' | b'Q' => Key::Quit,
        b' ' => Key::Pause,
        b's' => Key::Sort,
        b'S' => Key::SortBack,
        b'r' => Key::Reverse,
        b'k' => Key::Up,
        b'j' => Key::Down,
        b'g' => Key::Home,
        b'G' => Key::End,
        _ => return None,
    })
}

/// The key of a sequence, by its number and last letter.
fn of_sequence(number: u32, last: u8) -> Option<Key> {
    Some(match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Sort,
        (b'D', _) => Key::SortBack,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 5) => Key::PageUp,
        (b'~', 6) => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[Key]) {
        let mut parser = Parser::default();
        let keys: Vec<Key> = bytes.iter().filter_map(|byte| parser.take(*byte)).collect();
        assert_eq!(keys, expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn letters_and_sequences_are_keys() {
        check(
            b"q sSrkjgG",
            &[
                Key::Quit,
                Key::Pause,
                Key::Sort,
                Key::SortBack,
                Key::Reverse,
                Key::Up,
                Key::Down,
                Key::Home,
                Key::End,
            ],
        );
        check(b"\x1b[A\x1b[B\x1b[C\x1b[D", &[Key::Up, Key::Down, Key::Sort, Key::SortBack]);
        check(b"\x1bOA\x1bOB\x1bOH\x1bOF", &[Key::Up, Key::Down, Key::Home, Key::End]);
        check(b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~", &[Key::PageUp, Key::PageDown, Key::Home, Key::End]);
        // With Ctrl and Shift.
        check(b"\x1b[1;5A\x1b[5;2~", &[Key::Up, Key::PageUp]);
    }

    #[test]
    fn other_bytes_are_ignored() {
        check(b"\0\x7f\xff\xc3\xa9x\r\n\t1", &[]);
        check(b"\x1b[99999999999999999999~\x1b[?1;2c\x1b[11~\x1bOP", &[]);
        // A sequence that is not finished gives way to the next one.
        check(b"\x1b[1;\x1b[A\x1b\x1b[B", &[Key::Up, Key::Down]);
        // The Esc key does not swallow the key after it.
        check(b"\x1bq", &[Key::Quit]);
        for byte in 0..=255_u8 {
            let mut parser = Parser::default();
            for byte in [0x1b, b'[', byte, byte, 0x1b, b'[', b'A'] {
                parser.take(byte);
            }
            assert!(matches!(parser.0, State::Letters), "{byte}");
        }
    }

    #[test]
    fn what_is_pasted_is_not_typed() {
        check(b"\x1b[200~quit now\x1b[A q\x1b[201\x1b\x1b[201~j", &[Key::Down]);
    }
}
