//! The systems' servers and clients, one file each.

pub(crate) mod aio;
pub(crate) mod echo;
pub(crate) mod manager;
pub(crate) mod redis;
pub(crate) mod threads;
