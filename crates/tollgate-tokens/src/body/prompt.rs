//! What the completions and embeddings requests send in place of messages.

use serde::Deserialize;
use serde_json::Value;

/// The `prompt` of a completions request or the `input` of an embeddings request: one or several texts, or tokens that
/// the client has cut by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Prompt {
    /// The texts.
    pub texts: Vec<String>,
    /// The number of ready-made tokens.
    pub tokens: u64,
}

impl TryFrom<Value> for Prompt {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let mut prompt = Self::default();
        match value {
            Value::Null => {}
            Value::String(text) => prompt.texts.push(text),
            Value::Array(items) => {
                for item in items {
                    prompt.add(item)?;
                }
            }
            _ => return Err(EXPECTED),
        }
        Ok(prompt)
    }
}

const EXPECTED: &str = "prompt or input must be a string, an array of strings, or arrays of tokens";

impl Prompt {
    fn add(&mut self, item: Value) -> Result<(), &'static str> {
        match item {
            Value::String(text) => self.texts.push(text),
            Value::Number(_) => self.tokens += 1,
            Value::Array(tokens) if tokens.iter().all(Value::is_number) => {
                self.tokens += tokens.len() as u64;
            }
            _ => return Err(EXPECTED),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(json: &str) -> Result<Prompt, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn texts_and_tokens_in_all_their_forms() {
        for (json, texts, tokens) in [
            ("null", &[][..], 0),
            (r#""a""#, &["a"], 0),
            (r#"["a","b"]"#, &["a", "b"], 0),
            ("[1,2,3]", &[], 3),
            ("[[1,2],[3]]", &[], 3),
        ] {
            let prompt = prompt(json).unwrap();
            assert_eq!(prompt.texts, texts, "{json}");
            assert_eq!(prompt.tokens, tokens, "{json}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["7", "{}", "[{}]", "[[[1]]]", "[null]"] {
            let error = prompt(json).unwrap_err().to_string();
            assert!(error.starts_with(EXPECTED), "{json}: {error}");
        }
    }
}
