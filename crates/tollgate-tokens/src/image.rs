//! What an image costs, by its size.

/// The size of an image in pixels. Neither side is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageSize {
    width: u32,
    height: u32,
}

impl ImageSize {
    /// The size of `width` by `height` pixels, or `None` if either is zero.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Option<Self> {
        if width == 0 || height == 0 {
            return None;
        }
        Some(Self { width, height })
    }

    /// Pixels from left to right.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }
}

/// How closely the model is asked to look at an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The model chooses: counted like [`Detail::High`], which costs the more.
    #[default]
    Auto,
    /// A small copy of the image; its size does not matter to tile models.
    Low,
    /// The image in tiles or patches.
    High,
}

impl Detail {
    pub(crate) fn from_wire(detail: &str) -> Self {
        match detail {
            "low" => Self::Low,
            "high" => Self::High,
            _ => Self::Auto,
        }
    }
}

/// What one image costs: counted from its size, or a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageCost {
    pub(crate) tokens: u64,
    pub(crate) is_guess: bool,
}

/// How a model turns pixels into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageRule {
    /// `base`, and `per_tile` for each tile of 512 pixels.
    Tiles { base: u64, per_tile: u64 },
    /// Patches of 32 pixels, times `permille` / 1000.
    Patches { permille: u64 },
    /// A token for 750 pixels: Claude.
    Area,
    /// Nothing is published: the tiles of gpt-4o, as a guess.
    Unpublished,
}

const GPT_4O: ImageRule = ImageRule::Tiles {
    base: 85,
    per_tile: 170,
};

const TILE_FIT: u64 = 2048;
const TILE_SHORT_SIDE: u64 = 768;
const TILE: u64 = 512;
/// Tiles of a large image in the usual shape, taken when the size is unknown.
const TILES_UNKNOWN: u64 = 6;

const PATCH: u64 = 32;
const PATCHES_MAX: u64 = 1536;

const AREA_LONG_SIDE: u64 = 1568;
const AREA_PER_TOKEN: u64 = 750;
const AREA_UNKNOWN: u64 = 1600;

impl ImageRule {
    /// The rule of a model of OpenAI, whose `name` is in lower case: that of the longest prefix.
    pub(crate) fn of_openai(name: &str) -> Self {
        const fn tiles(base: u64, per_tile: u64) -> ImageRule {
            ImageRule::Tiles { base, per_tile }
        }
        const fn patches(permille: u64) -> ImageRule {
            ImageRule::Patches { permille }
        }
        const RULES: [(&str, ImageRule); 14] = [
            ("gpt-4o", GPT_4O),
            ("chatgpt-4o", GPT_4O),
            ("gpt-4.1", GPT_4O),
            ("gpt-4.5", GPT_4O),
            ("gpt-4-", GPT_4O),
            ("gpt-4o-mini", tiles(2833, 5667)),
            ("o1", tiles(75, 150)),
            ("o3", tiles(75, 150)),
            ("gpt-5", tiles(70, 140)),
            ("gpt-4.1-mini", patches(1620)),
            ("gpt-4.1-nano", patches(2460)),
            ("gpt-5-mini", patches(1620)),
            ("gpt-5-nano", patches(2460)),
            ("o4-mini", patches(1720)),
        ];
        RULES
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(Self::Unpublished, |&(_, rule)| rule)
    }

    /// The cost of an image, a guess if the size had to be known and is not. `unknown` overrides the rule's own
    /// constant for that case.
    pub(crate) fn cost(
        self,
        size: Option<ImageSize>,
        detail: Detail,
        unknown: Option<u64>,
    ) -> ImageCost {
        let guess = |tokens| ImageCost {
            tokens: unknown.unwrap_or(tokens),
            is_guess: true,
        };
        let counted = |tokens| ImageCost {
            tokens,
            is_guess: false,
        };
        match (self, size) {
            (Self::Tiles { base, .. }, _) if detail == Detail::Low => counted(base),
            (Self::Tiles { base, per_tile }, Some(size)) => counted(base + per_tile * tiles(size)),
            (Self::Tiles { base, per_tile }, None) => guess(base + per_tile * TILES_UNKNOWN),
            (Self::Patches { permille }, Some(size)) => counted(scaled(patches(size), permille)),
            (Self::Patches { permille }, None) => guess(scaled(PATCHES_MAX, permille)),
            (Self::Area, Some(size)) => counted(area_tokens(size)),
            (Self::Area, None) => guess(AREA_UNKNOWN),
            (Self::Unpublished, _) => ImageCost {
                is_guess: true,
                ..GPT_4O.cost(size, detail, unknown)
            },
        }
    }
}

fn scaled(tokens: u64, permille: u64) -> u64 {
    (tokens * permille).div_ceil(1000)
}

/// Scales down, never up, so that the side `side` becomes `to` pixels. Sides are cut to whole pixels as in the
/// calculators that vendors publish, and keep at least one.
fn shrink((width, height): (u64, u64), side: u64, to: u64) -> (u64, u64) {
    if side <= to {
        return (width, height);
    }
    ((width * to / side).max(1), (height * to / side).max(1))
}

/// Tiles of 512 pixels, once the image fits 2048 x 2048 and its short side has at most 768 pixels.
fn tiles(size: ImageSize) -> u64 {
    let sides = (u64::from(size.width), u64::from(size.height));
    let sides = shrink(sides, sides.0.max(sides.1), TILE_FIT);
    let (width, height) = shrink(sides, sides.0.min(sides.1), TILE_SHORT_SIDE);
    width.div_ceil(TILE) * height.div_ceil(TILE)
}

/// Patches of 32 pixels. An image of more than 1536 is scaled down to what fits, and then a little further, until one
/// side is a whole number of patches.
fn patches(size: ImageSize) -> u64 {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    let whole = width.div_ceil(PATCH) * height.div_ceil(PATCH);
    if whole <= PATCHES_MAX {
        return whole;
    }
    // In patches, the largest size that fits has the sides sqrt(1536 w / h) and sqrt(1536 h / w). Rounding each down
    // shrinks it by some ratio; the image shrinks by the smaller of both, and the other side follows.
    let across = (PATCHES_MAX * width / height).isqrt().max(1);
    let down = (PATCHES_MAX * height / width).isqrt().max(1);
    let fitted = if across * height <= down * width {
        across * (across * height).div_ceil(width)
    } else {
        down * (down * width).div_ceil(height)
    };
    fitted.min(PATCHES_MAX)
}

/// A token for 750 pixels, once the long side has at most 1568.
fn area_tokens(size: ImageSize) -> u64 {
    let sides = (u64::from(size.width), u64::from(size.height));
    let (width, height) = shrink(sides, sides.0.max(sides.1), AREA_LONG_SIDE);
    (width * height).div_ceil(AREA_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u32, height: u32) -> ImageSize {
        ImageSize::new(width, height).unwrap()
    }

    #[test]
    fn tiles_after_two_scalings() {
        for (width, height, expected) in [
            (1024, 1024, 4),
            (2048, 4096, 6),
            (4096, 8192, 6),
            (512, 512, 1),
            (513, 512, 2),
            (1, 1, 1),
            (1920, 1080, 6),
            (4000, 3000, 4),
            (768, 2048, 8),
            (u32::MAX, 1, 4),
            (u32::MAX, u32::MAX, 4),
        ] {
            assert_eq!(tiles(size(width, height)), expected, "{width}x{height}");
            assert_eq!(tiles(size(height, width)), expected, "{height}x{width}");
        }
    }

    #[test]
    fn patches_fit_the_cap() {
        // The second is the worked example of the vendor's guide.
        for (width, height, expected) in [
            (1024, 1024, 1024),
            (1800, 2400, 33 * 44),
            (32, 32, 1),
            (33, 32, 2),
            (1, 1, 1),
        ] {
            assert_eq!(patches(size(width, height)), expected, "{width}x{height}");
            assert_eq!(patches(size(height, width)), expected, "{height}x{width}");
        }
        for side in [1, 31, 1000, 1537, 50_000, 65_535, u32::MAX] {
            for other in [1, 32, 1254, 49_152, 49_153, u32::MAX] {
                let patches = patches(size(side, other));
                assert!((1..=PATCHES_MAX).contains(&patches), "{side}x{other}");
            }
        }
    }

    #[test]
    fn area_after_one_scaling() {
        for (width, height, expected) in [
            (1000, 750, 1000),
            (1, 1, 1),
            (1568, 1568, 3279),
            (3136, 1568, 1640),
            (u32::MAX, 1, 3),
            (u32::MAX, u32::MAX, 3279),
        ] {
            assert_eq!(
                area_tokens(size(width, height)),
                expected,
                "{width}x{height}"
            );
            assert_eq!(
                area_tokens(size(height, width)),
                expected,
                "{height}x{width}"
            );
        }
    }

    #[test]
    fn the_longest_prefix_has_the_rule() {
        for (name, rule) in [
            ("gpt-4o-2024-08-06", GPT_4O),
            (
                "gpt-4o-mini-2024-07-18",
                ImageRule::Tiles {
                    base: 2833,
                    per_tile: 5667,
                },
            ),
            (
                "o1-pro",
                ImageRule::Tiles {
                    base: 75,
                    per_tile: 150,
                },
            ),
            (
                "gpt-5.1",
                ImageRule::Tiles {
                    base: 70,
                    per_tile: 140,
                },
            ),
            (
                "gpt-5-nano-2025-08-07",
                ImageRule::Patches { permille: 2460 },
            ),
            ("gpt-4-turbo", GPT_4O),
            ("gpt-3.5-turbo", ImageRule::Unpublished),
        ] {
            assert_eq!(ImageRule::of_openai(name), rule, "{name}");
        }
    }

    #[test]
    fn an_unknown_size_is_a_guess() {
        let guess = |rule: ImageRule, unknown| rule.cost(None, Detail::Auto, unknown);
        for (rule, tokens) in [
            (GPT_4O, 1105),
            (ImageRule::Area, 1600),
            (ImageRule::Unpublished, 1105),
            (ImageRule::Patches { permille: 1620 }, 2489),
        ] {
            let expected = ImageCost {
                tokens,
                is_guess: true,
            };
            assert_eq!(guess(rule, None), expected, "{rule:?}");
            let expected = ImageCost {
                tokens: 7,
                is_guess: true,
            };
            assert_eq!(guess(rule, Some(7)), expected, "{rule:?}");
        }
        let low = GPT_4O.cost(None, Detail::Low, Some(7));
        assert_eq!(
            low,
            ImageCost {
                tokens: 85,
                is_guess: false
            }
        );
    }

    #[test]
    fn without_a_published_rule_even_a_known_size_is_a_guess() {
        let cost = ImageRule::Unpublished.cost(Some(size(1024, 1024)), Detail::High, Some(7));
        assert_eq!(
            cost,
            ImageCost {
                tokens: 765,
                is_guess: true
            }
        );
    }
}
