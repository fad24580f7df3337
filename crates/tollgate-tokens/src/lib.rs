//! Counting and estimating of model tokens by model name.
