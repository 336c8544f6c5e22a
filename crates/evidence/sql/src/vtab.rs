//! The tables as SQLite's virtual tables.
//!
//! SQLite calls back through rusqlite, which casts the pointers SQLite hands it to the two structs below; that they
//! begin with SQLite's own struct is all that is unsafe about them. What a table does is in `scan`.
#![allow(unsafe_code, reason = "virtual tables of SQLite cannot be had without it")]

use crate::filter::{Operand, is_exact};
use crate::index::Indexes;
use crate::limits::{Paused, longest};
use crate::plan::{FILE, Op, Term, terms};
use crate::scan::Scan;
use base::number::saturated;
use model::{Column, NO_INT, Table, TableSpec, Tables, Value};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::{Null, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexConstraintOp, IndexFlags, IndexInfo, Module, VTab, VTabConfig,
    VTabConnection, VTabCursor, VTabKind, sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::ops::Range;
use std::sync::Arc;

const MODULE: &Module<'static, ExhibitTable> = &Module::read_only_module();

/// The first column of tables of several files.
pub(crate) const FILE_COLUMN: &str = "file";
/// What a table's own column of that name is called beside it.
pub(crate) const OWN_FILE_COLUMN: &str = "file_2";

/// Where the tables of a module have their rows from.
pub(crate) struct TableSource {
    /// One exhibit; or those of several files, one after the other, whose names are then the first column of each table.
    pub(crate) parts: Parts,
    /// The tables that are made known.
    pub(crate) specs: Vec<&'static TableSpec>,
    /// Whether comparisons are pushed down; only tests do without.
    pub(crate) push_down: bool,
    /// Why the tables cannot be read, where they stand only for being ambiguous.
    pub(crate) refusal: Option<String>,
}

/// The exhibits that a table has its rows from.
pub(crate) enum Parts {
    One(Arc<dyn Tables>),
    /// Each with the name of its file.
    Files {
        files: Vec<(String, Arc<dyn Tables>)>,
        numbers: FxHashMap<String, usize>,
    },
}

impl Parts {
    /// Files together. An error with its name if one is there twice.
    pub(crate) fn files(files: Vec<(String, Arc<dyn Tables>)>) -> std::result::Result<Self, String> {
        let mut numbers = FxHashMap::default();
        for (part, (name, _)) in files.iter().enumerate() {
            if numbers.insert(name.clone(), part).is_some() {
                return Err(name.clone());
            }
        }
        Ok(Self::Files { files, numbers })
    }

    /// The number of a file by its name.
    fn number(&self, name: &str) -> Option<usize> {
        let Self::Files { numbers, .. } = self else { return None };
        numbers.get(name).copied()
    }

    fn has_files(&self) -> bool {
        matches!(self, Self::Files { .. })
    }

    /// The column of the exhibits' own table that a column of SQL is; none if it is `file`.
    fn own(&self, column: usize) -> Option<usize> {
        if self.has_files() { column.checked_sub(1) } else { Some(column) }
    }

    /// The table of each part that has it, with the number of the part.
    fn tables(&self, name: &str) -> Vec<(usize, Table<'_>)> {
        let each: Vec<&Arc<dyn Tables>> = match self {
            Self::One(tables) => vec![tables],
            Self::Files { files, .. } => files.iter().map(|(_, tables)| tables).collect(),
        };
        let numbered = each.into_iter().enumerate();
        numbered.filter_map(|(part, tables)| Some((part, tables.table(name)?))).collect()
    }

    fn len(&self) -> usize {
        if let Self::Files { files, .. } = self { files.len() } else { 1 }
    }

    fn file(&self, part: usize) -> Option<&str> {
        let Self::Files { files, .. } = self else { return None };
        files.get(part).map(|(name, _)| name.as_str())
    }
}

/// Makes the tables of an exhibit known under a module's name, for `CREATE VIRTUAL TABLE gc USING name`.
pub(crate) fn register(connection: &Connection, module: &str, source: TableSource) -> Result<()> {
    connection.create_module(module, MODULE, Some(Arc::new(source)))
}

/// A table.
#[repr(C)]
struct ExhibitTable {
    /// SQLite's part; has to be the first.
    base: sqlite3_vtab,
    source: Arc<TableSource>,
    spec: &'static TableSpec,
    /// Those of each part.
    indexes: Arc<[Indexes]>,
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab`, which is all that rusqlite asks for.
unsafe impl<'vtab> VTab<'vtab> for ExhibitTable {
    type Aux = Arc<TableSource>;
    type Cursor = Cursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        aux: Option<&Arc<TableSource>>,
        _module: &[u8],
        _database: &[u8],
        table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let spec_of = |source: &Arc<TableSource>| {
            source.specs.iter().copied().find(|spec| spec.name.as_bytes() == table)
        };
        let (Some(source), Some(spec)) = (aux, aux.and_then(spec_of)) else {
            return Err(Error::ModuleError("a table of the catalogue was expected".to_owned()));
        };
        db.config(VTabConfig::Innocuous)?;
        let file = source.parts.has_files().then(|| format!("\"{FILE_COLUMN}\" TEXT"));
        let name = |name| if file.is_some() && name == FILE_COLUMN { OWN_FILE_COLUMN } else { name };
        let own = spec.columns.iter();
        let own: Vec<String> =
            own.map(|column| format!("\"{}\" {}", name(column.name), column.kind.name())).collect();
        let columns: Vec<String> = file.into_iter().chain(own).collect();
        let declaration = CString::new(format!("CREATE TABLE x({})", columns.join(", ")))?;
        let table = Self {
            base: sqlite3_vtab::default(),
            source: Arc::clone(source),
            spec,
            indexes: std::iter::repeat_with(Indexes::default).take(source.parts.len()).collect(),
        };
        Ok((Cow::Owned(declaration), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let _paused = Paused::begin();
        if let Some(refusal) = &self.source.refusal {
            return Err(Error::ModuleError(refusal.clone()));
        }
        let tables: Vec<Table<'_>> =
            self.source.parts.tables(self.spec.name).into_iter().map(|(_, table)| table).collect();
        let Some(first) = tables.first() else { return Ok(false) };
        let mut estimate = Estimate::new(&tables);
        let mut plan = String::new();
        let mut each_of_in = false;
        if self.source.push_down {
            for at in 0..info.constraints().count() {
                let Some((term, exact)) = self.usable(info, at, &tables)? else { continue };
                let lookup = matches!(first.columns.get(term.column), Some(Column::Row));
                let term = match info.is_in_constraint(at)? {
                    true if lookup || term.column == FILE => {
                        each_of_in = true;
                        term
                    }
                    true => {
                        info.set_in_constraint(at, true)?;
                        Term { op: Op::In, ..term }
                    }
                    false => term,
                };
                let exact = exact && term.op != Op::In;
                let arguments = c_int::try_from(plan.len() / 2).unwrap_or(c_int::MAX);
                let mut usage = info.constraint_usage(at);
                usage.set_argv_index(arguments.saturating_add(1));
                usage.set_omit(exact);
                term.write(&mut plan);
                if term.column == FILE {
                    estimate.one_file();
                } else if lookup && term.op == Op::Eq {
                    estimate.one_of_each();
                } else {
                    estimate.narrow(term.op, first.ascending == Some(term.column));
                }
            }
            info.set_order_by_consumed(self.is_ordered(info, &tables) && !each_of_in);
        }
        info.set_idx_str(&plan);
        info.set_estimated_cost(estimate.cost());
        info.set_estimated_rows(estimate.count());
        if estimate.is_unique() {
            info.set_idx_flags(IndexFlags::SQLITE_INDEX_SCAN_UNIQUE);
        }
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        // Only what lies behind the `Arc`s is borrowed: several cursors can be open on a table.
        let (source, indexes): (&'vtab TableSource, &'vtab [Indexes]) = (&self.source, &self.indexes);
        let tables = source.parts.tables(self.spec.name);
        if tables.is_empty() {
            return Err(Error::ModuleError(format!("no rows for {}", self.spec.name)));
        }
        let scan = |(part, table)| Some((part, Scan::new(table, indexes.get(part)?)));
        let scans = tables.into_iter().filter_map(scan).collect();
        Ok(Cursor { base: sqlite3_vtab_cursor::default(), parts: &source.parts, scans, left: 0..0 })
    }
}

impl ExhibitTable {
    /// The comparison of a constraint, and whether it is decided exactly; none if it is left to SQLite.
    fn usable(&self, info: &IndexInfo, at: usize, tables: &[Table<'_>]) -> Result<Option<(Term, bool)>> {
        let Some(constraint) = info.constraints().nth(at) else { return Ok(None) };
        let Ok(column) = usize::try_from(constraint.column()) else { return Ok(None) };
        let Some(own) = self.source.parts.own(column) else {
            let is_usable = constraint.is_usable() && info.collation(at)? == "BINARY";
            let is_equal = constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ;
            // Not exact: SQLite looks again, since it converts what is compared with a text.
            return Ok((is_usable && is_equal).then_some((Term { op: Op::Eq, column: FILE }, false)));
        };
        let mut found = None;
        for table in tables {
            let Some((term, exact)) = usable(info, at, own, &table.columns)? else { return Ok(None) };
            let (_, so_far) = found.unwrap_or((term, true));
            found = Some((term, exact && so_far));
        }
        Ok(found)
    }

    /// Whether the rows come in the wanted order by themselves. Those of several files do not.
    fn is_ordered(&self, info: &IndexInfo, tables: &[Table<'_>]) -> bool {
        let [table] = tables else { return false };
        let is_ascending = |column: c_int| {
            let own = usize::try_from(column).ok().and_then(|column| self.source.parts.own(column));
            own.is_some() && table.ascending == own
        };
        let mut order = info.order_bys();
        let first = order.next().is_some_and(|by| !by.is_order_by_desc() && is_ascending(by.column()));
        first && order.next().is_none()
    }
}

impl CreateVTab<'_> for ExhibitTable {
    const KIND: VTabKind = VTabKind::Default;
}

/// The comparison of a constraint with a column of one exhibit, and whether it is decided exactly; none if it is left to SQLite.
fn usable(
    info: &IndexInfo,
    at: usize,
    number: usize,
    columns: &[Column<'_>],
) -> Result<Option<(Term, bool)>> {
    let Some(constraint) = info.constraints().nth(at) else { return Ok(None) };
    let op = match constraint.operator() {
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Op::Eq,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT => Op::Gt,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE => Op::Ge,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT => Op::Lt,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE => Op::Le,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_ISNULL => Op::IsNull,
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_ISNOTNULL => Op::NotNull,
        _ => return Ok(None),
    };
    let Some(column) = columns.get(number) else { return Ok(None) };
    let usable = constraint.is_usable() && !matches!(column, Column::Computed(_));
    if !usable || info.collation(at)? != "BINARY" {
        return Ok(None);
    }
    let value = info.rhs_value(at).ok().flatten().map(operand);
    let value = match &value {
        Some(Operand::One(value)) => Some(value),
        _ => None,
    };
    let exact = is_exact(column, op, value);
    Ok(Term::new(op, number).map(|term| (term, exact)))
}

fn operand(value: ValueRef<'_>) -> Operand<'_> {
    match value {
        ValueRef::Null => Operand::One(Value::Null),
        ValueRef::Integer(value) => Operand::One(Value::Int(value)),
        ValueRef::Real(value) => Operand::One(Value::Real(value)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Operand::One(Value::Text(Cow::Borrowed(text))),
            Err(_) => Operand::Opaque,
        },
        ValueRef::Blob(_) => Operand::Opaque,
    }
}

/// How many rows a plan gives and what they cost, in the planner's units.
struct Estimate {
    rows: f64,
    seen: f64,
    /// The parts that are read.
    parts: f64,
    is_looked_up: bool,
}

impl Estimate {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn new(tables: &[Table<'_>]) -> Self {
        let rows = tables.iter().map(|table| table.rows as f64).sum::<f64>().max(1.0);
        Self { rows, seen: rows, parts: tables.len() as f64, is_looked_up: false }
    }

    /// The rows of one file.
    fn one_file(&mut self) {
        self.rows = (self.rows / self.parts).max(1.0);
        self.seen = (self.seen / self.parts).max(1.0);
        self.parts = 1.0;
    }

    /// A row of each part, by its number.
    fn one_of_each(&mut self) {
        self.is_looked_up = true;
    }

    /// Whether there is at most one row. Files are looked for by texts alone, so they do not count.
    fn is_unique(&self) -> bool {
        self.is_looked_up && self.parts <= 1.0
    }

    fn narrow(&mut self, op: Op, bisected: bool) {
        let share = match op {
            Op::Eq => 0.02,
            Op::In => 0.1,
            Op::Gt | Op::Ge | Op::Lt | Op::Le => 0.3,
            Op::IsNull | Op::NotNull => 0.9,
        };
        self.rows = (self.rows * share).max(1.0);
        // Repeated look-ups of a value see only its rows.
        if bisected || op == Op::Eq {
            self.seen = (self.seen * share).max(1.0);
        }
    }

    fn cost(&self) -> f64 {
        if self.is_looked_up { self.parts * 1.1 + 1.0 } else { self.rows + self.seen * 0.1 + 1.0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "an estimate, far below the limit")]
    fn count(&self) -> i64 {
        if self.is_looked_up { self.parts as i64 } else { self.rows as i64 }
    }
}

/// A walk over a table.
#[repr(C)]
struct Cursor<'vtab> {
    /// SQLite's part; has to be the first.
    base: sqlite3_vtab_cursor,
    parts: &'vtab Parts,
    /// The walk over each part, with the part's number.
    scans: Vec<(usize, Scan<'vtab>)>,
    /// The walks that are not at their end; the first one stands on the row.
    left: Range<usize>,
}

impl<'vtab> Cursor<'vtab> {
    /// The walk that stands on the row, and the number of its part.
    fn current(&self) -> Option<(usize, &Scan<'vtab>)> {
        self.scans.get(self.left.start).map(|(part, scan)| (*part, scan))
    }

    /// Leaves the walks that are at their end.
    fn skip(&mut self) {
        while !self.left.is_empty() && self.current().is_none_or(|(_, scan)| scan.done()) {
            self.left.start += 1;
        }
    }

    /// The walks over the parts that a comparison with `file` allows: all, one or none.
    fn of_file(&self, operand: &Operand<'_>) -> Range<usize> {
        let Operand::One(Value::Text(name)) = operand else { return 0..self.scans.len() };
        // The walks are in the order of the parts, of which some may lack the table.
        let walk_of = |part: usize| self.scans.binary_search_by_key(&part, |(of, _)| *of).ok();
        let at = self.parts.number(name).and_then(walk_of);
        at.map_or(0..0, |at| at..at + 1)
    }
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab_cursor`, which is all that rusqlite asks for.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, _number: c_int, plan: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let _paused = Paused::begin();
        let mut compared = Vec::new();
        self.left = 0..self.scans.len();
        for (at, (term, value)) in terms(plan.unwrap_or_default()).zip(arguments.iter()).enumerate() {
            let operand = if term.op == Op::In { any_of(arguments, at)? } else { operand(value) };
            if term.column == FILE {
                let allowed = self.of_file(&operand);
                let start = self.left.start.max(allowed.start);
                self.left = start..self.left.end.min(allowed.end).max(start);
            } else {
                compared.push((term, operand));
            }
        }
        for (_, scan) in self.scans.get_mut(self.left.clone()).unwrap_or_default() {
            scan.start(&compared);
        }
        self.skip();
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        if let Some((_, scan)) = self.scans.get_mut(self.left.start) {
            scan.advance();
        }
        self.skip();
        Ok(())
    }

    fn eof(&self) -> bool {
        self.left.is_empty()
    }

    fn column(&self, context: &mut Context, number: c_int) -> Result<()> {
        // No column has a negative number.
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let Some((part, scan)) = self.current() else { return context.set_result(Null) };
        let Some(number) = self.parts.own(number) else {
            return context.set_result(self.parts.file(part).unwrap_or_default());
        };
        let row = scan.row();
        let found = match scan.column(number) {
            Some(Column::Int(list)) => list.get(row).filter(|value| **value != NO_INT).copied(),
            Some(Column::Id(ids)) => ids.number(row).map(i64::from),
            Some(Column::Text(list, strings)) => {
                return match list.get(row).and_then(|sym| strings.get(*sym)) {
                    Some(text) => context.set_result(whole_or_cut(text).as_ref()),
                    None => context.set_result(Null),
                };
            }
            _ => {
                return match scan.value(number) {
                    Value::Null => context.set_result(Null),
                    Value::Int(value) => context.set_result(value),
                    Value::Real(value) => context.set_result(value),
                    Value::Text(text) => context.set_result(whole_or_cut(&text).as_ref()),
                };
            }
        };
        match found {
            Some(value) => context.set_result(value),
            None => context.set_result(Null),
        }
    }

    fn rowid(&self) -> Result<i64> {
        /// No part has more rows.
        const ROWS: usize = 1 << 32;
        Ok(self.current().map_or(0, |(part, scan)| saturated(part.saturating_mul(ROWS) + scan.row())))
    }
}

/// A text, or its beginning if it is longer than a value may be, with a word about that: one long text must not make an
/// error of a whole table. Comparisons that are pushed down are of the whole text.
fn whole_or_cut(text: &str) -> Cow<'_, str> {
    /// Room for the word, and for whatever a statement puts around the text.
    const ROOM: usize = 1000;
    let most = longest();
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let kept = text.get(..text.floor_char_boundary(most.saturating_sub(ROOM))).unwrap_or_default();
    Cow::Owned(format!("{kept}… (cut here: the text has {} bytes)", text.len()))
}

/// The values of an `IN`; all rows pass if they are more than fit into memory, and SQLite looks for each in its own list.
fn any_of(arguments: &Filters<'_>, at: usize) -> Result<Operand<'static>> {
    /// Bytes of values that are kept.
    const MOST: usize = 64 << 20;
    let mut list = arguments.in_values(at)?;
    let (mut values, mut bytes) = (Vec::new(), 0_usize);
    while let Some(value) = list.next()? {
        let text = if let ValueRef::Text(text) = value.get_raw() { text.len() } else { 0 };
        bytes = bytes.saturating_add(text).saturating_add(size_of::<Value<'_>>());
        if bytes > MOST {
            return Ok(Operand::Opaque);
        }
        values.push(match operand(value.get_raw()) {
            Operand::One(Value::Text(text)) => Value::Text(Cow::Owned(text.into_owned())),
            Operand::One(Value::Int(value)) => Value::Int(value),
            Operand::One(Value::Real(value)) => Value::Real(value),
            Operand::One(Value::Null) => Value::Null,
            Operand::Any(_) | Operand::Opaque => return Ok(Operand::Opaque),
        });
    }
    Ok(Operand::Any(values))
}
