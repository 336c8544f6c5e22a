//! The connection: exhibits opened as tables, and one reading statement at a time.
//!
//! Once the tables are there, an authorizer refuses whatever is not reading: no statement can attach a file, set a
//! pragma, load an extension or write. What a query may use is in its connection's [`Limits`]: its memory and temporary files
//! are counted for it alone ([`crate::limits`]), and a thread interrupts it when its time is over ([`crate::watch`]).

use crate::Error;
use crate::answer::{Answer, AnswerColumn, Cell, Collector, Rows, cell_bytes};
use crate::limits::{Account, Limits, Paused, Reached};
use crate::vtab::{FILE_COLUMN, OWN_FILE_COLUMN, Parts, TableSource, register};
use crate::{account, functions, watch};
use base::time::Deadline;
use model::{Kind, TableSpec, Tables, Type};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Row, Statement};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many exhibits SQLite has room for beside each other.
const MAX_ALIASES: usize = 10;

/// How to run a query.
#[derive(Debug, Clone, Copy)]
pub struct QueryOptions {
    /// How many rows are wanted at most; all if none.
    pub limit: Option<usize>,
    /// How long it may take; as long as it likes if none.
    pub interrupt_after: Option<Duration>,
}

/// What the authorizer saw.
#[derive(Debug, Default)]
struct Watch {
    refused: Option<String>,
    reads: BTreeSet<(String, String)>,
}

/// Exhibits as tables of SQL.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// The tables of each exhibit, by the schema that has them: `main`, or its alias.
    catalogues: Vec<(String, &'static [TableSpec])>,
    watch: Arc<Mutex<Watch>>,
    limits: Limits,
}

impl Database {
    /// Opens exhibits of any kind. One without an alias has its tables under their plain names (`gc`); those of an alias
    /// `a` are `a.gc`. With several exhibits each needs an alias, and plain names are refused.
    pub fn open(exhibits: Vec<(Option<String>, Arc<dyn Tables>)>) -> Result<Self, Error> {
        Self::open_with(exhibits, true)
    }

    /// Opens one exhibit, whose tables have their plain names.
    pub fn of(tables: Arc<dyn Tables>) -> Result<Self, Error> {
        Self::open(vec![(None, tables)])
    }

    /// As `open`, with a choice whether comparisons are pushed down: tests compare the two.
    pub(crate) fn open_with(
        exhibits: Vec<(Option<String>, Arc<dyn Tables>)>,
        push_down: bool,
    ) -> Result<Self, Error> {
        let connection = connect()?;
        let several = exhibits.len() > 1;
        if exhibits.len() > MAX_ALIASES {
            return Err(Error::TooMany(exhibits.len(), MAX_ALIASES));
        }
        let mut catalogues: Vec<(String, &'static [TableSpec])> = Vec::new();
        for (alias, tables) in exhibits {
            let catalogue = tables.catalogue();
            let source = TableSource {
                parts: Parts::One(tables),
                specs: catalogue.iter().collect(),
                push_down,
                refusal: None,
            };
            let schema = match alias {
                None if several => return Err(Error::Alias(String::new())),
                None => "main".to_owned(),
                Some(alias) => {
                    if !is_alias(&alias) || catalogues.iter().any(|(of, _)| of.eq_ignore_ascii_case(&alias)) {
                        return Err(Error::Alias(alias));
                    }
                    connection.execute(&format!("ATTACH ':memory:' AS \"{alias}\""), []).map_err(plain)?;
                    alias
                }
            };
            create(&connection, &schema, &format!("casebook_{schema}"), source)?;
            catalogues.push((schema, catalogue));
        }
        if several {
            refuse_plain_names(&connection, &catalogues)?;
        }
        Self::guarded(connection, catalogues)
    }

    /// Opens the exhibits of several files together: each table has the rows of all of them, one file after the other, and a
    /// first column `file` with the name given here. Numbers such as `stack` are those of each file, so joins compare `file`
    /// too. A look-up by `file` and another column costs as much as in one exhibit.
    ///
    /// # Errors
    ///
    /// A name that is there twice.
    pub fn open_files(files: Vec<(String, Arc<dyn Tables>)>) -> Result<Self, Error> {
        Self::open_files_with(files, true)
    }

    /// As `open_files`, with a choice as in `open_with`.
    pub(crate) fn open_files_with(
        files: Vec<(String, Arc<dyn Tables>)>,
        push_down: bool,
    ) -> Result<Self, Error> {
        let mut catalogues: Vec<(String, &'static [TableSpec])> = Vec::new();
        for (_, tables) in &files {
            let catalogue = tables.catalogue();
            if !catalogues.iter().any(|(_, known)| std::ptr::eq(*known, catalogue)) {
                catalogues.push(("main".to_owned(), catalogue));
            }
        }
        let connection = connect()?;
        let (ambiguous, specs): (Vec<_>, Vec<_>) =
            distinct(&catalogues).into_iter().partition(|spec| is_ambiguous(spec, &catalogues));
        let parts = Parts::files(files).map_err(Error::FileTwice)?;
        let source = TableSource { parts, specs, push_down, refusal: None };
        create(&connection, "main", "casebook_main", source)?;
        // No row is ever asked of them.
        let parts = Parts::One(Kind::Trace.empty().tables());
        let refusal = Some(AMBIGUOUS.to_owned());
        let source = TableSource { parts, specs: ambiguous, push_down, refusal };
        create(&connection, "main", "casebook_ambiguous", source)?;
        Self::guarded(connection, catalogues)
    }

    fn guarded(
        connection: Connection,
        catalogues: Vec<(String, &'static [TableSpec])>,
    ) -> Result<Self, Error> {
        let limits = Limits::OF_THE_PROGRAM;
        let mut database = Self { connection, catalogues, watch: Arc::default(), limits };
        database.guard()?;
        database.within(limits)
    }

    /// The same tables, with other limits on what a query may use; without this they are those of the program.
    pub fn within(mut self, limits: Limits) -> Result<Self, Error> {
        let each = [
            (Limit::SQLITE_LIMIT_LENGTH, limits.value_bytes),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, limits.sql_bytes),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, limits.arguments),
        ];
        for (limit, most) in each {
            let most = i32::try_from(most).unwrap_or(i32::MAX);
            self.connection.set_limit(limit, most).map_err(plain)?;
        }
        self.limits = limits;
        Ok(self)
    }

    /// From now on only reading is allowed.
    fn guard(&mut self) -> Result<(), Error> {
        let watch = Arc::clone(&self.watch);
        let authorizer = move |context: AuthContext<'_>| authorize(&watch, context);
        self.connection.authorizer(Some(authorizer)).map_err(plain)
    }

    /// Runs a statement, which has to be the only one and to read only, and keeps its answer; of one that is too large,
    /// the first rows, if the limits say so.
    pub fn query(&self, sql: &str, options: QueryOptions) -> Result<Answer, Error> {
        let mut collector = Collector::new(self.limits.answer_bytes);
        collector.answer.truncated = match self.stream(sql, options, &mut collector) {
            Err(Error::TooLarge(_)) if self.limits.cuts_answers && !collector.answer.rows.is_empty() => true,
            truncated => truncated?,
        };
        Ok(collector.answer)
    }

    /// Runs a statement as `query` does, and hands its rows on as they come; gives whether the limit left some off.
    pub fn stream(&self, sql: &str, options: QueryOptions, rows: &mut dyn Rows) -> Result<bool, Error> {
        let deadline = options.interrupt_after.map(Deadline::after);
        let account = Account::open(&self.limits, deadline, self.connection.get_interrupt_handle());
        let watched = deadline.map(|deadline| watch::watch(deadline, self.connection.get_interrupt_handle()));
        let watched = watched.transpose()?;
        let answered = self.prepare(sql).and_then(|mut statement| self.run(&mut statement, options, rows));
        drop(watched);
        let reached = account.close();
        answered.map_err(|error| match (reached, error) {
            // What stopped it first; SQLite may call a lack of memory anything.
            (Some(reached), Error::Sql(_) | Error::Stopped | Error::Memory(_) | Error::DiskFull) => {
                match (reached, options.interrupt_after) {
                    (Reached::Memory, _) => Error::Memory(self.limits.memory_bytes),
                    (Reached::Disk, _) => Error::Disk(self.limits.disk_bytes),
                    (Reached::Time, after) => Error::Interrupted(after.unwrap_or_default()),
                }
            }
            (None, Error::Stopped) => Error::Interrupted(options.interrupt_after.unwrap_or_default()),
            (_, other) => other,
        })
    }

    fn run(
        &self,
        statement: &mut Statement<'_>,
        options: QueryOptions,
        sink: &mut dyn Rows,
    ) -> Result<bool, Error> {
        let failed = |error: rusqlite::Error| self.explain(&error);
        let columns = self.columns(statement);
        let mut rows = statement.query([]).map_err(failed)?;
        // A statement that goes wrong at its first row has answered nothing.
        let mut next = rows.next().map_err(failed)?;
        sink.begin(&columns)?;
        let mut count = 0usize;
        while let Some(row) = next {
            if options.limit.is_some_and(|limit| count >= limit) {
                return Ok(true);
            }
            count = count.saturating_add(1);
            sink.row(self.cells(row, columns.len())?)?;
            next = rows.next().map_err(failed)?;
        }
        Ok(false)
    }

    /// The cells of a row, which may be a value many times over that SQLite has once.
    fn cells(&self, row: &Row<'_>, columns: usize) -> Result<Vec<Cell>, Error> {
        let _paused = Paused::begin();
        let (mut cells, mut bytes) = (Vec::with_capacity(columns), 0u64);
        for at in 0..columns {
            let cell = row.get_ref(at).map(cell).map_err(|error| self.explain(&error))?;
            bytes = bytes.saturating_add(cell_bytes(&cell));
            if bytes > self.limits.memory_bytes {
                return Err(Error::Memory(self.limits.memory_bytes));
            }
            cells.push(cell);
        }
        Ok(cells)
    }

    fn prepare(&self, sql: &str) -> Result<Statement<'_>, Error> {
        *lock(&self.watch) = Watch::default();
        let mut batch = Batch::new(&self.connection, sql);
        let statement = batch.next().map_err(|error| self.explain(&error))?.ok_or(Error::NoStatement)?;
        if !statement.readonly() {
            return Err(Error::Refused("writing".to_owned()));
        }
        match batch.next() {
            Ok(None) => Ok(statement),
            Ok(Some(_)) | Err(_) => Err(Error::SeveralStatements),
        }
    }

    /// SQLite's error in the words of this crate.
    fn explain(&self, error: &rusqlite::Error) -> Error {
        if let Some(refused) = lock(&self.watch).refused.take() {
            return Error::Refused(refused);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => return Error::Stopped,
            Some(ErrorCode::TooBig) => return Error::LongValue(self.limits.value_bytes),
            // Our account was not asked: SQLite itself takes no piece of memory of more than 2 GB.
            Some(ErrorCode::OutOfMemory) => return Error::Memory(self.limits.memory_bytes),
            Some(ErrorCode::DiskFull) => return Error::DiskFull,
            _ => {}
        }
        let message = match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            error => error.to_string(),
        };
        if let Some(name) = message.strip_prefix("no such table: ") {
            return Error::NoTable { name: name.to_owned(), known: self.known_tables() };
        }
        if let Some(name) = message.strip_prefix("no such column: ") {
            let sql = if let rusqlite::Error::SqlInputError { sql, .. } = error { sql.as_str() } else { "" };
            return Error::NoColumn { name: name.to_owned(), near: self.near_columns(name, sql) };
        }
        if message.ends_with(" may not be modified") {
            return Error::Refused("changing a table".to_owned());
        }
        if let Some(signature) = signature(&message) {
            return Error::Sql(format!("{message}: write {signature}"));
        }
        if message.starts_with("too many arguments on function ") {
            let most = self.limits.arguments;
            return Error::Sql(format!("{message}: a function takes at most {most}, use several calls"));
        }
        Error::Sql(message)
    }

    fn known_tables(&self) -> String {
        let names = |of: &[TableSpec]| of.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
        let aliases: Vec<_> = self.catalogues.iter().filter(|(schema, _)| schema != "main").collect();
        let is_one_kind =
            aliases.windows(2).all(|pair| pair.first().map(|of| of.1) == pair.last().map(|of| of.1));
        match (self.catalogues.first(), aliases.is_empty()) {
            (Some(_), true) => {
                let names: Vec<&str> = distinct(&self.catalogues).iter().map(|spec| spec.name).collect();
                names.join(", ")
            }
            (Some((_, catalogue)), false) if is_one_kind => {
                let prefixes: Vec<String> = aliases.iter().map(|(alias, _)| format!("`{alias}.`")).collect();
                format!("{}, each behind {}", names(catalogue), prefixes.join(" or "))
            }
            _ => {
                let each = aliases.iter().map(|(alias, of)| format!("{} behind `{alias}.`", names(of)));
                each.collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// The columns of an answer, with type and unit if each is a column of a table.
    fn columns(&self, statement: &Statement<'_>) -> Vec<AnswerColumn> {
        let columns = statement.columns_with_metadata().map(|column| {
            let of_schema =
                self.catalogues.iter().filter(|(schema, _)| Some(schema.as_str()) == column.database_name());
            let mut specs = of_schema.flat_map(|(_, catalogue)| catalogue.iter());
            let spec = specs.find(|spec| Some(spec.name) == column.table_name());
            let name =
                column.origin_name().map(|name| if name == OWN_FILE_COLUMN { FILE_COLUMN } else { name });
            let origin = spec.and_then(|spec| spec.columns.iter().find(|spec| Some(spec.name) == name));
            let is_file = spec.is_some() && name == Some(FILE_COLUMN);
            AnswerColumn {
                name: column.name().to_owned(),
                kind: origin.map(|spec| spec.kind).or(is_file.then_some(Type::Text)),
                unit: origin.map_or(String::new(), |spec| spec.unit.to_owned()),
            }
        });
        columns.collect()
    }

    /// Columns that a name may have meant, as a part of a message: those of the tables that the statement reads, as far as
    /// its words show them, otherwise of all tables.
    fn near_columns(&self, name: &str, sql: &str) -> String {
        /// More tables would make the message too long to read.
        const MAX_TABLES: usize = 2;
        let wanted = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
        let likes = |column: &str| {
            let stem = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
            column.contains(&wanted)
                || (column.len() > 2 && wanted.contains(column))
                || (wanted.len() > 2 && stem(column) == stem(&wanted))
        };
        let read = words_after_from(sql);
        let all = distinct(&self.catalogues);
        let queried: Vec<&TableSpec> =
            all.iter().copied().filter(|spec| read.iter().any(|word| word == spec.name)).collect();
        let mut near = BTreeSet::new();
        for spec in if queried.is_empty() { &all } else { &queried } {
            for column in spec.columns.iter().filter(|column| likes(column.name)) {
                near.insert(format!("{}.{}", spec.name, column.name));
            }
        }
        let near: Vec<String> = near.into_iter().take(8).collect();
        let near = match near.as_slice() {
            [] => String::new(),
            [one] => format!(" (there is {one})"),
            several => format!(" (there are {})", several.join(", ")),
        };
        let columns = |spec: &&TableSpec| {
            let columns: Vec<&str> = spec.columns.iter().map(|column| column.name).collect();
            format!("; {} has {}", spec.name, columns.join(", "))
        };
        queried.iter().take(MAX_TABLES).map(columns).fold(near, |text, columns| text + &columns)
    }
}

/// The tables of catalogues, those of the same name once.
fn distinct(catalogues: &[(String, &'static [TableSpec])]) -> Vec<&'static TableSpec> {
    let mut specs: Vec<&'static TableSpec> = Vec::new();
    for spec in catalogues.iter().flat_map(|(_, catalogue)| *catalogue) {
        if !specs.iter().any(|of| of.name == spec.name) {
            specs.push(spec);
        }
    }
    specs
}

/// Why a table cannot be read of several files together.
const AMBIGUOUS: &str = "these files are of different kinds, whose tables of this name have different columns: query the files of each kind \
                         by themselves, or name each file (a=FILE b=FILE)";

/// Whether a table of the same name has other columns in another kind.
fn is_ambiguous(spec: &TableSpec, catalogues: &[(String, &'static [TableSpec])]) -> bool {
    let names = |of: &TableSpec| of.columns.iter().map(|column| column.name).collect::<Vec<_>>();
    let mut same = catalogues.iter().flat_map(|(_, catalogue)| *catalogue).filter(|of| of.name == spec.name);
    same.any(|of| names(of) != names(spec))
}

/// A connection without tables.
fn connect() -> Result<Connection, Error> {
    if !account::install() {
        return Err(Error::Sql("SQLite was in use before its memory could be limited".to_owned()));
    }
    let connection = Connection::open_in_memory_with_flags_and_vfs(OpenFlags::default(), account::VFS);
    let connection = connection.map_err(plain)?;
    functions::install(&connection).map_err(plain)?;
    Ok(connection)
}

/// The words of a statement that name what it reads: each after FROM or JOIN, without an alias before a dot.
fn words_after_from(sql: &str) -> Vec<String> {
    let is_apart = |char: char| !(char.is_alphanumeric() || matches!(char, '_' | '.'));
    let words: Vec<String> =
        sql.split(is_apart).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect();
    let named = words
        .iter()
        .zip(words.iter().skip(1))
        .filter(|(before, _)| matches!(before.as_str(), "from" | "join"));
    named.map(|(_, name)| name.rsplit('.').next().unwrap_or_default().to_owned()).collect()
}

/// How a function of percentiles is called, if SQLite says that it was called with another number of arguments.
fn signature(message: &str) -> Option<&'static str> {
    let name = message.strip_prefix("wrong number of arguments to function ")?.strip_suffix("()")?;
    Some(match name.to_ascii_lowercase().as_str() {
        "percentile" => "percentile(value, percent), with percent from 0 to 100",
        "percentile_cont" => "percentile_cont(value, fraction), with fraction from 0 to 1",
        "percentile_disc" => "percentile_disc(value, fraction), with fraction from 0 to 1",
        "median" => "median(value)",
        _ => return None,
    })
}

/// The tables and columns that a statement reads of exhibits of these kinds, in the order of their names; a table of which
/// only the rows count has an empty column. Tables are named without their alias: what is read of any exhibit is in the
/// list.
pub fn tables_used(sql: &str, exhibits: &[(Option<String>, Kind)]) -> Result<Vec<(String, String)>, Error> {
    let empty = exhibits.iter().map(|(alias, kind)| (alias.clone(), kind.empty().tables()));
    used(&Database::open(empty.collect())?, sql)
}

/// The same of the exhibits of several files together, as [`Database::open_files`] opens them.
pub fn tables_used_of_files(sql: &str, kinds: &[Kind]) -> Result<Vec<(String, String)>, Error> {
    let empty = kinds.iter().enumerate().map(|(at, kind)| (at.to_string(), kind.empty().tables()));
    used(&Database::open_files(empty.collect())?, sql)
}

fn used(database: &Database, sql: &str) -> Result<Vec<(String, String)>, Error> {
    drop(database.prepare(sql)?);
    let reads = std::mem::take(&mut lock(&database.watch).reads);
    let is_table = |name: &str| {
        database.catalogues.iter().any(|(_, catalogue)| catalogue.iter().any(|spec| spec.name == name))
    };
    Ok(reads.into_iter().filter(|(table, _)| is_table(table)).collect())
}

/// Makes plain names of tables known that only say which aliases there are.
fn refuse_plain_names(
    connection: &Connection,
    catalogues: &[(String, &'static [TableSpec])],
) -> Result<(), Error> {
    let names: Vec<String> = catalogues.iter().map(|(alias, _)| format!("{alias}.<table>")).collect();
    let refusal = format!(
        "with several recordings, put a recording's name in front of the table: {}",
        names.join(" or ")
    );
    let specs = distinct(catalogues);
    // No row is ever asked of them.
    let tables = Kind::Trace.empty().tables();
    create(
        connection,
        "main",
        "casebook_main",
        TableSource { parts: Parts::One(tables), specs, push_down: true, refusal: Some(refusal) },
    )
}

fn create(connection: &Connection, schema: &str, module: &str, source: TableSource) -> Result<(), Error> {
    let specs = source.specs.iter();
    let tables: Vec<String> = specs
        .map(|spec| format!("CREATE VIRTUAL TABLE \"{schema}\".\"{}\" USING \"{module}\";", spec.name))
        .collect();
    register(connection, module, source).map_err(plain)?;
    connection.execute_batch(&format!("BEGIN; {} COMMIT", tables.concat())).map_err(plain)
}

fn is_alias(alias: &str) -> bool {
    let reserved = ["main", "temp"].iter().any(|name| alias.eq_ignore_ascii_case(name));
    let first = alias.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    first && !reserved && alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn authorize(watch: &Mutex<Watch>, context: AuthContext<'_>) -> Authorization {
    let what = match context.action {
        AuthAction::Select | AuthAction::Recursive => return Authorization::Allow,
        AuthAction::Read { table_name, column_name } => {
            lock(watch).reads.insert((table_name.to_owned(), column_name.to_owned()));
            return Authorization::Allow;
        }
        AuthAction::Function { function_name } => {
            if !function_name.eq_ignore_ascii_case("load_extension") {
                return Authorization::Allow;
            }
            "load_extension".to_owned()
        }
        AuthAction::Pragma { pragma_name, .. } => format!("PRAGMA {pragma_name}"),
        AuthAction::Attach { .. } => "ATTACH".to_owned(),
        AuthAction::Detach { .. } => "DETACH".to_owned(),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "a transaction".to_owned(),
        _ => "writing".to_owned(),
    };
    lock(watch).refused.get_or_insert(what);
    Authorization::Deny
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn plain(error: rusqlite::Error) -> Error {
    Error::Sql(error.to_string())
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Cell::Text(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}
