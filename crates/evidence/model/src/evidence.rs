//! Evidence: a closed set of kinds, each with its own tables.
//!
//! Whoever must know the kind matches on [`Evidence`], without a wildcard, so that a new kind shows every place that it
//! concerns. Whoever must not know it takes [`Tables`].

use crate::bench::Bench;
use crate::exhibit::{Exhibit, Lost};
use crate::kind::Tables;
use crate::load::Load;
use crate::tables::TableSpec;
use crate::trace::Trace;
use std::sync::Arc;

/// Declares the kinds: a line each, with its name in `exhibit.toml` and JSON and what people call it.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident $name:literal $title:literal,)*) => {
        /// A kind of evidence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$about])* $kind),* }

        /// What was read of an exhibit.
        #[derive(Debug, Clone)]
        pub enum Evidence { $($(#[$about])* $kind(Arc<$kind>)),* }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name in `exhibit.toml` and in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// What people call an exhibit of this kind.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),* }
            }

            /// Evidence of this kind without a row.
            pub fn empty(self) -> Evidence {
                match self { $(Self::$kind => $kind::default().into()),* }
            }

            /// The tables that an exhibit of this kind offers.
            pub fn catalogue(self) -> &'static [TableSpec] {
                match self { $(Self::$kind => $kind::CATALOGUE),* }
            }
        }

        impl Evidence {
            /// The kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),* }
            }

            /// The tables, for whoever must not know the kind.
            pub fn tables(&self) -> Arc<dyn Tables> {
                match self { $(Self::$kind(of) => Arc::<$kind>::clone(of)),* }
            }

            /// Where it came from.
            pub fn exhibit(&self) -> &Exhibit {
                match self { $(Self::$kind(of) => &of.exhibit),* }
            }

            /// What is missing of it, or damaged.
            pub fn lost(&self) -> &Lost {
                match self { $(Self::$kind(of) => &of.lost),* }
            }
        }

        $(impl From<$kind> for Evidence {
            fn from(of: $kind) -> Self {
                Self::$kind(Arc::new(of))
            }
        })*
    };
}

kinds! {
    /// A trace: events that a running process sent of itself.
    Trace "nettrace" "trace",
    /// Results of benchmarks.
    Bench "bench" "benchmark file",
    /// A load run: what a service did under load.
    Load "load" "load run",
}

impl Evidence {
    /// The trace, if it is one.
    pub fn as_trace(&self) -> Option<&Trace> {
        if let Self::Trace(trace) = self { Some(trace) } else { None }
    }

    /// The trace, if it is one.
    pub fn into_trace(self) -> Option<Arc<Trace>> {
        if let Self::Trace(trace) = self { Some(trace) } else { None }
    }
}
