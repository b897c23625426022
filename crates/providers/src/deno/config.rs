//! How an app is built and served there.
//!
//! A command that is left out is a step that is skipped, so nothing is built that nobody asked to build: static files are served as
//! they are. Everything that runs in a build runs on Deno, npm and its kin too (vendor's page on builds, 2026-10), so the tool is
//! chosen by what the files are made for, and a build command of the event's own always wins.
//!
//! What is not here: Python, and Node servers. Deno runs most of them, but the vendor promises nothing for one that listens in ways
//! of its own; who wants to try says `deno` and names the entry point.

use foreshow_bundle::Tree;
use foreshow_contract::{App, Framework};

use super::wire::{Config, Runtime};

/// What can be hosted.
pub(super) const FRAMEWORKS: [Framework; 9] = [
    Framework::Static,
    Framework::Vite,
    Framework::Next,
    Framework::Astro,
    Framework::SvelteKit,
    Framework::Nuxt,
    Framework::Remix,
    Framework::Fresh,
    Framework::Deno,
];

/// Where a Deno server starts where nobody says so: the first of these among the files.
const ENTRY_POINTS: [&str; 8] = [
    "main.ts",
    "main.tsx",
    "main.js",
    "mod.ts",
    "server.ts",
    "server.js",
    "index.ts",
    "index.js",
];

/// Why an app cannot be deployed as it is; said to the tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfigError {
    #[error(
        "Deno needs a file to start: name it as app.entrypoint, or add one of {}",
        ENTRY_POINTS.join(", ")
    )]
    NoEntryPoint,
    #[error("app.entrypoint names {0}, which is not among the files: correct it, or add the file")]
    EntryPointMissing(String),
    #[error("Deno Deploy does not host {0} apps here: choose another provider for this app")]
    Unsupported(Framework),
}

/// The configuration of this app.
pub(super) fn config(app: &App, tree: &Tree) -> Result<Config, ConfigError> {
    let tool = Tool::of(tree);
    let built = |framework, runtime| Config {
        framework,
        install: tool.install(),
        build: Some(build_command(app).unwrap_or_else(|| tool.build())),
        runtime,
    };
    let preset = |name| Ok(built(Some(name), None));
    match app.framework {
        Framework::Static => {
            let build = build_command(app);
            Ok(Config {
                framework: None,
                install: build.as_ref().and_then(|_| tool.install()),
                build,
                runtime: Some(folder(app, ".")),
            })
        }
        Framework::Vite => Ok(built(None, Some(folder(app, "dist")))),
        Framework::Next => preset("nextjs"),
        Framework::Astro => preset("astro"),
        Framework::SvelteKit => preset("sveltekit"),
        Framework::Nuxt => preset("nuxt"),
        Framework::Remix => preset("remix"),
        Framework::Fresh => preset("fresh"),
        Framework::Deno => Ok(Config {
            framework: None,
            // Also without a manifest: the vendor's own words for plain TypeScript.
            install: Some(tool.install().unwrap_or_else(|| "deno install".to_owned())),
            build: build_command(app),
            runtime: Some(Runtime::Dynamic {
                entrypoint: entry_point(app, tree)?,
            }),
        }),
        Framework::Node | Framework::Python => Err(ConfigError::Unsupported(app.framework)),
    }
}

/// Whether the files bring a configuration of their own, which the vendor lets win over ours.
pub(super) fn configures_itself(tree: &Tree) -> bool {
    ["deno.json", "deno.jsonc"].iter().any(|path| {
        // Comments and trailing commas are allowed there, so it is looked for rather than parsed.
        tree.get(path)
            .and_then(|file| file.content.read().ok())
            .is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains("\"deploy\""))
    })
}

fn build_command(app: &App) -> Option<String> {
    let command = app.build_command.as_deref()?.trim();
    (!command.is_empty()).then(|| command.to_owned())
}

fn folder(app: &App, default: &str) -> Runtime {
    let folder = app.output_directory.as_deref().map_or("", str::trim);
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    Runtime::Static {
        cwd: if folder.is_empty() { default } else { folder }.to_owned(),
        spa: app.spa_fallback,
    }
}

fn entry_point(app: &App, tree: &Tree) -> Result<String, ConfigError> {
    match app.entrypoint.as_deref().map(str::trim) {
        None | Some("") => ENTRY_POINTS
            .iter()
            .find(|path| tree.get(path).is_some())
            .map(|path| (*path).to_owned())
            .ok_or(ConfigError::NoEntryPoint),
        // A build may yet make it.
        Some(named) if build_command(app).is_some() => Ok(named.to_owned()),
        Some(named) => {
            let path = named.trim_start_matches("./");
            match tree.get(path) {
                Some(_) => Ok(path.to_owned()),
                None => Err(ConfigError::EntryPointMissing(named.to_owned())),
            }
        }
    }
}

/// What installs and builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Deno,
    Npm,
    Pnpm,
    Yarn,
    /// There is no manifest, so nothing to install.
    Nothing,
}

impl Tool {
    fn of(tree: &Tree) -> Self {
        let has = |path| tree.get(path).is_some();
        if has("deno.json") || has("deno.jsonc") {
            Self::Deno
        } else if !has("package.json") {
            Self::Nothing
        } else if has("pnpm-lock.yaml") {
            Self::Pnpm
        } else if has("yarn.lock") {
            Self::Yarn
        } else {
            Self::Npm
        }
    }

    fn install(self) -> Option<String> {
        let command = match self {
            Self::Deno => "deno install",
            Self::Npm => "npm install",
            Self::Pnpm => "pnpm install",
            Self::Yarn => "yarn install",
            Self::Nothing => return None,
        };
        Some(command.to_owned())
    }

    fn build(self) -> String {
        match self {
            Self::Deno | Self::Nothing => "deno task build",
            Self::Npm => "npm run build",
            Self::Pnpm => "pnpm run build",
            Self::Yarn => "yarn run build",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use foreshow_bundle::{Limits, tree_from_inline};
    use foreshow_contract::{Encoding, InlineFile};
    use serde_json::{Value, json};

    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let file = |path: &&str| InlineFile {
            path: (*path).into(),
            content: "{}".into(),
            encoding: Encoding::Utf8,
        };
        let files: Vec<_> = paths.iter().map(file).collect();
        tree_from_inline(&files, &Limits::default()).unwrap()
    }

    fn told(app: &App, paths: &[&str]) -> Result<Value, ConfigError> {
        config(app, &tree(paths)).map(|config| serde_json::to_value(config).unwrap())
    }

    fn app(framework: Framework) -> App {
        App {
            framework,
            ..App::default()
        }
    }

    #[test]
    fn static_files_are_served_as_they_are() {
        let mut app = app(Framework::Static);
        let bare = json!({ "runtime": { "type": "static", "cwd": ".", "spa": false } });
        assert_eq!(told(&app, &["index.html", "package.json"]), Ok(bare));
        app.spa_fallback = true;
        app.output_directory = Some("./public/".into());
        let folder = json!({ "runtime": { "type": "static", "cwd": "public", "spa": true } });
        assert_eq!(told(&app, &["public/index.html"]), Ok(folder));
    }

    #[test]
    fn static_files_are_built_where_a_command_says_how() {
        let mut app = app(Framework::Static);
        app.build_command = Some("make site".into());
        app.output_directory = Some("out".into());
        let runtime = json!({ "type": "static", "cwd": "out", "spa": false });
        let plain = json!({ "build": "make site", "runtime": runtime });
        assert_eq!(told(&app, &["Makefile"]), Ok(plain));
        let installed =
            json!({ "install": "npm install", "build": "make site", "runtime": runtime });
        assert_eq!(told(&app, &["Makefile", "package.json"]), Ok(installed));
    }

    #[test]
    fn the_files_choose_the_tool() {
        for (paths, install, build) in [
            (&["package.json"][..], "npm install", "npm run build"),
            (
                &["package.json", "pnpm-lock.yaml"],
                "pnpm install",
                "pnpm run build",
            ),
            (
                &["package.json", "yarn.lock"],
                "yarn install",
                "yarn run build",
            ),
            (
                &["package.json", "deno.json"],
                "deno install",
                "deno task build",
            ),
            (&["deno.jsonc"], "deno install", "deno task build"),
        ] {
            let vite = told(&app(Framework::Vite), paths).unwrap();
            assert_eq!(
                (&vite["install"], &vite["build"]),
                (&json!(install), &json!(build)),
                "{paths:?}"
            );
            assert_eq!(vite["runtime"]["cwd"], "dist");
        }
    }

    #[test]
    fn a_preset_has_no_runtime_of_its_own() {
        for (framework, name) in [
            (Framework::Next, "nextjs"),
            (Framework::Astro, "astro"),
            (Framework::SvelteKit, "sveltekit"),
            (Framework::Nuxt, "nuxt"),
            (Framework::Remix, "remix"),
            (Framework::Fresh, "fresh"),
        ] {
            let preset =
                json!({ "framework": name, "install": "npm install", "build": "npm run build" });
            assert_eq!(told(&app(framework), &["package.json"]), Ok(preset));
        }
    }

    #[test]
    fn a_server_starts_at_the_file_that_was_named_or_at_a_usual_one() {
        let mut app = app(Framework::Deno);
        let served = |entrypoint| {
            let runtime = json!({ "type": "dynamic", "entrypoint": entrypoint });
            Ok(json!({ "install": "deno install", "runtime": runtime }))
        };
        assert_eq!(told(&app, &["server.ts", "main.ts"]), served("main.ts"));
        assert_eq!(told(&app, &["a.ts"]), Err(ConfigError::NoEntryPoint));
        app.entrypoint = Some("./a.ts".into());
        assert_eq!(told(&app, &["a.ts"]), served("a.ts"));
        let missing = ConfigError::EntryPointMissing("./a.ts".into());
        assert_eq!(told(&app, &["b.ts"]), Err(missing));
        app.build_command = Some("deno task make".into());
        assert_eq!(
            told(&app, &["b.ts"]).unwrap()["runtime"]["entrypoint"],
            "./a.ts"
        );
    }

    #[test]
    fn what_is_said_to_be_hosted_is_what_has_a_configuration() {
        for framework in Framework::ALL {
            let hosted = told(&app(framework), &["main.ts", "package.json"]).is_ok();
            assert_eq!(hosted, FRAMEWORKS.contains(&framework), "{framework}");
        }
    }
}
