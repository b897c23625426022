//! The contract of the port [`Provider`], as claims that every adapter meets.
//!
//! A claim knows the port alone, and says no more than the port promises. What it needs beside that, to play the provider's part
//! (builds that never end, a deployment that retention takes away, a visitor), a world brings that implements [`Adapter`]; for a
//! provider across a network [`Hosted`] as well: such a one has an account that others use too, an edge that lags behind, and
//! an environment to keep to itself.
//!
//! What must happen is waited for with a generous deadline. Nothing is proven by waiting for what must not happen: each claim
//! asks for something that had to happen first.
//!
//! ```ignore
//! foreshow_conformance::provider_contract!(local: Local::new().await);
//! foreshow_conformance::hosted_provider_contract!(deno: Deno::new().await);
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a claim that does not hold ends its test"
)]

mod aliases;
mod building;
mod edge;
mod fixtures;
mod installations;
mod listing;
mod removing;
mod secrets;
mod serving;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, InstallationKey};
use foreshow_engine::Provider;

pub use aliases::*;
pub use building::*;
pub use edge::*;
pub use fixtures::*;
pub use installations::*;
pub use listing::*;
pub use removing::*;
pub use secrets::*;
pub use serving::*;

/// A provider under test that has nothing yet, and the world around it.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// The provider, of the installation whose key is [`installation`]. Every call answers one to the same world; what is created
    /// by it is built as was [set](Self::set_build) before the call.
    fn provider(&self) -> Arc<dyn Provider>;

    /// The same as another process has it, which remembers nothing.
    fn another(&self) -> Arc<dyn Provider>;

    /// Builds that are created from now on go like this.
    fn set_build(&self, build: Build);

    /// A word in the last lines of the log of builds that [fail](Build::Fails).
    fn failure_word(&self) -> &str;

    /// Takes a deployment away as the provider's own retention does: nobody here was asked.
    async fn vanish(&self, id: &DeploymentId);

    /// Asks a URL, as a visitor does: the status, and the body.
    async fn visit(&self, url: &str) -> (u16, Vec<u8>);

    /// How many files were sent for themselves so far, as the provider counts them; `None` where it takes all files at once,
    /// and reuses nothing.
    fn uploads(&self) -> Option<usize>;

    /// Deployments that need a second page of the inventory.
    fn beyond_a_page(&self) -> usize;
}

/// The world of a provider across a network.
#[async_trait]
pub trait Hosted: Adapter {
    /// A provider on the same account, of another installation.
    fn of_installation(&self, installation: InstallationKey) -> Arc<dyn Provider>;

    /// A provider on the same account whose token is this one, which is wrong.
    fn with_token(&self, token: &str) -> Arc<dyn Provider>;

    /// The right token.
    fn token(&self) -> &str;

    /// What sites answer though their builds are ready: as long as it is set.
    fn set_edge(&self, edge: Option<Edge>);

    /// The environment that the provider was told for a deployment of this context.
    fn environment(&self, key: &ContextKey) -> BTreeMap<String, String>;

    /// Every create is refused from now on, as one that the tenant can mend, with this message.
    fn refuse_creates(&self, message: &str);
}

/// How builds go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// They are ready soon.
    Quick,
    /// They never end by themselves.
    Never,
    /// They fail soon. Those of the context [`key`]`("ctx")` at least.
    Fails,
}

/// What an edge answers that has not heard of a deployment yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The provider's page for what is not there.
    NotFound,
    /// The provider's page for what does not answer.
    BadGateway,
    /// What was deployed before in the same place.
    Previous,
}

/// Makes a module with one test per claim that every provider keeps. The expression makes an [`Adapter`], and may await.
#[macro_export]
macro_rules! provider_contract {
    ($name:ident: $adapter:expr) => {
        $crate::provider_contract! { @claims $name: $adapter;
            what_was_created_is_listed_at_once
            contexts_and_tenants_are_apart
            names_of_any_kind_are_read_back
            the_inventory_has_every_deployment
            a_context_with_many_deployments_has_each_listed_once
            what_another_process_created_is_known
            equal_files_are_sent_once_where_the_provider_keeps_them
            a_build_runs_until_it_is_ready
            a_failed_build_tells_the_end_of_its_log
            a_cancelled_build_leaves_nothing
            a_cancel_that_comes_too_late_leaves_nothing_either
            a_cancel_leaves_other_revisions_alone
            what_vanished_is_gone
            an_address_leads_to_the_files
            a_probe_knows_its_revision
            a_build_is_not_reached
            what_is_deleted_is_not_reached
            an_alias_that_was_never_moved_shows_nothing
            an_alias_shows_what_it_was_moved_to_last
            an_alias_is_not_moved_to_what_is_gone
            an_alias_goes_with_its_deployment
            deleting_twice_is_as_good_as_once
            deleting_one_revision_leaves_the_other
            whatever_state_it_is_in_it_can_be_deleted
            every_process_has_the_same_account
        }
    };
    (@claims $name:ident: $adapter:expr; $($claim:ident)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need what is around it")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $claim() {
                    let adapter = $adapter;
                    $crate::provider::$claim(&adapter).await;
                }
            )*
        }
    };
}

/// Makes a module with one test per claim that providers across a network keep beside the others. The expression makes a
/// [`Hosted`], and may await.
#[macro_export]
macro_rules! hosted_provider_contract {
    ($name:ident: $adapter:expr) => {
        $crate::provider_contract! { @claims $name: $adapter;
            installations_on_one_account_are_apart
            the_edges_own_pages_are_not_the_revision
            what_the_edge_still_has_is_not_the_revision
            the_environment_arrives_and_is_told_nowhere
            a_refusal_does_not_repeat_secrets
            a_wrong_token_is_told_without_telling_it
            checking_finds_the_right_token_well_and_changes_nothing
        }
    };
}
