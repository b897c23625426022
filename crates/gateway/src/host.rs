//! Whom a request addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

/// The host that the request names, without its port and in its own writing. `None` where it names none, or two.
///
/// A request line with a full URL outranks the header (RFC 9112, section 3.2.2).
pub(crate) fn of(request: &Parts) -> Option<String> {
    if let Some(authority) = request.uri.authority() {
        return host(authority);
    }
    let mut given = request.headers.get_all(HOST).iter();
    match (given.next(), given.next()) {
        (Some(only), None) => host(&only.to_str().ok()?.parse().ok()?),
        _ => None,
    }
}

fn host(authority: &Authority) -> Option<String> {
    let has_user = authority.as_str().contains('@');
    (!has_user && !authority.host().is_empty()).then(|| authority.host().to_owned())
}

/// Whether the host is a name of this machine that nobody else can point at it: a page elsewhere may have its own host
/// name resolve to 127.0.0.1, but not `localhost` or an address.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let bare = host.strip_suffix('.').unwrap_or(host);
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || literal
            .and_then(|ip| ip.parse::<Ipv6Addr>().ok())
            .is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of_request(request: http::request::Builder) -> Option<String> {
        of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_host_is_read_without_its_port() {
        for (header, host) in [
            ("localhost", Some("localhost")),
            ("a.localhost:8080", Some("a.localhost")),
            ("127.0.0.1:8080", Some("127.0.0.1")),
            ("[::1]:8080", Some("[::1]")),
            ("user@localhost", None),
            ("", None),
            ("a b", None),
            ("a/b", None),
        ] {
            assert_eq!(
                of_request(Request::get("/").header(HOST, header)).as_deref(),
                host,
                "{header}"
            );
        }
        assert_eq!(of_request(Request::get("/")), None);
        assert_eq!(
            of_request(Request::get("/").header(HOST, "a").header(HOST, "b")),
            None
        );
        assert_eq!(
            of_request(Request::get("http://b.localhost:1/").header(HOST, "a")).as_deref(),
            Some("b.localhost")
        );
    }

    #[test]
    fn only_names_that_nobody_can_repoint_are_loopback_names() {
        for yes in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
        ] {
            assert!(is_loopback_name(yes), "{yes}");
        }
        for no in [
            "example.com",
            "localhost.example.com",
            "a.localhost",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "::1",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback_name(no), "{no}");
        }
    }
}
