//! `POST apps/{app}/deploy`: from one JSON document to a revision that is queued.

use http::StatusCode;
use serde_json::Value;

use super::assets::Assets;
use super::build::{Build, Commands, Ending};
use super::config::{Config, Runtime};
use super::error::ApiError;
use super::fields::Fields;
use super::hosts::{Lane, preview_template, production_template};
use super::labels::Labels;
use super::organization::Organization;
use super::revision::{Retention, Revision};
use super::routing::{bind, check_host};
use super::{Asked, Reply, env, ids, layers};
use crate::core::BuildOutcome;
use crate::core::site::Files;

const HOUR_MS: u64 = 3_600_000;
/// A deployment's files together.
const MAX_FILES_BYTES: u64 = 1_000_000_000;

pub(crate) fn deploy(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let size_bytes = asked.body.len() as u64;
    if size_bytes > asked.knobs.max_deploy_bytes {
        return Err(ApiError::too_large(asked.knobs.max_deploy_bytes));
    }
    let body = asked.fields()?;
    let app = org.app(asked.param("app"))?;
    let app_id = app.id.clone();
    let config = Config::read(&body)?.or_else(|| app.config.clone());
    let layers = layers::read(org, &body)?.unwrap_or_else(|| app.layers.clone());
    let assets = Assets::read(&body)?;
    if assets.size_bytes() > MAX_FILES_BYTES {
        return Err(ApiError::too_large(MAX_FILES_BYTES));
    }
    let mut revision = Revision {
        number: 0,
        id: ids::revision(),
        app: app_id,
        labels: Labels::read(&body)?.unwrap_or_default(),
        layers,
        env: env::of_revision(&body)?,
        retention: asked.retention(&body)?.unwrap_or(Retention::Auto),
        files: served(&assets, config.as_ref()),
        config,
        assets,
        build: Build::new(asked.now, Ending::Succeeds),
        routing_ms: asked.knobs.routing_ms,
        bindings: Vec::new(),
    };
    let wanted = targets(org, &revision, &body)?;
    refuse_too_many(org, asked)?;

    // Nothing refuses any more: the build takes its fate.
    revision.number = org.next_number();
    revision.build = plan(&revision, asked);
    let id = revision.id.clone();
    org.revisions.push(revision);
    org.deployed_at.push(asked.now);
    bind(org, &id, wanted, asked.now)?;
    org.begin_builds(&asked.knobs, asked.now);
    let told = org.revision(&id)?.to_json(org, asked.now);
    Ok(Reply::Json(StatusCode::ACCEPTED, told))
}

/// The hosts that a deploy asks for, by lane.
fn targets(
    org: &Organization,
    revision: &Revision,
    body: &Fields<'_>,
) -> Result<Vec<(Lane, String)>, ApiError> {
    let mut wanted = Vec::new();
    for lane in Lane::ALL {
        let own = match lane {
            Lane::Production => production_template(&org.zone),
            Lane::Preview => preview_template(&org.zone),
        };
        let templates = match body.get(lane.slug()) {
            None if lane == Lane::Production => vec![own],
            Some(Value::Bool(true)) => vec![own],
            None | Some(Value::Bool(false)) => Vec::new(),
            Some(Value::Object(_)) => {
                let target = body.object(lane.slug())?;
                let domains = target.as_ref().map(|target| {
                    for database in target.objects("databases")?.unwrap_or_default() {
                        database.required_text("instance")?;
                        database.required_text("name")?;
                    }
                    target.texts("domains")
                });
                domains.transpose()?.flatten().unwrap_or_else(|| vec![own])
            }
            Some(_) => return Err(body.invalid(lane.slug())),
        };
        for template in templates {
            check_host(org, revision, &template)?;
            wanted.push((lane, template));
        }
    }
    Ok(wanted)
}

fn refuse_too_many(org: &Organization, asked: &Asked<'_>) -> Result<(), ApiError> {
    let Some(limit) = asked.knobs.deployments_per_hour else {
        return Ok(());
    };
    let begin = asked.now.saturating_sub(HOUR_MS);
    let recent = org.deployed_at.iter().filter(|at| **at > begin).count();
    if recent < usize::try_from(limit).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMITED",
        format!("An organization may deploy {limit} times in an hour"),
    ))
}

/// What the build will do, by the knobs as they are now.
fn plan(revision: &Revision, asked: &Asked<'_>) -> Build {
    let knobs = &asked.knobs;
    let outcome = asked.dial.turn(|knobs| knobs.builds.take_outcome());
    let config = revision.config.as_ref();
    let mut ending = ending(outcome, revision);
    let mut length_ms = knobs.builds.build_ms;
    if length_ms > knobs.build_limit_ms && ending != Ending::Never {
        (ending, length_ms) = (Ending::TimesOut, knobs.build_limit_ms);
    }
    Build {
        queue_ms: knobs.builds.queue_ms,
        length_ms,
        cancel_ms: knobs.cancel_ms,
        commands: Commands {
            install: config.and_then(|config| config.install.clone()),
            build: config.and_then(|config| config.build.clone()),
        },
        ..Build::new(asked.now, ending)
    }
}

fn ending(outcome: BuildOutcome, revision: &Revision) -> Ending {
    match outcome {
        BuildOutcome::Ready => {
            missing_entrypoint(revision).map_or(Ending::Succeeds, |entrypoint| {
                Ending::WarmupFails {
                    code: "boot_failed",
                    message: format!("Module not found \"file:///app/src/{entrypoint}\""),
                }
            })
        }
        BuildOutcome::Failed { log } => Ending::Fails { log },
        BuildOutcome::Never => Ending::Never,
        BuildOutcome::State { state } => match state.as_str() {
            "boot_failed" => Ending::WarmupFails {
                code: "boot_failed",
                message: "The app did not start listening before the deadline".to_owned(),
            },
            "boot_internal" => Ending::WarmupFails {
                code: "internal",
                message: "An internal error occurred while the app was started".to_owned(),
            },
            "timed_out" => Ending::TimesOut,
            "skipped" => Ending::Skipped,
            "cancelled" => Ending::Cancelled,
            _ => Ending::Unheard(state),
        },
    }
}

/// The entrypoint that the files lack and that no build could bring.
fn missing_entrypoint(revision: &Revision) -> Option<&str> {
    let config = revision.config.as_ref()?;
    match &config.runtime {
        Some(Runtime::Dynamic {
            entrypoint: Some(entrypoint),
        }) if config.build.is_none()
            && revision
                .assets
                .file(entrypoint.trim_start_matches("./"))
                .is_none() =>
        {
            Some(entrypoint)
        }
        _ => None,
    }
}

/// The files that a revision serves.
///
/// With a static runtime those in its folder; where that folder is empty because a build would fill it, all of them. A program
/// cannot be run here, so of a dynamic app all files but its entrypoint are served as they are.
fn served(assets: &Assets, config: Option<&Config>) -> Files {
    let all = || -> Files {
        assets
            .paths()
            .filter_map(|path| Some((path.to_owned(), assets.file(path)?.clone())))
            .collect()
    };
    match config.and_then(|config| config.runtime.as_ref()) {
        Some(Runtime::Static { cwd, .. }) => {
            let folder = cwd.trim_start_matches("./").trim_matches('/');
            if matches!(folder, "" | ".") {
                return all();
            }
            let inside: Files = all()
                .into_iter()
                .filter_map(|(path, content)| {
                    let path = path.strip_prefix(folder)?.strip_prefix('/')?;
                    Some((path.to_owned(), content))
                })
                .collect();
            let is_built = config.is_some_and(|config| config.build.is_some());
            if inside.is_empty() && is_built {
                all()
            } else {
                inside
            }
        }
        Some(Runtime::Dynamic { entrypoint }) => {
            let mut files = all();
            if let Some(entrypoint) = entrypoint {
                files.remove(entrypoint.trim_start_matches("./"));
            }
            files
        }
        None => all(),
    }
}
