//! The report: measuring everything, and telling it.

pub mod answers;
mod figures;
pub mod flood;
pub mod load;
pub mod measure;
pub mod page;
pub mod plots;
pub mod setting;
pub mod tail;
pub mod targets;
pub mod why;

pub use figures::{
    Answer, FloodFigures, GroupFigures, LoadFigures, MemoryFigures, Part, Report, RowFigures,
    TailFigures, median,
};
