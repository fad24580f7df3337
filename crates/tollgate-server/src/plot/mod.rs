//! The report as a picture: one SVG page, read from top to bottom.
//!
//! Above, the requests admitted and refused over time, refusals coloured by the binding limit; below,
//! a panel for each limit with its usage as a share of what it allows.

mod colours;
mod legend;
mod page;
mod panel;
mod requests;
mod time_axis;
mod usage;

pub(crate) use page::render;

#[cfg(test)]
mod tests {
    use super::render;
    use crate::report::made;

    #[test]
    fn the_page_tells_totals_limits_and_times() {
        let report = made::report();
        let svg = render(&report).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in [
            "19,366 requests",
            "19,000 admitted (98.1 %)",
            "366 refused (1.9 %)",
            "trace.csv",
            "agent-rpm",
            "18:30",
            "100 %",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("team \"usd\""), "quotes in names are escaped");
    }
}
