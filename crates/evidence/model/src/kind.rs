//! The tables of one kind of evidence, together: `tables!` declares them, [`Tables`] shows them.

use crate::exhibit::{Exhibit, Lost};
use crate::tables::{Table, TableSpec};

/// Evidence of any kind, as tables.
pub trait Tables: Send + Sync {
    /// Every table of the kind, in the order of the documentation, with or without rows.
    fn catalogue(&self) -> &'static [TableSpec];
    /// A table by its name.
    fn table(&self, name: &str) -> Option<Table<'_>>;
    /// Where it came from.
    fn exhibit(&self) -> &Exhibit;
    /// What is missing of it, or damaged.
    fn lost(&self) -> &Lost;
    /// A figure of the table `metrics`, if it has a value.
    fn metric(&self, name: &str) -> Option<f64>;
}

impl std::fmt::Debug for dyn Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("exhibit", self.exhibit()).finish_non_exhaustive()
    }
}

/// Declares a kind of evidence: its tables in the order of the documentation, and what it keeps beside them.
///
/// It makes the struct, its catalogue, and what whoever must not know the kind sees of it ([`crate::Tables`]). Every kind
/// has its provenance (`exhibit`), what is missing of it (`lost`), its texts (`strings`) and the table `metrics`. The kind
/// itself says what its tables share, in a method `shared`.
macro_rules! tables {
    ($(#[$about:meta])* pub struct $kind:ident {
        tables { $($field:ident: $rows:ty,)* }
        beside { $($(#[$doc:meta])* $other:ident: $type:ty,)* }
    }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub struct $kind {
            /// Where it came from.
            pub exhibit: $crate::Exhibit,
            /// What is missing of it, or damaged.
            pub lost: $crate::Lost,
            /// The texts of all tables.
            pub strings: $crate::Strings,
            $(#[doc = concat!("The table `", stringify!($field), "`.")] pub $field: $rows,)*
            /// Figures of the whole.
            pub metrics: $crate::Metrics,
            $($(#[$doc])* pub $other: $type,)*
        }
        impl $kind {
            /// Every table of this kind, in the order of the documentation.
            pub const CATALOGUE: &'static [$crate::tables::TableSpec] =
                &[$(<$rows>::SPEC,)* $crate::Metrics::SPEC];

            /// A table by its name.
            pub fn table(&self, name: &str) -> Option<$crate::tables::Table<'_>> {
                let rows = self.all().find(|rows| rows.spec().name == name)?;
                Some($crate::tables::whole(rows, self.shared()))
            }

            /// A figure of the table `metrics`, if it has a value.
            pub fn metric(&self, name: &str) -> Option<f64> {
                self.metrics.value_of(self.strings.find(name)?)
            }

            fn all(&self) -> impl Iterator<Item = &dyn $crate::tables::TableRows> {
                [$(&self.$field as &dyn $crate::tables::TableRows,)* &self.metrics].into_iter()
            }

            /// Every table, to be changed as a whole.
            #[allow(dead_code, reason = "not every kind sorts its tables")]
            fn all_mut(&mut self) -> impl Iterator<Item = &mut dyn $crate::tables::TableRows> {
                [$(&mut self.$field as &mut dyn $crate::tables::TableRows,)* &mut self.metrics].into_iter()
            }

            /// Bytes that the tables and their texts take.
            fn tables_bytes(&self) -> usize {
                self.all().map($crate::tables::TableRows::size_bytes).sum::<usize>() + self.strings.bytes()
            }
        }
        impl $crate::Tables for $kind {
            fn catalogue(&self) -> &'static [$crate::tables::TableSpec] {
                Self::CATALOGUE
            }
            fn table(&self, name: &str) -> Option<$crate::tables::Table<'_>> {
                self.table(name)
            }
            fn exhibit(&self) -> &$crate::Exhibit {
                &self.exhibit
            }
            fn lost(&self) -> &$crate::Lost {
                &self.lost
            }
            fn metric(&self, name: &str) -> Option<f64> {
                self.metric(name)
            }
        }
    };
}

pub(crate) use tables;
