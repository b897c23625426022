//! The scripts, and how one is called.
//!
//! Each is a file that lists its KEYS, ARGV and answers at its top; `answers` decodes them. A script is called by its digest.
//! Redis forgets scripts when it restarts or fails over: then the call is made again with the text, which it remembers.

use std::sync::LazyLock;

use redis::{Cmd, Value, cmd};

/// A script and its digest.
pub(super) struct Script {
    /// For messages.
    pub(super) name: &'static str,
    text: &'static str,
    digest: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
                let text = concat!(include_str!("lua/prelude.lua"), "\n", include_str!(concat!("lua/", $file, ".lua")));
                Script {
                    name: $file,
                    text,
                    digest: redis::Script::new(text).get_hash().to_owned(),
                }
            });
        )*
    };
}

scripts! {
    CLAIM = "claim";
    EXPIRE = "expire";
    RESET = "reset";
    RENEW = "renew";
    RECORD = "record";
    GO_LIVE = "go_live";
    SETTLE = "settle";
    RELEASE = "release";
    TOUCH = "touch";
    SEED = "seed";
    JUDGE = "judge";
    FORGET = "forget";
    MEND = "mend";
    ADMIT = "admit";
    PROLONG = "prolong";
    USED = "used";
    REGISTER = "register";
    INDEX = "index";
    CORRECT = "correct";
    REBUILT = "rebuilt";
    LEAD = "lead";
    ENTER_GATE = "enter_gate";
    REPORT_GATE = "report_gate";
}

/// A call of a script, to be made.
pub(super) struct Call {
    pub(super) script: &'static Script,
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn of(script: &'static LazyLock<Script>) -> Self {
        Self {
            script,
            keys: Vec::new(),
            args: Vec::new(),
        }
    }

    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }

    pub(super) fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(super) fn fields(self, fields: super::fields::Fields) -> Self {
        fields
            .into_iter()
            .fold(self, |call, (name, value)| call.arg(name).arg(value))
    }

    /// By its digest.
    pub(super) fn by_digest(&self) -> Cmd {
        self.command("EVALSHA", &self.script.digest)
    }

    /// With its text, which Redis remembers from then on.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command
            .arg(script)
            .arg(self.keys.len())
            .arg(&self.keys)
            .arg(&self.args);
        command
    }
}

/// A script's answer: a list of words.
pub(super) fn words(value: Value) -> Option<Vec<Vec<u8>>> {
    let Value::Array(items) = value else {
        return None;
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::BulkString(word) => Some(word),
            _ => None,
        })
        .collect()
}
