//! From method and path to an operation, by a table that reads like the vendor's reference.
//!
//! A pattern's segment is literal, `{name}` (captured, percent-decoded; never empty) or `v*` (any version: `v1`, `v13`).
//! The first route that fits wins.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;

/// A line of the table: method (`"GET"`), pattern (`"/v*/deployments/{id}"`), and what it is.
pub type Route<O> = (&'static str, &'static str, O);

/// What the path's variable segments were.
pub type Params = BTreeMap<&'static str, String>;

/// A route that fits.
#[derive(Clone, Debug)]
pub struct Matched<O> {
    /// What is asked.
    pub operation: O,
    /// Of whom.
    pub params: Params,
}

/// Finds the first route that fits.
pub fn find_route<O: Copy>(table: &[Route<O>], method: &Method, path: &str) -> Option<Matched<O>> {
    table
        .iter()
        .filter(|(asked, _, _)| *asked == method.as_str())
        .find_map(|(_, pattern, operation)| {
            Some(Matched {
                operation: *operation,
                params: params_of(pattern, path)?,
            })
        })
}

fn params_of(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let mut given = path.split('/');
    for wanted in pattern.split('/') {
        let segment = given.next()?;
        if wanted == "v*" {
            let digits = segment.strip_prefix('v')?;
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
        } else if let Some(name) = wanted
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            if segment.is_empty() {
                return None;
            }
            let text = percent_decode_str(segment).decode_utf8().ok()?;
            params.insert(name, text.into_owned());
        } else if wanted != segment {
            return None;
        }
    }
    given.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Route<&str>] = &[
        ("GET", "/v*/things", "list"),
        ("GET", "/v*/things/{id}", "get"),
        ("DELETE", "/v*/things/{id}/hosts/{host}", "detach"),
    ];

    #[test]
    fn segments_are_literal_captured_or_a_version() {
        let find = |method: Method, path| find_route(TABLE, &method, path);
        assert_eq!(
            find(Method::GET, "/v2/things").map(|it| it.operation),
            Some("list")
        );
        let got = find(Method::GET, "/v13/things/t_1").expect("the pattern fits");
        assert_eq!((got.operation, got.params["id"].as_str()), ("get", "t_1"));
        let got = find(Method::DELETE, "/v2/things/1/hosts/%7Bapp%7D.example.com").expect("fits");
        assert_eq!(got.params["host"], "{app}.example.com");
    }

    #[test]
    fn what_fits_no_pattern_is_nobodys() {
        for (method, path) in [
            (Method::POST, "/v2/things"),
            (Method::GET, "/things"),
            (Method::GET, "/v/things"),
            (Method::GET, "/vx/things"),
            (Method::GET, "/v2/things/"),
            (Method::GET, "/v2/things/a/b"),
            (Method::DELETE, "/v2/things//hosts/x"),
        ] {
            assert!(
                find_route(TABLE, &method, path).is_none(),
                "{method} {path}"
            );
        }
    }
}
