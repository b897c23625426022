//! How a deployment stands, in the engine's words.

use std::time::Duration;

use foreshow_contract::Timestamp;
use foreshow_engine::BuildState;
use serde_json::Value;

use super::{log, wire};

/// How long a ready deployment may be without its automatic aliases. They are not what we announce; but while they are
/// assigned some of Vercel's front doors do not know the deployment.
const ALIASES_WITHIN: Duration = Duration::from_secs(30);

/// A state that does not change any more.
pub(super) fn is_ended(state: &str) -> bool {
    matches!(state, "READY" | "CANCELED" | "BLOCKED" | "DELETED") || is_error(state)
}

/// A state that a build is known to leave.
pub(super) fn is_in_progress(state: &str) -> bool {
    matches!(
        state,
        "QUEUED" | "INITIALIZING" | "ANALYZING" | "BUILDING" | "DEPLOYING"
    )
}

fn is_error(state: &str) -> bool {
    state == "ERROR" || state.ends_with("_ERROR")
}

/// How a deployment stands. What Vercel may call it in a year counts as building: the engine's own deadline ends that.
pub(super) fn build_state(deployment: &wire::Deployment, now: Timestamp) -> BuildState {
    let is_deleted =
        deployment.deleted.is_some() || deployment.soft_deleted_by_retention == Some(true);
    match deployment.state() {
        _ if is_deleted => BuildState::Gone,
        "DELETED" => BuildState::Gone,
        "READY" if is_announced(deployment, now) => BuildState::Ready,
        state if is_error(state) || matches!(state, "CANCELED" | "BLOCKED") => BuildState::Failed {
            log_tail: vec![reason(deployment)],
        },
        _ => BuildState::Building,
    }
}

/// Why a build failed, in a line.
pub(super) fn reason(deployment: &wire::Deployment) -> String {
    let said = log::shown(deployment.error_message.as_deref().unwrap_or_default());
    match deployment.state() {
        // What we cancel we delete.
        "CANCELED" => {
            "the build was canceled at Vercel, by somebody else or by a rule of its project"
                .to_owned()
        }
        "BLOCKED" => {
            let block = deployment.seat_block.as_ref();
            let why = block.and_then(|block| block.block_code.as_deref());
            format!(
                "Vercel blocked the deployment ({}): an operator of this installation can mend it at Vercel",
                log::shown(why.unwrap_or("no reason given"))
            )
        }
        state => match &deployment.error_code {
            Some(code) => format!("{}: {said}", log::shown(code)),
            None if said.is_empty() => format!("the build ended as {}", log::shown(state)),
            None => said,
        },
    }
}

fn is_announced(deployment: &wire::Deployment, now: Timestamp) -> bool {
    // An instant says so too, and a list may not tell.
    let is_assigned = deployment.alias_assigned != Some(Value::Bool(false));
    let failed = matches!(&deployment.alias_error, Some(error) if !error.is_null());
    let waited = deployment.ready.is_some_and(|at_ms| {
        let since = Duration::try_from_secs_f64(at_ms / 1_000.0).unwrap_or_default();
        let at = Timestamp::from_micros(0).saturating_add(since);
        now.saturating_since(at) >= ALIASES_WITHIN
    });
    is_assigned || failed || waited
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state_of(json: Value) -> BuildState {
        let now = Timestamp::from_micros(1_000_000_000_000);
        build_state(&serde_json::from_value(json).unwrap(), now)
    }

    fn failed(line: &str) -> BuildState {
        BuildState::Failed {
            log_tail: vec![line.to_owned()],
        }
    }

    #[test]
    fn every_state_has_its_meaning_and_an_unknown_one_is_in_progress() {
        for word in [
            "QUEUED",
            "INITIALIZING",
            "ANALYZING",
            "BUILDING",
            "DEPLOYING",
            "PONDERING",
        ] {
            assert_eq!(state_of(json!({"readyState": word})), BuildState::Building);
            assert!(!is_ended(word));
            assert_eq!(is_in_progress(word), word != "PONDERING");
        }
        assert_eq!(state_of(json!({})), BuildState::Building);
        assert_eq!(state_of(json!({"state": "DELETED"})), BuildState::Gone);
        let kept_in_list = json!({"state": "READY", "softDeletedByRetention": true});
        assert_eq!(state_of(kept_in_list), BuildState::Gone);
        let error =
            json!({"readyState": "ERROR", "errorCode": "BUILD_FAILED", "errorMessage": "exit 1"});
        assert_eq!(state_of(error), failed("BUILD_FAILED: exit 1"));
        assert_eq!(
            state_of(json!({"readyState": "LAMBDA_ERROR"})),
            failed("the build ended as LAMBDA_ERROR")
        );
        let blocked =
            json!({"readyState": "BLOCKED", "seatBlock": {"blockCode": "TEAM_ACCESS_REQUIRED"}});
        let BuildState::Failed { log_tail } = state_of(blocked) else {
            panic!()
        };
        assert!(log_tail[0].contains("TEAM_ACCESS_REQUIRED"));
        assert!(matches!(
            state_of(json!({"readyState": "CANCELED"})),
            BuildState::Failed { .. }
        ));
        for word in [
            "READY", "ERROR", "X_ERROR", "CANCELED", "BLOCKED", "DELETED",
        ] {
            assert!(is_ended(word));
        }
    }

    #[test]
    fn ready_counts_when_its_aliases_are_assigned_or_will_not_be() {
        let ready = |more: Value| {
            let mut json = json!({"readyState": "READY", "ready": 999_990_000.0});
            json.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            state_of(json)
        };
        for settled in [
            json!({}),
            json!({"aliasAssigned": true}),
            json!({"aliasAssigned": 999_995_000}),
            json!({"aliasAssigned": false, "aliasError": {"code": "x"}}),
            json!({"aliasAssigned": false, "ready": 999_960_000.0}),
        ] {
            assert_eq!(ready(settled.clone()), BuildState::Ready, "{settled}");
        }
        let not_yet = json!({"aliasAssigned": false, "aliasError": null});
        assert_eq!(ready(not_yet), BuildState::Building);
    }
}
