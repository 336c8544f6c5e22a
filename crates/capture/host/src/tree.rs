//! Recorded trees for tests: a temporary folder, filled file by file.

use crate::Proc;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder that stands for `/proc` and for the mounts of control groups.
#[derive(Debug)]
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The tree's `proc`.
    pub(crate) fn proc(&self) -> Proc {
        Proc::at(self.path("proc"))
    }
}
