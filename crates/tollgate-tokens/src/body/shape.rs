//! Bounds that are checked before a body is parsed.

use super::RequestError;

/// Bytes of a body at most: as much as the most generous vendor takes.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// Arrays and objects within each other at most.
pub const DEPTH_MAX: usize = 100;

/// JSON values at most, which bounds the memory that a parsed body takes.
pub const VALUES_MAX: usize = 1 << 20;

/// Checks a body against the bounds in one pass, without parsing it. What is not JSON may pass.
pub(super) fn check(body: &[u8]) -> Result<(), RequestError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(RequestError::TooLarge {
            bytes: body.len(),
            max: BODY_BYTES_MAX,
        });
    }
    let mut depth = 0_usize;
    let mut values = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, &byte) in body.iter().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(RequestError::TooDeep {
                offset,
                max: DEPTH_MAX,
            });
        }
        if values > VALUES_MAX {
            return Err(RequestError::TooManyValues {
                offset,
                max: VALUES_MAX,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
        let too_deep = RequestError::TooDeep {
            offset: DEPTH_MAX,
            max: DEPTH_MAX,
        };
        assert_eq!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(too_deep));
        let quoted = format!(r#"["{}\"{}\\"]"#, "[".repeat(500), "{".repeat(500));
        assert_eq!(check(quoted.as_bytes()), Ok(()));
        let after = format!(r#"["\\"{}"#, "[".repeat(DEPTH_MAX));
        assert!(check(after.as_bytes()).is_err());
    }

    #[test]
    fn values_are_bounded() {
        let commas = |count| format!("[{}]", ",".repeat(count));
        assert_eq!(check(commas(VALUES_MAX - 1).as_bytes()), Ok(()));
        let too_many = RequestError::TooManyValues {
            offset: VALUES_MAX,
            max: VALUES_MAX,
        };
        assert_eq!(check(commas(VALUES_MAX).as_bytes()), Err(too_many));
    }

    #[test]
    fn size_is_bounded() {
        assert_eq!(check(&vec![b' '; BODY_BYTES_MAX]), Ok(()));
        let too_large = RequestError::TooLarge {
            bytes: BODY_BYTES_MAX + 1,
            max: BODY_BYTES_MAX,
        };
        assert_eq!(check(&vec![b' '; BODY_BYTES_MAX + 1]), Err(too_large));
    }
}
