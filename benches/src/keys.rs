//! Keys and values: the same bytes for all systems.

use std::sync::Arc;

use crate::work::KEYS;

/// The keys of one client, and a source of random choices among them.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    keys: Arc<[String]>,
    /// All of them, side by side: who chooses one waits for memory no longer than a program that has just made its own.
    text: Arc<str>,
    random: Random,
}

impl Keys {
    pub(crate) fn of(client: usize) -> Self {
        let keys: Arc<[String]> = (0..KEYS).map(|index| key(client, index)).collect();
        Self { text: keys.concat().into(), keys, random: Random::new(client) }
    }

    /// The same keys, with choices of their own.
    pub(crate) fn for_task(&self, task: usize) -> Self {
        Self { keys: Arc::clone(&self.keys), text: Arc::clone(&self.text), random: Random::new(task) }
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.keys
    }

    /// One of the first `count`.
    pub(crate) fn any(&mut self, count: usize) -> &str {
        &self.text[self.random.below(count.min(KEYS)) * KEY_BYTES..][..KEY_BYTES]
    }
}

/// A quick generator (xorshift), so that choosing costs next to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: usize) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ ((seed as u64 + 1) << 20))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * bound as u128) >> 64) as usize
    }
}

/// The key of 16 bytes with this number, of this client.
pub(crate) fn key(client: usize, index: usize) -> String {
    let mut text = String::with_capacity(KEY_BYTES);
    write_key(&mut text, client, index);
    text
}

/// Replaces the text by a key: for those who need too many to keep them all.
pub(crate) fn write_key(text: &mut String, client: usize, index: usize) {
    text.clear();
    text.push('k');
    for (number, digits) in [(client, 4), (index, 11)] {
        let mut power = 10_usize.pow(digits - 1);
        while power > 0 {
            text.push(char::from(b'0' + (number / power % 10) as u8));
            power /= 10;
        }
    }
}

/// A value of so many bytes.
pub(crate) fn value(size: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz0123456789".chars().cycle().take(size).collect()
}

/// The values of so many bytes that these keys have in a dict: each another, since pickle sends one that it has sent
/// before as a reference.
pub(crate) fn values(keys: &[String], size: usize) -> Vec<String> {
    keys.iter().map(|key| key.chars().cycle().take(size).collect()).collect()
}

pub(crate) const KEY_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_apart_and_of_one_length() {
        let mut keys: Vec<String> = (0..3).flat_map(|client| (0..100).map(move |index| key(client, index))).collect();
        assert_eq!(keys[101], "k000100000000001");
        assert!(keys.iter().all(|key| key.len() == KEY_BYTES));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 300);
    }

    #[test]
    fn what_is_chosen_is_one_of_the_first_keys() {
        let mut keys = Keys::of(3);
        let first = keys.all()[..10].to_vec();
        assert!((0..1000).all(|_| {
            let chosen = keys.any(10);
            first.iter().any(|key| key == chosen)
        }));
    }

    #[test]
    fn no_two_keys_have_the_same_value() {
        let keys: Vec<String> = (0..100).map(|index| key(7, index)).collect();
        let mut values = values(&keys, 64);
        assert!(values.iter().all(|value| value.len() == 64));
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 100);
    }

    #[test]
    fn random_choices_reach_everything_and_no_more() {
        let mut random = Random::new(3);
        let mut seen = [false; 10];
        (0..1000).for_each(|_| seen[random.below(10)] = true);
        assert_eq!(seen, [true; 10]);
    }
}
