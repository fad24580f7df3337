//! The whole body.

use serde::{Deserialize, Deserializer};

use super::{Function, Json, Message, Prompt, RequestError, Tool, shape};

/// What of a request costs tokens.
///
/// ```
/// use tollgate_tokens::RequestBody;
///
/// let body = RequestBody::from_json(
///     br#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"max_tokens":100,"n":2}"#,
/// )?;
/// assert_eq!(body.model.as_deref(), Some("gpt-4o"));
/// assert_eq!(body.output_bound(), Some(200));
/// # Ok::<(), tollgate_tokens::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RequestBody {
    /// The model asked for. Where the model is named elsewhere, as by a deployment in the path, this is not it.
    pub model: Option<String>,
    /// The chat so far.
    #[serde(default, deserialize_with = "or_default")]
    pub messages: Vec<Message>,
    /// The text to complete.
    #[serde(default)]
    pub prompt: Prompt,
    /// The text to embed.
    #[serde(default)]
    pub input: Prompt,
    /// Tools offered.
    #[serde(default, deserialize_with = "or_default")]
    pub tools: Vec<Tool>,
    /// Functions offered, in the older form.
    #[serde(default, deserialize_with = "or_default")]
    pub functions: Vec<Function>,
    /// The form that the answer must have.
    pub response_format: Option<Json>,
    /// Tokens generated at most for one choice, those for reasoning included.
    pub max_completion_tokens: Option<u64>,
    /// The older name of the same.
    pub max_tokens: Option<u64>,
    /// Choices to return.
    pub n: Option<u64>,
    /// Choices to generate, of which the best are returned.
    pub best_of: Option<u64>,
}

impl RequestBody {
    /// Reads a body. Members that cost nothing are skipped; linear in its length.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the body is beyond [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX),
    /// [`DEPTH_MAX`](super::DEPTH_MAX) or [`VALUES_MAX`](super::VALUES_MAX), is not JSON, or has a member of another
    /// type than a vendor takes: a negative `max_tokens`, say, or messages without a role.
    pub fn from_json(body: &[u8]) -> Result<Self, RequestError> {
        shape::check(body)?;
        serde_json::from_slice(body).map_err(|error| RequestError::invalid(&error))
    }

    /// The tokens that may be generated at most, over all choices; `None` if the request sets no bound.
    ///
    /// `max_completion_tokens` before `max_tokens`, times the choices that are generated: the larger of `n` and
    /// `best_of`.
    #[must_use]
    pub fn output_bound(&self) -> Option<u64> {
        let each = self.max_completion_tokens.or(self.max_tokens)?;
        let choices = self.n.unwrap_or(1).max(self.best_of.unwrap_or(1)).max(1);
        Some(each.saturating_mul(choices))
    }
}

/// Reads `null` as absence.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bound(body: &str) -> Option<u64> {
        RequestBody::from_json(body.as_bytes())
            .unwrap()
            .output_bound()
    }

    fn error(body: &str) -> String {
        RequestBody::from_json(body.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_output_is_bounded_by_the_newer_field_times_the_choices() {
        assert_eq!(bound("{}"), None);
        assert_eq!(bound(r#"{"n":3}"#), None);
        assert_eq!(bound(r#"{"max_tokens":100}"#), Some(100));
        assert_eq!(
            bound(r#"{"max_tokens":100,"max_completion_tokens":7}"#),
            Some(7)
        );
        assert_eq!(
            bound(r#"{"max_tokens":100,"max_completion_tokens":null}"#),
            Some(100)
        );
        assert_eq!(bound(r#"{"max_tokens":100,"n":3}"#), Some(300));
        assert_eq!(bound(r#"{"max_tokens":100,"n":2,"best_of":5}"#), Some(500));
        assert_eq!(bound(r#"{"max_tokens":100,"n":0}"#), Some(100));
        assert_eq!(bound(r#"{"max_tokens":0,"n":3}"#), Some(0));
        assert_eq!(
            bound(r#"{"max_tokens":18446744073709551615,"n":3}"#),
            Some(u64::MAX)
        );
    }

    #[test]
    fn members_may_be_null_or_unknown() {
        let body = br#"{"model":null,"messages":null,"prompt":null,"input":null,"tools":null,"functions":null,
            "response_format":null,"n":null,"best_of":null,"stream":true,"metadata":{"a":[1]}}"#;
        assert_eq!(RequestBody::from_json(body), Ok(RequestBody::default()));
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        assert_eq!(
            error(r#"{"max_tokens":-1}"#),
            "body is not a request: line 1, column 16: invalid value: integer `-1`, expected u64"
        );
        assert_eq!(
            error("{\n \"messages\":[{\"content\":\"Hi\"}]}"),
            "body is not a request: line 2, column 29: missing field `role`"
        );
        assert_eq!(
            error(r#"{"messages":[{"role":"user","content":{}}]}"#),
            "body is not a request: line 1, column 41: content must be a string or an array of parts"
        );
        assert_eq!(
            error("[".repeat(200).as_str()),
            "body nests deeper than 100 levels at byte 100; send flatter JSON"
        );
    }

    #[test]
    fn an_error_does_not_repeat_the_body() {
        let long = format!(r#"{{"n":"{}"}}"#, "é".repeat(1 << 20));
        assert!(error(&long).chars().count() < 300);
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        // Whoever reads the other one would count another request than the vendor answers.
        let twice = error(r#"{"max_tokens":1,"max_tokens":1000000}"#);
        assert!(twice.ends_with("duplicate field `max_tokens`"), "{twice}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = RequestBody::from_json(&body);
        }

        #[test]
        fn no_json_panics(body in r#"[\[\]{}",:0-9a-z\\ ]{0,80}"#) {
            let _ = RequestBody::from_json(body.as_bytes());
        }
    }
}
