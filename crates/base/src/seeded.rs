//! Maps for keys that come from outside: addresses, thread ids, texts.
//!
//! Whoever knows the hash function can write a file in which all keys collide, and every lookup then compares all of
//! them. These maps hash with a seed that differs between runs, which also makes their order differ: iterating over one
//! must not affect a result. Keys that the program assigns itself do not need a seed.

/// A map whose keys come from a file.
pub type SeededMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// A set whose keys come from a file.
pub type SeededSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

#[cfg(test)]
mod tests {
    use super::SeededSet;
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, Hash, Hasher};

    thread_local! {
        static COMPARED: Cell<u64> = const { Cell::new(0) };
    }

    /// A number that counts how often it is compared.
    #[derive(Clone, Copy)]
    struct Key(u64);

    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            COMPARED.set(COMPARED.get().saturating_add(1));
            self.0 == other.0
        }
    }

    impl Eq for Key {}

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    /// Keys whose hashes without a seed are equal in all bits that a map of this size uses.
    fn colliding(count: u64) -> Vec<Key> {
        let hash = rustc_hash::FxBuildHasher;
        // The hash of a number is its product with an odd constant, rotated. Both steps can be inverted.
        let (zero, one) = (hash.hash_one(0u64), hash.hash_one(1u64).rotate_right(26));
        assert_eq!(zero, 0);
        let mut inverse = one;
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(one.wrapping_mul(inverse)));
        }
        (0..count).map(|at| Key((at << 20).rotate_right(26).wrapping_mul(inverse))).collect()
    }

    fn compared<S: BuildHasher>(mut set: HashSet<Key, S>, count: u64) -> u64 {
        COMPARED.set(0);
        for key in colliding(count) {
            set.insert(key);
        }
        COMPARED.get()
    }

    #[test]
    fn keys_that_a_file_chose_do_not_all_collide() {
        // Without a seed they do.
        assert!(compared(rustc_hash::FxHashSet::default(), 2_000) > 1_000_000);
        assert!(compared(SeededSet::default(), 8_000) < 8_000);
    }
}
