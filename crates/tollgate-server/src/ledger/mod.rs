//! `tollgate ledger`: what is in a ledger's file.

mod json;
mod plain;
mod table;

use std::collections::HashSet;
use std::env;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use tollgate_core::Wall;
use tollgate_policy::{PolicyFile, Request};
use tollgate_quota::ledger::{AccountRecord, LedgerError, LedgerFile, PastPeriod};

use crate::cli::{ExportArgs, Format, ImportArgs, LedgerCommand, ShowArgs};
use crate::figures;
use crate::files::{self, Failure};

/// The longest file that is imported, in bytes.
const IMPORT_BYTES_MAX: u64 = 1 << 30;

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self(error.to_string())
    }
}

/// All that is in a ledger.
#[derive(Debug, Default)]
struct Contents {
    accounts: Vec<AccountRecord>,
    past: Vec<PastPeriod>,
}

pub(crate) fn run(command: LedgerCommand) -> Result<ExitCode, Failure> {
    // The database panics at some pages of a damaged file, and what it says then is in the error that follows.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic
            .location()
            .is_some_and(|place| place.file().contains("redb"))
        {
            told(panic);
        }
    }));
    match command {
        LedgerCommand::Show(args) => show(&args)?,
        LedgerCommand::Export(args) => export(&args)?,
        LedgerCommand::Import(args) => import(&args)?,
        LedgerCommand::Verify(place) => verify(&place.ledger)?,
        LedgerCommand::Compact(place) => compact(&place.ledger)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Contents, Failure> {
    let file = LedgerFile::read(path)?;
    let mut contents = Contents::default();
    file.each_account(|account| contents.accounts.push(account))?;
    file.each_past_period(|past| contents.past.push(past))?;
    Ok(contents)
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let mut contents = read(&args.ledger)?;
    if let Some(limit) = &args.limit {
        contents
            .accounts
            .retain(|account| account.key.limit() == limit);
        contents.past.retain(|past| past.key.limit() == limit);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let told = match args.format {
        Format::Json => json::write(&mut out, &contents),
        Format::Text => {
            // https://no-color.org: set and not empty, whatever it says.
            let refuses_colours = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let coloured = io::stdout().is_terminal() && !refuses_colours;
            let text = table::render(&contents, wall(), args.history, coloured);
            out.write_all(text.as_bytes())
        }
    };
    finish(told.and_then(|()| out.flush()), "standard output")
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let contents = read(&args.ledger)?;
    if files::is_stdin(&args.to) {
        let mut out = BufWriter::new(io::stdout().lock());
        let told = json::write(&mut out, &contents).and_then(|()| out.flush());
        return finish(told, "standard output");
    }
    let name = files::shown(&args.to);
    finish(write_whole(&args.to, &contents), &name)?;
    say(&format!(
        "{} exported to {name}\n",
        counted(contents.accounts.len(), contents.past.len())
    ))
}

/// Writes a file that is not there yet. It appears whole: what ends the program, or the power, in between leaves none of its name.
fn write_whole(path: &Path, contents: &Contents) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".tollgate-export-")
        .tempfile_in(folder)?;
    let mut out = BufWriter::new(file.as_file_mut());
    json::write(&mut out, contents)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    // The name itself is to outlive a power cut too. Windows opens no folders.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn import(args: &ImportArgs) -> Result<(), Failure> {
    let name = files::shown(&args.from);
    let input: Box<dyn Read> = if files::is_stdin(&args.from) {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.from).map_err(|error| Failure::with(&name, error))?;
        Box::new(BufReader::new(file))
    };
    let mut text = String::new();
    input
        .take(IMPORT_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::with(&name, error))?;
    if text.len() as u64 > IMPORT_BYTES_MAX {
        return Err(Failure::with(
            &name,
            format!("longer than {IMPORT_BYTES_MAX} bytes"),
        ));
    }
    // Some editors begin a file so.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let contents = match (&args.policy, &args.limit) {
        (Some(policy), Some(limit)) => {
            let text_of_policy = files::read_policy(policy)?;
            let policy_name = files::shown(policy);
            let policy = PolicyFile::parse(&text_of_policy)
                .map_err(|errors| Failure::policy(&policy_name, &errors))?;
            let account = plain::read(text, &policy, limit, &args.scope, wall())
                .map_err(|why| Failure::with(&name, why))?;
            Contents {
                accounts: vec![account],
                past: Vec::new(),
            }
        }
        _ => json::read(text, wall()).map_err(|why| Failure::with(&name, why))?,
    };
    let told = format!(
        "{} imported\n",
        counted(contents.accounts.len(), contents.past.len())
    );
    // One that is begun and not filled would pass for a ledger with nothing on record.
    let is_missing = std::fs::symlink_metadata(&args.ledger)
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_missing {
        LedgerFile::make(&args.ledger, &contents.accounts, &contents.past)?;
        return say(&told);
    }
    let file = LedgerFile::alone(&args.ledger)?;
    if !args.replace
        && let Some(twice) = first_known(&file, &contents)?
    {
        return Err(Failure(format!(
            "the ledger has {twice} already; --replace puts what is imported in its place"
        )));
    }
    file.import(&contents.accounts, &contents.past)?;
    say(&told)
}

/// The first account or past period that the file has already.
fn first_known(file: &LedgerFile, contents: &Contents) -> Result<Option<String>, LedgerError> {
    let mut known = HashSet::new();
    file.each_account(|account| {
        known.insert(account.key);
    })?;
    let mut accounts = contents.accounts.iter();
    if let Some(account) = accounts.find(|account| known.contains(&account.key)) {
        return Ok(Some(table::named(&account.key)));
    }
    let place = |past: &PastPeriod| (past.key.clone(), past.standing.stamp);
    let mut known = HashSet::new();
    file.each_past_period(|past| {
        known.insert(place(&past));
    })?;
    let mut past = contents.past.iter();
    let twice = past.find(|past| known.contains(&place(past)));
    Ok(twice.map(table::past_period))
}

/// Whether a request can have these scope values: an account of others would never be found again.
fn bounded<'v>(values: impl Iterator<Item = &'v str>) -> Result<(), String> {
    let bytes = values.map(str::len).fold(0, usize::saturating_add);
    let most = Request::SCOPES_BYTES_MAX;
    if bytes <= most {
        return Ok(());
    }
    Err(format!(
        "its scope values have {bytes} bytes together, and those of a request have at most {most}"
    ))
}

fn verify(path: &Path) -> Result<(), Failure> {
    exists(path)?;
    // Opening it alone checks every page.
    let file = LedgerFile::alone(path)?;
    let (mut accounts, mut past, mut lent) = (0, 0, 0);
    file.each_account(|account| {
        accounts += 1;
        lent += usize::from(account.out > 0 || account.ahead.is_some());
    })?;
    file.each_past_period(|_| past += 1)?;
    let lent = match lent {
        0 => String::new(),
        lent => format!(
            "; {} had units lent when it was last used, which count as spent",
            some(lent, "account")
        ),
    };
    say(&format!("sound: {}{lent}\n", counted(accounts, past)))
}

fn compact(path: &Path) -> Result<(), Failure> {
    exists(path)?;
    let bytes = || std::fs::metadata(path).map(|data| data.len()).unwrap_or(0);
    let before = bytes();
    let mut file = LedgerFile::alone(path)?;
    while file.compact()? {}
    drop(file);
    say(&format!("{before} bytes before, {} after\n", bytes()))
}

/// What only reads or tidies makes no new ledger.
fn exists(path: &Path) -> Result<(), Failure> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::with(path.display(), "there is no such file")),
        Err(error) => Err(Failure::with(path.display(), error)),
    }
}

fn counted(accounts: usize, past: usize) -> String {
    let (accounts, past) = (some(accounts, "account"), some(past, "past period"));
    format!("{accounts} and {past}")
}

fn some(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", figures::grouped(count as u128))
}

/// What this machine's clock says.
fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Wall(since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }))
}

fn say(text: &str) -> Result<(), Failure> {
    finish(io::stdout().write_all(text.as_bytes()), "standard output")
}

fn finish(written: io::Result<()>, name: &str) -> Result<(), Failure> {
    match written {
        // Whoever has read enough closes the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::with(name, error)),
    }
}
