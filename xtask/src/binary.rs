//! What the released program must be: small, and needing nothing but the C library.

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::Utf8Path;

/// The program is copied into containers and over slow lines. The recordings of its demo (4 MB) are in it. Each kind of evidence and
/// each command may add a few hundred kilobytes; more is a dependency that is too large.
const MAX_BYTES: u64 = 28_000_000;

/// What every glibc system has; names end before the version.
const ALLOWED_LIBRARIES: [&str; 5] = ["linux-vdso", "libc", "libm", "libgcc_s", "ld-linux"];

/// Fails where the program is too large.
pub(crate) fn check_size(binary: &Utf8Path) -> Result<()> {
    let bytes = std::fs::metadata(binary).with_context(|| format!("cannot read {binary}"))?.len();
    println!("{bytes} bytes");
    ensure!(bytes < MAX_BYTES, "the program has {bytes} bytes, and must have fewer than {MAX_BYTES}");
    Ok(())
}

/// Fails where the program needs a library that a machine may lack.
pub(crate) fn check_libraries(workspace: &Workspace, binary: &Utf8Path) -> Result<()> {
    let listed = process::output(workspace.command("ldd").arg(binary))?;
    let foreign = foreign_libraries(&String::from_utf8_lossy(&listed));
    ensure!(
        foreign.is_empty(),
        "the program needs libraries that a machine may lack: {}",
        foreign.join(", ")
    );
    Ok(())
}

/// Fails where the program needs any library at all.
pub(crate) fn check_static(workspace: &Workspace, binary: &Utf8Path) -> Result<()> {
    let listed = process::output(workspace.command("ldd").arg(binary))?;
    let listed = String::from_utf8_lossy(&listed);
    ensure!(listed.trim() == "statically linked", "the program needs libraries: {}", listed.trim());
    Ok(())
}

/// The libraries in the output of `ldd` that are not allowed.
///
/// A line is `name => path (address)`, `path (address)` or, in a program without any, `statically linked`.
fn foreign_libraries(ldd: &str) -> Vec<String> {
    let names = ldd.lines().filter(|line| line.trim() != "statically linked").filter_map(|line| {
        let path = line.split_whitespace().next()?;
        path.rsplit('/').next()
    });
    names.filter(|name| !is_allowed(name)).map(str::to_owned).collect()
}

/// The loader's name carries the architecture, `ld-linux-x86-64.so.2`; the others' are followed by `.so` at once.
fn is_allowed(library: &str) -> bool {
    let Some((name, _version)) = library.split_once(".so") else { return false };
    name.starts_with("ld-linux-") || ALLOWED_LIBRARIES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::foreign_libraries;

    #[test]
    fn only_the_c_library_is_needed() {
        let check = |ldd: &str, expected: &[&str]| assert_eq!(foreign_libraries(ldd), expected, "{ldd}");
        check(
            "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibgcc_s.so.1 => /lib/libgcc_s.so.1 (0x00007f)\n\
             \tlibm.so.6 => /lib/libm.so.6 (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n",
            &[],
        );
        check("\tlibcrypto.so.3 => not found\n\tlibc.so.6 => /lib/libc.so.6\n", &["libcrypto.so.3"]);
        check("\tlibmagic.so.1 => /usr/lib/libmagic.so.1\n", &["libmagic.so.1"]);
        check("\tstatically linked\n", &[]);
    }
}
