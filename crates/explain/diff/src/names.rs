//! Names of methods that two runs of a service have in common, and how many frames lack one.
//!
//! A method made at run time may have addresses in its signature (`pMT: 0x7f80b00a7790`), which no other run has.

use base::number::real_u64;
use model::Trace;
use std::borrow::Cow;

/// The largest share of frames without a name. Above it, methods of one side look as if they were gone.
pub(crate) const MAX_UNNAMED: f64 = 0.2;

/// The share of the frames of all samples that have no name.
pub(crate) fn unnamed_share(recording: &Trace) -> f64 {
    let missing = &recording.missing;
    if missing.frames == 0 { 0.0 } else { real_u64(missing.unnamed_frames) / real_u64(missing.frames) }
}

/// Why frames are not compared if this share of them has no name.
pub(crate) fn too_few(unnamed: f64, which: &str) -> String {
    let share = report::unit::show(unnamed, "share");
    format!("{share} of the frames of the recording {which} have no name")
}

/// A name without its addresses.
pub(crate) fn stable(name: &str) -> Cow<'_, str> {
    if !name.contains("0x") {
        return Cow::Borrowed(name);
    }
    let mut parts = name.split("0x");
    let mut stable = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        stable.push_str(if rest.len() < part.len() { "0x…" } else { "0x" });
        stable.push_str(rest);
    }
    Cow::Owned(stable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_and_everything_else_stays() {
        let check = |name, expected: &str| assert_eq!(stable(name), expected);
        check("Shop!Cart.Add(int32)", "Shop!Cart.Add(int32)");
        check("!dynamicClass.f(pMT: 0x7f80b00a7790,int32)", "!dynamicClass.f(pMT: 0x…,int32)");
        check("a0x1b0xé0x", "a0x…0xé0x");
        check("0x", "0x");
    }
}
