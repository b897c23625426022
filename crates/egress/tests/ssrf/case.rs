//! One thing that is refused.

use std::sync::Arc;

use foreshow_egress::{Egress, EgressOptions, Refused};
use reqwest::{Method, Response};

use crate::answers::Answers;
use crate::trap::{Trap, soon};

pub(crate) const ADDRESS: &str = "address_not_allowed";
pub(crate) const URL: &str = "url_not_allowed";

/// A way to what is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// A URL; `{port}` in it is the trap's.
    Url(&'static str),
    /// A name with these addresses, asked at the trap's port.
    Name(&'static str, &'static [&'static str]),
}

/// Something that is refused, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) way: Way,
    pub(crate) code: &'static str,
}

/// A test for each, and a list of them all.
macro_rules! cases {
    ($list:ident $($name:ident: $way:expr => $code:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            crate::case::Case { way: $way, code: $code }.is_refused_and_unheard().await;
        })*

        pub(crate) const $list: &[crate::case::Case] = &[
            $(crate::case::Case { way: $way, code: $code },)*
        ];
    };
}
pub(crate) use cases;

/// Plain HTTP at this port: what a trap understands.
pub(crate) fn options(port: u16) -> EgressOptions {
    EgressOptions {
        http: true,
        ports: vec![port],
        ..EgressOptions::default()
    }
}

impl Way {
    pub(crate) fn url(self, port: u16) -> String {
        match self {
            Self::Url(url) => url.replace("{port}", &port.to_string()),
            Self::Name(name, _) => format!("http://{name}:{port}/"),
        }
    }

    pub(crate) fn resolver(self) -> Arc<Answers> {
        match self {
            Self::Url(_) => Arc::default(),
            Self::Name(name, addresses) => Answers::of(name, addresses),
        }
    }
}

impl Case {
    pub(crate) async fn is_refused_and_unheard(self) {
        let trap = Trap::set().await;
        let egress = Egress::with_resolver(&options(trap.port), self.way.resolver()).unwrap();
        let url = self.way.url(trap.port);
        match self.way {
            Way::Url(_) => {
                self.is(&egress.check(&url).unwrap_err());
                self.is_refused_as_redirect(&egress, &url);
            }
            Way::Name(..) => {
                let target = egress.check(&url).unwrap();
                let sent = soon(egress.request(Method::GET, &target).send()).await;
                self.is(Egress::refusal(&sent.unwrap_err()).expect("the guard refuses it"));
            }
        }
        trap.heard_nothing().await;
    }

    fn is(self, refused: &Refused) {
        assert_eq!(refused.code(), self.code, "{self:?}: {refused}");
        if self.code == ADDRESS {
            // One text for every address: which one it was is nobody's business.
            assert_eq!(
                refused.to_string(),
                "the address is not allowed: the host leads to a network that is not public; give the URL of a public host"
            );
        }
    }

    fn is_refused_as_redirect(self, egress: &Egress, url: &str) {
        // What is relative, or becomes so beside a URL (`http:path`), leads elsewhere.
        let from = egress.check("http://93.184.216.34/a/b").unwrap();
        let (alone, beside) = (url.parse::<reqwest::Url>(), from.url().join(url));
        if alone.is_err() || alone != beside {
            return;
        }
        for status in [301, 302, 303, 307, 308] {
            let Ok(response) = http::Response::builder()
                .status(status)
                .header("Location", url.as_bytes())
                .body("")
            else {
                return;
            };
            self.is(&egress
                .redirect(&from, &Response::from(response))
                .unwrap_err());
        }
    }
}
