//! What Vercel tells of its own accord: that a deployment's state changed.
//!
//! A hint, never the truth: it may come twice, late, out of order or not at all, so whoever hears it asks after the deployment.
//! Only its signature makes it worth that question, and only over the very bytes that came.

use data_encoding::HEXLOWER_PERMISSIVE;
use foreshow_contract::{ContextKey, DeploymentId, InstallationKey, Revision, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};

use super::tags::Tags;
use super::wire::Hook;

/// The header that holds the signature.
pub const SIGNATURE_HEADER: &str = "x-vercel-signature";

/// A deployment of this installation changed its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VercelNotice {
    /// Vercel's name of the notice: one that comes twice has it twice.
    pub id: String,
    /// What happened, e.g. `deployment.ready`.
    pub kind: String,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The context in its tags.
    pub key: ContextKey,
    /// The revision in its tags.
    pub revision: Revision,
}

/// A request is none of Vercel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is not signed with the webhook's secret.
    #[error(
        "the signature is missing or does not fit: compare vercel.webhook_secret with the webhook's"
    )]
    Signature,
    /// It is signed, and can't be read.
    #[error("the body is no notice of Vercel's")]
    Body,
}

/// Reads a notice, after its signature was compared in constant time: `None` where it is about nothing of this installation's.
///
/// # Errors
/// [`WebhookError`].
pub fn read_webhook(
    secret: &Secret,
    installation: &InstallationKey,
    signature: &str,
    body: &[u8],
) -> Result<Option<VercelNotice>, WebhookError> {
    let signature = HEXLOWER_PERMISSIVE
        .decode(signature.trim().as_bytes())
        .map_err(|_| WebhookError::Signature)?;
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.expose().as_bytes())
        .expect("a key may have any length");
    mac.update(body);
    mac.verify_slice(&signature)
        .map_err(|_| WebhookError::Signature)?;
    let hook: Hook = serde_json::from_slice(body).map_err(|_| WebhookError::Body)?;
    let Some(deployment) = hook.payload.deployment else {
        return Ok(None);
    };
    let Some((key, revision)) = Tags::new(installation).read(&deployment.meta) else {
        return Ok(None);
    };
    Ok(Some(VercelNotice {
        deployment: deployment.id().ok_or(WebhookError::Body)?.into(),
        id: hook.id,
        kind: hook.kind,
        key,
        revision,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn installation(byte: u8) -> InstallationKey {
        InstallationKey::try_from_slice(&[byte; 32]).unwrap()
    }

    fn notice() -> VercelNotice {
        VercelNotice {
            id: "hook_1".into(),
            kind: "deployment.ready".into(),
            deployment: "dpl_1".into(),
            key: ContextKey::try_new("acme", "ctx-42").unwrap(),
            revision: Revision::try_new(7).unwrap(),
        }
    }

    fn body() -> Vec<u8> {
        let notice = notice();
        let meta = Tags::new(&installation(1)).of(&notice.key, notice.revision);
        let deployment = json!({"id": "dpl_1", "meta": meta, "url": "x.vercel.app"});
        json!({
            "id": "hook_1", "type": "deployment.ready", "createdAt": 1, "region": "iad1",
            "payload": {"deployment": deployment, "team": {"id": "team_1"}}
        })
        .to_string()
        .into_bytes()
    }

    fn signed(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    fn read(secret: &str, key: u8, body: &[u8]) -> Result<Option<VercelNotice>, WebhookError> {
        let signature = signed(secret, body);
        read_webhook(&Secret::new("s3cret"), &installation(key), &signature, body)
    }

    #[test]
    fn a_signed_notice_about_our_deployment_is_read() {
        assert_eq!(read("s3cret", 1, &body()), Ok(Some(notice())));
        assert_eq!(
            read("s3cret", 2, &body()),
            Ok(None),
            "of another installation"
        );
        let project = json!({"id": "h", "type": "project.created", "payload": {}}).to_string();
        assert_eq!(read("s3cret", 1, project.as_bytes()), Ok(None));
        assert_eq!(read("s3cret", 1, b"[]"), Err(WebhookError::Body));
    }

    #[test]
    fn a_signature_must_be_this_secrets_over_these_bytes() {
        // RFC 2202, test case 2: the digest is the one that everybody computes.
        assert_eq!(
            signed("Jefe", b"what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(read("another", 1, &body()), Err(WebhookError::Signature));
        let good = signed("s3cret", &body());
        let mut changed = body();
        changed.push(b' ');
        for (signature, body) in [
            (&*good, changed),
            ("", body()),
            ("zz", body()),
            (&good[..38], body()),
        ] {
            let answer = read_webhook(&Secret::new("s3cret"), &installation(1), signature, &body);
            assert_eq!(answer, Err(WebhookError::Signature));
        }
    }
}
