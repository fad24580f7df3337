//! What the whole-system tests share with each other, and with the fuzz targets.

pub mod bodies;
pub mod chance;
