//! Configuration: defaults < file < environment < flags.
//!
//! Every layer is read into the same shape, a dotted key with a value and where it was given, and every value is
//! checked alone before the layers are put together. So an error always names key and place, and `config show` can
//! tell where each value came from.
//!
//! | room | idea |
//! | --- | --- |
//! | `options` | the keys, as Rust types with their defaults |
//! | `keys` | the same keys as data: their names, defaults, closest neighbours |
//! | `file`, `env` | the layers that people write |
//! | `layers` | putting them together, value by value |
//! | `backend`, `listen`, `preview_url`, `log_filter`, `worker_name` | values with a grammar of their own |
//! | `show` | what is in effect, and why |

mod backend;
mod env;
mod file;
mod keys;
mod layers;
mod listen;
mod log_filter;
mod options;
mod preview_url;
mod problem;
mod show;
mod worker_name;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use backend::{Backend, Role, SUPPORTED, redacted};
pub(crate) use listen::ListenAddr;
pub(crate) use log_filter::{LOG_FILTER_GRAMMAR, LogFilter};
pub(crate) use options::{Config, LogOptions, ResultMode};
pub(crate) use preview_url::PreviewUrl;
pub(crate) use problem::Problem;
pub(crate) use worker_name::WorkerName;

use layers::Layers;

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "foreshow.toml";
/// Names another file, as `--config` does.
const FILE_VARIABLE: &str = "FORESHOW_CONFIG";

/// Where configuration comes from, besides the defaults. Without `Debug`: the environment is full of secrets.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// The process's environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Flags that set a key: key, flag, value.
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,
}

/// Configuration that was read and found sound.
pub(crate) struct Loaded {
    /// The values.
    pub(crate) config: Config,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Each key's value and where it was given.
    layers: Layers,
}

/// Values may be secrets, and URLs may hold some.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub(crate) fn load(&self) -> Result<Loaded, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut layers = Layers::of_defaults();
        let file = self.config_file(&mut problems);
        if let Some(file) = &file {
            file::read(file, &mut layers, &mut problems);
        }
        env::read(&self.environment, &mut layers, &mut problems);
        for (key, flag, value) in &self.flags {
            layers.set_text(key, value, layers::Origin::Flag { flag }, &mut problems);
        }
        let config = layers.resolve(&mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded {
                config,
                file,
                layers,
            }),
            _ => Err(problems),
        }
    }

    /// Reads and checks a file's text and variables, without looking at a disk for them.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn load_text(&self, text: &str) -> Result<Loaded, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut layers = Layers::of_defaults();
        let file = PathBuf::from(DEFAULT_FILE);
        file::read_text(&file, text, &mut layers, &mut problems);
        env::read(&self.environment, &mut layers, &mut problems);
        match layers.resolve(&mut problems) {
            Some(config) if problems.is_empty() => Ok(Loaded {
                config,
                file: Some(file),
                layers,
            }),
            _ => Err(problems),
        }
    }

    /// The file to read. One that was named must exist; the default one may be missing.
    fn config_file(&self, problems: &mut Vec<Problem>) -> Option<PathBuf> {
        let variable = || {
            self.environment
                .iter()
                .find(|(name, _)| name == FILE_VARIABLE)
        };
        let (file, place) = match (&self.file, variable()) {
            (Some(file), _) => (file.clone(), "--config"),
            (None, Some((_, file))) => (PathBuf::from(file), FILE_VARIABLE),
            (None, None) => return Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.is_file()),
        };
        if file.is_file() {
            return Some(file);
        }
        let what = if file.exists() {
            "is not a file"
        } else {
            "does not exist"
        };
        problems.push(
            Problem::new(format!("the configuration file {} {what}", file.display()))
                .at(place)
                .help(format!(
                    "name a file that exists, or leave {place} out to go without one"
                )),
        );
        None
    }
}

impl Loaded {
    /// Whether nobody gave the key a value.
    pub(crate) fn is_default(&self, key: &str) -> bool {
        let mut settings = self.layers.settings();
        settings.any(|(name, setting)| name == key && setting.origin == layers::Origin::Default)
    }

    /// The folder that `up` and its neighbours share.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// The same, unless it is what everybody takes who is told nothing else.
    pub(crate) fn unusual_data_dir(&self) -> Option<&Path> {
        Some(self.data_dir()).filter(|dir| *dir != Config::default().data_dir)
    }
}
