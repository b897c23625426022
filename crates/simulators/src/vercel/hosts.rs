//! Host names: labels that fit into DNS, hosts without the port that the simulator has to tell, apex domains.

/// The longest label that DNS takes.
const LABEL_MAX: usize = 63;

/// A host as a key: lower case, without scheme, port and what follows.
pub(super) fn key(host: &str) -> String {
    let host = host.trim();
    let host = host.split_once("://").map_or(host, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The host of a label, as a key.
pub(super) fn own(label: &str) -> String {
    format!("{label}.localhost")
}

/// A label of several parts, of which the first gives way where it is too long.
pub(super) fn label(parts: &[&str]) -> String {
    let rest: String = parts[1..]
        .iter()
        .flat_map(|part| ["-".to_owned(), plain(part)])
        .collect();
    let mut first = plain(parts[0]);
    first.truncate(LABEL_MAX.saturating_sub(rest.len()));
    format!("{}{rest}", first.trim_end_matches('-'))
        .trim_matches('-')
        .to_owned()
}

fn plain(part: &str) -> String {
    let kept = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    part.chars().map(kept).collect()
}

/// Whether it is a name that DNS takes.
pub(super) fn is_valid(host: &str) -> bool {
    let of_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(of_label)
}

/// Whether it is one that Vercel gives away itself, here: below `.localhost` or `.vercel.app`.
pub(super) fn is_given(key: &str) -> bool {
    key.strip_suffix(".localhost")
        .or_else(|| key.strip_suffix(".vercel.app"))
        .is_some()
}

/// The registrable part, near enough: the last two labels.
pub(super) fn apex(key: &str) -> &str {
    let mut dots = key.rmatch_indices('.').map(|(at, _)| at);
    let _tld = dots.next();
    dots.next().map_or(key, |at| &key[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_with_and_without_port_and_scheme() {
        for given in [
            "a.localhost:4001",
            "https://A.localhost:4001/x?y",
            "a.localhost.",
        ] {
            assert_eq!(key(given), "a.localhost", "{given}");
        }
    }

    #[test]
    fn labels_fit_into_dns_and_keep_what_makes_them_unique() {
        let long = "x".repeat(90);
        let label = label(&[&long, "abc123xyz", "acme"]);
        assert!(
            label.len() == 63 && label.ends_with("-abc123xyz-acme") && is_valid(&label),
            "{label}"
        );
        assert_eq!(super::label(&["my_app.v2", "acme"]), "my-app-v2-acme");
    }

    #[test]
    fn an_apex_is_the_last_two_labels() {
        assert_eq!(apex("a.b.example.com"), "example.com");
        assert_eq!(apex("example.com"), "example.com");
        assert_eq!(apex("localhost"), "localhost");
    }
}
