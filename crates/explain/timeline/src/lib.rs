//! The course of a recording over time, for any range.
