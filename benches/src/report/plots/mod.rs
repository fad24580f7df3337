//! Pictures of the report that a person reads at a glance.

mod axes;
mod bars;
mod lines;

use self::{
    bars::{Bar, Bars, Line},
    lines::{Curve, Lines},
};
use super::figures::{GroupFigures, Report};
use crate::Role;
use plotters::style::RGBColor;
use std::error::Error;

type Drawn = Result<Option<String>, Box<dyn Error>>;

// Colours that people with any kind of colour vision tell apart (Okabe and Ito).
const OURS: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const OURS_TOO: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
const PEER: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const PEER_TOO: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const FLOOR: RGBColor = RGBColor(0xaa, 0xaa, 0xaa);
const FLOOR_TOO: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);

/// One picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The name of its file.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Itself.
    pub svg: String,
}

/// All pictures that the report has figures for.
///
/// # Errors
/// What the drawing library could not do.
pub fn draw(report: &Report) -> Result<Vec<Picture>, Box<dyn Error>> {
    let pictures = [
        (
            "one_limit.svg",
            "A decision on one limit",
            one_limit(report)?,
        ),
        ("keyed.svg", "A decision among many keys", keyed(report)?),
        ("keys.svg", "Time by number of keys", keys(report)?),
        ("memory.svg", "Memory by key", memory(report)?),
    ];
    Ok(pictures
        .into_iter()
        .filter_map(|(file, title, svg)| {
            Some(Picture {
                file,
                title,
                svg: svg?,
            })
        })
        .collect())
}

fn colours(role: Role) -> [RGBColor; 2] {
    match role {
        Role::Ours => [OURS, OURS_TOO],
        Role::Peer => [PEER, PEER_TOO],
        Role::Sketch | Role::Floor => [FLOOR, FLOOR_TOO],
    }
}

/// Names as people say them.
fn label(name: &str) -> String {
    name.replace('_', " ")
}

fn one_limit(report: &Report) -> Drawn {
    let (Some(one), Some(two)) = (
        report.group("one_limit/allowed/threads_1"),
        report.group("one_limit/allowed/threads_2"),
    ) else {
        return Ok(None);
    };
    let bars = sorted(one)
        .into_iter()
        .map(|row| Bar {
            label: label(&row.name),
            bold: row.role == Role::Ours,
            lines: [Some(row), two.row(&row.name)]
                .into_iter()
                .flatten()
                .zip(colours(row.role))
                .map(|(row, colour)| Line {
                    value: row.ns_median(),
                    colour,
                })
                .collect(),
        })
        .collect();
    Bars {
        title: "A decision on one limit: nanoseconds, less is better",
        subtitle: "allowed; darker: 1 thread, lighter: 2 threads on the same limit, time by decision of both together",
        bars,
    }
    .draw()
    .map(Some)
}

fn sorted(group: &GroupFigures) -> Vec<&super::RowFigures> {
    let mut rows: Vec<_> = group.rows.iter().collect();
    rows.sort_by(|a, b| a.ns_median().total_cmp(&b.ns_median()));
    rows
}

/// The groups of text keys with this ending, by number of keys.
fn by_keys<'a>(report: &'a Report, kind: &str, ending: &str) -> Vec<(u32, &'a GroupFigures)> {
    let mut found: Vec<(u32, &GroupFigures)> = report
        .groups
        .iter()
        .filter_map(|group| {
            let rest = group.name.strip_prefix("keyed/")?.strip_prefix(kind)?;
            let size = rest.strip_prefix('_')?.strip_suffix(ending)?;
            Some((keys_told(size)?, group))
        })
        .collect();
    found.sort_by_key(|(keys, _)| *keys);
    found
}

/// `10m` is ten million.
fn keys_told(size: &str) -> Option<u32> {
    let (figure, unit) = match size.strip_suffix('m') {
        Some(figure) => (figure, 1_000_000),
        None => (
            size.strip_suffix('k').unwrap_or(size),
            if size.ends_with('k') { 1_000 } else { 1 },
        ),
    };
    figure.parse::<u32>().ok()?.checked_mul(unit)
}

fn keyed(report: &Report) -> Drawn {
    let of = |ending| by_keys(report, "string24", ending).pop();
    let Some((keys, single)) = of("/uniform/allowed/single/threads_1") else {
        return Ok(None);
    };
    let mut shown: Vec<(String, Role, f64)> = single
        .rows
        .iter()
        .map(|row| (label(&row.name), row.role, row.ns_median()))
        .collect();
    for (ending, said) in [
        ("/uniform/allowed/batch_16/threads_1", "batches of 16"),
        ("/uniform/allowed/prefetch_16/threads_1", "prefetched"),
    ] {
        let rows = of(ending)
            .map(|(_, group)| group.rows.iter())
            .into_iter()
            .flatten();
        shown.extend(rows.filter(|row| row.role == Role::Ours).map(|row| {
            (
                format!("{}, {said}", label(&row.name)),
                row.role,
                row.ns_median(),
            )
        }));
    }
    shown.sort_by(|a, b| a.2.total_cmp(&b.2));
    let bars = shown
        .into_iter()
        .map(|(label, role, value)| Bar {
            label,
            bold: role == Role::Ours,
            lines: vec![Line {
                value,
                colour: colours(role)[0],
            }],
        })
        .collect();
    Bars {
        title: &format!(
            "A decision among {} keys of text: nanoseconds, less is better",
            said(keys)
        ),
        subtitle: "allowed, keys of 24 bytes, uniformly at random, 1 thread",
        bars,
    }
    .draw()
    .map(Some)
}

fn said(keys: u32) -> String {
    match keys {
        1_000_000.. => format!("{} million", keys / 1_000_000),
        1_000.. => format!("{} thousand", keys / 1_000),
        _ => keys.to_string(),
    }
}

fn keys(report: &Report) -> Drawn {
    let single = by_keys(report, "u64", "/uniform/allowed/single/threads_1");
    let batches = by_keys(report, "u64", "/uniform/allowed/batch_16/threads_1");
    if single.len() < 2 {
        return Ok(None);
    }
    let curve = |groups: &[(u32, &GroupFigures)], name: &str, said: &str, colour| Curve {
        label: format!("{}{said}", label(name)),
        colour,
        points: groups
            .iter()
            .filter_map(|(keys, group)| Some((f64::from(*keys), group.row(name)?.ns_median())))
            .collect(),
    };
    let curves = [
        curve(&single, "governor_dashmap", "", PEER),
        curve(&single, "dashmap_gcra", " (cached clock)", PEER_TOO),
        curve(
            &single,
            "papaya_gcra",
            " (cached clock)",
            RGBColor(0x00, 0x9e, 0x73),
        ),
        curve(&single, "tollgate_table", "", OURS),
        curve(&batches, "tollgate_table", ", batches of 16", OURS_TOO),
        curve(&single, "floor_exchange", " (no limiter)", FLOOR),
    ];
    Lines {
        title: "A decision by number of keys: nanoseconds, less is better",
        subtitle: "allowed, keys of 64 bits, uniformly at random, 1 thread",
        curves: curves
            .into_iter()
            .filter(|curve| curve.points.len() > 1)
            .collect(),
    }
    .draw()
    .map(Some)
}

fn memory(report: &Report) -> Drawn {
    let mut rows: Vec<_> = report
        .memory
        .figures
        .iter()
        .filter(|one| one.kind == "string24")
        .collect();
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let subtitle = format!(
        "bytes by key, {} keys of 24 bytes, the keys' own included",
        first.keys
    );
    rows.sort_by(|a, b| a.bytes_per_key.total_cmp(&b.bytes_per_key));
    let bars = rows
        .into_iter()
        .map(|one| Bar {
            label: label(&one.name),
            bold: one.role == Role::Ours,
            lines: vec![Line {
                value: one.bytes_per_key,
                colour: colours(one.role)[0],
            }],
        })
        .collect();
    Bars {
        title: "Memory: bytes by key, less is better",
        subtitle: &subtitle,
        bars,
    }
    .draw()
    .map(Some)
}
