//! Runs the program in a folder of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder with the files of one test.
pub(crate) struct Folder {
    path: PathBuf,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    /// An empty folder for the test `name`.
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    pub(crate) fn with(self, file: &str, text: impl AsRef<[u8]>) -> Self {
        self.put(file, text);
        self
    }

    /// Writes a file, over one that may be there.
    pub(crate) fn put(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path.join(file), text).unwrap();
    }

    /// Another name for a file that is there.
    pub(crate) fn link(self, name: &str, file: &str) -> Self {
        fs::hard_link(self.path.join(file), self.path.join(name)).unwrap();
        self
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap()
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    /// Runs `tollgate` with arguments that blanks divide.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.run_with_input(args, b"")
    }

    pub(crate) fn run_with_input(&self, args: &str, input: &[u8]) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(args.split_whitespace())
            .current_dir(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that ends early reads no more.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The JSON report of a run that went well.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Two requests a minute of an agent, and five tokens a minute of a model.
pub(crate) const POLICY: &str = r#"
[[limit]]
name = "rpm"
by = ["agent"]
unit = "requests"
max = 2
per = "1m"

[[limit]]
name = "tpm"
by = ["model"]
unit = "tokens"
max = 60
per = "1m"
algorithm = "log"
"#;

/// Rows under [`POLICY`], worked out by hand:
/// 1 and 2 pass, and use up the minute of `a`; 3 is `a` again, a second later, and one unit of two a
/// minute comes back every 30 s, so it waits 29 s; 4 is `b` and passes, with which 50 of 60 tokens are
/// used; 5 asks for 11 and waits until the 20 of row 1 leave, 57.5 s later; 6 asks for more than ever fits.
pub(crate) const TRACE: &str = "\
TIMESTAMP,ContextTokens,GeneratedTokens,agent,model
2024-01-01 00:00:00,15,5,a,m
2024-01-01 00:00:00.5,10,10,a,m
2024-01-01 00:00:01.0000000,1,1,a,m
2024-01-01T00:00:02Z,5,5,b,m
2024-01-01 01:00:02.5+01:00,10,1,b,m
2024-01-01 00:00:03,60,1,c,m
";
