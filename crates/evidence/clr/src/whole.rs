//! A quick look at whether a payload is whole.
//!
//! Nearly all payloads are, and nearly all layouts are made of numbers, texts, and lists of both: these are gone over in a
//! few steps that are worked out once per layout. Whatever the steps do not cover, and whatever they do not find whole, is
//! left to [`damaged`], which decides.

use crate::layout::{Field, Kind, Layout};
use crate::payload::{MOST_VALUES, MOST_VALUES_A_BYTE, damaged};
use base::bytes::Cursor;

/// Counts that one object may keep for its lists; those of the runtime have two.
const MOST_COUNTS: usize = 4;

/// What the steps of a layout are, worked out once.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole(Option<Vec<Step>>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// So many bytes, and so many addresses.
    Fixed(usize, usize),
    Utf16Z,
    Utf8Z,
    /// The layout's last text, and what follows it: so many bytes, and so many addresses.
    LastUtf16Z(usize, usize),
    /// A number of variable length.
    Varint,
    /// A count of so many bytes, kept in a place.
    Count(usize, usize),
    /// As many times these steps, which take at least a byte.
    List(Times, Vec<Self>),
    /// As many times so many bytes, and so many addresses.
    FixedList(Times, usize, usize),
}

/// How many elements a list has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Times {
    /// 16 bits before the list say it.
    Before,
    /// The count that was kept in this place.
    Kept(usize),
    /// Always so many.
    Always(u32),
}

impl Whole {
    /// Works out the steps of a layout.
    pub fn new(layout: &Layout) -> Self {
        let mut plan = Plan::default();
        let covered = plan.add_all(&layout.fields, 0).filter(|()| has_few_values(layout));
        Self(covered.map(|()| last_text(plan.steps)))
    }

    /// Whether all fields of a payload can be read: then [`damaged`] finds none that cannot.
    #[inline]
    pub fn is_whole(&self, layout: &Layout, bytes: &[u8], pointer_size: u8) -> bool {
        let size = usize::from(pointer_size);
        let quick = match self.0.as_deref() {
            None => false,
            Some([]) => true,
            Some([Step::Fixed(len, pointers)]) => fixed(*len, *pointers, size) <= bytes.len(),
            Some(steps) => go_over(steps, &mut Cursor::new(bytes, 0), size),
        };
        quick || damaged(layout, bytes, pointer_size).is_none()
    }
}

#[inline]
fn fixed(len: usize, pointers: usize, pointer_size: usize) -> usize {
    pointers.saturating_mul(pointer_size).saturating_add(len)
}

fn go_over(steps: &[Step], cursor: &mut Cursor<'_>, pointer_size: usize) -> bool {
    let mut counts = [0u32; MOST_COUNTS];
    steps.iter().all(|step| match step {
        Step::Fixed(len, pointers) => cursor.take(fixed(*len, *pointers, pointer_size), "fields").is_ok(),
        Step::Utf16Z => cursor.utf16z("text").is_ok(),
        Step::Utf8Z => cursor.utf8z("text").is_ok(),
        Step::LastUtf16Z(len, pointers) => {
            let behind = fixed(*len, *pointers, pointer_size);
            ends_before(cursor.rest(), behind)
                || (cursor.utf16z("text").is_ok() && cursor.take(behind, "fields").is_ok())
        }
        Step::Varint => cursor.varu64("number").is_ok(),
        Step::Count(len, place) => {
            let count = count(*len, cursor);
            if let (Some(place), Some(count)) = (counts.get_mut(*place), count) {
                *place = count;
            }
            count.is_some()
        }
        Step::List(times, element) => times.get(&counts, cursor).is_some_and(|times| {
            (0..times).all(|_element| {
                let before = cursor.offset();
                // Elements of no bytes, which only addresses of none can make, are left to the walk.
                go_over(element, cursor, pointer_size) && cursor.offset() != before
            })
        }),
        Step::FixedList(times, len, pointers) => times.get(&counts, cursor).is_some_and(|times| {
            let element = fixed(*len, *pointers, pointer_size);
            let len = usize::try_from(times).ok().and_then(|times| times.checked_mul(element));
            len.is_some_and(|len| cursor.take(len, "list").is_ok())
        }),
    })
}

/// Whether the last text of a payload has its end just before the bytes that must follow. An earlier end would leave more
/// than enough for them, so the text need not be gone over.
fn ends_before(rest: &[u8], behind: usize) -> bool {
    let text = rest.len().checked_sub(behind).and_then(|len| rest.get(..len));
    text.is_some_and(|text| text.len().is_multiple_of(2) && text.ends_with(&[0, 0]))
}

fn count(len: usize, cursor: &mut Cursor<'_>) -> Option<u32> {
    match len {
        1 => cursor.u8("count").ok().map(u32::from),
        2 => cursor.u16("count").ok().map(u32::from),
        _ => cursor.u32("count").ok(),
    }
}

impl Times {
    fn get(self, counts: &[u32; MOST_COUNTS], cursor: &mut Cursor<'_>) -> Option<u32> {
        match self {
            Self::Before => count(2, cursor),
            Self::Kept(place) => counts.get(place).copied(),
            Self::Always(times) => Some(times),
        }
    }
}

/// The steps of one value after another; adding gives `None` if there are none for a value.
#[derive(Debug, Default)]
struct Plan {
    steps: Vec<Step>,
    counts: usize,
}

impl Plan {
    fn add_all(&mut self, fields: &[Field], depth: u32) -> Option<()> {
        const MAX_DEPTH: u32 = 4;
        if depth > MAX_DEPTH {
            return None;
        }
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let before = fields.get(..at)?;
            match &field.kind {
                Kind::Counted { count, element } => {
                    let times = times(count, before, &places)?;
                    self.list(times, element, depth)?;
                }
                Kind::Bytes { count } => {
                    let times = times(count, before, &places)?;
                    self.steps.push(Step::FixedList(times, 1, 0));
                }
                kind if is_count(fields, at) => {
                    let len = count_len(kind)?;
                    places.push((at, self.counts));
                    self.steps.push(Step::Count(len, self.counts));
                    self.counts = self.counts.checked_add(1).filter(|counts| *counts <= MOST_COUNTS)?;
                }
                kind => self.add(kind, depth)?,
            }
        }
        Some(())
    }

    fn add(&mut self, kind: &Kind, depth: u32) -> Option<()> {
        let step = match kind {
            Kind::Utf16Z => Step::Utf16Z,
            Kind::Utf8Z => Step::Utf8Z,
            Kind::VarInt | Kind::VarUInt => Step::Varint,
            Kind::Object(fields) => return self.add_all(fields, depth.saturating_add(1)),
            Kind::Array(element) => return self.list(Times::Before, element, depth),
            Kind::FixedArray(element, times) => {
                return self.list(Times::Always(u32::from(*times)), element, depth);
            }
            Kind::Enum(_, of) | Kind::Flags(_, of) => return self.add(of, depth),
            Kind::Pointer => Step::Fixed(0, 1),
            Kind::RelLoc(_) | Kind::DataLoc(_) | Kind::Counted { .. } | Kind::Bytes { .. } => return None,
            _ => Step::Fixed(kind.least_bytes(), 0),
        };
        match (self.steps.last_mut(), &step) {
            (Some(Step::Fixed(len, pointers)), Step::Fixed(more, more_pointers)) => {
                *len = len.saturating_add(*more);
                *pointers = pointers.saturating_add(*more_pointers);
            }
            _ => self.steps.push(step),
        }
        Some(())
    }

    fn list(&mut self, times: Times, element: &Kind, depth: u32) -> Option<()> {
        if element.least_bytes() == 0 {
            return None;
        }
        let mut of = Self::default();
        let deeper = depth.saturating_add(1);
        // Its count would be looked for in what is around the list.
        match element {
            Kind::Object(fields) => of.add_all(fields, deeper)?,
            _ => of.add(element, deeper)?,
        }
        self.steps.push(match of.steps.as_slice() {
            [Step::Fixed(len, pointers)] => Step::FixedList(times, *len, *pointers),
            _ => Step::List(times, of.steps),
        });
        Some(())
    }
}

/// Whether a field is the count of one that follows.
fn is_count(fields: &[Field], at: usize) -> bool {
    let name = fields.get(at).map(|field| &field.name);
    let mut later = fields.iter().skip(at.saturating_add(1));
    later.any(|field| match &field.kind {
        Kind::Counted { count, .. } | Kind::Bytes { count } => Some(count) == name,
        _ => false,
    })
}

/// Bytes of a number that is a count as it lies.
fn count_len(kind: &Kind) -> Option<usize> {
    matches!(kind, Kind::U8 | Kind::U16 | Kind::U32).then(|| kind.least_bytes())
}

/// Where a list's count is: the first field of that name. `places` has those that are kept, by their fields.
fn times(count: &str, before: &[Field], places: &[(usize, usize)]) -> Option<Times> {
    if let Ok(literal) = count.parse::<u64>() {
        return Some(Times::Always(u32::try_from(literal).ok()?));
    }
    let at = before.iter().position(|field| field.name == count)?;
    // One that is reached by what it counts counts nothing.
    let too_late = before.get(..at)?.iter().any(|field| match &field.kind {
        Kind::Counted { count: of, .. } | Kind::Bytes { count: of } => of == count,
        _ => false,
    });
    let place = places.iter().find(|(of, _)| *of == at).filter(|_| !too_late)?;
    Some(Times::Kept(place.1))
}

/// A last text with nothing but fixed bytes behind it needs no going over.
fn last_text(mut steps: Vec<Step>) -> Vec<Step> {
    let behind = match steps.as_slice() {
        [.., Step::Utf16Z] => Some((1, 0, 0)),
        [.., Step::Utf16Z, Step::Fixed(len, pointers)] => Some((2, *len, *pointers)),
        _ => None,
    };
    if let Some((taken, len, pointers)) = behind {
        steps.truncate(steps.len().saturating_sub(taken));
        steps.push(Step::LastUtf16Z(len, pointers));
    }
    steps
}

/// Whether a walk over a payload, however long its lists are, goes over no more values than it may: what it refuses must
/// not be whole here.
fn has_few_values(layout: &Layout) -> bool {
    let all = Kind::Object(layout.fields.clone());
    // For each count that is looked for, what stands before it is gone over once more.
    let each = counted(&all).saturating_add(1);
    values(&all).saturating_mul(each) <= MOST_VALUES && elements_are_few(&all, each, each)
}

/// How many lists look for their count.
fn counted(kind: &Kind) -> usize {
    match kind {
        Kind::Counted { element, .. } => counted(element).saturating_add(1),
        Kind::Bytes { .. } => 1,
        Kind::Array(element) | Kind::FixedArray(element, _) => counted(element),
        Kind::Object(fields) => {
            fields.iter().map(|field| counted(&field.kind)).fold(0, usize::saturating_add)
        }
        _ => 0,
    }
}

/// Values that are gone over once, without the elements of lists.
fn values(kind: &Kind) -> usize {
    let inner = match kind {
        Kind::Enum(_, of) | Kind::Flags(_, of) => values(of),
        Kind::Object(fields) => fields.iter().map(|field| values(&field.kind)).fold(0, usize::saturating_add),
        _ => 0,
    };
    inner.saturating_add(1)
}

/// Whether the elements of all lists have few values for their bytes. What is around them is gone over `times` times.
fn elements_are_few(kind: &Kind, times: usize, each: usize) -> bool {
    match kind {
        Kind::Object(fields) => fields.iter().all(|field| elements_are_few(&field.kind, times, each)),
        Kind::Array(of) | Kind::FixedArray(of, _) | Kind::Counted { element: of, .. } => {
            let times = times.saturating_mul(each);
            values(of).saturating_mul(times) <= of.least_bytes().saturating_mul(MOST_VALUES_A_BYTE)
                && elements_are_few(of, times, each)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(kinds: &[Kind]) -> Layout {
        let field = |kind: &Kind| Field { name: String::new(), kind: kind.clone() };
        Layout { fields: kinds.iter().map(field).collect() }
    }

    fn named(fields: &[(&str, Kind)]) -> Vec<Field> {
        fields.iter().map(|(name, kind)| Field { name: (*name).to_owned(), kind: kind.clone() }).collect()
    }

    fn counted_by(count: &str, element: Kind) -> Kind {
        Kind::Counted { count: count.to_owned(), element: Box::new(element) }
    }

    /// The types that the runtime names beside each finalized object.
    fn types() -> Layout {
        let item = named(&[
            ("id", Kind::U64),
            ("name", Kind::Utf16Z),
            ("m", Kind::U16),
            ("parameters", counted_by("m", Kind::Pointer)),
        ]);
        Layout {
            fields: named(&[
                ("n", Kind::U32),
                ("id", Kind::U16),
                ("types", counted_by("n", Kind::Object(item))),
            ]),
        }
    }

    #[test]
    fn numbers_that_follow_each_other_are_one_step() {
        let check = |kinds: &[Kind], expected| assert_eq!(Whole::new(&layout(kinds)).0, expected);
        let pair = Kind::Object(named(&[("k", Kind::Utf16Z), ("v", Kind::U32)]));
        check(&[], Some(vec![]));
        check(
            &[Kind::U16, Kind::Pointer, Kind::Guid, Kind::Pointer, Kind::Skip(3)],
            Some(vec![Step::Fixed(21, 2)]),
        );
        check(
            &[Kind::U8, Kind::Array(Box::new(pair))],
            Some(vec![Step::Fixed(1, 0), Step::List(Times::Before, vec![Step::Utf16Z, Step::Fixed(4, 0)])]),
        );
        check(
            &[Kind::Utf16Z, Kind::U8, Kind::Utf16Z, Kind::Pointer, Kind::U32],
            Some(vec![Step::Utf16Z, Step::Fixed(1, 0), Step::LastUtf16Z(4, 1)]),
        );
        // A list of nothing has no end in sight, and the others have rules of their own.
        check(&[Kind::Array(Box::new(Kind::Object(Vec::new())))], None);
        check(&[Kind::U8, Kind::RelLoc(Box::new(Kind::U8))], None);
        let expected = vec![
            Step::Count(4, 0),
            Step::Fixed(2, 0),
            Step::List(
                Times::Kept(0),
                vec![
                    Step::Fixed(8, 0),
                    Step::Utf16Z,
                    Step::Count(2, 0),
                    Step::FixedList(Times::Kept(0), 0, 1),
                ],
            ),
        ];
        assert_eq!(Whole::new(&types()).0, Some(expected));
    }

    #[test]
    fn lists_whose_counts_are_not_plain_are_left_to_the_whole_walk() {
        let check = |fields: &[(&str, Kind)]| {
            let whole = Whole::new(&Layout { fields: named(fields) });
            assert_eq!(whole.0, None);
        };
        check(&[("list", counted_by("n", Kind::U8)), ("n", Kind::U8)]);
        check(&[("n", Kind::I32), ("list", counted_by("n", Kind::U8))]);
        check(&[("n", Kind::Utf16Z), ("list", counted_by("n", Kind::U8))]);
        check(&[("list", counted_by("n", Kind::U8)), ("n", Kind::U8), ("more", counted_by("n", Kind::U8))]);
        // As many values of no bytes are refused.
        let mut members = vec![Kind::Object(Vec::new()); 100];
        members.push(Kind::U8);
        check(&[("list", Kind::Array(Box::new(Kind::Object(layout(&members).fields))))]);
    }

    #[test]
    fn the_quick_look_agrees_with_the_whole_walk() {
        let text = || Box::new(Kind::Utf16Z);
        let layouts = [
            layout(&[Kind::U16, Kind::Pointer, Kind::Utf8Z, Kind::U8]),
            layout(&[Kind::Array(text()), Kind::U32]),
            layout(&[Kind::Array(Box::new(Kind::Array(text()))), Kind::VarUInt]),
            layout(&[Kind::FixedArray(text(), 3)]),
            layout(&[Kind::U16, Kind::Utf16Z]),
            layout(&[Kind::U16, Kind::Utf16Z, Kind::Pointer, Kind::U8]),
            layout(&[Kind::U8, Kind::Utf16Z, Kind::Utf16Z, Kind::U8]),
            Layout { fields: named(&[("n", Kind::U16), ("b", Kind::Bytes { count: "n".to_owned() })]) },
            Layout { fields: named(&[("t", counted_by("2", Kind::Utf16Z)), ("n", Kind::VarInt)]) },
            types(),
        ];
        let payloads: [&[u8]; 3] = [
            &[2, 0, b'x', 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 0, 0, 0, 0, 0],
            // Two types: one of no parameters, one of one.
            &[
                2, 0, 0, 0, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, b'x', 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0,
                1, 0, 1, 2, 3, 4, 5, 6, 7, 8,
            ],
            &[0xff; 30],
        ];
        for (layout, bytes) in layouts.iter().flat_map(|layout| payloads.map(|bytes| (layout, bytes))) {
            let whole = Whole::new(layout);
            for len in 0..=bytes.len() {
                for pointer_size in [0, 4, 8] {
                    let is_whole = damaged(layout, &bytes[..len], pointer_size).is_none();
                    let quick = quick(&whole, &bytes[..len], pointer_size);
                    assert!(quick <= is_whole, "{layout:?} {len} {pointer_size}");
                    assert_eq!(whole.is_whole(layout, &bytes[..len], pointer_size), is_whole);
                }
            }
        }
    }

    fn quick(whole: &Whole, bytes: &[u8], pointer_size: u8) -> bool {
        let steps = whole.0.as_deref();
        steps.is_some_and(|steps| go_over(steps, &mut Cursor::new(bytes, 0), usize::from(pointer_size)))
    }
}
