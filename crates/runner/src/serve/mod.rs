//! A deployment's answer to an HTTP request, whichever server asks.
//!
//! A path never touches the file system: it is decoded, checked, and looked up as text in the index, which names the
//! blob. So there is nothing to traverse, and names differ exactly where the index says so.
//!
//! A deployment may be removed while it is being served. A blob that was opened goes on to its end; one that is gone
//! before is [`PreviewError::BlobMissing`], after which the caller resolves the label again.

mod body;
mod conditions;
mod content_type;
mod files;
mod headers;
mod pages;
mod path;

use http::header::{
    ACCEPT, ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

pub use body::{BodyError, PreviewBody};
pub use headers::{DEPLOYMENT_HEADER, REVISION_HEADER};

use crate::{PreviewDeployment, PreviewError, PreviewHost};
use conditions::{Answer, etag};
use files::{File, Found, Wanted};

impl PreviewHost {
    /// The deployment's answer. Whether it is ready is for the caller to ask.
    ///
    /// # Errors
    /// [`PreviewError::BlobMissing`] where a file went away meanwhile: resolve the label again.
    pub async fn serve(
        &self,
        deployment: &PreviewDeployment,
        request: &Parts,
    ) -> Result<Response<PreviewBody>, PreviewError> {
        let mut response = if matches!(request.method, Method::GET | Method::HEAD) {
            self.answer(deployment, request).await?
        } else {
            let mut refusal = pages::method_not_allowed();
            refusal
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refusal
        };
        headers::for_hostile_content(response.headers_mut());
        headers::name_deployment(response.headers_mut(), deployment);
        if request.method == Method::HEAD {
            *response.body_mut() = body::empty();
        }
        Ok(response)
    }

    async fn answer(
        &self,
        deployment: &PreviewDeployment,
        request: &Parts,
    ) -> Result<Response<PreviewBody>, PreviewError> {
        let Some(path) = path::decode(request.uri.path()) else {
            return Ok(pages::not_found());
        };
        let wanted = Wanted {
            path,
            falls_back: deployment.spa_fallback && accepts_html(&request.headers),
        };
        let row = deployment.row;
        let found = self
            .index
            .read(move |index| files::find(index, row, &wanted))
            .await?;
        // Whether it falls back depends on `Accept`, also where the answer is that it does not.
        let is_negotiated = deployment.spa_fallback
            && match &found {
                Found::Fallback(_) | Found::ErrorPage(_) | Found::Nothing => true,
                Found::File(_) | Found::Folder | Found::Listing { .. } => false,
            };
        let mut response = match found {
            Found::File(file) | Found::Fallback(file) => self.send(request, file).await?,
            Found::ErrorPage(file) => self.send_error_page(&request.method, file).await?,
            Found::Folder => redirect_into_folder(request),
            Found::Listing { folder, entries } => pages::listing(&folder, &entries),
            Found::Nothing => pages::not_found(),
        };
        if is_negotiated {
            headers::vary_by_accept(response.headers_mut());
        }
        Ok(response)
    }

    async fn send(
        &self,
        request: &Parts,
        file: File,
    ) -> Result<Response<PreviewBody>, PreviewError> {
        let etag = etag(&file.sha256);
        let mut response = Response::new(body::empty());
        let (status, range) =
            match conditions::evaluate(&request.method, &request.headers, &etag, file.size_bytes) {
                Answer::NotModified => {
                    *response.status_mut() = StatusCode::NOT_MODIFIED;
                    headers::revalidate(response.headers_mut(), &etag);
                    return Ok(response);
                }
                Answer::Unsatisfiable => {
                    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                    headers::ask_each_time(response.headers_mut());
                    insert_text(
                        response.headers_mut(),
                        CONTENT_RANGE,
                        &format!("bytes */{}", file.size_bytes),
                    );
                    insert_text(response.headers_mut(), CONTENT_LENGTH, "0");
                    return Ok(response);
                }
                Answer::Part { first, last } => {
                    let range = format!("bytes {first}-{last}/{}", file.size_bytes);
                    insert_text(response.headers_mut(), CONTENT_RANGE, &range);
                    (StatusCode::PARTIAL_CONTENT, first..last + 1)
                }
                Answer::Whole => (StatusCode::OK, 0..file.size_bytes),
            };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers::revalidate(headers, &etag);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert_text(headers, CONTENT_TYPE, &content_type::of(&file.path));
        insert_text(
            headers,
            CONTENT_LENGTH,
            &(range.end - range.start).to_string(),
        );
        if request.method == Method::GET {
            *response.body_mut() = body::of_blob(&self.blobs, &file.sha256, range).await?;
        }
        Ok(response)
    }

    /// The site's own page for what is not there. Neither conditions nor ranges apply to it.
    async fn send_error_page(
        &self,
        method: &Method,
        file: File,
    ) -> Result<Response<PreviewBody>, PreviewError> {
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        let headers = response.headers_mut();
        headers::ask_each_time(headers);
        insert_text(headers, CONTENT_TYPE, &content_type::of(&file.path));
        insert_text(headers, CONTENT_LENGTH, &file.size_bytes.to_string());
        if *method == Method::GET {
            *response.body_mut() =
                body::of_blob(&self.blobs, &file.sha256, 0..file.size_bytes).await?;
        }
        Ok(response)
    }
}

/// `/docs` → `/docs/`, so that the page's relative links work. The path was decoded to a safe one, so it can't begin with
/// `//`, which would lead to another host.
fn redirect_into_folder(request: &Parts) -> Response<PreviewBody> {
    let query = request
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    insert_text(
        headers,
        LOCATION,
        &format!("{}/{query}", request.uri.path()),
    );
    insert_text(headers, CONTENT_LENGTH, "0");
    // A later revision may have a file there: browsers would remember a permanent redirect for ever.
    headers::ask_each_time(headers);
    response
}

/// Whether an HTML page is an answer that the client can use. `curl` and `fetch` say `*/*`.
fn accepts_html(headers: &HeaderMap) -> bool {
    let mut given = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    given.peek().is_none()
        || given.flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_refused =
                parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            !is_refused
                && matches!(
                    name,
                    "text/html" | "text/*" | "*/*" | "application/xhtml+xml"
                )
        })
}

/// Text made of digits, paths that HTTP already carried, and our own words is always a valid header.
fn insert_text(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
