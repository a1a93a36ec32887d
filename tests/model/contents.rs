//! All that an object holds, read in every way there is.

use std::iter::repeat_n;

use manager_client::aio::Async;
use manager_client::{Blocking, DirectLink, Link, ManagerArray, ManagerDict, ManagerList, ManagerSet, Object};
use manager_protocol::{Encoded, Operation, Row, array, decode_value, dict, list, set};
use manager_tests::{InProcess, block_on, wait};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be stored in the tests.
pub(super) trait Stored: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Stored for T {}

/// A link whose proxies can be gone through, page by page.
pub(super) trait Iterate: DirectLink {
    /// Every entry by pages, from the first to the last or from the last to the first.
    fn entries<K: Stored, V: Stored>(&self, dict: &ManagerDict<K, V, Self>, backward: bool) -> Vec<(K, V)>;

    /// Every value by pages, from the first to the last or from the last to the first.
    fn values<T: Stored>(&self, list: &ManagerList<T, Self>, backward: bool) -> Vec<T>;

    /// The same of a set.
    fn set<T: Stored>(&self, set: &ManagerSet<T, Self>, backward: bool) -> Vec<T>;

    /// The same of an array.
    fn array<T: Stored>(&self, array: &ManagerArray<T, Self>, backward: bool) -> Vec<T>;
}

/// All that a stream gives.
macro_rules! all_of {
    ($stream:expr) => {{
        let mut stream = $stream;
        let mut all = Vec::new();
        while let Some(item) = block_on(stream.next()) {
            all.push(item.unwrap());
        }
        all
    }};
}

impl Iterate for Blocking {
    fn entries<K: Stored, V: Stored>(&self, dict: &ManagerDict<K, V>, backward: bool) -> Vec<(K, V)> {
        let iter = if backward { dict.iter_rev() } else { dict.iter() };
        iter.collect::<Result<_, _>>().unwrap()
    }

    fn values<T: Stored>(&self, list: &ManagerList<T>, backward: bool) -> Vec<T> {
        let iter = if backward { list.iter_rev() } else { list.iter() };
        iter.collect::<Result<_, _>>().unwrap()
    }

    fn set<T: Stored>(&self, set: &ManagerSet<T>, backward: bool) -> Vec<T> {
        let iter = if backward { set.iter_rev() } else { set.iter() };
        iter.collect::<Result<_, _>>().unwrap()
    }

    fn array<T: Stored>(&self, array: &ManagerArray<T>, backward: bool) -> Vec<T> {
        let iter = if backward { array.iter_rev() } else { array.iter() };
        iter.collect::<Result<_, _>>().unwrap()
    }
}

impl Iterate for Async {
    fn entries<K: Stored, V: Stored>(&self, dict: &ManagerDict<K, V, Self>, backward: bool) -> Vec<(K, V)> {
        all_of!(if backward { dict.iter_rev() } else { dict.iter() })
    }

    fn values<T: Stored>(&self, list: &ManagerList<T, Self>, backward: bool) -> Vec<T> {
        all_of!(if backward { list.iter_rev() } else { list.iter() })
    }

    fn set<T: Stored>(&self, set: &ManagerSet<T, Self>, backward: bool) -> Vec<T> {
        all_of!(if backward { set.iter_rev() } else { set.iter() })
    }

    fn array<T: Stored>(&self, array: &ManagerArray<T, Self>, backward: bool) -> Vec<T> {
        all_of!(if backward { array.iter_rev() } else { array.iter() })
    }
}

/// There is no iterator over this link, so the pages are asked for, of few items at first.
impl Iterate for InProcess {
    fn entries<K: Stored, V: Stored>(&self, dict: &ManagerDict<K, V, Self>, backward: bool) -> Vec<(K, V)> {
        let mut all = Vec::new();
        let mut after = None;
        for limit in growing() {
            let (page, next) = entry_page(self, dict, after, limit, backward);
            assert!(page.len() <= limit as usize);
            all.extend(page);
            match next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
        panic!("a dict of more entries than any test makes");
    }

    fn values<T: Stored>(&self, list: &ManagerList<T, Self>, backward: bool) -> Vec<T> {
        let page = |start, limit, out: &mut Vec<u8>| list::Page { start, limit }.encode(out);
        by_index(self, list, list::Page::ROW, page, backward)
    }

    fn set<T: Stored>(&self, set: &ManagerSet<T, Self>, backward: bool) -> Vec<T> {
        let mut all = Vec::new();
        let mut after = None;
        for limit in growing() {
            let encode = |out: &mut Vec<u8>| set::Page { after, limit, backward }.encode(out);
            let found = self.call(set.target(), set::Page::ROW, encode, |answer| {
                let page: set::PageReply<'_> = decode_value(answer.result)?;
                let values = page.values.iter().map(Encoded::decode).collect::<Result<Vec<T>, _>>()?;
                Ok((values, page.next))
            });
            let (page, next) = found.unwrap();
            assert!(page.len() <= limit as usize);
            all.extend(page);
            match next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
        panic!("a set of more values than any test makes");
    }

    fn array<T: Stored>(&self, array: &ManagerArray<T, Self>, backward: bool) -> Vec<T> {
        let page = |start, limit, out: &mut Vec<u8>| array::Page { start, limit }.encode(out);
        by_index(self, array, array::Page::ROW, page, backward)
    }
}

/// Every value of a list or an array, by pages from one index to the next.
fn by_index<T: Stored>(
    link: &InProcess,
    object: &impl Object,
    row: Row,
    page: impl Fn(u64, u32, &mut Vec<u8>),
    backward: bool,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for limit in growing() {
        let found = link.call(
            object.target(),
            row,
            |out| page(all.len() as u64, limit, out),
            |answer| {
                let page: list::PageReply<'_> = decode_value(answer.result)?;
                let values = page.values.iter().map(Encoded::decode).collect::<Result<Vec<T>, _>>()?;
                Ok((values, page.len))
            },
        );
        let (page, len) = found.unwrap();
        assert!(page.len() <= limit as usize && (!page.is_empty() || all.len() as u64 == len));
        all.extend(page);
        if all.len() as u64 == len {
            break;
        }
    }
    if backward {
        all.reverse();
    }
    all
}

/// One page of a dict, over any link, and where the next one begins.
pub(super) fn entry_page<L: DirectLink, K: Stored, V: Stored>(
    link: &L,
    dict: &ManagerDict<K, V, L>,
    after: Option<u64>,
    limit: u32,
    backward: bool,
) -> (Vec<(K, V)>, Option<u64>) {
    let encode = |out: &mut Vec<u8>| dict::Page { after, limit, backward }.encode(out);
    let page = link.call(dict.target(), dict::Page::ROW, encode, |answer| {
        let page: dict::PageReply<'_> = decode_value(answer.result)?;
        let entries = page.entries.iter().map(|(key, value)| Ok((key.decode()?, value.decode()?)));
        Ok((entries.collect::<manager_protocol::Result<_>>()?, page.next))
    });
    wait::<L, _>(page).unwrap()
}

/// How many items each page has: few at first, so that small objects have several pages. There is an end to it, which no
/// object reaches that a list becomes when it is repeated a few times.
fn growing() -> impl Iterator<Item = u32> {
    [1, 2, 3, 5, 8, 13, 100, 1000, 2000, 3000, 4000, 5000].into_iter().chain(repeat_n(10_000, 1000))
}
