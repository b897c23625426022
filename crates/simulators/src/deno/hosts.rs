//! Hosts, and which revision answers at them.
//!
//! A revision is *bound* to hosts in two lanes: `production` and `preview`. Binding is additive, and of all revisions that
//! are bound to a host and succeeded, the newest answers there; in production a promoted one goes before newer ones, until
//! another is promoted. So a host moves back only by a promotion, or by detaching it from every newer revision.
//! Every change is seen only after a while ([`routing_ms`](super::DenoKnobs::routing_ms)), as at the real service.
//!
//! Hosts are kept as the caller wrote them, and compared without their port.

/// Where a binding serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Production,
    Preview,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Production, Self::Preview];

    /// The timeline's name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Production => "Production",
            Self::Preview => "Preview",
        }
    }

    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "preview",
        }
    }

    /// The context whose environment variables it sees.
    pub(crate) fn context(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "development",
        }
    }
}

/// The template of an app's own production host, in the organization's zone.
pub(crate) fn production_template(zone: &str) -> String {
    format!("{{deno.app.slug}}.{zone}")
}

/// The template of a revision's own preview host, in the organization's zone.
pub(crate) fn preview_template(zone: &str) -> String {
    format!("{{deno.app.slug}}-{{deno.revision.id}}.{zone}")
}

/// What the variables of a template stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) organization: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) app_slug: &'a str,
    pub(crate) revision: &'a str,
}

impl Names<'_> {
    /// The host that a template stands for.
    pub(crate) fn expand(&self, template: &str) -> String {
        template
            .replace("{deno.revision.id}", self.revision)
            .replace("{deno.app.slug}", self.app_slug)
            .replace("{deno.app.id}", self.app_id)
            .replace("{deno.organization.id}", self.organization)
    }
}

/// A host without its port, as hosts are compared.
pub(crate) fn bare(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// One host of one revision.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) lane: Lane,
    pub(crate) template: String,
    /// What it stands for, as it is told.
    pub(crate) host: String,
    /// The same, as it is compared.
    bare: String,
    /// Seen from here on, once the build succeeded.
    pub(crate) from: u64,
    /// Not seen any more from here on.
    pub(crate) until: Option<u64>,
}

impl Binding {
    pub(crate) fn new(lane: Lane, template: &str, names: Names<'_>, from: u64) -> Self {
        let host = names.expand(template);
        Self {
            lane,
            template: template.to_owned(),
            bare: bare(&host),
            host,
            from,
            until: None,
        }
    }

    /// Expands the template again, because the app has another slug now.
    pub(crate) fn rename(&mut self, names: Names<'_>) {
        self.host = names.expand(&self.template);
        self.bare = bare(&self.host);
    }

    /// Whether it is seen.
    pub(crate) fn is_seen(&self, now: u64) -> bool {
        now >= self.from && self.until.is_none_or(|until| now < until)
    }

    pub(crate) fn leads(&self, bare_host: &str) -> bool {
        self.bare == bare_host
    }

    /// Whether a caller means it: by its template or by the host.
    pub(crate) fn is_meant(&self, host_or_template: &str) -> bool {
        let wanted = bare(host_or_template);
        self.bare == wanted || bare(&self.template) == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names {
        organization: "acme",
        app_id: "a-1",
        app_slug: "shop",
        revision: "r2y",
    };

    #[test]
    fn templates_expand_to_hosts() {
        let preview = Binding::new(
            Lane::Preview,
            &preview_template("acme.localhost:4001"),
            NAMES,
            0,
        );
        assert_eq!(preview.host, "shop-r2y.acme.localhost:4001");
        assert!(preview.leads("shop-r2y.acme.localhost"));
        for meant in [
            "shop-r2y.acme.localhost",
            "Shop-R2y.acme.localhost:4001",
            "{deno.app.slug}-{deno.revision.id}.acme.localhost",
        ] {
            assert!(preview.is_meant(meant), "{meant}");
        }
        assert!(!preview.is_meant("shop.acme.localhost"));
    }

    #[test]
    fn a_binding_is_seen_from_its_begin_to_its_end() {
        let mut binding = Binding::new(Lane::Production, "x.example", NAMES, 10);
        assert!(!binding.is_seen(9) && binding.is_seen(10));
        binding.until = Some(20);
        assert!(binding.is_seen(19) && !binding.is_seen(20));
    }
}
