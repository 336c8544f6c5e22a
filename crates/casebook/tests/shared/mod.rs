//! Cases and captures beside the source tree. They may be missing.

use std::path::{Path, PathBuf};

/// The path of a case or capture. `None` if it is missing; the test then counts as skipped.
pub(crate) fn shared(test: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if !path.exists() {
        base::ground::skip(test, "the cases and captures are not there");
        return None;
    }
    Some(path)
}
