//! A compiler whose standard library can be built anew, with ThreadSanitizer in it: without that, every mutex and channel
//! of the standard library looks like a race.
//!
//! That takes sources of the library that match the compiler. rustup has them (`rust-src`), where it can reach its server;
//! Debian has a compiler and sources of the same version, which are unpacked into a folder under `target`, not
//! installed.

use super::Run;
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Where Debian's is unpacked. Throw it away to have a newer one.
const FOLDER: &str = "target/instrumented";
/// The newest compiler in Debian, which is packaged for its web browsers.
const COMPILER: &str = "rustc-web";
const DEVELOPMENT: &str = "libstd-rust-web-dev";
/// What is not taken for a race, and why.
const FALSE_ALARMS: &str = "tests/tsan.supp";
const FETCH: Duration = Duration::from_secs(1_800);

pub(super) const GET: &str = "needs Linux on x86-64, and `rustup component add rust-src` or Debian's package rustc-web (after `apt-get update`)";

/// A compiler with sources of its standard library.
#[derive(Clone, Debug)]
pub(super) struct Compiler {
    /// None: the one that cargo takes by itself.
    rustc: Option<PathBuf>,
    pub(super) version: String,
}

impl Compiler {
    /// Finds one, fetching it if need be; none if there is no way to.
    pub(super) fn find(run: &Run) -> Result<Option<Self>, String> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Ok(None);
        }
        let sysroot =
            PathBuf::from(told(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
        if sysroot
            .join("lib/rustlib/src/rust/library/Cargo.lock")
            .is_file()
        {
            let version = told(Command::new("rustc").arg("-V"))?;
            return Ok(Some(Self {
                rustc: None,
                version: version.trim().to_owned(),
            }));
        }
        let folder = env::current_dir()
            .map_err(|error| error.to_string())?
            .join(FOLDER);
        let rustc = folder.join("rustc.sh");
        if !rustc.is_file() {
            // There are machines without Debian's packages, and older ones of Debian without these.
            if told(Command::new("apt-cache").args(["show", COMPILER])).is_err() {
                return Ok(None);
            }
            fetch(run, &folder, &sysroot)?;
        }
        let version = told(Command::new(&rustc).arg("-V"))?;
        Ok(Some(Self {
            rustc: Some(rustc),
            version: version.trim().to_owned(),
        }))
    }

    /// What cargo must be told to build with ThreadSanitizer in everything, and the programs to run with it.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, String)>, String> {
        let alarms = fs::canonicalize(FALSE_ALARMS);
        let alarms = alarms.map_err(|error| format!("{FALSE_ALARMS}: {error}"))?;
        let mut environment = vec![
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("RUSTFLAGS", "-Zsanitizer=thread".to_owned()),
            ("CARGO_UNSTABLE_BUILD_STD", "std".to_owned()),
            ("CARGO_BUILD_TARGET", "x86_64-unknown-linux-gnu".to_owned()),
            // A race is a failure of its test program.
            (
                "TSAN_OPTIONS",
                format!(
                    "halt_on_error=1 exitcode=66 suppressions={}",
                    alarms.display()
                ),
            ),
        ];
        if let Some(rustc) = &self.rustc {
            environment.push(("RUSTC", rustc.display().to_string()));
        }
        Ok(environment)
    }
}

/// Downloads the compiler, its library and its sources, and unpacks them.
fn fetch(run: &Run, folder: &Path, sysroot: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    // What is half unpacked is of no use.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(failed)?;
    let packages = packages()?;
    run.say(&format!(
        "fetching {} into {FOLDER}, some 140 MB",
        packages.join(", ")
    ));
    let mut download = Command::new("apt-get");
    download.arg("download").args(&packages).current_dir(folder);
    run.program(&mut download, FETCH, |_| {})?;
    let unpacked = folder.join("unpacked");
    for entry in fs::read_dir(folder).map_err(failed)?.flatten() {
        let package = entry.path();
        if package
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(&package).arg(&unpacked);
            run.program(&mut unpack, FETCH, |_| {})?;
            fs::remove_file(&package).map_err(failed)?;
        }
    }
    // Debian's has no sanitizers; their runtime is the same in any compiler of about the same age.
    let library = "lib/rustlib/x86_64-unknown-linux-gnu/lib";
    let runtime = "librustc-stable_rt.tsan.a";
    fs::copy(
        sysroot.join(library).join(runtime),
        unpacked.join("usr").join(library).join(runtime),
    )
    .map_err(|error| format!("{runtime}: {error}"))?;
    let script = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{0}/usr/lib/x86_64-linux-gnu' exec '{0}/usr/bin/rustc' \"$@\"\n",
        unpacked.display()
    );
    // Written last: that it is there means that all is.
    let (part, rustc) = (folder.join("rustc.sh.part"), folder.join("rustc.sh"));
    fs::write(&part, script).map_err(failed)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::rename(&part, &rustc).map_err(failed)
}

/// The packages, whose names carry versions that move with security updates: those that the compiler depends on.
fn packages() -> Result<Vec<String>, String> {
    let newest = |package: &str| -> Result<String, String> {
        let shown = told(Command::new("apt-cache").args(["show", "--no-all-versions", package]))?;
        Ok(shown)
    };
    // The compiler's own package names its library, or leaves that to the package for those who build with it.
    let named_by = |start: &str, packages: [&str; 2]| -> Result<Option<String>, String> {
        for package in packages {
            if let Some(name) = named(&newest(package)?, start) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    };
    let library = named_by("libstd-rust-web-", [COMPILER, DEVELOPMENT])?;
    let library = library.ok_or("its packages name no library")?;
    let llvm = named_by("libllvm", [&library, COMPILER])?;
    let llvm = llvm.ok_or("its packages name no libllvm")?;
    let fixed = [COMPILER, DEVELOPMENT, "rust-web-src"].map(str::to_owned);
    Ok([llvm, library].into_iter().chain(fixed).collect())
}

/// The first package in a `Depends` line whose name starts so and goes on with a digit.
fn named(shown: &str, start: &str) -> Option<String> {
    let depends = shown
        .lines()
        .find_map(|line| line.strip_prefix("Depends:"))?;
    let mut names = depends
        .split([',', '|'])
        .filter_map(|entry| entry.split_whitespace().next());
    let is_it = |name: &&str| {
        let version = name.strip_prefix(start);
        version.is_some_and(|version| version.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    names.find(is_it).map(str::to_owned)
}

/// What a command printed.
fn told(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}", why.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_not_known() {
        let shown = "Package: rustc-web\nDepends: libc6 (>= 2.34), libstd-rust-web-1.96 (= 1.96.0+dfsg1-1), gcc | clang, libllvm22 (>= 1:22)\n";
        assert_eq!(
            named(shown, "libstd-rust-web-").as_deref(),
            Some("libstd-rust-web-1.96")
        );
        assert_eq!(named(shown, "libllvm").as_deref(), Some("libllvm22"));
        assert_eq!(
            named("Depends: libstd-rust-web-dev", "libstd-rust-web-"),
            None
        );
    }
}
