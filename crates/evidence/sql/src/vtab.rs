//! The tables as SQLite's virtual tables.
//!
//! SQLite calls back through rusqlite, which casts the pointers SQLite hands it to the two structs below; that they
//! begin with SQLite's own struct is all that is unsafe about them. What a table does is in `scan`.
#![allow(unsafe_code, reason = "virtual tables of SQLite cannot be had without it")]

use crate::filter::{Operand, is_exact};
use crate::index::Indexes;
use crate::limits::{Paused, longest};
use crate::plan::{Op, Term, terms};
use crate::scan::Scan;
use base::number::saturated;
use model::{Column, NO_INT, TableSpec, Tables, Value};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::{Null, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexConstraintOp, IndexFlags, IndexInfo, Module, VTab, VTabConfig,
    VTabConnection, VTabCursor, VTabKind, sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

const MODULE: &Module<'static, ExhibitTable> = &Module::read_only_module();

/// Where the tables of a module have their rows from.
pub(crate) struct TableSource {
    pub(crate) tables: Arc<dyn Tables>,
    /// The tables that are made known.
    pub(crate) specs: Vec<&'static TableSpec>,
    /// Whether comparisons are pushed down; only tests do without.
    pub(crate) push_down: bool,
    /// Why the tables cannot be read, where they stand only for being ambiguous.
    pub(crate) refusal: Option<String>,
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
    indexes: Arc<Indexes>,
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
        let columns: Vec<String> =
            spec.columns.iter().map(|column| format!("\"{}\" {}", column.name, column.kind.name())).collect();
        let declaration = CString::new(format!("CREATE TABLE x({})", columns.join(", ")))?;
        let table = Self {
            base: sqlite3_vtab::default(),
            source: Arc::clone(source),
            spec,
            indexes: Arc::new(Indexes::default()),
        };
        Ok((Cow::Owned(declaration), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let _paused = Paused::begin();
        if let Some(refusal) = &self.source.refusal {
            return Err(Error::ModuleError(refusal.clone()));
        }
        let table = self.source.tables.table(self.spec.name);
        let Some(table) = table else { return Ok(false) };
        let mut estimate = Estimate::new(table.rows);
        let mut plan = String::new();
        let mut each_of_in = false;
        if self.source.push_down {
            for at in 0..info.constraints().count() {
                let Some((term, exact)) = usable(info, at, &table.columns)? else { continue };
                let lookup = matches!(table.columns.get(term.column), Some(Column::Row));
                let term = match info.is_in_constraint(at)? {
                    true if lookup => {
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
                if lookup && term.op == Op::Eq {
                    estimate.one();
                } else {
                    estimate.narrow(term.op, table.ascending == Some(term.column));
                }
            }
            let ordered = {
                let mut order = info.order_bys();
                let first = order.next().is_some_and(|by| {
                    !by.is_order_by_desc()
                        && usize::try_from(by.column()).is_ok_and(|column| table.ascending == Some(column))
                });
                first && order.next().is_none()
            };
            info.set_order_by_consumed(ordered && !each_of_in);
        }
        info.set_idx_str(&plan);
        info.set_estimated_cost(estimate.cost());
        info.set_estimated_rows(estimate.count());
        if estimate.unique {
            info.set_idx_flags(IndexFlags::SQLITE_INDEX_SCAN_UNIQUE);
        }
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        // Only what lies behind the two `Arc`s is borrowed: several cursors can be open on a table.
        let (source, indexes): (&'vtab TableSource, &'vtab Indexes) = (&self.source, &self.indexes);
        let table = source.tables.table(self.spec.name);
        let table = table.ok_or_else(|| Error::ModuleError(format!("no rows for {}", self.spec.name)))?;
        Ok(Cursor { base: sqlite3_vtab_cursor::default(), scan: Scan::new(table, indexes) })
    }
}

impl CreateVTab<'_> for ExhibitTable {
    const KIND: VTabKind = VTabKind::Default;
}

/// The comparison of a constraint, and whether it is decided exactly; none if it is left to SQLite.
fn usable(info: &IndexInfo, at: usize, columns: &[Column<'_>]) -> Result<Option<(Term, bool)>> {
    let Some(constraint) = info.constraints().nth(at) else { return Ok(None) };
    let Ok(number) = usize::try_from(constraint.column()) else { return Ok(None) };
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
    unique: bool,
}

impl Estimate {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn new(rows: usize) -> Self {
        let rows = (rows as f64).max(1.0);
        Self { rows, seen: rows, unique: false }
    }

    fn one(&mut self) {
        *self = Self { rows: 1.0, seen: 1.0, unique: true };
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
        self.rows + self.seen * 0.1 + 1.0
    }

    #[expect(clippy::cast_possible_truncation, reason = "an estimate, far below the limit")]
    fn count(&self) -> i64 {
        self.rows as i64
    }
}

/// A walk over a table.
#[repr(C)]
struct Cursor<'vtab> {
    /// SQLite's part; has to be the first.
    base: sqlite3_vtab_cursor,
    scan: Scan<'vtab>,
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab_cursor`, which is all that rusqlite asks for.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, _number: c_int, plan: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let _paused = Paused::begin();
        let mut compared = Vec::new();
        for (at, (term, value)) in terms(plan.unwrap_or_default()).zip(arguments.iter()).enumerate() {
            let operand = if term.op == Op::In { any_of(arguments, at)? } else { operand(value) };
            compared.push((term, operand));
        }
        self.scan.start(&compared);
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.scan.advance();
        Ok(())
    }

    fn eof(&self) -> bool {
        self.scan.done()
    }

    fn column(&self, context: &mut Context, number: c_int) -> Result<()> {
        // No column has a negative number.
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let row = self.scan.row();
        let found = match self.scan.column(number) {
            Some(Column::Int(list)) => list.get(row).filter(|value| **value != NO_INT).copied(),
            Some(Column::Id(ids)) => ids.number(row).map(i64::from),
            Some(Column::Text(list, strings)) => {
                return match list.get(row).and_then(|sym| strings.get(*sym)) {
                    Some(text) => context.set_result(whole_or_cut(text).as_ref()),
                    None => context.set_result(Null),
                };
            }
            _ => {
                return match self.scan.value(number) {
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
        Ok(saturated(self.scan.row()))
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
