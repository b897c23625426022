//! Names of apps and layers.

use super::error::ApiError;

/// Names that the service keeps for itself. Its list is not published; these stand for it.
const RESERVED: [&str; 5] = ["admin", "api", "console", "deno", "www"];

/// 3 to 32 of `a-z 0-9 -`, no hyphen at either end, not `xx--` at the third and fourth place, not reserved.
pub(crate) fn is_valid(slug: &str) -> bool {
    let bytes = slug.as_bytes();
    (3..=32).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && slug.get(2..4) != Some("--")
        && !RESERVED.contains(&slug)
}

/// The slug, or the refusal that names its field.
pub(crate) fn checked(slug: &str) -> Result<String, ApiError> {
    if is_valid(slug) {
        Ok(slug.to_owned())
    } else {
        Err(ApiError::invalid_at("slug"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_names_are_kept() {
        for good in ["abc", "a-b", "fs-0123456789abcdefghijklmnop", "abc--d"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "ab",
            "-abc",
            "abc-",
            "ab--c",
            "Abc",
            "a_b",
            "api",
            &"a".repeat(33),
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
