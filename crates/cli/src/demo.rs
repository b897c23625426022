//! The sample context of `up --demo`.

use foreshow_contract::{
    Content, ContextEvent, ContextKey, ContextUpdated, EventKind, InlineFile, ResultBody,
    ResultEvent, Revision, Timestamp,
};

use crate::ending::{Awaited, Hearing};
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::wiring::Backends;

const FILES: [(&str, &str); 4] = [
    ("index.html", include_str!("../demo/index.html")),
    ("style.css", include_str!("../demo/style.css")),
    ("app.js", include_str!("../demo/app.js")),
    ("favicon.svg", include_str!("../demo/favicon.svg")),
];

/// Publishes the sample as an upstream service would, and waits for its end.
pub(crate) async fn publish(backends: &Backends) -> Result<ResultEvent, Failure> {
    let key = ContextKey::try_new("default", "demo").or_fail(Exit::Usage)?;
    let mut hearing = Hearing::of(&*backends.broker, &key).await?;
    let known = backends
        .store
        .context(&key)
        .await
        .or_fail(Exit::Environment)?;
    let revision = events::next_revision(None, known.as_ref(), Timestamp::now())?;
    let event = events::enveloped(ContextEvent::Updated(update(key.clone(), revision)))?;
    events::publish(&*backends.broker, &event).await?;
    let awaited = Awaited::known(&key, revision, EventKind::Update).sent_as(&event);
    hearing.end_of(&awaited, |_| {}).await
}

fn update(key: ContextKey, revision: Revision) -> ContextUpdated {
    let files = FILES
        .iter()
        .map(|(path, content)| InlineFile::text(*path, *content))
        .collect();
    ContextUpdated::new(key, revision, Content::Files(files))
}

/// The address to show; the failure where there is none.
pub(crate) fn url(result: &ResultEvent) -> Result<&str, Failure> {
    let failed =
        |why: String| Err(Failure::new(Exit::Failed, "the demo could not be deployed").help(why));
    match &result.body {
        ResultBody::Ready(ready) => Ok(&ready.url),
        ResultBody::Failed(failure) => {
            failed(format!("{}: {}", failure.error.code, failure.error.message))
        }
        ResultBody::Rejected(rejected) => {
            failed(format!("{}: {}", rejected.code, rejected.message))
        }
        ResultBody::Superseded(_) => {
            failed("somebody else published the context `demo` just now".to_owned())
        }
        ResultBody::Removed(_) | ResultBody::Building(_) => {
            failed(format!("it ended as {}", result.outcome()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for (path, content) in FILES {
            let foreign = content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !foreign.contains("http://")
                    && !foreign.contains("https://")
                    && !foreign.contains("//cdn"),
                "{path}"
            );
        }
    }

    #[test]
    fn the_page_names_only_files_that_it_has() {
        let page = FILES[0].1;
        let named = page
            .split("href=\"")
            .chain(page.split("src=\""))
            .filter_map(|rest| rest.split('"').next());
        let named: Vec<_> = named
            .filter(|name| name.contains('.') && !name.contains('<'))
            .collect();
        assert!(named.len() >= 3, "{named:?}");
        for name in named {
            assert!(FILES.iter().any(|(path, _)| *path == name), "{name}");
        }
    }

    #[test]
    fn motion_is_only_for_those_who_like_it() {
        let style = FILES[1].1;
        let (calm, moving) = style
            .split_once("@media (prefers-reduced-motion: no-preference)")
            .unwrap();
        assert!(!calm.contains("animation:") && moving.contains("animation:"));
    }
}
