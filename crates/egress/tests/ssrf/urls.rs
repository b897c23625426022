//! What is refused for how it is written: schemes, credentials, ports, syntax.

use foreshow_egress::{Egress, EgressOptions};

use crate::case::{URL, Way, cases};

cases! { URLS
    scheme_file: Way::Url("file:///etc/passwd") => URL;
    scheme_file_with_a_host: Way::Url("file://127.0.0.1:{port}/etc/passwd") => URL;
    scheme_ftp: Way::Url("ftp://127.0.0.1:{port}/a") => URL;
    scheme_gopher: Way::Url("gopher://127.0.0.1:{port}/_INFO") => URL;
    scheme_dict: Way::Url("dict://127.0.0.1:{port}/info") => URL;
    scheme_ldap: Way::Url("ldap://127.0.0.1:{port}/") => URL;
    scheme_data: Way::Url("data:text/plain,hello") => URL;
    scheme_javascript: Way::Url("javascript:fetch('http://127.0.0.1')") => URL;
    scheme_websocket: Way::Url("ws://127.0.0.1:{port}/") => URL;
    scheme_secure_websocket: Way::Url("wss://127.0.0.1:{port}/") => URL;
    scheme_unix: Way::Url("unix:/var/run/docker.sock") => URL;
    scheme_http_over_unix: Way::Url("http+unix://%2Fvar%2Frun%2Fdocker.sock/info") => URL;
    scheme_within_a_scheme: Way::Url("view-source:http://127.0.0.1:{port}/") => URL;
    scheme_blob: Way::Url("blob:http://127.0.0.1:{port}/1") => URL;
    no_scheme: Way::Url("127.0.0.1:{port}/") => URL;
    no_scheme_but_slashes: Way::Url("//127.0.0.1:{port}/") => URL;
    a_path: Way::Url("/etc/passwd") => URL;
    nothing: Way::Url("") => URL;
    no_host: Way::Url("http://") => URL;
    a_port_and_no_host: Way::Url("http://:{port}/") => URL;

    a_user_before_an_inner_host: Way::Url("http://user@127.0.0.1:{port}/") => URL;
    a_public_host_as_the_user: Way::Url("http://public.example@127.0.0.1:{port}/") => URL;
    a_public_host_and_port_as_the_user: Way::Url("http://public.example:80@127.0.0.1:{port}/") => URL;
    a_password_alone: Way::Url("http://:hunter2@127.0.0.1:{port}/") => URL;
    a_user_before_a_public_host: Way::Url("http://user:hunter2@93.184.216.34:{port}/") => URL;
    two_at_signs: Way::Url("http://a@b@127.0.0.1:{port}/") => URL;

    port_of_ssh: Way::Url("http://93.184.216.34:22/") => URL;
    port_of_redis: Way::Url("http://93.184.216.34:6379/") => URL;
    port_zero: Way::Url("http://93.184.216.34:0/") => URL;
    port_of_https_where_it_is_not_listed: Way::Url("https://93.184.216.34/") => URL;
    port_80_by_https: Way::Url("https://93.184.216.34:80/") => URL;
    port_beyond_all: Way::Url("http://93.184.216.34:65536/") => URL;
    port_in_words: Way::Url("http://93.184.216.34:http/") => URL;
    port_below_zero: Way::Url("http://93.184.216.34:-1/") => URL;

    zone_of_an_address: Way::Url("http://[fe80::1%25eth0]:{port}/") => URL;
    zone_of_an_address_bare: Way::Url("http://[fe80::1%eth0]:{port}/") => URL;
    number_beyond_all_addresses: Way::Url("http://4294967296:{port}/") => URL;
    hex_number_beyond_all_addresses: Way::Url("http://0x17f000001:{port}/") => URL;
    part_beyond_a_byte: Way::Url("http://256.0.0.1:{port}/") => URL;
    five_parts: Way::Url("http://127.0.0.1.1:{port}/") => URL;
    a_number_at_a_names_end: Way::Url("http://public.example.1:{port}/") => URL;
    not_octal: Way::Url("http://0178.0.0.09:{port}/") => URL;
    brackets_without_an_end: Way::Url("http://[::1:{port}/") => URL;
    an_ipv4_in_brackets: Way::Url("http://[127.0.0.1]:{port}/") => URL;
    a_space_in_the_host: Way::Url("http://127.0.0.1 public.example:{port}/") => URL;
    a_nul_in_the_host: Way::Url("http://127.0.0.1\0public.example:{port}/") => URL;
    a_nul_in_the_host_encoded: Way::Url("http://127.0.0.1%00public.example:{port}/") => URL;
    a_slash_in_the_host_encoded: Way::Url("http://127.0.0.1%2fpublic.example:{port}/") => URL;
    an_at_sign_in_the_host_encoded: Way::Url("http://public.example%40127.0.0.1:{port}/") => URL;
    a_line_end_in_the_host_encoded: Way::Url("http://127.0.0.1%0d%0aHost:x:{port}/") => URL;
}

#[test]
fn by_default_it_is_https_at_its_own_port() {
    let egress = Egress::try_new(&EgressOptions::default()).unwrap();
    egress
        .check("https://bundles.example/a.tar.gz?sig=1")
        .unwrap();
    egress.check("HTTPS://BUNDLES.example:443/").unwrap();
    egress.check("https://93.184.216.34/").unwrap();
    egress.check("https://[2606:2800:220:1::1]/").unwrap();
    for bad in [
        "http://bundles.example/",
        "http://bundles.example:443/",
        "https://bundles.example:8443/",
        "https://bundles.example:80/",
    ] {
        assert_eq!(egress.check(bad).unwrap_err().code(), URL, "{bad}");
    }
}

#[test]
fn http_brings_its_port_along_and_a_list_replaces_the_default() {
    let options = EgressOptions {
        http: true,
        ports: vec![8443],
        ..EgressOptions::default()
    };
    let egress = Egress::try_new(&options).unwrap();
    for good in [
        "http://bundles.example/",
        "http://bundles.example:8443/",
        "https://bundles.example:8443/",
    ] {
        egress.check(good).unwrap();
    }
    let refused = egress.check("https://bundles.example/").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the URL is not allowed: its port is not one that is let through (8443, 80); serve it there"
    );
}

#[test]
fn a_refusal_repeats_nothing_of_the_url() {
    let egress = Egress::try_new(&EgressOptions::default()).unwrap();
    let long = format!("https://bundles.example/hunter2{}", "a".repeat(9_000));
    for bad in [
        "https://user:hunter2@bundles.example/",
        "http://bundles.example/?sig=hunter2",
        "https://bundles.example:hunter2/",
        "https://127.0.0.1/?sig=hunter2",
        &long,
    ] {
        let refused = egress.check(bad).unwrap_err();
        for told in [
            refused.to_string(),
            refused.detail(),
            format!("{refused:?}"),
        ] {
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
