use http::header::{
    ACCEPT, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, RANGE, VARY,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;

use super::*;
use crate::{DEPLOYMENT_HEADER, PreviewDeployment, PreviewError, REVISION_HEADER};

struct Seen {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    async fn ask(&self, deployment: &PreviewDeployment, request: http::request::Builder) -> Seen {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let response = self.host.serve(deployment, &parts).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Seen {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    async fn get(&self, deployment: &PreviewDeployment, path: &str) -> Seen {
        self.ask(deployment, Request::get(path)).await
    }
}

async fn site(files: &[(&str, &str)]) -> (World, PreviewDeployment) {
    let world = World::new().await;
    let deployment = world.deploy("a", 7, files).await.deployment;
    (world, deployment)
}

#[tokio::test]
async fn every_answer_names_its_deployment_and_distrusts_its_content() {
    let (world, deployment) = site(&[("index.html", "hello")]).await;
    for path in ["/", "/missing", "/..%2fx"] {
        let seen = world.get(&deployment, path).await;
        assert_eq!(seen.header(DEPLOYMENT_HEADER), deployment.id.as_str());
        assert_eq!(seen.header(REVISION_HEADER), "7");
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
        assert_eq!(seen.header("referrer-policy"), "no-referrer");
        assert_eq!(seen.header("x-robots-tag"), "noindex");
        assert_eq!(seen.header("origin-agent-cluster"), "?1");
        assert_eq!(seen.header(CACHE_CONTROL), "no-cache");
    }
}

#[tokio::test]
async fn a_file_comes_whole_with_type_length_and_validator() {
    let (world, deployment) =
        site(&[("index.html", "<h1>hi</h1>"), ("a b/grüße.txt", "hallo")]).await;
    let start = world.get(&deployment, "/").await;
    assert_eq!(
        (start.status, start.body.as_str()),
        (StatusCode::OK, "<h1>hi</h1>")
    );
    assert_eq!(start.header(CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(start.header(CONTENT_LENGTH), "11");
    assert_eq!(start.header(ACCEPT_RANGES), "bytes");
    assert!(start.header(ETAG).starts_with('"'));
    assert!(
        !start.headers.contains_key("content-security-policy"),
        "scripts of the site run"
    );
    assert_eq!(
        world
            .get(&deployment, "/a%20b/gr%C3%BC%C3%9Fe.txt?v=1")
            .await
            .body,
        "hallo"
    );
    assert_eq!(
        world.get(&deployment, "/index.html").await.body,
        "<h1>hi</h1>"
    );
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let (world, deployment) = site(&[("index.html", "<h1>hi</h1>")]).await;
    for path in ["/", "/missing"] {
        let get = world.get(&deployment, path).await;
        let head = world.ask(&deployment, Request::head(path)).await;
        assert_eq!(
            (head.status, &head.headers, head.body.as_str()),
            (get.status, &get.headers, "")
        );
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let (world, deployment) = site(&[("index.html", "hi")]).await;
    let seen = world.ask(&deployment, Request::post("/")).await;
    assert_eq!(seen.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(seen.header(ALLOW), "GET, HEAD");
}

#[tokio::test]
async fn a_known_file_is_not_sent_again_and_a_part_is_sent_alone() {
    let (world, deployment) = site(&[("data.txt", "0123456789")]).await;
    let etag = world
        .get(&deployment, "/data.txt")
        .await
        .header(ETAG)
        .to_owned();
    let known = world
        .ask(
            &deployment,
            Request::get("/data.txt").header(IF_NONE_MATCH, &etag),
        )
        .await;
    assert_eq!(
        (known.status, known.body.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
    assert_eq!(known.header(ETAG), etag);
    let part = world
        .ask(
            &deployment,
            Request::get("/data.txt").header(RANGE, "bytes=2-4"),
        )
        .await;
    assert_eq!(
        (part.status, part.body.as_str()),
        (StatusCode::PARTIAL_CONTENT, "234")
    );
    assert_eq!(part.header(CONTENT_RANGE), "bytes 2-4/10");
    assert_eq!(part.header(CONTENT_LENGTH), "3");
    let beyond = world
        .ask(
            &deployment,
            Request::get("/data.txt").header(RANGE, "bytes=10-"),
        )
        .await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header(CONTENT_RANGE), "bytes */10");
    assert_eq!(beyond.header(CACHE_CONTROL), "no-cache");
}

#[tokio::test]
async fn a_large_file_streams_from_any_offset() {
    let large = (10_000..50_000).map(|n| n.to_string()).collect::<String>();
    let (world, deployment) = site(&[("large.txt", &large)]).await;
    assert_eq!(world.get(&deployment, "/large.txt").await.body, large);
    let part = world
        .ask(
            &deployment,
            Request::get("/large.txt").header(RANGE, "bytes=99990-199994"),
        )
        .await;
    assert_eq!(part.body, &large[99_990..=199_994]);
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let (world, deployment) = site(&[("empty.txt", ""), ("index.html", "x")]).await;
    let seen = world.get(&deployment, "/empty.txt").await;
    assert_eq!(
        (seen.status, seen.header(CONTENT_LENGTH)),
        (StatusCode::OK, "0")
    );
}

#[tokio::test]
async fn a_folder_is_its_index_and_is_entered_with_a_slash() {
    let (world, deployment) = site(&[
        ("index.html", "root"),
        ("docs/index.html", "docs"),
        ("img/a.png", "png"),
    ])
    .await;
    assert_eq!(world.get(&deployment, "/docs/").await.body, "docs");
    let redirect = world.get(&deployment, "/docs?page=2").await;
    assert_eq!(redirect.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(redirect.header(LOCATION), "/docs/?page=2");
    // The site has a start page: its folders are not shown.
    assert_eq!(
        world.get(&deployment, "/img/").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world.get(&deployment, "/img").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_missing_is_the_sites_own_404_page_or_ours() {
    let (world, deployment) = site(&[("index.html", "root")]).await;
    let seen = world.get(&deployment, "/missing").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    assert!(seen.body.contains("Nothing here"));

    let custom = world
        .deploy("b", 1, &[("index.html", "root"), ("404.html", "lost?")])
        .await
        .deployment;
    let seen = world
        .ask(
            &custom,
            Request::get("/missing")
                .header(RANGE, "bytes=0-1")
                .header(IF_NONE_MATCH, "*"),
        )
        .await;
    assert_eq!(
        (seen.status, seen.body.as_str()),
        (StatusCode::NOT_FOUND, "lost?")
    );
}

#[tokio::test]
async fn an_app_that_routes_in_the_browser_gets_its_start_page_for_pages_only() {
    let world = World::new().await;
    let mut app = new("a", 1, &[("index.html", "app"), ("app.js", "js")]);
    app.spa_fallback = true;
    let app = world.host.create(app, NOW).await.unwrap().deployment;
    for path in ["/users/42", "/users/42/"] {
        let seen = world
            .ask(
                &app,
                Request::get(path).header(ACCEPT, "text/html,*/*;q=0.8"),
            )
            .await;
        assert_eq!(
            (seen.status, seen.body.as_str()),
            (StatusCode::OK, "app"),
            "{path}"
        );
        assert_eq!(seen.header(VARY), "accept");
        let known = world
            .ask(
                &app,
                Request::get(path).header(IF_NONE_MATCH, seen.header(ETAG)),
            )
            .await;
        assert_eq!(
            (known.status, known.header(VARY)),
            (StatusCode::NOT_MODIFIED, "accept")
        );
    }
    let script = world.get(&app, "/app.js").await;
    assert_eq!(script.body, "js");
    assert!(
        !script.headers.contains_key(VARY),
        "a file is the same for everybody"
    );
    assert_eq!(
        world.get(&app, "/missing.js").await.status,
        StatusCode::NOT_FOUND
    );
    let json = world
        .ask(
            &app,
            Request::get("/api").header(ACCEPT, "application/json"),
        )
        .await;
    assert_eq!(
        (json.status, json.header(VARY)),
        (StatusCode::NOT_FOUND, "accept")
    );
    let image = world
        .ask(
            &app,
            Request::get("/api").header(ACCEPT, "image/png, text/html;q=0"),
        )
        .await;
    assert_eq!(image.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_site_without_a_start_page_lists_its_files_escaped() {
    let (world, deployment) = site(&[
        ("<b>&\"'.txt", "1"),
        ("javascript:alert(1)", "2"),
        ("src/deep/main.rs", "3"),
        ("src/lib.rs", "4"),
    ])
    .await;
    let root = world.get(&deployment, "/").await;
    assert_eq!(root.status, StatusCode::OK);
    assert!(
        root.body.contains("&lt;b&gt;&amp;&quot;&#39;.txt"),
        "{}",
        root.body
    );
    assert!(!root.body.contains("<b>"));
    assert!(root.body.contains("href=\"./javascript%3Aalert%281%29\""));
    assert!(root.body.contains("href=\"./src/\""));
    assert!(
        root.header("content-security-policy")
            .contains("default-src 'none'")
    );
    let src = world.get(&deployment, "/src/").await;
    assert!(
        src.body.contains("deep/") && src.body.contains("lib.rs") && !src.body.contains("alert"),
        "{}",
        src.body
    );
    assert_eq!(
        world.get(&deployment, "/src").await.header(LOCATION),
        "/src/"
    );
    assert_eq!(
        world.get(&deployment, "/nowhere/").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.get(&deployment, "/src/lib.rs").await.body, "4");
}

#[tokio::test]
async fn no_path_reaches_outside_of_the_site() {
    let (world, deployment) = site(&[("index.html", "hi")]).await;
    let other = world
        .deploy("b", 1, &[("secret.txt", "secret")])
        .await
        .deployment;
    assert_eq!(world.get(&other, "/secret.txt").await.body, "secret");
    for path in [
        "/secret.txt",
        "/..%2findex.db",
        "/../index.db",
        "/%2e%2e/index.db",
        "/..%5cindex.db",
        "//index.db",
        "/%zz",
    ] {
        assert_eq!(
            world.get(&deployment, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_blob_that_somebody_deleted_is_an_error_that_names_it() {
    let (world, deployment) = site(&[("index.html", "hi")]).await;
    let digest = foreshow_contract::Sha256::of(b"hi");
    std::fs::remove_file(world.host.blobs.path(&digest)).unwrap();
    let (parts, ()) = Request::get("/").body(()).unwrap().into_parts();
    let error = world.host.serve(&deployment, &parts).await.unwrap_err();
    assert!(matches!(error, PreviewError::BlobMissing { sha256 } if sha256 == digest));
}
