//! Any bytes as any answer of Deno Deploy's, for fuzz targets.

use foreshow_contract::DeploymentId;

use super::operations::DIALECT;
use super::tags::{Place, Tags};
use super::wire::{App, Domain, Revision};
use super::{hosts, log, page, state};
use crate::fuzzing::{Told, Wire};

/// Reads an answer as whatever it may be the answer to, and says what would be said of it.
pub fn answer(wire: &Wire<'_>) -> Told {
    let mut told = Told::default();
    let content_type = String::from_utf8_lossy(wire.header);
    told.lines.extend(log::tail(&content_type, wire.body));
    let Some(answer) = wire.answer(&DIALECT, &mut told) else {
        return told;
    };
    _ = page::next_cursor(answer.headers());
    let tags = Tags::new("0123456789abcdef".to_owned());
    let mut revisions: Vec<Revision> = told.read(&answer).into_iter().collect();
    revisions.extend(told.read::<Vec<Revision>>(&answer).unwrap_or_default());
    for revision in &revisions {
        let place = Place::new("fs-abc", &revision.id);
        told.lines.extend(state::reasons(revision));
        _ = tags.revision(&revision.labels);
        _ = hosts::is_shown(&place, revision);
        for host in hosts::all(revision) {
            assert!(!hosts::bindings(&place, host).is_empty());
        }
        hosts::Domain::of_org(None).learn(&place, revision);
        let address = state::address(&place, revision);
        _ = Place::parse(&DeploymentId::from(address.as_str()));
    }
    let mut apps: Vec<App> = told.read(&answer).into_iter().collect();
    apps.extend(told.read::<Vec<App>>(&answer).unwrap_or_default());
    for app in &apps {
        _ = tags.context(&app.labels);
    }
    _ = told.read::<Domain>(&answer);
    told
}
