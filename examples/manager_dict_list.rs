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

use std::error::Error;
use std::fmt;

use manager_client::{Manager, ManagerDict, ManagerList};
use serde::{Deserialize, Serialize};

/// The Python program uses numbers and text as keys of one dict; so can any serde type.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(u32),
    Text(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => parent(),
        ["worker", index] => worker(index.parse()?),
        _ => Err("usage: manager_dict_list (it takes no arguments)".into()),
    }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let manager = Manager::start()?;
    let dic: ManagerDict<Key, String> = manager.dict("dic")?;
    let lis: ManagerList<u32> = manager.list("lis")?;
    lis.extend(0..5)?;

    // A child is this program again; `command` tells it where the manager is.
    let me = std::env::current_exe()?;
    let children: Result<Vec<_>, _> =
        (0..10).map(|index: u32| manager.command(&me).args(["worker", &index.to_string()]).spawn()).collect();
    for mut child in children? {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("a worker ended with {status}").into());
        }
    }

    let entries: Vec<String> = dic.items()?.iter().map(|(key, value)| format!("{key}: '{value}'")).collect();
    println!("{{{}}}", entries.join(", "));
    println!("{:?}", lis.values()?);
    Ok(())
}

fn worker(index: u32) -> Result<(), Box<dyn Error>> {
    let manager = Manager::from_env()?;
    let dic: ManagerDict<Key, String> = manager.dict("dic")?;
    let lis: ManagerList<u32> = manager.list("lis")?;
    dic.set(&Key::Number(index), "a")?;
    dic.set(&Key::Text("2".to_owned()), "b")?;
    lis.push(&index)?;
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
