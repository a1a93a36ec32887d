//! The objects against models of them: whatever is done to both, they must reply alike.

mod array;
mod cell;
mod contents;
mod dict;
mod faulty;
mod generate;
mod kinds;
mod large;
mod list;
mod machine;
mod operation;
mod pages;
mod path;
mod real;
mod run;
mod set;
mod value;
mod whole;
mod world;
