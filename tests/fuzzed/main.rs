//! The bodies of the fuzz targets, on stable: over random bytes, and over all inputs that fuzzing has found to matter.

mod kept;
mod random;
mod regressions;
