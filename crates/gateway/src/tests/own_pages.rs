use super::*;

#[tokio::test]
async fn the_gateway_itself_answers_under_loopback_names_only() {
    let world = World::start().await;
    for host in [
        "localhost",
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "LOCALHOST",
    ] {
        assert_eq!(
            world.get(host, "/v1/previews").await.status,
            StatusCode::OK,
            "{host}"
        );
        assert_eq!(world.get(host, "/").await.status, StatusCode::OK, "{host}");
    }
    for host in ["example.com", "127.0.0.1.nip.io", "10.0.0.1"] {
        assert_eq!(
            world.get(host, "/v1/previews").await.status,
            StatusCode::MISDIRECTED_REQUEST,
            "{host}"
        );
        assert_eq!(
            world.get(host, "/").await.status,
            StatusCode::MISDIRECTED_REQUEST,
            "{host}"
        );
        assert_eq!(
            world.get(host, "/healthz").await.status,
            StatusCode::OK,
            "{host}"
        );
    }
    assert_eq!(
        world.get("localhost", "/nowhere").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world
            .ask(Method::POST, "localhost", "/v1/previews", &[])
            .await
            .status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn another_sites_page_cannot_read_it() {
    let world = World::start().await;
    let ask = async |path, headers: &[(&str, &str)]| {
        world
            .ask(Method::GET, "localhost:80", path, headers)
            .await
            .status
    };
    for site in ["cross-site", "same-site", "surprise"] {
        assert_eq!(
            ask("/v1/previews", &[("sec-fetch-site", site)]).await,
            StatusCode::FORBIDDEN,
            "{site}"
        );
        assert_eq!(
            ask("/", &[("sec-fetch-site", site)]).await,
            StatusCode::FORBIDDEN,
            "{site}"
        );
    }
    for site in ["same-origin", "none"] {
        assert_eq!(
            ask("/v1/previews", &[("sec-fetch-site", site)]).await,
            StatusCode::OK,
            "{site}"
        );
    }
    assert_eq!(
        ask("/v1/previews", &[("origin", "http://evil.localhost:80")]).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ask("/v1/previews", &[("origin", "http://localhost:80")]).await,
        StatusCode::OK
    );
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(
        ask("/", &link).await,
        StatusCode::OK,
        "following a link is fine"
    );
    assert_eq!(ask("/v1/previews", &link).await, StatusCode::FORBIDDEN);
    let frame = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
    ];
    assert_eq!(ask("/", &frame).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn beyond_this_machine_it_shows_previews_and_nothing_of_its_own() {
    let world = World::start_at("0.0.0.0:0").await;
    world.deploy(1, "one", Build::default()).await;
    assert_eq!(world.get("ctx-r1.localhost", "/").await.body, "one");
    assert_eq!(
        world.get("localhost", "/healthz").await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get("localhost", "/").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.get("localhost", "/v1/previews").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn the_overview_names_every_context_escaped() {
    let world = World::start().await;
    let seen = world.get("localhost", "/").await;
    assert!(seen.body.contains("None yet"), "{}", seen.body);

    let lease = world.accept(1, OrdinalKind::Update).await;
    let deployment = world.deploy(1, "one", Build::default()).await;
    world.go_live(&lease, &deployment).await;
    let seen = world.get("localhost", "/").await;
    assert!(
        seen.body.contains("ctx&lt;42&gt;") && !seen.body.contains("ctx<42>"),
        "{}",
        seen.body
    );
    let alias_url = format!("http://ctx-alias.localhost:{}/", world.address.port());
    assert!(
        seen.body.contains(&alias_url.replace('/', "&#x2f;")) || seen.body.contains(&alias_url),
        "{}",
        seen.body
    );
    assert!(
        seen.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(seen.header("x-frame-options"), "SAMEORIGIN");

    let listed = world.get("localhost", "/v1/previews").await.json();
    let preview = &listed["previews"][0];
    assert_eq!(preview["contextId"], "ctx<42>");
    assert_eq!(preview["tenantId"], "acme");
    assert_eq!(preview["status"], "live");
    assert_eq!(preview["revision"], 1);
    assert_eq!(preview["aliasUrl"], alias_url);
    assert_eq!(
        preview["url"],
        format!("http://ctx-r1.localhost:{}/", world.address.port())
    );
    assert_eq!(preview["deploymentId"], deployment.id.as_str());

    world.store.set_down(true);
    assert_eq!(
        world.get("localhost", "/v1/previews").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}
