//! A view of a dict in a terminal: what is in it, and then every change the moment it is made.
//!
//! ```text
//! cargo run --release --example watch
//! ```
//!
//! A child process sells fruit; the parent watches the stock, and keeps a map of its own like it.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::collections::BTreeMap;
use std::error::Error;

use manager_client::{DictChange, DictUpdate, Manager, ManagerDict};

/// How much there is of each fruit.
type Stock = ManagerDict<String, i64>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => view(),
        ["seller"] => sell(),
        _ => Err("usage: watch (it takes no arguments)".into()),
    }
}

fn view() -> Result<(), Box<dyn Error>> {
    let manager = Manager::start()?;
    let stock: Stock = manager.dict("stock")?;
    stock.insert_many([("apples".to_owned(), 3), ("pears".to_owned(), 5)])?;

    let mut mine = BTreeMap::new();
    let mut seller = None;
    for update in stock.watch() {
        let update = update?;
        let is_over = show(&update);
        update.apply_to(&mut mine);
        if is_over {
            break;
        }
        if seller.is_none() {
            // The first item is all that is there; from here on no change is missed.
            seller = Some(manager.command(std::env::current_exe()?).arg("seller").spawn()?);
        }
    }
    let status = seller.ok_or("the watch has ended")?.wait()?;
    if !status.success() {
        return Err(format!("the seller ended with {status}").into());
    }
    let is_same = mine.into_iter().eq(stock.items()?);
    println!("the map that was kept is like the dict: {is_same}");
    if is_same { Ok(()) } else { Err("a change was missed".into()) }
}

/// Prints an update line by line; whether all was removed, which is the end of the day.
fn show(update: &DictUpdate<String, i64>) -> bool {
    let changes = match update {
        DictUpdate::Snapshot { version, entries, .. } => {
            println!("version {version}");
            for (fruit, count) in entries {
                println!("    {fruit}: {count}");
            }
            return false;
        }
        DictUpdate::Changes(changes) => changes,
    };
    for change in changes {
        let version = change.version();
        match change {
            DictChange::Set { key, value, .. } => println!("version {version}: {key}: {value}"),
            DictChange::Removed { key, .. } => println!("version {version}: no {key} any more"),
            DictChange::Cleared { .. } => println!("version {version}: the shop is closed"),
        }
    }
    changes.iter().any(|change| matches!(change, DictChange::Cleared { .. }))
}

fn sell() -> Result<(), Box<dyn Error>> {
    let stock: Stock = Manager::from_env()?.dict("stock")?;
    stock.add("apples", -1)?;
    stock.set("plums", &12)?;
    stock.remove("pears")?;
    stock.add("apples", -2)?;
    stock.clear()?;
    Ok(())
}
