//! Files with holes, and files that unpack to far more than they have: neither fills the time or the memory of whoever
//! opens them.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::{Options, open};
use model::Trace;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OPTIONS: Options = Options { payloads: false, threads: 1 };
/// No reader gets to the end of it within the time of a test.
const HOLE: u64 = 1 << 43;

fn read(path: &Path) -> Arc<Trace> {
    open(path, OPTIONS).unwrap().into_trace().unwrap()
}

fn damage(recording: &Trace, what: &str) -> u64 {
    let kinds = recording.lost.damage.kinds().iter();
    kinds.filter(|kind| kind.what.contains(what)).map(|kind| kind.count).sum()
}

fn fixture() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/lock.nettrace.zst");
    zstd::decode_all(File::open(path).unwrap()).unwrap()
}

/// A file that begins with these bytes and goes on with a hole.
fn with_hole(folder: &Path, name: &str, bytes: &[u8]) -> Option<PathBuf> {
    let path = folder.join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(bytes).unwrap();
    // Some file systems have no files of this size.
    file.set_len(HOLE).is_ok().then_some(path)
}

#[test]
fn a_hole_behind_a_recording_or_within_it_ends_the_reading_and_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fixture();
    for (name, len) in [("end.nettrace", whole.len()), ("middle.nettrace", whole.len() / 2)] {
        let Some(path) = with_hole(folder.path(), name, &whole[..len]) else { return };
        let recording = read(&path);
        let ended = damage(&recording, "the rest was not read");
        assert_eq!(ended, 1, "{name}: {:?}", recording.lost);
        assert!(!recording.events.ts_ns.is_empty(), "{name}");
    }
}

#[test]
fn packed_bytes_that_unpack_to_nothing_end_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = zstd::encode_all(fixture().as_slice(), 1).unwrap();
    // A frame that readers skip, of four gigabytes, most of them in the hole.
    bytes.extend([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff]);
    let Some(path) = with_hole(folder.path(), "skipped.nettrace.zst", &bytes) else { return };
    let recording = read(&path);
    assert_eq!(damage(&recording, base::damage::PACKING), 1, "{:?}", recording.lost);
    assert!(!recording.events.ts_ns.is_empty());
}

#[test]
fn many_small_packed_files_share_what_one_may_unpack_to() {
    let folder = tempfile::tempdir().unwrap();
    // Each unpacks to 40 MB, nearly all of it nothing.
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut bytes =
        fs::read(path.join("../../../fixtures/format/SkipExtraMetadataTagSpaceV5.nettrace")).unwrap();
    bytes.resize(40 << 20, 0);
    let packed = zstd::encode_all(bytes.as_slice(), 1).unwrap();
    for at in 0..4 {
        fs::write(folder.path().join(format!("trace-{at}.nettrace.zst")), &packed).unwrap();
    }
    let recording = read(folder.path());
    // All of them would be 160 MB. A piece more of each is read before its end is noticed.
    let most = (64 << 20) + 4 * (100 * packed.len() as u64 + (2 << 20));
    assert!(recording.exhibit.bytes <= most, "{} of {most}", recording.exhibit.bytes);
    assert!(most < 100 << 20 && damage(&recording, "expands to more") > 0, "{most}: {:?}", recording.lost);
}

#[test]
fn a_folder_of_any_number_of_files_is_read_in_part_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("trace.nettrace"), fixture()).unwrap();
    for at in 0..2_100 {
        fs::write(folder.path().join(format!("x{at}.nettrace")), "").unwrap();
    }
    let recording = read(folder.path());
    // The empty files that were opened, and one entry for all that were not.
    let listed = recording.lost.files.len() as u64;
    let counted = damage(&recording, "further file that was not read");
    assert_eq!(listed + counted, 2_000, "{:?}", recording.lost.damage);
}
