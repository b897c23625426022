//! How Vercel builds what a context is made with.
//!
//! "Static" means that files are served as they are: with an empty build command and an empty output directory Vercel runs
//! no script, not even one in a `package.json`, and serves the root, not a `public` folder in it (`detect-builders.ts` of
//! `@vercel/fs-detectors`, 2025). A folder `api` with code in it still becomes functions.

use std::borrow::Cow;

use foreshow_bundle::Tree;
use foreshow_contract::{App, Framework};

use super::wire::ProjectSettings;

/// What Vercel hosts of what a context may be made with.
pub(super) const HOSTED: [Framework; 7] = [
    Framework::Static,
    Framework::Vite,
    Framework::Next,
    Framework::Astro,
    Framework::SvelteKit,
    Framework::Nuxt,
    Framework::Remix,
];

/// Vercel's own configuration file.
pub(super) const CONFIG: &str = "vercel.json";

/// A file that exists is served before a rewrite is looked at.
const SPA: &str = r#"{"rewrites":[{"source":"/(.*)","destination":"/index.html"}]}"#;

/// Vercel's word for a framework; `None` for files that are served as they are, and for what it can't host.
const fn word(framework: Framework) -> Option<&'static str> {
    match framework {
        Framework::Vite => Some("vite"),
        Framework::Next => Some("nextjs"),
        Framework::Astro => Some("astro"),
        Framework::SvelteKit => Some("sveltekit"),
        Framework::Nuxt => Some("nuxtjs"),
        Framework::Remix => Some("remix"),
        Framework::Static
        | Framework::Fresh
        | Framework::Node
        | Framework::Deno
        | Framework::Python => None,
    }
}

/// How an app is built.
pub(super) fn settings(app: &App) -> ProjectSettings<'_> {
    let is_served_as_it_is = app.framework == Framework::Static && app.build_command.is_none();
    let nothing = is_served_as_it_is.then_some("");
    ProjectSettings {
        framework: word(app.framework),
        build_command: app.build_command.as_deref().or(nothing),
        install_command: nothing,
        output_directory: app.output_directory.as_deref().or(nothing),
    }
}

/// The configuration that makes an unknown path show the app, unless the app has a configuration of its own.
pub(super) fn config(app: &App, tree: &Tree) -> Option<Cow<'static, str>> {
    (app.spa_fallback && tree.get(CONFIG).is_none()).then_some(Cow::Borrowed(SPA))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framework_that_is_hosted_has_its_word_and_no_other() {
        for framework in Framework::ALL {
            let is_hosted = HOSTED.contains(&framework) && framework != Framework::Static;
            assert_eq!(word(framework).is_some(), is_hosted, "{framework}");
        }
    }

    #[test]
    fn files_are_served_as_they_are_unless_a_command_is_given() {
        let mut app = App::default();
        let nothing = ProjectSettings {
            framework: None,
            build_command: Some(""),
            install_command: Some(""),
            output_directory: Some(""),
        };
        assert_eq!(settings(&app), nothing);
        app.build_command = Some("make".into());
        app.output_directory = Some("out".into());
        let made = ProjectSettings {
            framework: None,
            build_command: Some("make"),
            install_command: None,
            output_directory: Some("out"),
        };
        assert_eq!(settings(&app), made);
        let next = App {
            framework: Framework::Next,
            ..App::default()
        };
        let detected = ProjectSettings {
            framework: Some("nextjs"),
            ..ProjectSettings::default()
        };
        assert_eq!(settings(&next), detected);
    }
}
