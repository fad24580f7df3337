//! The size of an image that travels inside the request, read from its header bytes.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::ImageSize;

/// Bytes of base64 looked at: nearly every header lies within the first, and the second holds the colour profile
/// and preview that a photograph may carry before its size.
const PREFIX_BYTES: [usize; 2] = [4 << 10, 1 << 20];

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The size of the PNG, JPEG, GIF or WebP in a `data:` URL; `None` for other URLs, other formats and broken bytes.
///
/// Only the size is read, of at most the first mebibyte: nothing is fetched and no pixel decoded. The size is what the
/// sender claims, and no more is promised.
pub(crate) fn image_size(url: &str) -> Option<ImageSize> {
    image_size_of_base64(base64_payload(url)?)
}

/// The same for bare base64.
pub(crate) fn image_size_of_base64(payload: &str) -> Option<ImageSize> {
    PREFIX_BYTES
        .iter()
        .find_map(|&bytes| size_in_prefix(payload, bytes))
}

/// What follows `data:...;base64,`.
fn base64_payload(url: &str) -> Option<&str> {
    let (head, payload) = url.split_once(',')?;
    let (scheme, parameters) = head.split_at_checked("data:".len())?;
    let encoded = parameters
        .rsplit_once(';')
        .is_some_and(|(_, last)| last.trim().eq_ignore_ascii_case("base64"));
    (scheme.eq_ignore_ascii_case("data:") && encoded).then_some(payload)
}

/// The bytes that the payload of a `data:` URL, or bare base64, decodes to. Not exact where it holds blanks.
pub(crate) fn decoded_len(data: &str) -> u64 {
    let payload = base64_payload(data).unwrap_or(data);
    payload.len() as u64 / 4 * 3
}

fn size_in_prefix(payload: &str, bytes: usize) -> Option<ImageSize> {
    let encoded: Vec<u8> = payload
        .bytes()
        .take(bytes)
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    // A cut within a group of four would leave a stray sixth of a byte, which does not decode.
    let whole = match encoded.len() % 4 {
        1 => encoded.len() - 1,
        _ => encoded.len(),
    };
    let decoded = LENIENT.decode(&encoded[..whole]).ok()?;
    let size = imagesize::blob_size(&decoded).ok()?;
    ImageSize::new(
        u32::try_from(size.width).ok()?,
        u32::try_from(size.height).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn url(bytes: &[u8]) -> String {
        format!("data:image/any;base64,{}", BASE64_STANDARD.encode(bytes))
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x06\0\0\0\0\0\0\0");
        bytes
    }

    fn gif(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(b"\x80\0\0");
        bytes
    }

    /// A JPEG whose size follows `profile` bytes of application segments.
    fn jpeg(width: u16, height: u16, profile: usize) -> Vec<u8> {
        let mut bytes = b"\xff\xd8".to_vec();
        for _ in 0..profile.div_ceil(60_000) {
            bytes.extend(b"\xff\xe2");
            bytes.extend(60_002_u16.to_be_bytes());
            bytes.extend([0; 60_000]);
        }
        bytes.extend(b"\xff\xc0\0\x11\x08");
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend(b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01");
        bytes
    }

    fn webp(kind: &[u8; 4], fields: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
        bytes.extend(kind);
        bytes.extend([0; 4]);
        bytes.extend(fields);
        bytes.extend([0; 16]);
        bytes
    }

    #[test]
    fn sizes_are_read_from_the_header() {
        let size = ImageSize::new(640, 480);
        assert_eq!(image_size(&url(&png(640, 480))), size);
        assert_eq!(image_size(&url(&gif(640, 480))), size);
        assert_eq!(image_size(&url(&jpeg(640, 480, 0))), size);
        assert_eq!(image_size(&url(&jpeg(640, 480, 500_000))), size);
        let lossy = b"\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        assert_eq!(image_size(&url(&webp(b"VP8 ", lossy))), size);
        let lossless = (639_u32 | 479 << 14).to_le_bytes();
        let lossless = [&[0x2f], &lossless[..]].concat();
        assert_eq!(image_size(&url(&webp(b"VP8L", &lossless))), size);
        let extended = b"\0\0\0\0\x7f\x02\0\xdf\x01\0";
        assert_eq!(image_size(&url(&webp(b"VP8X", extended))), size);
    }

    #[test]
    fn blanks_and_letter_case_are_forgiven() {
        let encoded = BASE64_STANDARD.encode(png(640, 480));
        let (head, tail) = encoded.split_at(10);
        let url = format!("DATA:image/png;Base64,{head}\r\n {tail}");
        assert_eq!(image_size(&url), ImageSize::new(640, 480));
    }

    #[test]
    fn only_a_header_is_read_even_when_the_rest_is_no_base64() {
        let image = [png(640, 480), vec![0; 8000]].concat();
        let url = format!("{}{}", url(&image), "!".repeat(100));
        assert_eq!(image_size(&url), ImageSize::new(640, 480));
    }

    #[test]
    fn what_has_no_readable_size_has_none() {
        for url in [
            "https://example.com/cat.png",
            "",
            ",",
            "data:",
            "data:,",
            "data:image/png;base64",
            "data:image/png;base64,",
            "data:image/png,iVBORw0KGgo",
            "données:;base64,iVBORw0KGgo",
            &url(b"BM not a bitmap that we know"),
            &url(&png(0, 480)),
            &url(&png(640, 480)[..20]),
            &url(&jpeg(640, 480, 2_000_000)),
        ] {
            let shown: String = url.chars().take(60).collect();
            assert_eq!(image_size(url), None, "{shown}");
        }
    }

    #[test]
    fn hostile_segments_end() {
        // Segments that claim no length, the least length, or to lie within each other.
        for segment in [
            &b"\xff\xe0\0\0"[..],
            b"\xff\xe0\0\x02",
            b"\xff\xd8\0\x02",
            b"\xff\xff\xff\xff",
        ] {
            let bytes = [b"\xff\xd8", segment.repeat(300_000).as_slice()].concat();
            assert_eq!(image_size(&url(&bytes)), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            kind in 0..6_usize,
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let heads: [&[u8]; 6] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8L", b""];
            let bytes = [heads[kind], &tail].concat();
            let _ = image_size(&url(&bytes));
            let _ = image_size(&format!("data:;base64,{}", String::from_utf8_lossy(&bytes)));
        }
    }
}
