//! How an app is built and run.
//!
//! A deploy that brings a `config` replaces the app's whole; one that brings none uses the app's. `framework` and `runtime` exclude
//! each other. Nothing is built or run here: commands only decide which stages a build's progress shows.

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;

const FRAMEWORKS: [&str; 10] = [
    "",
    "nextjs",
    "astro",
    "nuxt",
    "remix",
    "solidstart",
    "tanstackstart",
    "sveltekit",
    "fresh",
    "lume",
];

/// What answers requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// A program.
    Dynamic { entrypoint: Option<String> },
    /// Files of a folder; with `spa`, `index.html` for whatever is not there.
    Static { cwd: String, spa: bool },
}

/// A checked configuration, and the JSON that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) install: Option<String>,
    pub(crate) build: Option<String>,
    pub(crate) predeploy: Option<String>,
    pub(crate) runtime: Option<Runtime>,
    told: Value,
}

impl Config {
    /// Reads the field `config`; `None` where it was not sent.
    pub(crate) fn read(body: &Fields<'_>) -> Result<Option<Self>, ApiError> {
        body.object("config")?
            .map(|fields| Self::read_fields(&fields))
            .transpose()
    }

    fn read_fields(fields: &Fields<'_>) -> Result<Self, ApiError> {
        let framework = fields.text("framework")?;
        if framework.is_some_and(|name| !FRAMEWORKS.contains(&name)) {
            return Err(fields.invalid("framework"));
        }
        let runtime = fields
            .object("runtime")?
            .map(|runtime| read_runtime(&runtime))
            .transpose()?;
        if runtime.is_some() && framework.is_some_and(|name| !name.is_empty()) {
            return Err(ApiError::malformed(
                "config.framework and config.runtime exclude each other",
            ));
        }
        let crons = fields.flag("crons")?;
        let command = |name: &str| fields.text(name).map(|text| text.map(str::to_owned));
        let config = Self {
            install: command("install")?,
            build: command("build")?,
            predeploy: command("predeploy")?,
            runtime,
            told: Value::Null,
        };
        let mut told = json!({
            "install": config.install,
            "build": config.build,
            "predeploy": config.predeploy,
        });
        for (name, value) in [
            ("framework", framework.map(Value::from)),
            ("runtime", fields.get("runtime").cloned()),
            ("crons", crons.map(Value::from)),
        ] {
            if let Some(value) = value {
                told[name] = value;
            }
        }
        Ok(Self { told, ..config })
    }

    pub(crate) fn to_json(&self) -> &Value {
        &self.told
    }
}

fn read_runtime(fields: &Fields<'_>) -> Result<Runtime, ApiError> {
    fields.texts("args")?;
    let cwd = fields.text("cwd")?;
    match fields.required_text("type")? {
        "dynamic" => Ok(Runtime::Dynamic {
            entrypoint: fields.text("entrypoint")?.map(str::to_owned),
        }),
        "static" => Ok(Runtime::Static {
            cwd: cwd.unwrap_or_default().to_owned(),
            spa: fields.flag("spa")?.unwrap_or(false),
        }),
        _ => Err(fields.invalid("type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: Value) -> Result<Option<Config>, ApiError> {
        let body = json!({ "config": config });
        Config::read(&Fields::of_body(&body).unwrap())
    }

    #[test]
    fn framework_and_runtime_exclude_each_other() {
        let runtime = json!({ "type": "dynamic", "entrypoint": "main.ts" });
        assert!(read(json!({ "framework": "fresh", "runtime": runtime })).is_err());
        assert!(read(json!({ "framework": "", "runtime": runtime })).is_ok());
        assert!(read(json!({ "framework": "rails" })).is_err());
    }

    #[test]
    fn a_static_runtime_is_read_and_told_as_it_was_sent() {
        let runtime = json!({ "type": "static", "cwd": "dist", "spa": true });
        let config = read(json!({ "runtime": runtime })).unwrap().unwrap();
        assert_eq!(
            config.runtime,
            Some(Runtime::Static {
                cwd: "dist".to_owned(),
                spa: true
            })
        );
        assert_eq!(config.to_json()["runtime"], runtime);
        assert_eq!(config.to_json()["install"], Value::Null);
    }

    #[test]
    fn no_config_is_no_config() {
        assert_eq!(read(Value::Null).unwrap(), None);
    }
}
