//! Cases and captures beside the source tree, which need not be there.

use std::path::{Path, PathBuf};

/// The path of a case or capture; `None`, noted as skipped, without it.
pub(crate) fn shared(test: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if !path.exists() {
        base::ground::skip(test, "the cases and captures are not there");
        return None;
    }
    Some(path)
}
