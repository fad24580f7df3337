//! Bodies shared by the whole-system tests and the fuzz targets.
