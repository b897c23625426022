//! Pages of our own, where the site has none. They need nothing from outside, and their policy allows them nothing.

use std::collections::BTreeMap;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::body::{PreviewBody, full};
use super::files::Entry;
use super::path::encode;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f27;--soft:#667085;--line:#e4e7ec;--paper:#fbfbfd;--accent:#4f46e5}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--soft:#98a2b3;--line:#2a2f3a;--paper:#12151b;--accent:#a5b4fc}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 ui-sans-serif,system-ui,sans-serif}
main{max-width:46rem;margin:12vh auto 4rem;padding:0 1.5rem}
h1{font-size:1.5rem;letter-spacing:-.01em;margin:0 0 .5rem;overflow-wrap:anywhere}p{color:var(--soft);margin:0 0 1.5rem}
table{width:100%;border-collapse:collapse}td{padding:.45rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
td+td{text-align:right;color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums;padding-left:1rem}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}";

pub(super) fn not_found() -> Response<PreviewBody> {
    let body = "<h1>Nothing here</h1><p>This preview has no file at this address.</p><p><a href=\"/\">To its start</a></p>";
    page(StatusCode::NOT_FOUND, "Nothing here", body)
}

pub(super) fn method_not_allowed() -> Response<PreviewBody> {
    let body = "<h1>Only reading here</h1><p>A static preview answers GET and HEAD.</p>";
    page(StatusCode::METHOD_NOT_ALLOWED, "Only reading here", body)
}

/// A folder's entries. `folder` is empty or ends with a slash.
pub(super) fn listing(folder: &str, entries: &BTreeMap<String, Entry>) -> Response<PreviewBody> {
    let title = format!("/{folder}");
    let mut body = format!(
        "<h1>{}</h1><p>This site has no index.html; these are its files.</p><table>",
        escape(&title)
    );
    if !folder.is_empty() {
        body.push_str("<tr><td><a href=\"../\">../</a></td><td></td></tr>");
    }
    let (folders, files): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|(_, entry)| matches!(entry, Entry::Folder));
    body.extend(folders.into_iter().chain(files).map(|(name, entry)| {
        let (slash, size) = match entry {
            Entry::Folder => ("/", String::new()),
            Entry::File { size_bytes } => ("", readable(*size_bytes)),
        };
        let (link, name) = (encode(name), escape(name));
        // `./` keeps a name with a colon from being read as a scheme.
        format!("<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a></td><td>{size}</td></tr>")
    }));
    body.push_str("</table>");
    page(StatusCode::OK, &title, &body)
}

/// `body` is HTML; `title` is text.
fn page(status: StatusCode, title: &str, body: &str) -> Response<PreviewBody> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escape(title)
    );
    let length = html.len();
    let mut response = Response::new(full(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        ),
    );
    response
}

fn escape(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                plain => escaped.push(plain),
            }
            escaped
        },
    )
}

fn readable(size_bytes: u64) -> String {
    const KIB: u64 = 1024;
    match size_bytes {
        0..KIB => format!("{size_bytes} B"),
        KIB..1_048_576 => format!("{}.{} KiB", size_bytes / KIB, size_bytes % KIB * 10 / KIB),
        _ => format!(
            "{}.{} MiB",
            size_bytes / (KIB * KIB),
            size_bytes % (KIB * KIB) * 10 / (KIB * KIB)
        ),
    }
}
