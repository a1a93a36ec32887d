//! Ten processes write one dict and append to one list: the classic program of Python's
//! `multiprocessing.Manager`.
//!
//! ```text
//! cargo run --release --example manager_dict_list
//! ```
//!
//! ```python
//! def fun1(dic, lis, index):
//!     dic[index] = 'a'
//!     dic['2'] = 'b'
//!     lis.append(index)
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::fmt;

use manager_client::{Manager, ManagerDict, ManagerList, TaskError, task};
use serde::{Deserialize, Serialize};

/// The Python program uses numbers and text as keys of one dict; so can any serde type.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(u32),
    Text(String),
}

#[task]
fn fun1(dic: ManagerDict<Key, String>, lis: ManagerList<u32>, index: u32) -> Result<(), TaskError> {
    dic.set(&Key::Number(index), "a")?;
    dic.set(&Key::Text("2".to_owned()), "b")?;
    lis.push(&index)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    manager_client::init();
    let manager = Manager::start()?;
    let dic = manager.new_dict()?;
    let lis = manager.new_list()?;
    lis.extend(0..5)?;

    let process_list: Vec<_> = (0..10).map(|index| manager.process(fun1, (dic.clone(), lis.clone(), index))).collect();
    process_list.iter().try_for_each(|process| process.start())?;
    for process in &process_list {
        process.join()??;
    }

    let entries: Vec<String> = dic.items()?.iter().map(|(key, value)| format!("{key}: '{value}'")).collect();
    println!("{{{}}}", entries.join(", "));
    println!("{:?}", lis.values()?);
    Ok(())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}
