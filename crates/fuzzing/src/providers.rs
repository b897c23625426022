//! Vendors' answers: any bytes, any status, any header.

use foreshow_contract::Secret;
use foreshow_providers::fuzzing::{Told, Wire, deno, vercel};

use crate::assert_showable;

/// Stands for a token of ours, which a vendor may quote.
const TOKEN: &str = "t0ken-0f-0urs";

/// An answer of Vercel's: a line with the status and a header's value, then the body.
pub fn provider_vercel(bytes: &[u8]) {
    answered(bytes, vercel);
}

/// The same of Deno Deploy's.
pub fn provider_deno(bytes: &[u8]) {
    answered(bytes, deno);
}

fn answered(bytes: &[u8], read: fn(&Wire<'_>) -> Told) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let status = std::str::from_utf8(&line[..digits])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(200);
    let secret = Secret::new(TOKEN);
    for concerns_tenant in [false, true] {
        let told = read(&Wire {
            status,
            header: line[digits..].trim_ascii(),
            body,
            secret: &secret,
            concerns_tenant,
        });
        for error in &told.errors {
            assert_showable(error, 1_500);
            // Nobody names a request, or a media type, by a token of ours.
            let quoted = line
                .windows(TOKEN.len())
                .any(|word| word == TOKEN.as_bytes());
            assert!(
                quoted || !error.contains(TOKEN),
                "a secret is told: {error}"
            );
        }
        assert!(
            told.lines.len() <= 120,
            "{} lines are told",
            told.lines.len()
        );
        for line in &told.lines {
            assert_showable(line, 1_500);
        }
    }
}
