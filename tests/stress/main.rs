//! Real threads at one Gate: races for exactly so many units, and races whose end state is known exactly.
//!
//! No thread sleeps. Where `now` stands still, what passes is a number and not a chance; where it moves, every
//! admission is judged by the stamp that its decision was given.

mod alone;
mod clocks;
mod ends;
mod gates;
mod reloads;
mod three;
