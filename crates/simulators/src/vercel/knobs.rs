//! What can be turned on the Vercel simulator.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::core::BuildKnobs;

/// What can be turned on the Vercel simulator. Numbers without a source in Vercel's own pages are knobs for that reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VercelKnobs {
    /// How builds go. As [`BuildOutcome::State`](crate::core::BuildOutcome::State) understands `BLOCKED` and `CANCELED`, every
    /// word that ends in `_ERROR`, and any other.
    pub builds: BuildKnobs,
    /// How long after `READY` aliases are assigned.
    pub alias_ms: u64,
    /// How many builds of an account run at once; the others are `QUEUED`.
    pub concurrent_builds: NonZeroUsize,
    /// The most files of a deployment.
    pub max_files: usize,
    /// The most bytes of all files of a deployment.
    pub max_source_bytes: u64,
    /// The longest JSON body.
    pub max_body_bytes: usize,
    /// How many files an account may upload in a day, known content included.
    pub uploads_per_day: Option<u64>,
    /// How many deployments an account may create in a day.
    pub deployments_per_day: Option<u64>,
    /// How long such a day is: 24 h, rolling.
    pub day_ms: u64,
    /// The most items of a page.
    pub page_limit: usize,
    /// Whether the first deployment of a project must tell its settings.
    pub requires_project_settings: bool,
    /// Whether lists understand `meta-<key>=<value>`, which Vercel's own tool uses and the reference does not mention.
    pub filters_by_meta: bool,
    /// How build events look.
    pub events: EventShape,
    /// Who is kept out of the previews of new projects: `preview`, another of Vercel's words, or `null` for nobody.
    pub protection_of_new_projects: Option<String>,
    /// What a stranger at a protected preview gets.
    pub stranger: StrangerAnswer,
    /// How often each webhook is delivered: Vercel promises nothing about once.
    pub webhook_copies: u32,
}

/// How build events look: both shapes are seen in the wild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventShape {
    /// Nested for versions 1 and 2 of the endpoint, flat from 3 on.
    ByVersion,
    /// With a `payload`.
    Nested,
    /// Without.
    Flat,
    /// One like this and the next like that.
    Mixed,
}

/// What a stranger at a protected preview gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrangerAnswer {
    /// 401 with a page that leads to the login.
    Unauthorized,
    /// 302 to the login.
    Redirect,
}

impl Default for VercelKnobs {
    fn default() -> Self {
        Self {
            builds: BuildKnobs::default(),
            alias_ms: 0,
            concurrent_builds: NonZeroUsize::new(500).unwrap_or(NonZeroUsize::MIN),
            max_files: 15_000,
            max_source_bytes: 1 << 30,
            max_body_bytes: 10 << 20,
            uploads_per_day: None,
            deployments_per_day: None,
            day_ms: 24 * 60 * 60 * 1000,
            page_limit: 100,
            requires_project_settings: true,
            filters_by_meta: true,
            events: EventShape::ByVersion,
            protection_of_new_projects: Some("preview".to_owned()),
            stranger: StrangerAnswer::Unauthorized,
            webhook_copies: 1,
        }
    }
}
