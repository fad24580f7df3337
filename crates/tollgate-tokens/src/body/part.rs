//! The parts of a message.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::{take_object, take_string};
use crate::{Detail, ImageSize, data_url};

/// One part of a message. Data that came with it is measured and let go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
    /// An image.
    Image {
        /// Its size, if it came with the request and its header tells; an image behind a URL is never fetched.
        size: Option<ImageSize>,
        /// How closely to look.
        detail: Detail,
    },
    /// Recorded sound.
    Audio {
        /// Bytes of sound.
        bytes: u64,
        /// Such as `wav` or `mp3`.
        format: String,
    },
    /// A document.
    File {
        /// Bytes of the document, unless only a reference came.
        bytes: Option<u64>,
    },
    /// A part of another kind.
    Other {
        /// The part as compact JSON, without embedded data.
        text: String,
        /// Bytes of embedded data.
        bytes: u64,
    },
}

impl Part {
    /// An image at `url`: its size is read if it is a `data:` URL of a PNG, JPEG, GIF or WebP, and unknown otherwise.
    #[must_use]
    pub fn image(url: &str, detail: Detail) -> Self {
        Self::Image {
            size: data_url::image_size(url),
            detail,
        }
    }

    fn known(kind: &str, members: &mut Map<String, Value>) -> Option<Self> {
        match kind {
            "text" | "input_text" | "output_text" => take_string(members, "text").map(Self::Text),
            "refusal" => take_string(members, "refusal").map(Self::Text),
            "image_url" | "input_image" => {
                // Either an object with both, or the URL with the detail beside it.
                let mut nested = take_object(members, "image_url");
                let source = nested.as_mut().unwrap_or(members);
                let url = take_string(source, "url").or_else(|| take_string(source, "image_url"));
                let detail = take_string(source, "detail").unwrap_or_default();
                Some(Self::image(
                    &url.unwrap_or_default(),
                    Detail::from_wire(&detail),
                ))
            }
            "image" => {
                let mut source = take_object(members, "source")?;
                let data = take_string(&mut source, "data").unwrap_or_default();
                Some(Self::Image {
                    size: data_url::image_size_of_base64(&data),
                    detail: Detail::Auto,
                })
            }
            "input_audio" => {
                let mut audio = take_object(members, "input_audio")?;
                let data = take_string(&mut audio, "data").unwrap_or_default();
                Some(Self::Audio {
                    bytes: data_url::decoded_len(&data),
                    format: take_string(&mut audio, "format").unwrap_or_default(),
                })
            }
            "file" | "input_file" => {
                let mut nested = take_object(members, "file");
                let file = nested.as_mut().unwrap_or(members);
                let data = take_string(file, "file_data");
                Some(Self::File {
                    bytes: data.map(|data| data_url::decoded_len(&data)),
                })
            }
            _ => None,
        }
    }

    fn other(mut value: Value) -> Self {
        let bytes = take_embedded(&mut value);
        Self::Other {
            text: value.to_string(),
            bytes,
        }
    }
}

impl From<Value> for Part {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Object(mut members) => {
                let kind = take_string(&mut members, "type").unwrap_or_default();
                Self::known(&kind, &mut members).unwrap_or_else(|| {
                    members.insert("type".into(), kind.into());
                    Self::other(Value::Object(members))
                })
            }
            other => Self::other(other),
        }
    }
}

/// Empties every string that holds embedded data, and tells how many bytes they held. Keeps its own stack, so that
/// nesting costs no call stack.
fn take_embedded(value: &mut Value) -> u64 {
    let mut bytes = 0_u64;
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) if is_embedded(text) => {
                bytes = bytes.saturating_add(data_url::decoded_len(text));
                text.clear();
            }
            Value::Array(items) => left.extend(items),
            Value::Object(members) => left.extend(members.values_mut()),
            _ => {}
        }
    }
    bytes
}

/// Shorter strings are cheap enough to count as text, whatever they hold.
const EMBEDDED_BYTES_MIN: usize = 1024;

/// Whether `text` is a `data:` URL or could be base64: long, and without any blank or stop.
fn is_embedded(text: &str) -> bool {
    let in_alphabet =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    text.len() >= EMBEDDED_BYTES_MIN && (text.starts_with("data:") || text.bytes().all(in_alphabet))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIF: &str = "R0lGODlhgALgAYAAAA==";

    fn part(json: &str) -> Part {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn texts_of_all_kinds_are_text() {
        let text = Part::Text("Hi".into());
        for json in [
            r#"{"type":"text","text":"Hi"}"#,
            r#"{"type":"input_text","text":"Hi","later":[]}"#,
            r#"{"type":"refusal","refusal":"Hi"}"#,
            r#""Hi""#,
        ] {
            assert_eq!(part(json), text, "{json}");
        }
    }

    #[test]
    fn images_are_measured_not_kept() {
        let size = ImageSize::new(640, 480);
        let image = |size, detail| Part::Image { size, detail };
        let url = format!("data:image/gif;base64,{GIF}");
        let json =
            format!(r#"{{"type":"image_url","image_url":{{"url":"{url}","detail":"low"}}}}"#);
        assert_eq!(part(&json), image(size, Detail::Low));
        let json = format!(r#"{{"type":"image_url","image_url":"{url}"}}"#);
        assert_eq!(part(&json), image(size, Detail::Auto));
        let json = format!(r#"{{"type":"input_image","image_url":"{url}","detail":"high"}}"#);
        assert_eq!(part(&json), image(size, Detail::High));
        let json = format!(r#"{{"type":"image","source":{{"type":"base64","data":"{GIF}"}}}}"#);
        assert_eq!(part(&json), image(size, Detail::Auto));
        let json = r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#;
        assert_eq!(part(json), image(None, Detail::Auto));
        assert_eq!(part(r#"{"type":"image_url"}"#), image(None, Detail::Auto));
    }

    #[test]
    fn sound_and_documents_are_measured() {
        let json = r#"{"type":"input_audio","input_audio":{"data":"AAAAAAAA","format":"wav"}}"#;
        let audio = Part::Audio {
            bytes: 6,
            format: "wav".into(),
        };
        assert_eq!(part(json), audio);
        let json = r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}"#;
        assert_eq!(part(json), Part::File { bytes: Some(3) });
        let json = r#"{"type":"file","file":{"file_id":"file-1"}}"#;
        assert_eq!(part(json), Part::File { bytes: None });
    }

    #[test]
    fn other_kinds_keep_their_text_but_not_their_data() {
        let data = "A".repeat(4000);
        let json = format!(r#"{{"type":"video","deep":[{{"data":"{data}"}}],"title":"A film"}}"#);
        let other = Part::Other {
            text: r#"{"deep":[{"data":""}],"title":"A film","type":"video"}"#.into(),
            bytes: 3000,
        };
        assert_eq!(part(&json), other);
        let prose = "lorem ipsum. ".repeat(100);
        let json = format!(r#"{{"type":"text","body":"{prose}"}}"#);
        assert!(matches!(part(&json), Part::Other { text, bytes: 0 } if text.contains(&prose)));
        assert_eq!(
            part("7"),
            Part::Other {
                text: "7".into(),
                bytes: 0
            }
        );
    }
}
