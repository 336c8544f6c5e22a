//! Threads of the program, each with a name that debuggers and `top` show.

use anyhow::Context;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(run).context("cannot start a thread")
}
