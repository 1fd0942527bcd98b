//! Helpers shared by the benches: notes beside criterion's figures, tables, pictures.
#![forbid(unsafe_code)]

pub mod notes;
pub mod plot;
pub mod table;
pub mod work;
