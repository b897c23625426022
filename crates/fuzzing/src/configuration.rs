//! Configuration files and variables: whatever is written there is taken, or refused by name; secrets are shown by neither.

use foreshow::fuzzing::configuration as read;

/// Stands where secrets are given.
const CANARY: &str = "c4n4ry-0f-a-secret";

/// The bytes as a configuration file; lines that begin with `FORESHOW_` are variables instead.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (variables, lines): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("FORESHOW_"));
    let file = lines.join("\n");
    let environment: Vec<(&str, &str)> = variables
        .iter()
        .filter_map(|line| line.split_once('='))
        .collect();
    match read(&file, &environment) {
        Ok(shown) => {
            // What is shown is a file again, whatever else may be missing from it.
            let table: Result<toml::Table, _> = shown.toml.parse();
            assert!(table.is_ok(), "{table:?}\n{}", shown.toml);
            let json: Result<serde_json::Value, _> = serde_json::from_str(&shown.json);
            assert!(json.is_ok());
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.is_empty());
            }
        }
    }
    with_secrets(&file, environment);
}

/// The same with secrets above it all: neither what is shown nor what is wrong tells them.
fn with_secrets(file: &str, environment: Vec<(&str, &str)>) {
    if file.contains(CANARY) || environment.iter().any(|(_, value)| value.contains(CANARY)) {
        return;
    }
    let url = format!("redis://somebody:{CANARY}@localhost:1/");
    let key = format!("{CANARY}{}", "0".repeat(64));
    let mut environment = environment;
    environment.extend([
        ("FORESHOW_GATEWAY__TOKEN", CANARY),
        ("FORESHOW_VERCEL__TOKEN", CANARY),
        ("FORESHOW_DENO__TOKEN", CANARY),
        ("FORESHOW_STORE", url.as_str()),
    ]);
    for is_key in [false, true] {
        if is_key {
            environment.push(("FORESHOW_INSTALLATION_KEY", key.as_str()));
        }
        let told = match read(file, &environment) {
            Ok(shown) => format!("{}{}", shown.toml, shown.json),
            Err(problems) => problems.join("\n"),
        };
        assert!(!told.contains(CANARY), "a secret is told: {told}");
    }
}
