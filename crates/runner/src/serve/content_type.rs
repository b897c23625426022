//! What a file is, by its name: with `nosniff`, the browser believes nothing else.

/// The value of `Content-Type`.
pub(super) fn of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let essence = match extension.as_deref() {
        // The table knows `.ts` as an MPEG stream. Among a session's files it is source text.
        Some("ts" | "mts" | "cts" | "tsx" | "jsx") => "text/plain".to_owned(),
        Some("js" | "mjs" | "cjs") => "text/javascript".to_owned(),
        Some("wasm") => "application/wasm".to_owned(),
        Some("webmanifest") => "application/manifest+json".to_owned(),
        Some("map") => "application/json".to_owned(),
        Some(_) => mime_guess::from_path(name)
            .first_or_octet_stream()
            .essence_str()
            .to_owned(),
        None if is_readable(name) => "text/plain".to_owned(),
        None => "application/octet-stream".to_owned(),
    };
    if is_text(&essence) {
        format!("{essence}; charset=utf-8")
    } else {
        essence
    }
}

/// Files that people look at although their name does not say what they are.
fn is_readable(name: &str) -> bool {
    matches!(
        name,
        "README"
            | "LICENSE"
            | "LICENCE"
            | "COPYING"
            | "NOTICE"
            | "AUTHORS"
            | "CHANGELOG"
            | "Makefile"
            | "Dockerfile"
    )
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || matches!(
            essence,
            "application/javascript" | "application/json" | "application/xml"
        )
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn files_of_the_web_are_what_browsers_demand() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/style.CSS", "text/css; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("pkg/app_bg.wasm", "application/wasm"),
            ("data.json", "application/json; charset=utf-8"),
            ("site.webmanifest", "application/manifest+json"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
            ("logo.png", "image/png"),
            ("photo.avif", "image/avif"),
            ("photo.webp", "image/webp"),
            ("favicon.ico", "image/x-icon"),
            ("font.woff2", "font/woff2"),
            ("film.mp4", "video/mp4"),
            ("feed.xml", "text/xml; charset=utf-8"),
            ("notes.txt", "text/plain; charset=utf-8"),
            ("main.ts", "text/plain; charset=utf-8"),
            ("a.b/LICENSE", "text/plain; charset=utf-8"),
            ("a.html/blob", "application/octet-stream"),
            ("blob.nobody-knows", "application/octet-stream"),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }
}
