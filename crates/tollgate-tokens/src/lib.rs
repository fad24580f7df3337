//! Counting and estimating of model tokens by model name.
//!
//! A limiter of model traffic must know what a request will cost before it is sent. This crate reads the body of a
//! request and says how many tokens its input has, and whether that was counted or guessed:
//!
//! ```
//! use tollgate_tokens::{Estimator, RequestBody};
//!
//! let estimator = Estimator::new();
//! let body = RequestBody::from_json(
//!     br#"{
//!         "model": "gpt-4o",
//!         "messages": [{"role": "user", "content": [
//!             {"type": "text", "text": "What is in this picture?"},
//!             {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
//!         ]}],
//!         "max_completion_tokens": 500
//!     }"#,
//! )?;
//! let model = body.model.as_deref().unwrap_or_default();
//! let input = estimator.count_input(model, &body);
//! assert_eq!(input.to_string(), "1118 tokens (o200k_base; 1105 guessed)");
//! assert_eq!(body.output_bound(), Some(500));
//! # Ok::<(), tollgate_tokens::RequestError>(())
//! ```
//!
//! # When not to use it
//!
//! To learn what a request *has* cost: that is in the vendor's answer, and it alone is right. To cut text into tokens:
//! this crate only counts.
//!
//! # How a count is reached
//!
//! Every answer is an [`Estimate`] whose [`Basis`] tells, from the best to the worst:
//!
//! | Basis | For | Text is |
//! | --- | --- | --- |
//! | [`Basis::Encoding`] | names in the vendor's table | counted exactly |
//! | [`Basis::Factor`] | Claude, Gemini, Llama 3 and later, Mistral, Qwen, DeepSeek | `o200k_base` times a factor |
//! | [`Basis::Assumed`] | a name that looks like a known family, or the default of [`Estimator::with_default_encoding`] | as the newest of that family |
//! | [`Basis::Bytes`] | all other names | bytes / 3, or as set |
//! | [`Basis::Words`] | only if a vocabulary cannot be loaded | words times 1.3 |
//!
//! Names are compared without regard to case, `ft:name:...` counts as `name`, and so does `vendor/name`. The framing of
//! messages is as published; tool definitions follow a published heuristic. Images are counted by size, which is read
//! from the header of a `data:` URL; nothing is ever fetched, and base64 never counts as text.
//! [`Estimate::guessed`] says how many tokens are constants in place of counts.
//!
//! # Guarantees
//!
//! - For models with a published encoding, [`Estimator::count`] agrees with the vendor's published tokenizer.
//! - Counting is linear in the text, whatever the text is: a megabyte of spaces, of one letter or of combining marks
//!   costs in proportion to its length. Nothing here panics on input.
//! - Bodies are read within bounds: [`body::BODY_BYTES_MAX`], [`body::DEPTH_MAX`], [`body::VALUES_MAX`]. Numbers
//!   saturate; what is rounded is rounded up.
//!
//! Encodings are loaded when first used; [`warm_up`] loads them ahead of need.

#![forbid(unsafe_code)]

pub mod body;

mod data_url;
mod encoding;
mod estimate;
mod estimator;
mod family;
mod image;
mod last_resort;
mod model;
mod tally;
mod tools;

pub use body::{Message, RequestBody, RequestError, Tool};
pub use encoding::{Encoding, warm_up};
pub use estimate::{Basis, Estimate};
pub use estimator::Estimator;
pub use image::{Detail, ImageSize};
