//! The objects against models of them: whatever is done to both, they must reply alike.

mod contents;
mod dict;
mod faulty;
mod generate;
mod large;
mod list;
mod machine;
mod operation;
mod pages;
mod real;
mod value;
mod whole;
mod world;
