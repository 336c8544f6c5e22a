//! A quick walk over a payload: whether it is whole, and where its fields are.
//!
//! Nearly all payloads are whole, and nearly all layouts are made of numbers, texts, and lists of both: these are gone
//! over in a few steps that are worked out once per layout. Whatever the steps do not cover, and whatever they do not find
//! whole, is left to [`crate::payload::damaged`], which decides.

use crate::layout::{Field, Kind, Layout, MAX_VALUES, MAX_VALUES_PER_BYTE};
use base::bytes::{Cursor, nul_unit, nul_units};
use std::cell::RefCell;

/// Counts that one object may keep for its lists; those of the runtime have two.
const MAX_COUNTS: usize = 4;
type Counts = [u32; MAX_COUNTS];
/// Steps whose starts are kept. The longest layout of the runtime's and of ASP.NET Core's events takes ten.
const MAX_STARTS: usize = 16;

/// What the steps of a layout are, worked out once.
#[derive(Debug, Default)]
pub struct Whole {
    /// `None` if no steps go over the layout.
    steps: Option<Vec<Step>>,
    /// Of each field; none if there are more steps than starts are kept.
    places: Vec<Place>,
    last: RefCell<Last>,
}

/// The last payload with a list that was gone over. Before each finalized object the runtime describes its type once
/// more, in the same bytes.
#[derive(Debug, Default)]
struct Last {
    bytes: Vec<u8>,
    pointer_size: usize,
    starts: Starts,
}

/// Where a field begins.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    /// In or behind this step.
    step: usize,
    /// Whether the step is a text that the field is behind.
    behind_text: bool,
    /// So many bytes and addresses from there.
    len: usize,
    pointers: usize,
}

/// Where each step begins in one payload.
#[derive(Debug, Clone, Copy, Default)]
pub struct Starts([u32; MAX_STARTS]);

/// Where the fields of one payload are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    places: &'a [Place],
    starts: &'a Starts,
}

impl Places<'_> {
    /// At a field of the payload; `None` if its place is not known.
    #[inline]
    pub(crate) fn cursor<'b>(&self, field: usize, bytes: &'b [u8], pointer_size: u8) -> Option<Cursor<'b>> {
        let place = self.places.get(field)?;
        let mut cursor = Cursor::new(bytes, 0);
        cursor.take(usize::try_from(*self.starts.0.get(place.step)?).ok()?, "fields").ok()?;
        if place.behind_text {
            cursor.utf16z("text").ok()?;
        }
        cursor.take(fixed(place.len, place.pointers, usize::from(pointer_size)), "fields").ok()?;
        Some(cursor)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// So many bytes, and so many addresses.
    Fixed(usize, usize),
    Utf16Z,
    Utf8Z,
    /// The layout's last text, and what follows it: so many bytes, and so many addresses.
    LastUtf16Z(usize, usize),
    /// The layout's last values: as many times so many texts.
    LastTexts(Times, usize),
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
        let mut plan = Plan { places: Some(Vec::new()), ..Plan::default() };
        if plan.add_all(&layout.fields, 0).is_none() || !has_few_values(layout) {
            return Self::default();
        }
        plan.end_with_texts();
        let places = plan.places.filter(|_| plan.steps.len() <= MAX_STARTS).unwrap_or_default();
        Self { steps: Some(plan.steps), places, last: RefCell::default() }
    }

    /// Goes over a payload; `None` if it is not whole or the steps do not cover it.
    #[inline]
    pub(crate) fn walk<'a>(
        &'a self,
        bytes: &[u8],
        pointer_size: u8,
        starts: &'a mut Starts,
    ) -> Option<Places<'a>> {
        let size = usize::from(pointer_size);
        match self.steps.as_deref()? {
            [] => {}
            [Step::Fixed(len, pointers)] if fixed(*len, *pointers, size) <= bytes.len() => {}
            [.., Step::List(..)] => self.walk_list(bytes, size, starts)?,
            steps => walk(steps, bytes, size, starts)?,
        }
        Some(Places { places: &self.places, starts })
    }

    fn walk_list(&self, bytes: &[u8], pointer_size: usize, starts: &mut Starts) -> Option<()> {
        let mut last = self.last.borrow_mut();
        if last.bytes != bytes || last.pointer_size != pointer_size || bytes.is_empty() {
            walk(self.steps.as_deref()?, bytes, pointer_size, starts)?;
            last.bytes.clear();
            last.bytes.extend_from_slice(bytes);
            (last.pointer_size, last.starts) = (pointer_size, *starts);
        }
        *starts = last.starts;
        Some(())
    }
}

fn walk(steps: &[Step], bytes: &[u8], pointer_size: usize, starts: &mut Starts) -> Option<()> {
    let (mut rest, mut counts) = (bytes, [0; MAX_COUNTS]);
    for (at, step) in steps.iter().enumerate() {
        if let Some(start) = starts.0.get_mut(at) {
            // The container counts the bytes of a payload in 32 bits.
            *start = u32::try_from(bytes.len().saturating_sub(rest.len())).unwrap_or(u32::MAX);
        }
        step.go_over(&mut counts, &mut rest, pointer_size)?;
    }
    Some(())
}

#[inline]
fn fixed(len: usize, pointers: usize, pointer_size: usize) -> usize {
    pointers.saturating_mul(pointer_size).saturating_add(len)
}

impl Step {
    /// Goes over the values of this step, which begin the rest.
    fn go_over(&self, counts: &mut Counts, rest: &mut &[u8], pointer_size: usize) -> Option<()> {
        match self {
            Self::Fixed(len, pointers) => take(rest, fixed(*len, *pointers, pointer_size)),
            Self::Utf16Z => utf16z(rest),
            Self::Utf8Z => {
                let len = rest.iter().position(|byte| *byte == 0)?;
                take(rest, len.saturating_add(1))
            }
            Self::LastUtf16Z(len, pointers) => {
                let behind = fixed(*len, *pointers, pointer_size);
                if ends_before(rest, behind) {
                    return Some(());
                }
                utf16z(rest)?;
                take(rest, behind)
            }
            Self::LastTexts(times, texts) => {
                let texts = usize::try_from(times.get(counts, rest)?).ok()?.checked_mul(*texts)?;
                // Each text ends at the first unit of 0, so they all end where there are as many of those.
                (texts <= nul_units(rest)).then_some(())
            }
            Self::Varint => {
                let mut cursor = Cursor::new(rest, 0);
                cursor.varu64("number").ok()?;
                *rest = cursor.rest();
                Some(())
            }
            Self::Count(len, place) => {
                let count = count(*len, rest)?;
                counts.get_mut(*place).map(|place| *place = count)
            }
            Self::List(times, element) => (0..times.get(counts, rest)?).try_for_each(|_element| {
                let (before, mut counts) = (rest.len(), [0; MAX_COUNTS]);
                element.iter().try_for_each(|step| step.go_over(&mut counts, rest, pointer_size))?;
                // Elements of no bytes, which only addresses of none can make, are left to the walk.
                (rest.len() != before).then_some(())
            }),
            Self::FixedList(times, len, pointers) => {
                let element = fixed(*len, *pointers, pointer_size);
                let times = usize::try_from(times.get(counts, rest)?).ok()?;
                take(rest, times.checked_mul(element)?)
            }
        }
    }
}

#[inline]
fn take(rest: &mut &[u8], len: usize) -> Option<()> {
    *rest = rest.get(len..)?;
    Some(())
}

#[inline]
fn utf16z(rest: &mut &[u8]) -> Option<()> {
    let units = nul_unit(rest)?;
    take(rest, units.saturating_mul(2).saturating_add(2))
}

/// Whether the last text of a payload has its end just before the bytes that must follow. An earlier end would leave more
/// than enough for them, so the text need not be gone over.
fn ends_before(rest: &[u8], behind: usize) -> bool {
    let text = rest.len().checked_sub(behind).and_then(|len| rest.get(..len));
    text.is_some_and(|text| text.len().is_multiple_of(2) && text.ends_with(&[0, 0]))
}

fn count(len: usize, rest: &mut &[u8]) -> Option<u32> {
    let count = match len {
        1 => u32::from(*rest.first()?),
        2 => u32::from(u16::from_le_bytes(*rest.first_chunk()?)),
        _ => u32::from_le_bytes(*rest.first_chunk()?),
    };
    take(rest, len)?;
    Some(count)
}

impl Times {
    fn get(self, counts: &Counts, rest: &mut &[u8]) -> Option<u32> {
        match self {
            Self::Before => count(2, rest),
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
    /// Of each field, for the fields of a layout.
    places: Option<Vec<Place>>,
}

impl Plan {
    fn add_all(&mut self, fields: &[Field], depth: u32) -> Option<()> {
        const MAX_DEPTH: u32 = 4;
        if depth > MAX_DEPTH {
            return None;
        }
        let mut places: Vec<(usize, usize)> = Vec::new();
        // Most layouts have no counts, and for those that have, each field is held against all later ones.
        let has_counts =
            fields.iter().any(|field| matches!(field.kind, Kind::Counted { .. } | Kind::Bytes { .. }));
        for (at, field) in fields.iter().enumerate() {
            let before = fields.get(..at)?;
            if depth == 0 {
                self.note_place();
            }
            match &field.kind {
                Kind::Counted { count, element } => {
                    let times = times(count, before, &places)?;
                    self.list(times, element, depth)?;
                }
                Kind::Bytes { count } => {
                    let times = times(count, before, &places)?;
                    self.steps.push(Step::FixedList(times, 1, 0));
                }
                kind if has_counts && is_count(fields, at) => {
                    let len = count_len(kind)?;
                    places.push((at, self.counts));
                    self.steps.push(Step::Count(len, self.counts));
                    self.counts = self.counts.checked_add(1).filter(|counts| *counts <= MAX_COUNTS)?;
                }
                kind => self.add(kind, depth)?,
            }
        }
        Some(())
    }

    /// Notes where the next field begins.
    fn note_place(&mut self) {
        let last = self.steps.len().saturating_sub(1);
        let place = match self.steps.last() {
            Some(Step::Fixed(len, pointers)) => {
                Place { step: last, behind_text: false, len: *len, pointers: *pointers }
            }
            _ => Place { step: self.steps.len(), behind_text: false, len: 0, pointers: 0 },
        };
        self.places.get_or_insert_default().push(place);
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

    /// Last texts need no going over: neither one with nothing but fixed bytes behind it, nor a list of nothing else.
    fn end_with_texts(&mut self) {
        let (taken, last) = match self.steps.as_slice() {
            [.., Step::Utf16Z] => (1, Step::LastUtf16Z(0, 0)),
            [.., Step::Utf16Z, Step::Fixed(len, pointers)] => (2, Step::LastUtf16Z(*len, *pointers)),
            [.., Step::List(times, of)] if of.iter().all(|step| *step == Step::Utf16Z) => {
                (1, Step::LastTexts(*times, of.len()))
            }
            _ => return,
        };
        let at = self.steps.len().saturating_sub(taken);
        self.steps.truncate(at);
        self.steps.push(last);
        for place in self.places.iter_mut().flatten().filter(|place| place.step > at) {
            (place.step, place.behind_text) = (at, true);
        }
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

/// Whether a walk over a payload, however long its lists are, goes over no more values than it may: what it refuses must
/// not be whole here.
fn has_few_values(layout: &Layout) -> bool {
    let all = Kind::Object(layout.fields.clone());
    // For each count that is looked for, what stands before it is gone over once more.
    let each = counted(&all).saturating_add(1);
    values(&all).saturating_mul(each) <= MAX_VALUES && elements_are_few(&all, each, each)
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
            values(of).saturating_mul(times) <= of.least_bytes().saturating_mul(MAX_VALUES_PER_BYTE)
                && elements_are_few(of, times, each)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Payload, damaged};

    fn layout(kinds: &[Kind]) -> Layout {
        let field = |(at, kind): (usize, &Kind)| Field { name: at.to_string(), kind: kind.clone() };
        Layout { fields: kinds.iter().enumerate().map(field).collect() }
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
        let check = |kinds: &[Kind], expected| assert_eq!(Whole::new(&layout(kinds)).steps, expected);
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
        assert_eq!(Whole::new(&types()).steps, Some(expected));
    }

    #[test]
    fn lists_whose_counts_are_not_plain_are_left_to_the_whole_walk() {
        let check = |fields: &[(&str, Kind)]| {
            let whole = Whole::new(&Layout { fields: named(fields) });
            assert_eq!(whole.steps, None);
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
        let pair = Kind::Object(named(&[("key", Kind::Utf16Z), ("value", Kind::Utf16Z)]));
        let layouts = [
            layout(&[Kind::U16, Kind::Pointer, Kind::Utf8Z, Kind::U8]),
            layout(&[Kind::Array(text()), Kind::U32]),
            layout(&[Kind::Array(text())]),
            layout(&[Kind::Utf16Z, Kind::Array(Box::new(pair))]),
            layout(&[Kind::Array(Box::new(Kind::Array(text()))), Kind::VarUInt]),
            layout(&[Kind::FixedArray(text(), 3)]),
            layout(&[Kind::U16, Kind::Utf16Z]),
            layout(&[Kind::U16, Kind::Utf16Z, Kind::Pointer, Kind::U8]),
            layout(&[Kind::U8, Kind::Utf16Z, Kind::Utf16Z, Kind::U8]),
            Layout { fields: named(&[("n", Kind::U16), ("b", Kind::Bytes { count: "n".to_owned() })]) },
            Layout { fields: named(&[("t", counted_by("2", Kind::Utf16Z)), ("n", Kind::VarInt)]) },
            types(),
        ];
        let payloads: [&[u8]; 4] = [
            // A text, then two pairs of texts.
            &[0, 0, 2, 0, b'k', 0, 0, 0, b'v', 0, 0, 0, b'k', 0, 0, 0, b'v', 0, 0, 0, 0],
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
                    agree(layout, &whole, &bytes[..len], pointer_size);
                }
            }
        }
    }

    fn agree(layout: &Layout, whole: &Whole, bytes: &[u8], pointer_size: u8) {
        let is_whole = damaged(layout, bytes, pointer_size).is_none();
        let mut starts = Starts::default();
        let walk = whole.walk(bytes, pointer_size, &mut starts);
        assert!(walk.is_none() || is_whole, "{layout:?} {bytes:?}");
        let walked = Payload::walked(layout, whole, bytes, pointer_size, &mut starts);
        assert_eq!(walked.is_whole(), is_whole);
        let plain = Payload::new(layout, bytes, pointer_size);
        for field in &layout.fields {
            let read = |of: &Payload<'_>| (of.int(&field.name), of.text(&field.name));
            assert_eq!(read(&walked), read(&plain), "{layout:?} {bytes:?} {}", field.name);
        }
    }
}
