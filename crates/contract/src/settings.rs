//! What an update asks for beside its files: how to build, where to deploy, how long to keep.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ProviderName;

/// A value that must not be seen: `Debug` and `Display` print `[redacted]`.
///
/// It serialises as the plain text, for it has to travel in queued payloads.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(description = "A text that is never shown, logged or reported.")]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call is a place to look at when hunting a leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Serde's own message would quote a value of the wrong type.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a secret must be a string"))
    }
}

/// How the app is built and started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// What it is made with.
    pub framework: Framework,
    /// The file that starts it, for frameworks that run code.
    pub entrypoint: Option<String>,
    /// The command that builds it, in place of the framework's own.
    pub build_command: Option<String>,
    /// The folder that the build leaves the site in, in place of the framework's own.
    pub output_directory: Option<String>,
    /// Whether an unknown path is answered with `/index.html`, for apps that route in the browser.
    pub spa_fallback: bool,
}

/// What an app is made with. Decides which providers can host it, and how it is built.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    PartialOrd,
    Ord,
)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// Files that are served as they are.
    #[default]
    Static,
    /// Vite.
    Vite,
    /// Next.js.
    Next,
    /// Astro.
    Astro,
    /// SvelteKit.
    SvelteKit,
    /// Nuxt.
    Nuxt,
    /// Remix.
    Remix,
    /// Fresh, on Deno.
    Fresh,
    /// A Node.js server.
    Node,
    /// A Deno server.
    Deno,
    /// A Python server.
    Python,
}

impl Framework {
    /// Every framework, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Static,
        Self::Vite,
        Self::Next,
        Self::Astro,
        Self::SvelteKit,
        Self::Nuxt,
        Self::Remix,
        Self::Fresh,
        Self::Node,
        Self::Deno,
        Self::Python,
    ];

    /// The word in events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Vite => "vite",
            Self::Next => "next",
            Self::Astro => "astro",
            Self::SvelteKit => "svelte-kit",
            Self::Nuxt => "nuxt",
            Self::Remix => "remix",
            Self::Fresh => "fresh",
            Self::Node => "node",
            Self::Deno => "deno",
            Self::Python => "python",
        }
    }

    /// The framework that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|framework| framework.word() == word)
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a revision may be deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// The providers to consider, the favourite first. Empty: whatever the installation has.
    pub providers: Vec<ProviderName>,
    /// How to choose among them; `None` leaves it to the installation.
    pub strategy: Option<Strategy>,
}

/// How to choose among the providers that could host an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// In the order given.
    Preferred,
    /// The lowest estimated cost first.
    Cheapest,
    /// The one that was ready soonest of late first.
    Fastest,
    /// At random, by the installation's weights.
    Weighted,
}

impl Strategy {
    /// The word in events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
            Self::Weighted => "weighted",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How long a preview is kept. What is `None` the installation decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long after its last event, in whole seconds, at least one.
    pub ttl: Option<Duration>,
    /// How many revisions stay deployed, the live one included.
    pub keep_revisions: Option<NonZeroU32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
        let error = serde_json::from_str::<Secret>("12345678").unwrap_err();
        assert!(!error.to_string().contains("12345678"), "{error}");
    }

    #[test]
    fn words_and_serde_agree() {
        for framework in Framework::ALL {
            assert_eq!(serde_json::to_value(framework).unwrap(), framework.word());
            assert_eq!(Framework::from_word(framework.word()), Some(framework));
        }
        for strategy in [
            Strategy::Preferred,
            Strategy::Cheapest,
            Strategy::Fastest,
            Strategy::Weighted,
        ] {
            assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.word());
        }
    }
}
