//! Sentences about damaged input, which are the same for every kind of evidence.

use base::damage::DamageLog;

/// A sentence for an input that ends at an offset, for each kind of damage, and for each file that was not read. A file is its
/// name, and what happened to it (`is empty: not read`).
pub fn damage_sentences<'a>(
    truncated_at: Option<u64>,
    damage: &DamageLog,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(offset) = truncated_at {
        sentences
            .push(format!("the input breaks off at offset {offset:#x}: everything after that is missing"));
    }
    for damage in damage.kinds() {
        let times = if damage.count == 1 { String::new() } else { format!(" {} times,", damage.count) };
        let first = if damage.count == 1 { "at" } else { "first at" };
        sentences.push(format!("{},{times} {first} offset {:#x}", damage.what, damage.first_offset));
    }
    sentences.extend(files.into_iter().map(|(file, what)| format!("{file} {what}")));
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_once_is_not_counted() {
        let mut damage = DamageLog::default();
        assert_eq!(damage_sentences(None, &damage, []), Vec::<String>::new());
        damage.note("event cut short", 0x30);
        damage.note("unknown block", 0x50);
        damage.note("unknown block", 0x90);
        assert_eq!(
            damage_sentences(Some(0x40), &damage, [("host.csv", "is not a file: not read")]),
            [
                "the input breaks off at offset 0x40: everything after that is missing",
                "event cut short, at offset 0x30",
                "unknown block, 2 times, first at offset 0x50",
                "host.csv is not a file: not read",
            ]
        );
    }
}
