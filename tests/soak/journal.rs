//! What was decided, in a form that can be saved, read again and judged.

use std::fmt::Write;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Admitted, as number `id`.
    Admit {
        agent: usize,
        model: usize,
        input: u64,
        output: u64,
    },
    /// Admitted on top of it.
    Extend {
        output: u64,
    },
    /// Settled at what was used in all.
    Settle {
        input: u64,
        output: u64,
    },
    Release,
    Drop,
    /// Another policy is in force: the next epoch.
    Reload,
}

/// A call that took effect. `began` and `ended` are points among those of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// The `now` that it was given.
    pub(crate) at: u64,
    /// Whose reservation.
    pub(crate) id: u64,
    pub(crate) what: What,
}

pub(crate) fn save(seed: u64, threads: usize, entries: &[Entry]) -> String {
    let mut text = format!("tollgate soak journal, seed {seed}, threads {threads}\n");
    for Entry {
        began,
        ended,
        at,
        id,
        what,
    } in entries
    {
        let _ = write!(text, "{began} {ended} {at} {id} ");
        let _ = match what {
            What::Admit {
                agent,
                model,
                input,
                output,
            } => {
                writeln!(text, "admit {agent} {model} {input} {output}")
            }
            What::Extend { output } => writeln!(text, "extend {output}"),
            What::Settle { input, output } => writeln!(text, "settle {input} {output}"),
            What::Release => writeln!(text, "release"),
            What::Drop => writeln!(text, "drop"),
            What::Reload => writeln!(text, "reload"),
        };
    }
    text
}

/// The seed and the entries.
pub(crate) fn read(text: &str) -> Result<(u64, Vec<Entry>), String> {
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let seed = head
        .strip_prefix("tollgate soak journal, seed ")
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .ok_or("this is no journal of a soak")?;
    let entries =
        lines.map(|line| entry(line).ok_or_else(|| format!("this line is wrong: {line}")));
    Ok((seed, entries.collect::<Result<_, _>>()?))
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let mut figure = || words.next()?.parse::<u64>().ok();
    let (began, ended, at, id) = (figure()?, figure()?, figure()?, figure()?);
    let kind = words.next()?;
    let mut figure = || words.next()?.parse::<u64>().ok();
    let what = match kind {
        "admit" => What::Admit {
            agent: usize::try_from(figure()?).ok()?,
            model: usize::try_from(figure()?).ok()?,
            input: figure()?,
            output: figure()?,
        },
        "extend" => What::Extend { output: figure()? },
        "settle" => What::Settle {
            input: figure()?,
            output: figure()?,
        },
        "release" => What::Release,
        "drop" => What::Drop,
        "reload" => What::Reload,
        _ => return None,
    };
    Some(Entry {
        began,
        ended,
        at,
        id,
        what,
    })
}
