//! Rows of JSON lines: one object a line.

use std::fmt;
use std::io::{BufRead, Read};

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::row::{Row, amount, shown};
use super::{BadRow, MAX_ROW_BYTES, Role, TraceError, lacking, timestamp};

/// A reader of JSON lines.
#[derive(Debug)]
pub(super) struct JsonRows<R> {
    input: R,
    text: Vec<u8>,
    bytes: u64,
    rows: u64,
    lines: u64,
}

impl<R: BufRead> JsonRows<R> {
    /// `lines` is how many empty lines were passed already.
    pub(super) fn new(input: R, lines: u64) -> Self {
        Self {
            input,
            text: Vec::new(),
            bytes: 0,
            rows: 0,
            lines,
        }
    }

    pub(super) fn read(&mut self, row: &mut Row) -> Result<bool, TraceError> {
        loop {
            self.text.clear();
            let most = MAX_ROW_BYTES as u64;
            let read = self
                .input
                .by_ref()
                .take(most)
                .read_until(b'\n', &mut self.text)?;
            if read == 0 {
                return Ok(false);
            }
            self.bytes += read as u64;
            self.lines += 1;
            if read == MAX_ROW_BYTES && self.text.last() != Some(&b'\n') {
                self.rows += 1;
                self.bytes += self.input.skip_until(b'\n')? as u64;
                let problem =
                    format!("is longer than {MAX_ROW_BYTES} bytes; shorter would be right");
                return Err(self.bad(problem));
            }
            if !self.text.trim_ascii().is_empty() {
                break;
            }
        }
        self.rows += 1;
        row.clear(self.rows, self.lines);
        match fill(row, self.text.trim_ascii()) {
            Ok(()) => Ok(true),
            Err(problem) => Err(self.bad(problem)),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn bad(&self, problem: String) -> TraceError {
        TraceError::Row(BadRow {
            row: self.rows,
            line: self.lines,
            problem,
        })
    }
}

fn fill(row: &mut Row, text: &[u8]) -> Result<(), String> {
    let mut members = Members {
        row,
        seen: Vec::new(),
        problem: None,
    };
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = members.deserialize(&mut json).and_then(|()| json.end());
    let Members { seen, problem, .. } = members;
    // A member's own problem says more than the parser's.
    if let Some(problem) = problem {
        return Err(problem);
    }
    read.map_err(|error| {
        let error = error
            .to_string()
            .replace(" at line 1 column ", " at column ");
        format!("is no JSON object on one line: {error}")
    })?;
    lacking(|role| seen.contains(role)).map_or(Ok(()), Err)
}

/// Writes the members of an object straight into the row.
struct Members<'a> {
    row: &'a mut Row,
    /// Roles met so far, but for scopes.
    seen: Vec<Role>,
    problem: Option<String>,
}

impl Members<'_> {
    fn member(&mut self, name: &str, value: Value) -> Result<(), String> {
        let role = Role::of(name);
        let twice = match role {
            Role::Scope => self.row.scopes.iter().any(|(old, _)| old == name),
            _ => self.seen.contains(&role),
        };
        if twice {
            return Err(format!("has {} twice; once would be right", shown(name)));
        }
        let text = match (value, &role) {
            (Value::Nothing, Role::Class | Role::Scope | Role::MicroUsd) => return Ok(()),
            (Value::Nothing, _) => String::from("null"),
            (Value::Text(text), _) => text,
            // Two long numbers may be one float, and two scope values must never become one.
            (Value::Float(float), Role::Scope | Role::Class) => {
                return Err(format!(
                    "{} is {float}; text in quotes would be right",
                    shown(name)
                ));
            }
            (Value::Float(float), _) => float.to_string(),
        };
        match role {
            Role::Timestamp => {
                self.row.wall_ns = timestamp::wall_ns(&text)?;
                self.row.timestamp = text;
            }
            Role::InputTokens => self.row.input_tokens = amount(name, &text)?,
            Role::OutputTokens => self.row.output_tokens = amount(name, &text)?,
            Role::MicroUsd => self.row.micro_usd = amount(name, &text)?,
            Role::Class => self.row.set_class(&text),
            Role::Scope => self.row.scopes.push(name, &text),
        }
        if role != Role::Scope {
            self.seen.push(role);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members of one request")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<Value>()?;
            if let Err(problem) = self.member(&name, value) {
                self.problem.get_or_insert(problem);
            }
        }
        Ok(())
    }
}

/// The values a member may have.
enum Value {
    Nothing,
    /// Text, and what has only one way to be written as text: whole numbers and booleans.
    Text(String),
    Float(f64),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false or null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }
}
