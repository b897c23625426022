//! The environment: `FORESHOW_…`, sections set off by `__`.

use std::ffi::OsString;

use super::keys::{ENV_PREFIX, key_of_variable, variable};
use super::layers::{Layers, Origin};
use super::{FILE_VARIABLE, Problem};

/// Begins the variables that name the servers of a test run.
const TEST_PREFIX: &str = "FORESHOW_TEST_";

/// Reads every variable of ours into the layers. An unknown one is an error: it would be a key that nobody heeds.
pub(super) fn read(
    environment: &[(OsString, OsString)],
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
) {
    let mut ours: Vec<_> = environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value)))
        .filter(|(name, _)| name.starts_with(ENV_PREFIX) && *name != FILE_VARIABLE)
        // Of a shell in which tests are run by hand; no key begins so.
        .filter(|(name, _)| !name.starts_with(TEST_PREFIX))
        .filter(|(name, _)| !is_failure_point(name))
        .collect();
    ours.sort_unstable();
    for (name, value) in ours {
        let key = key_of_variable(name).unwrap_or_default();
        if !layers.keys().takes(&key) {
            problems.push(unknown(name, &key, layers));
            continue;
        }
        match value.to_str() {
            Some(text) => layers.set_text(
                &key,
                text,
                Origin::Variable {
                    name: name.to_owned(),
                },
                problems,
            ),
            None => problems.push(
                Problem::new("the value is not UTF-8")
                    .at(name)
                    .help("set it to plain text"),
            ),
        }
    }
}

/// Whether a variable sets a failure point, where this build has them; to a user's build it is unknown.
fn is_failure_point(name: &str) -> bool {
    #[cfg(feature = "failure-points")]
    return name == crate::wiring::failing::VARIABLE;
    #[cfg(not(feature = "failure-points"))]
    {
        let _ = name;
        false
    }
}

fn unknown(name: &str, key: &str, layers: &Layers) -> Problem {
    let problem = Problem::new(format!(
        "there is no key `{key}` for this environment variable"
    ))
    .at(name);
    match layers.keys().closest(key) {
        Some(closest) => problem.help(format!("did you mean {}? Else unset it", variable(closest))),
        None => problem.help("unset it; `foreshow config show` lists every key"),
    }
}
