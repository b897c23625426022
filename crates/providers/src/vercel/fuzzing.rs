//! Any bytes as any answer of Vercel's, for fuzz targets.

use foreshow_contract::{InstallationKey, Timestamp};
use foreshow_engine::BuildState;
use hmac::{Hmac, KeyInit as _, Mac as _};

use super::error::DIALECT;
use super::wire::{
    Alias, Deployment, Deployments, Domain, DomainConfig, MissingFiles, Project, UserAnswer,
};
use super::{log, read_webhook, state, tags::Tags};
use crate::fuzzing::{Told, Wire};

/// Reads an answer as whatever it may be the answer to, and says what would be said of it.
pub fn answer(wire: &Wire<'_>) -> Told {
    let mut told = Told::default();
    told.lines.extend(log::tail(wire.body));
    notice(wire);
    let Some(answer) = wire.answer(&DIALECT, &mut told) else {
        return told;
    };
    let mut deployments: Vec<Deployment> = told.read(&answer).into_iter().collect();
    if let Some(page) = told.read::<Deployments>(&answer) {
        deployments.extend(page.deployments);
    }
    let key = InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes are a key");
    let tags = Tags::new(&key);
    for deployment in &deployments {
        _ = (deployment.id(), tags.read(&deployment.meta));
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        if let BuildState::Failed { log_tail } = state::build_state(deployment, now) {
            told.lines.extend(log_tail);
        }
    }
    _ = told.read::<MissingFiles>(&answer);
    _ = told.read::<Project>(&answer);
    _ = told.read::<Alias>(&answer);
    _ = told.read::<Domain>(&answer);
    _ = told.read::<DomainConfig>(&answer);
    _ = told.read::<UserAnswer>(&answer);
    told
}

/// The body as a signed notice: an outsider cannot make one, but a bug over there can.
fn notice(wire: &Wire<'_>) {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(wire.secret.expose().as_bytes())
        .expect("a key may have any length");
    mac.update(wire.body);
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let key = InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes are a key");
    let unsigned = read_webhook(
        wire.secret,
        &key,
        &String::from_utf8_lossy(wire.header),
        wire.body,
    );
    assert!(
        unsigned.is_err() || wire.header.trim_ascii() == signature.as_bytes(),
        "a notice without its signature is no notice"
    );
    _ = read_webhook(wire.secret, &key, &signature, wire.body);
}
