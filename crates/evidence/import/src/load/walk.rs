//! JSON walked member by member: each value comes with its path, and nothing of the document is kept.
//!
//! A document that breaks off was walked up to the break. The depth is limited by `serde_json` to 128.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

/// A value, or the beginning of a list or an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leaf<'a> {
    Null,
    Bool(bool),
    /// The number, and the same as an integer if it is one.
    Number(f64, Option<i64>),
    Text(&'a str),
    List,
    Object,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// The names of members with dots between them; an element of a list is `[]`: `by_second.rows.[].[]`.
    pub(super) path: &'a str,
    /// The number of each of those elements in its list.
    pub(super) elements: &'a [usize],
    /// The offset of the value's end in the file.
    pub(super) offset: u64,
}

/// Walks a document and hands each value on. The error is of the place from which on it is not JSON, or breaks off.
pub(super) fn walk(bytes: &[u8], take: &mut dyn FnMut(At<'_>, Leaf<'_>)) -> Result<(), serde_json::Error> {
    let read = Rc::new(Cell::new(0));
    let source = Counted { bytes, read: Rc::clone(&read) };
    let mut json = serde_json::Deserializer::from_reader(source);
    let mut state = State { path: String::new(), elements: Vec::new(), read, take };
    Value(&mut state).deserialize(&mut json)?;
    json.end()
}

/// Bytes that are counted as they are read.
struct Counted<'a> {
    bytes: &'a [u8],
    read: Rc<Cell<u64>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buffer)?;
        self.read.set(self.read.get().saturating_add(base::number::wide(len)));
        Ok(len)
    }
}

struct State<'a> {
    path: String,
    elements: Vec<usize>,
    read: Rc<Cell<u64>>,
    take: &'a mut dyn FnMut(At<'_>, Leaf<'_>),
}

impl State<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        let at = At { path: &self.path, elements: &self.elements, offset: self.read.get() };
        (self.take)(at, leaf);
    }

    /// Adds a name to the path, and returns how long the path was before.
    fn enter(&mut self, name: &str) -> usize {
        let before = self.path.len();
        if before > 0 {
            self.path.push('.');
        }
        // A dot of a name must not look like one between two names.
        self.path.extend(name.chars().map(|of| if of == '.' { '_' } else { of }));
        before
    }
}

/// The next value.
struct Value<'s, 'a>(&'s mut State<'a>);

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.leaf(Leaf::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.leaf(Leaf::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.leaf(Leaf::Number(base::number::real(value), Some(value)));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.leaf(Leaf::Number(base::number::real_u64(value), i64::try_from(value).ok()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.leaf(Leaf::Number(value, None));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.leaf(Leaf::Text(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let state = self.0;
        state.leaf(Leaf::List);
        let before = state.enter("[]");
        state.elements.push(0);
        let mut number = 0usize;
        while list.next_element_seed(Value(state))?.is_some() {
            number = number.saturating_add(1);
            if let Some(last) = state.elements.last_mut() {
                *last = number;
            }
        }
        state.elements.pop();
        state.path.truncate(before);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.0;
        state.leaf(Leaf::Object);
        while let Some(name) = map.next_key::<String>()? {
            let before = state.enter(&name);
            map.next_value_seed(Value(state))?;
            state.path.truncate(before);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(text: &str) -> Vec<String> {
        let mut leaves = Vec::new();
        let walked = walk(text.as_bytes(), &mut |at, leaf| {
            leaves.push(format!("{} {:?} {leaf:?}", at.path, at.elements));
        });
        if walked.is_err() {
            leaves.push(String::from("broken"));
        }
        leaves
    }

    #[test]
    fn each_value_comes_with_its_path() {
        assert_eq!(
            leaves(r#"{"a":{"b.c":1},"rows":[[2.5],[null,"x"]]}"#),
            [
                " [] Object",
                "a [] Object",
                "a.b_c [] Number(1.0, Some(1))",
                "rows [] List",
                "rows.[] [0] List",
                "rows.[].[] [0, 0] Number(2.5, None)",
                "rows.[] [1] List",
                "rows.[].[] [1, 0] Null",
                "rows.[].[] [1, 1] Text(\"x\")",
            ]
        );
    }

    #[test]
    fn what_stands_before_a_break_is_walked() {
        assert_eq!(leaves(r#"{"a":1,"b":"#), [" [] Object", "a [] Number(1.0, Some(1))", "broken"]);
        assert_eq!(leaves(&"[".repeat(1000)).last().map(String::as_str), Some("broken"));
    }
}
