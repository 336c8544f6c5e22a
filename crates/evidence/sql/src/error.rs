//! What can go wrong with a query, and with writing its answer.

/// What can go wrong with a query or with writing its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// SQLite does not understand the statement, or cannot run it.
    #[error("SQL: {0}")]
    Sql(String),
    /// The statement names a table that is not there.
    #[error("no such table: {name}; the tables are {known}")]
    NoTable {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The statement names a column that is not there.
    #[error("no such column: {name}{near}; `casebook tables` lists the columns of every table")]
    NoColumn {
        /// The name asked for.
        name: String,
        /// Columns of like names, as a part of the message.
        near: String,
    },
    /// The statement does something else than read the tables.
    #[error("{0} is not allowed: a query is one SELECT (or WITH … SELECT, VALUES, EXPLAIN) over the tables")]
    Refused(String),
    /// There is more than one statement.
    #[error("more than one statement: give one SELECT at a time")]
    SeveralStatements,
    /// There is no statement.
    #[error("no statement: give a SELECT, such as `select * from gc`")]
    NoStatement,
    /// The time given for the query ran out.
    #[error(
        "the query took longer than {0:?}. Add a WHERE, or allow more time: `casebook query --timeout TIME`"
    )]
    Interrupted(std::time::Duration),
    /// SQLite was interrupted; `stream` says why.
    #[error("the query was interrupted")]
    Stopped,
    /// The query needs more memory than it may have, in bytes.
    #[error(
        "the query needs more than {} of memory. Add a WHERE, join fewer rows, or collect less in group_concat, \
         json_group_array and percentile. To allow more: `casebook query --max-memory SIZE`",
        size(*.0)
    )]
    Memory(u64),
    /// The query needs more room in temporary files than it may have, in bytes.
    #[error(
        "the query needs more than {} of temporary files. Add a WHERE, or sort and group fewer rows and columns. To allow \
         more: `casebook query --max-temporary SIZE`",
        size(*.0)
    )]
    Disk(u64),
    /// The disk has no room for the query's temporary files.
    #[error(
        "the disk is full that has the query's temporary files: name a folder on another one in SQLITE_TMPDIR"
    )]
    DiskFull,
    /// The query makes or reads a value that is longer than it may be, in bytes.
    #[error("a value of the query is longer than {}: take a part of it, such as substr(…, 1, 1000)", size(u64::from(*.0)))]
    LongValue(u32),
    /// An alias cannot be used.
    #[error(
        "alias `{0}` cannot be used: take letters, digits and `_`, each name once, not main or temp; \
         with several recordings each needs one"
    )]
    Alias(String),
    /// One of several files is named twice.
    #[error("{0} is named twice: its rows would count twice")]
    FileTwice(String),
    /// More exhibits than SQLite can have beside each other.
    #[error(
        "{0} recordings, each with its own tables: one query reads at most {1}. Several files, or a pattern such as 'folder/*', are read together"
    )]
    TooMany(usize, usize),
    /// The answer is larger than what is kept of one.
    #[error(
        "the answer takes more than {} of memory: ask for fewer rows, or take --format csv or json, \
         which are written as the rows come",
        size(*.0)
    )]
    TooLarge(u64),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[from] std::io::Error),
    /// The answer cannot be written as Parquet.
    #[error("cannot write Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}
