//! Where requests may go.

use foreshow_contract::{BundleRef, ContextKey, Revision, Sha256, TenantId};
use foreshow_egress::{Egress, EgressOptions};
use foreshow_engine::{BundleFile, Bundles, BundlesError, Failure, code};
use foreshow_fetch::{EveryBundle, UrlBundles};

use crate::origin::{Answer, Origin};
use crate::world::{MAX_BYTES, World, assert_permanent, content, options, told};

/// A world whose own server may be asked, and another one within its network that may not.
async fn with_inner() -> (World, Origin) {
    let (origin, inner) = (Origin::at("127.0.0.1").await, Origin::at("127.0.0.2").await);
    let egress = EgressOptions {
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        http: true,
        ports: vec![origin.port, inner.port],
        ca_file: None,
    };
    inner.tells(|_| Answer::whole(b"credentials"));
    (World::guarded_by(egress, options(), origin), inner)
}

#[tokio::test]
async fn the_listener_would_see_whoever_asks() {
    let (_world, inner) = with_inner().await;
    let connected = std::net::TcpStream::connect(("127.0.0.2", inner.port)).unwrap();
    std::io::Write::write_all(&mut &connected, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    crate::world::eventually("it is seen", || inner.asked().len() == 1).await;
}

#[tokio::test]
async fn an_inner_address_is_not_asked_and_not_told() {
    let (world, inner) = with_inner().await;
    let url = format!("http://127.0.0.2:{}/site.tar.gz", inner.port);
    let error = world
        .fetch_from(&url, "acme", b"credentials")
        .await
        .unwrap_err();
    assert_permanent(&error, "address_not_allowed");
    assert!(!told(&error).contains("127.0.0"), "{error}");
    assert_eq!(inner.asked().len(), 0);
    world.leaves_nothing().await;
}

#[tokio::test]
async fn no_redirect_leads_inside() {
    for status in [301, 302, 303, 307, 308] {
        let (world, inner) = with_inner().await;
        let location = format!("http://127.0.0.2:{}/latest/meta-data", inner.port);
        world
            .origin
            .tells(move |_| Answer::redirect(status, &location));
        let error = world.fails(b"credentials").await;
        assert_permanent(&error, "address_not_allowed");
        assert!(!told(&error).contains("127.0.0.2"), "{error}");
        assert_eq!(
            world.origin.asked().len(),
            1,
            "final: it is not tried again"
        );
        assert_eq!(inner.asked().len(), 0, "{status}");
    }
}

#[tokio::test]
async fn no_redirect_leads_inside_when_a_transfer_goes_on() {
    let (world, inner) = with_inner().await;
    let location = format!("http://127.0.0.2:{}/latest/meta-data", inner.port);
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::versioned(&content(9_000), "\"a\"").cut_after(5_000),
        _ => Answer::redirect(302, &location),
    });
    assert_permanent(&world.fails(&content(9_000)).await, "address_not_allowed");
    assert_eq!(inner.asked().len(), 0);
}

#[tokio::test]
async fn a_redirect_to_what_is_no_web_address_is_refused() {
    for location in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://user:pw@127.0.0.1/",
    ] {
        let world = World::start().await;
        world.origin.tells(move |_| Answer::redirect(302, location));
        assert_permanent(&world.fails(b"site").await, "url_not_allowed");
    }
}

#[tokio::test]
async fn five_redirects_are_followed_and_a_loop_is_not() {
    let world = World::start().await;
    world.origin.tells(|asked| match asked.nth {
        0..5 => Answer::redirect(307, format!("/next-{}", asked.nth)),
        _ => Answer::whole(b"site"),
    });
    world.arrives(b"site").await;
    assert_eq!(world.origin.asked().len(), 6);

    let world = World::start().await;
    world
        .origin
        .tells(|asked| Answer::redirect(302, &asked.path));
    let error = world.fails(b"site").await;
    assert_permanent(&error, "bundle_refused");
    assert!(told(&error).contains("more than 5 times"), "{error}");
    assert_eq!(world.origin.asked().len(), 6);
}

#[tokio::test]
async fn plain_http_and_other_ports_are_for_the_operator_to_allow() {
    let origin = Origin::at("127.0.0.1").await;
    let refuses = async |http, ports: Vec<u16>, port: u16| {
        let egress = EgressOptions {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            http,
            ports,
            ca_file: None,
        };
        let world = World::guarded_by(egress, options(), Origin::at("127.0.0.1").await);
        let url = format!("http://127.0.0.1:{port}/site.tar.gz?sig=s3cret");
        let error = world.fetch_from(&url, "acme", b"site").await.unwrap_err();
        assert_permanent(&error, "url_not_allowed");
    };
    refuses(false, vec![origin.port], origin.port).await;
    refuses(true, vec![443], origin.port).await;
    assert_eq!(origin.asked().len(), 0);
}

#[tokio::test]
async fn by_default_nothing_here_can_be_reached() {
    let origin = Origin::at("127.0.0.1").await;
    let world = World::guarded_by(EgressOptions::default(), options(), origin);
    for (url, code) in [
        ("https://127.0.0.1/site.tar.gz", "address_not_allowed"),
        ("https://2130706433/site.tar.gz", "address_not_allowed"),
        (
            "https://169.254.169.254/latest/meta-data",
            "address_not_allowed",
        ),
        ("https://[::1]/site.tar.gz", "address_not_allowed"),
        ("https://localhost/site.tar.gz", "address_not_allowed"),
        ("http://93.184.215.14/site.tar.gz", "url_not_allowed"),
        ("https://93.184.215.14:6379/site.tar.gz", "url_not_allowed"),
        ("https://user:pw@93.184.215.14/", "url_not_allowed"),
        ("https://", "url_not_allowed"),
    ] {
        let error = world.fetch_from(url, "acme", b"site").await.unwrap_err();
        assert_permanent(&error, code);
    }
}

#[tokio::test]
async fn another_scheme_is_named_as_what_it_is() {
    let world = World::start().await;
    for url in [
        "ftp://example.com/site.tar.gz?sig=s3cret",
        "file:///etc/passwd",
        "s3://bucket/site.tar.gz",
        "data:application/x-tar;base64,AAAA",
        "httpsx://example.com/",
        "site.tar.gz",
    ] {
        let error = world.fetch_from(url, "acme", b"site").await.unwrap_err();
        assert_permanent(&error, code::BUNDLE_UNSUPPORTED);
        assert!(told(&error).contains("https:"), "{error}");
    }
}

/// The installation's own bundles, which are all called the same.
struct Own(std::path::PathBuf);

#[async_trait::async_trait]
impl Bundles for Own {
    async fn fetch(&self, _: &BundleRef, _: &TenantId) -> Result<BundleFile, BundlesError> {
        Ok(BundleFile::kept(self.0.clone()))
    }

    async fn release(
        &self,
        bundle: &BundleRef,
        _: &ContextKey,
        _: Revision,
    ) -> Result<(), BundlesError> {
        Err(BundlesError::missing(bundle.sha256))
    }
}

#[tokio::test]
async fn each_bundle_is_asked_for_where_it_belongs() {
    let world = World::start().await;
    world.origin.tells(|_| Answer::whole(b"site"));
    let own = Own("/own".into());
    let egress = Egress::try_new(&EgressOptions::default()).unwrap();
    let folder = world.folder.path().join("nowhere");
    let nowhere = UrlBundles::open(egress, options(), folder, MAX_BYTES).unwrap();
    let every = EveryBundle::new(std::sync::Arc::new(own), nowhere);

    let (tenant, key) = (
        TenantId::try_new("acme").unwrap(),
        ContextKey::try_new("acme", "c").unwrap(),
    );
    let sha256 = Sha256::of(b"site");
    let ours = BundleRef::local(sha256);
    let theirs = |url: &str| BundleRef {
        url: url.to_owned(),
        sha256,
    };
    let revision = Revision::try_new(1).unwrap();
    let found = every.fetch(&ours, &tenant).await.unwrap();
    assert_eq!(found.to_str(), Some("/own"));
    assert!(
        every.release(&ours, &key, revision).await.is_err(),
        "asked for"
    );
    for (url, code) in [
        ("https://127.0.0.1/site.tar.gz", "address_not_allowed"),
        ("HTTPS://127.0.0.1/site.tar.gz", "address_not_allowed"),
        ("ftp://example.com/site.tar.gz", "bundle_unsupported"),
        ("foreshow-bundle:sha256-0", "bundle_unsupported"),
    ] {
        let theirs = theirs(url);
        let error = every.fetch(&theirs, &tenant).await.unwrap_err();
        assert_eq!(error.failure, Failure::Permanent(code), "{url}");
        every.release(&theirs, &key, revision).await.unwrap();
    }
}
