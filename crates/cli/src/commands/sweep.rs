use clap::Args;
use foreshow_engine::sweep::Swept;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::interrupt::Interrupts;
use crate::terminal::answer;
use crate::wiring::{Client, Idle};

/// Compare providers and records now, and have expired previews removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Workers do this by themselves, every `sweep.every_seconds` and, of expired previews, every few seconds. It needs what a worker
needs: the providers' settings and the installation's key. Where the store was wiped it rebuilds first. Killed half-way it
leaves nothing undone for good: the next sweep sees the same again.")]
pub(crate) struct Sweep {}

impl Sweep {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Client::load(global)?;
        let idle = Idle::open(&loaded).await?;
        let mut interrupts = Interrupts::listen()?;
        let swept = tokio::select! {
            swept = idle.engine.sweep() => Some(swept.or_fail(Exit::Environment)),
            () = interrupts.next() => None,
        };
        idle.close().await;
        let Some(swept) = swept else {
            return Ok(Exit::Interrupted);
        };
        answer(&told(&swept?, global.json))?;
        Ok(Exit::Done)
    }
}

fn told(swept: &Swept, as_json: bool) -> String {
    let Swept {
        seen,
        seeded,
        deleted,
        aliases_moved,
        mended,
        expired,
    } = *swept;
    if as_json {
        return json!({
            "deploymentsSeen": seen,
            "deploymentsDeleted": deleted,
            "contextsFound": seeded,
            "aliasesMoved": aliases_moved,
            "recordsMended": mended,
            "previewsExpired": expired,
        })
        .to_string();
    }
    let counted = [
        (expired, "previews have expired; workers remove them"),
        (
            deleted,
            "deployments that nobody can want any more were deleted",
        ),
        (seeded, "contexts were found that the store did not know"),
        (aliases_moved, "aliases were moved to what is live"),
        (mended, "records named what is gone, and were mended"),
    ];
    let done: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if done.is_empty() {
        format!("{seen} deployments seen; there was nothing to do")
    } else {
        format!("{seen} deployments seen\n{}", done.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_and_what_was_not_is_left_out() {
        let mut swept = Swept {
            seen: 3,
            ..Swept::default()
        };
        assert_eq!(
            told(&swept, false),
            "3 deployments seen; there was nothing to do"
        );
        swept.expired = 2;
        assert_eq!(
            told(&swept, false),
            "3 deployments seen\n2 previews have expired; workers remove them"
        );
        let json: serde_json::Value = serde_json::from_str(&told(&swept, true)).unwrap();
        assert_eq!(
            (&json["previewsExpired"], &json["recordsMended"]),
            (&json!(2), &json!(0))
        );
    }
}
