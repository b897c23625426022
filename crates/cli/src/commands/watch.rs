use clap::Args;
use foreshow_contract::{
    Building, BuildingState, ContextId, OrdinalKind, ResultBody, ResultEvent, TenantId, Timestamp,
};
use foreshow_engine::ResultFilter;

use crate::args::Global;
use crate::ending;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::interrupt::Interrupts;
use crate::terminal::{Reader, answer, duration, one_line, tell, time_of_day};
use crate::wiring::Client;

/// Show results as they come, until Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,

    /// Only of this context
    #[arg(long, value_name = "ID")]
    context: Option<ContextId>,
}

impl Watch {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let client = Client::open(global).await?;
        let mut interrupts = Interrupts::listen()?;
        let filter = ResultFilter {
            tenant: self.tenant,
            context: self.context,
            outcome: None,
        };
        let mut results = client
            .backends
            .broker
            .subscribe(filter)
            .await
            .or_fail(Exit::Environment)?;
        if !global.quiet && !global.json {
            tell("Waiting for results; Ctrl-C ends it.");
        }
        loop {
            let result = tokio::select! {
                result = ending::next(&mut *results) => result?,
                () = interrupts.next() => return Ok(Exit::Done),
            };
            let line = if global.json {
                String::from_utf8_lossy(&result.to_json()).into_owned()
            } else {
                line(&result)
            };
            if answer(&line)? == Reader::Left {
                return Ok(Exit::Done);
            }
        }
    }
}

/// A result in one line.
fn line(result: &ResultEvent) -> String {
    let context = result
        .key()
        .map_or_else(|| "?".to_owned(), |key| key.to_string());
    let revision = result
        .revision()
        .map_or_else(String::new, |revision| format!(" {revision}"));
    let (time, outcome) = (time_of_day(result.time), result.outcome().short());
    format!(
        "{time} {outcome:<10} {context}{revision}  {}",
        details(result)
    )
    .trim_end()
    .to_owned()
}

fn details(result: &ResultEvent) -> String {
    match &result.body {
        ResultBody::Ready(ready) => {
            let total = duration(std::time::Duration::from_millis(ready.timings.total_ms));
            let unchanged = if ready.unchanged { ", unchanged" } else { "" };
            let expires = ready.expires_at.map_or_else(String::new, |at| {
                format!(
                    ", kept for {}",
                    duration(at.saturating_since(Timestamp::now()))
                )
            });
            format!("{} ({total}{unchanged}{expires})", ready.url)
        }
        ResultBody::Failed(failed) => {
            format!("{}: {}", failed.error.code, one_line(&failed.error.message))
        }
        ResultBody::Superseded(superseded) => match superseded.winner.kind {
            OrdinalKind::Update => format!("by revision {}", superseded.winner.revision),
            OrdinalKind::End => format!("by the end at revision {}", superseded.winner.revision),
        },
        ResultBody::Removed(removed) => removed.reason.word().to_owned(),
        ResultBody::Building(building) => progress(building),
        ResultBody::Rejected(rejected) => {
            format!("{}: {}", rejected.code, one_line(&rejected.message))
        }
    }
}

/// Where a job stands, and with whom.
fn progress(building: &Building) -> String {
    let state = building.state.word();
    let preposition = match building.state {
        BuildingState::Queued | BuildingState::Preparing => return state.to_owned(),
        BuildingState::Uploading => "to",
        BuildingState::Building | BuildingState::Probing => "at",
    };
    let whom = [
        building.provider.as_ref().map(ToString::to_string),
        building.deployment_id.as_ref().map(ToString::to_string),
    ];
    let whom: Vec<String> = whom.into_iter().flatten().collect();
    if whom.is_empty() {
        return state.to_owned();
    }
    one_line(&format!("{state} {preposition} {}", whom.join(" ")))
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{ContextKey, EventKind, RemovalReason, Removed, Revision};

    use super::*;

    #[test]
    fn a_result_fits_a_line() {
        let key = ContextKey::try_new("acme", "ctx 1").unwrap();
        let removed = Removed {
            key,
            revision: Revision::try_new(7).unwrap(),
            reason: RemovalReason::Replaced,
        };
        let at = Timestamp::from_micros(3_600_000_000);
        let result =
            ResultEvent::of(EventKind::Update, 0, ResultBody::Removed(removed), at).unwrap();
        assert_eq!(
            line(&result),
            "01:00:00 removed    acme/ctx~201 7  replaced"
        );
    }

    #[test]
    fn each_step_of_a_build_says_where_it_is_taken() {
        let told = |state, provider: Option<&str>, deployment: Option<&str>| {
            let building = Building {
                key: ContextKey::try_new("acme", "ctx").unwrap(),
                revision: Revision::try_new(7).unwrap(),
                state,
                counter: 1,
                provider: provider.map(Into::into),
                deployment_id: deployment.map(Into::into),
            };
            let at = Timestamp::from_micros(0);
            let body = ResultBody::Building(building);
            line(&ResultEvent::of(EventKind::Update, 0, body, at).unwrap())
        };
        for (state, provider, deployment, words) in [
            (BuildingState::Queued, None, None, "queued"),
            (BuildingState::Preparing, None, None, "preparing"),
            (
                BuildingState::Uploading,
                Some("vercel"),
                None,
                "uploading to vercel",
            ),
            (
                BuildingState::Building,
                Some("vercel"),
                Some("dpl_1"),
                "building at vercel dpl_1",
            ),
            (
                BuildingState::Probing,
                Some("local"),
                Some("d\u{1b}1"),
                "probing at local d 1",
            ),
        ] {
            let line = told(state, provider, deployment);
            assert_eq!(line, format!("00:00:00 building   acme/ctx 7  {words}"));
        }
    }
}
