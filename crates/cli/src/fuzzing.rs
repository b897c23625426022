//! What reads texts, for fuzz targets.

use std::ffi::OsString;

use crate::config::Sources;

/// A configuration as it is shown, for people and for programs.
pub struct Shown {
    /// As a file.
    pub toml: String,
    /// As JSON.
    pub json: String,
}

/// Reads a configuration file's text, with these variables above it.
///
/// # Errors
/// Everything that is wrong with it, each problem with its place, its reason and its remedy.
pub fn configuration(text: &str, environment: &[(&str, &str)]) -> Result<Shown, Vec<String>> {
    let variable = |(name, value): &(&str, &str)| (OsString::from(*name), OsString::from(*value));
    let sources = Sources {
        environment: environment.iter().map(variable).collect(),
        ..Sources::default()
    };
    match sources.load_text(text) {
        Ok(loaded) => Ok(Shown {
            toml: loaded.to_toml(),
            json: loaded.to_json().to_string(),
        }),
        Err(problems) => Err(problems
            .iter()
            .map(|problem| {
                let parts = [&problem.because, &problem.help];
                let parts = parts.into_iter().flatten().cloned();
                std::iter::once(problem.to_string())
                    .chain(parts)
                    .collect::<Vec<_>>()
                    .join("\n")
            })
            .collect()),
    }
}
