//! Ids: numbers of rows, one type per table, and lists that are looked up by them.
//!
//! An id of one table looks nothing up in another: that does not compile. `Option` of an id takes no more room than the
//! id, so a column of either takes four bytes per row.
//!
//! ```compile_fail,E0308
//! let names: model::ByFrame<&str> = model::ById::default();
//! names.get(model::StackId::FIRST);
//! ```

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};

/// What has ids. These types only tell one kind of id from another and have no values.
pub mod of {
    /// A row of `stacks`.
    #[derive(Debug)]
    pub enum Stack {}
    /// A row of `frames`.
    #[derive(Debug)]
    pub enum Frame {}
    /// An entry of `Trace::thread_ids`.
    #[derive(Debug)]
    pub enum Thread {}
    /// An entry of `Trace::activities`.
    #[derive(Debug)]
    pub enum Activity {}
    /// A kind of events.
    #[derive(Debug)]
    pub enum Kind {}
}

/// A row of `stacks`.
pub type StackId = Id<of::Stack>;
/// A row of `frames`.
pub type FrameId = Id<of::Frame>;
/// A thread of the recording, see `Trace::thread_ids`. It is not the operating system's number, which two processes share.
pub type ThreadId = Id<of::Thread>;
/// An activity of the recording, see `Trace::activities`.
pub type ActivityId = Id<of::Activity>;
/// A kind of events, see `Events::kind_name`.
pub type KindId = Id<of::Kind>;

/// Values by stack.
pub type ByStack<T> = ById<of::Stack, T>;
/// Values by frame.
pub type ByFrame<T> = ById<of::Frame, T>;
/// Values by thread.
pub type ByThread<T> = ById<of::Thread, T>;
/// Values by activity.
pub type ByActivity<T> = ById<of::Activity, T>;
/// Values by kind of events.
pub type ByKind<T> = ById<of::Kind, T>;

/// The number of a row, of the table that `Of` names.
pub struct Id<Of> {
    /// The row's number plus one: zero is left for `None`.
    plus_one: NonZeroU32,
    of: PhantomData<fn() -> Of>,
}

impl<Of> Id<Of> {
    /// The first row.
    pub const FIRST: Self = Self::of(NonZeroU32::MIN);
    /// The last row that has an id.
    const LAST: Self = Self::of(NonZeroU32::MAX);

    const fn of(plus_one: NonZeroU32) -> Self {
        Self { plus_one, of: PhantomData }
    }

    /// The id of a row whose number is small.
    pub const fn at(number: u16) -> Self {
        Self::of(NonZeroU32::MIN.saturating_add(number as u32))
    }

    /// The id of a row by its number; `None` if ids do not reach so far.
    #[inline]
    pub fn new(index: usize) -> Option<Self> {
        let plus_one = u32::try_from(index).ok()?.checked_add(1)?;
        NonZeroU32::new(plus_one).map(Self::of)
    }

    /// The row's number.
    #[inline]
    pub const fn number(self) -> u32 {
        self.plus_one.get() - 1
    }

    /// The row's number, as lists are indexed.
    #[inline]
    pub const fn index(self) -> usize {
        self.number() as usize
    }
}

impl<Of> From<u16> for Id<Of> {
    fn from(number: u16) -> Self {
        Self::at(number)
    }
}

// By hand, since a derive would ask the same of `Of`.
impl<Of> Clone for Id<Of> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<Of> Copy for Id<Of> {}

impl<Of> PartialEq for Id<Of> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.plus_one == other.plus_one
    }
}

impl<Of> Eq for Id<Of> {}

impl<Of> PartialOrd for Id<Of> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<Of> Ord for Id<Of> {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.plus_one.cmp(&other.plus_one)
    }
}

impl<Of> Hash for Id<Of> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl<Of> fmt::Debug for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.number(), f)
    }
}

/// Values by id: one for each row of the table that `Of` names.
pub struct ById<Of, T> {
    list: Vec<T>,
    of: PhantomData<fn() -> Of>,
}

impl<Of, T> ById<Of, T> {
    /// The value of a row; `None` if there is no such row.
    #[inline]
    pub fn get(&self, id: Id<Of>) -> Option<&T> {
        self.list.get(id.index())
    }

    /// The value of a row, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: Id<Of>) -> Option<&mut T> {
        self.list.get_mut(id.index())
    }

    /// Adds the value of the next row; returns the row's id.
    #[inline]
    pub fn push(&mut self, value: T) -> Id<Of> {
        // Four billion rows do not fit into memory. If they did, the last ones would share an id; nothing would panic.
        let id = Id::new(self.list.len()).unwrap_or(Id::LAST);
        self.list.push(value);
        id
    }

    /// The value of a row, to be changed. Rows up to it that have no value yet get the default one.
    #[inline]
    pub fn get_or_grow(&mut self, id: Id<Of>) -> Option<&mut T>
    where
        T: Default,
    {
        if id.index() >= self.list.len() {
            self.list.resize_with(id.index().saturating_add(1), T::default);
        }
        self.get_mut(id)
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = Id<Of>> + use<Of, T> {
        (0..self.list.len()).map_while(Id::new)
    }

    /// All ids with their values, in order.
    pub fn iter_with_ids(&self) -> impl Iterator<Item = (Id<Of>, &T)> {
        self.ids().zip(&self.list)
    }

    /// All ids with their values, in order, taken out.
    pub fn into_iter_with_ids(self) -> impl Iterator<Item = (Id<Of>, T)> {
        self.ids().zip(self.list)
    }

    /// The id of the first row with a value that passes.
    pub fn find(&self, passes: impl FnMut(&T) -> bool) -> Option<Id<Of>> {
        self.list.iter().position(passes).and_then(Id::new)
    }
}

impl<Of, T> Default for ById<Of, T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<Of, T: Clone> Clone for ById<Of, T> {
    fn clone(&self) -> Self {
        Self::from(self.list.clone())
    }
}

impl<Of, T: PartialEq> PartialEq for ById<Of, T> {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl<Of, T: fmt::Debug> fmt::Debug for ById<Of, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

impl<Of, T> From<Vec<T>> for ById<Of, T> {
    fn from(list: Vec<T>) -> Self {
        Self { list, of: PhantomData }
    }
}

impl<Of, T> From<ById<Of, T>> for Vec<T> {
    fn from(values: ById<Of, T>) -> Self {
        values.list
    }
}

impl<Of, T> FromIterator<T> for ById<Of, T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(Vec::from_iter(values))
    }
}

impl<Of, T> Deref for ById<Of, T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.list
    }
}

impl<Of, T> DerefMut for ById<Of, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.list
    }
}

impl<'a, Of, T> IntoIterator for &'a ById<Of, T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_may_be_missing_takes_no_more_room() {
        assert_eq!((size_of::<StackId>(), size_of::<Option<StackId>>()), (4, 4));
    }

    #[test]
    fn ids_are_row_numbers_up_to_the_last_that_fits() {
        assert_eq!(StackId::new(7).map(StackId::index), Some(7));
        assert_eq!(StackId::new(0), Some(StackId::FIRST));
        assert_eq!(StackId::new(u32::MAX as usize - 1), Some(StackId::LAST));
        assert_eq!(StackId::new(u32::MAX as usize), None);
        assert!(StackId::from(1) < StackId::from(2));
    }

    #[test]
    fn values_are_found_by_the_id_that_adding_them_returned() {
        let mut names: ByFrame<&str> = ById::default();
        let (first, second) = (names.push("a"), names.push("b"));
        assert_eq!(
            (names.get(first), names.get(second), names.get(FrameId::from(2))),
            (Some(&"a"), Some(&"b"), None)
        );
        assert_eq!(names.find(|name| *name == "b"), Some(second));
        *names.get_or_grow(FrameId::from(3)).unwrap() = "d";
        assert_eq!(names.iter_with_ids().last(), Some((FrameId::from(3), &"d")));
    }
}
