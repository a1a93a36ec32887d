//! A history of two objects, those who follow it and wait for it, and what drives the core and them.

mod answers;
mod asking;
mod faulty;
mod generate;
mod history;
mod objects;
#[path = "../support/sequences.rs"]
mod sequences;
#[path = "../waiting/wire.rs"]
mod wire;
mod world;
