//! Vercel.
//!
//! What it knows: files by digest, deployments, projects, environment, aliases, domains, protection, webhooks, the user and the
//! teams. What it does not: git, checks, functions (a site without files of its own shows a page with the deployment's id), builds
//! that change anything, archives of files.
//!
//! - Builds advance by the time that passed when somebody looks; see [`VercelKnobs`].
//! - A preview of a new project is behind Vercel's login, as it is in life: set the project's `ssoProtection` to `null`, or pass
//!   the project's bypass secret.
//! - Hosts end in `.localhost:<port>`. Aliases below `.vercel.app` or a verified domain are taken too; a client reaches them by
//!   connecting to the simulator and naming them in `Host`.
//! - A domain is verified once `POST /_simulator/verify-domain/{domain}` said that its record is there and the API was asked to
//!   `verify`.

mod accounts;
mod aliases;
mod builds;
mod create;
mod deliver;
mod deployment;
mod deployments;
mod domains;
mod env;
mod events;
mod files;
mod hosts;
mod ids;
mod knobs;
mod operations;
mod options;
mod project;
mod projects;
mod protection;
mod refused;
mod scene;
mod sources;
mod state;
mod tree;
mod visits;
mod webhooks;
mod world;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use axum::{body::Body, response::Response};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

pub use knobs::{EventShape, StrangerAnswer, VercelKnobs};
pub use operations::VercelOperation;
pub use options::{Account, VercelOptions};

use crate::core::{self, ApiCall, Dial, Ground, Matched, Product, Refusal, site::Visit};
use refused::Refused;
use scene::Scene;
use world::World;

/// Vercel.
#[derive(Debug)]
pub struct Vercel {
    watched: Watched,
    options: VercelOptions,
    ground: Ground,
    is_watching: AtomicBool,
}

/// What changes, for whoever looks.
#[derive(Clone, Debug)]
struct Watched {
    world: Arc<Mutex<World>>,
    knobs: Dial<VercelKnobs>,
}

impl Watched {
    /// The world as it is at this instant.
    fn world_now(&self) -> MutexGuard<'_, World> {
        let knobs = self.knobs.get();
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = world.clock().now_ms();
        world.advance(now_ms, &knobs);
        world
    }
}

impl Vercel {
    fn world_now(&self) -> MutexGuard<'_, World> {
        self.watched.world_now()
    }

    fn answer_now(self: &Arc<Self>, call: &ApiCall<VercelOperation>) -> Result<Response, Refused> {
        if !call.is_authorized {
            return Err(accounts::refusal(&call.headers));
        }
        let owner = accounts::owner(&self.options, &call.query)?;
        let knobs = self.watched.knobs.get();
        let mut world = self.world_now();
        let now_ms = world.clock().now_ms();
        let mut scene = Scene {
            world: &mut world,
            call,
            knobs: &knobs,
            dial: &self.watched.knobs,
            owner,
            now_ms,
        };
        let answer = self.act(&mut scene)?;
        if call.operation == VercelOperation::CreateWebhook
            && !self.is_watching.swap(true, Ordering::AcqRel)
        {
            self.ground.spawn(deliver::watch(self.watched.clone()));
        }
        Ok(answer)
    }

    fn act(self: &Arc<Self>, scene: &mut Scene<'_>) -> Result<Response, Refused> {
        use VercelOperation as Op;
        let answer = match scene.call.operation {
            Op::UploadFile => files::upload(scene),
            Op::CreateDeployment => create::create(scene),
            Op::GetDeployment => deployments::get(scene),
            Op::ListDeployments => deployments::list(scene),
            Op::CancelDeployment => deployments::cancel(scene),
            Op::DeleteDeployment => deployments::delete(scene),
            Op::ListEvents => return events::answer(self, scene),
            Op::ListBuilds => deployments::list_builds(scene),
            Op::ListRuntimeLogs => {
                // No code runs, so none writes.
                scene.deployment()?;
                return Ok(events::lines_of(Body::empty()));
            }
            Op::ListDeploymentFiles => deployments::list_files(scene),
            Op::GetDeploymentFile => deployments::get_file(scene),
            Op::CreateProject => projects::create(scene),
            Op::ListProjects => Ok(projects::list(scene)),
            Op::GetProject => projects::get(scene),
            Op::UpdateProject => projects::update(scene),
            Op::DeleteProject => projects::delete(scene),
            Op::ListEnv => env::list(scene),
            Op::CreateEnv => env::create(scene),
            Op::GetEnv => env::get(scene),
            Op::UpdateEnv => env::update(scene),
            Op::DeleteEnv => env::delete(scene),
            Op::DeleteEnvs => env::delete_many(scene),
            Op::ListCustomEnvironments => projects::custom_environments(scene),
            Op::AssignAlias => aliases::assign(scene),
            Op::ListDeploymentAliases => aliases::list_of_deployment(scene),
            Op::ListAliases => Ok(aliases::list(scene)),
            Op::GetAlias => aliases::get(scene),
            Op::DeleteAlias => aliases::delete(scene),
            Op::AddDomain => domains::add(scene),
            Op::ListDomains => domains::list(scene),
            Op::GetDomain => domains::get(scene),
            Op::UpdateDomain => domains::update(scene),
            Op::RemoveDomain => domains::remove(scene),
            Op::VerifyDomain => domains::verify(scene),
            Op::GetDomainConfig => Ok(domains::config(scene)),
            Op::UpdateProtectionBypass => protection::update_bypass(scene),
            Op::UpdateShareLink => protection::update_share(scene),
            Op::CreateWebhook => webhooks::create(scene),
            Op::ListWebhooks => Ok(webhooks::list(scene)),
            Op::GetWebhook => webhooks::get(scene),
            Op::DeleteWebhook => webhooks::delete(scene),
            Op::GetUser => Ok(accounts::user(scene)),
            Op::ListTeams => Ok(accounts::teams(scene)),
            Op::GetTeam => accounts::team(scene),
        }?;
        let status = match scene.call.operation {
            Op::DeleteProject | Op::DeleteWebhook => return Ok(core::no_content()),
            Op::CreateEnv => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        Ok(core::json(status, &answer))
    }
}

impl Product for Vercel {
    const NAME: &'static str = "vercel";
    type Options = VercelOptions;
    type Operation = VercelOperation;
    type Knobs = VercelKnobs;

    fn open(options: VercelOptions, ground: Ground) -> Self {
        Self {
            watched: Watched {
                world: Arc::new(Mutex::new(World::new(options.clone(), ground.clone()))),
                knobs: Dial::new(VercelKnobs::default()),
            },
            options,
            ground,
            is_watching: AtomicBool::new(false),
        }
    }

    fn knobs(&self) -> &Dial<VercelKnobs> {
        &self.watched.knobs
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        accounts::is_authorized(&self.options, headers)
    }

    fn route(&self, method: &Method, path: &str) -> Option<Matched<VercelOperation>> {
        operations::route(method, path)
    }

    async fn answer(self: Arc<Self>, call: ApiCall<VercelOperation>) -> Response {
        let mut response = self
            .answer_now(&call)
            .unwrap_or_else(Refused::into_response);
        let id = visits::id(self.ground.clock().now_ms());
        response.headers_mut().insert(visits::ID, id);
        response
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        refused::refuse(refusal, self.ground.clock().now_ms())
    }

    fn serves_host(&self, host: &str) -> bool {
        self.world_now().aliases.contains_key(host)
    }

    fn visit(&self, visit: Visit) -> Response {
        let knobs = self.watched.knobs.get();
        visits::answer(&self.world_now(), &knobs, &visit)
    }

    fn state(&self) -> Value {
        self.world_now().to_json()
    }

    fn vanish(&self, id: &str) -> bool {
        self.world_now().vanish(id)
    }

    fn verify_domain(&self, domain: &str) -> bool {
        let mut world = self.world_now();
        let name = hosts::key(domain);
        let mut known = world
            .projects
            .values_mut()
            .filter_map(|project| project.domains.get_mut(&name));
        known
            .next()
            .map(|domain| domain.has_records = true)
            .is_some()
    }
}
