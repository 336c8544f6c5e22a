//! Maps whose keys come from outside: addresses, numbers of threads, texts.
//!
//! Whoever knows how keys are hashed can write a file whose keys all fall into one place, and each look then goes over
//! all of them. Here the hash has a seed that differs from run to run. Numbers that the program gives itself need none of
//! this. What goes over such a map must not let its order reach a result.

/// A map with keys that a file chooses.
pub type SeededMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// A set of keys that a file chooses.
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

    /// Keys whose hashes without a seed are alike in all bits that a map of this size looks at.
    fn alike(count: u64) -> Vec<Key> {
        let hash = rustc_hash::FxBuildHasher;
        // The hash of a number is a product with an odd constant, turned: both can be undone.
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
        for key in alike(count) {
            set.insert(key);
        }
        COMPARED.get()
    }

    #[test]
    fn addresses_that_a_file_chose_do_not_all_fall_into_one_place() {
        // This is what a map without a seed does with them.
        assert!(compared(rustc_hash::FxHashSet::default(), 2_000) > 1_000_000);
        assert!(compared(SeededSet::default(), 8_000) < 8_000);
    }
}
