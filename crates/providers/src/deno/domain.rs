//! Domains of a tenant's own.
//!
//! An organization verifies a domain once; from then on any revision can be bound to it, and the newest *bound* revision wins. So where
//! ours was created before another that holds the domain, the other has to let go of it first.

use std::time::Duration;

use foreshow_engine::DomainState;
use tokio::time::{Instant, sleep};

use super::{
    DenoError, DenoProvider,
    alias::ASK_EVERY,
    client::DomainAnswer,
    hosts,
    tags::Place,
    wire::{DnsRecord, Domain},
};

/// How long a bound domain may take to show in the timelines before others are looked at for it.
const SHOWS_WITHIN: Duration = Duration::from_secs(5);

impl DenoProvider {
    pub(super) async fn bind(&self, domain: &str, to: &Place) -> Result<DomainState, DenoError> {
        let known = match self.client.domain(domain).await? {
            Some(known) => known,
            None => match self.client.create_domain(domain).await? {
                DomainAnswer::Taken(known) => known,
                DomainAnswer::Refused { why } => return Ok(DomainState::Refused { why }),
            },
        };
        let known = if known.is_validated {
            known
        } else {
            self.client.verify_domain(domain).await?
        };
        if !known.is_validated {
            return Ok(DomainState::Unverified {
                records: records(&known),
            });
        }
        if let Some(why) = self.client.bind(&to.revision, domain).await? {
            return Ok(DomainState::Refused { why });
        }
        self.take_from_others(domain, to).await?;
        self.certify(domain, &known).await
    }

    /// Sees to it that no newer revision of the app holds on to the domain.
    async fn take_from_others(&self, domain: &str, to: &Place) -> Result<(), DenoError> {
        let give_up_at = Instant::now() + SHOWS_WITHIN;
        loop {
            let Some(revision) = self.client.revision(&to.revision).await? else {
                return Ok(());
            };
            if hosts::all(&revision).any(|host| host == domain) {
                return Ok(());
            }
            if Instant::now() >= give_up_at {
                break;
            }
            sleep(ASK_EVERY).await;
        }
        for other in self.in_full(&to.app).await? {
            if other.id != to.revision && hosts::all(&other).any(|host| host == domain) {
                self.client.detach(&other.id, domain).await?;
            }
        }
        Ok(())
    }

    /// Without a certificate no browser gets there.
    async fn certify(&self, domain: &str, known: &Domain) -> Result<DomainState, DenoError> {
        let status = &known.provisioning_status;
        match status.code.as_str() {
            "success" => Ok(DomainState::Bound),
            _ if !known.certificates.is_empty() => Ok(DomainState::Bound),
            "failed" => Ok(DomainState::Refused {
                why: format!(
                    "Deno Deploy could not get a certificate for {domain}: {}",
                    status.message.as_deref().unwrap_or("it does not say why")
                ),
            }),
            _ => {
                // Pending, or waiting to be asked for. Takes a minute or two, during which the records have to be there.
                self.client.provision(domain).await?;
                Ok(DomainState::Unverified {
                    records: records(known),
                })
            }
        }
    }
}

/// The first of the sets of records, any of which will do.
fn records(domain: &Domain) -> Vec<String> {
    let set = domain.dns_records.first().into_iter().flatten();
    set.map(|record| format!("{} {} {}", record.kind, name(record), record.value))
        .collect()
}

/// The record's whole name; the API tells it in two parts.
fn name(record: &DnsRecord) -> String {
    let (name, base) = (
        record.name.trim_end_matches('.'),
        record.base.trim_end_matches('.'),
    );
    match name {
        "" | "@" => base.to_owned(),
        _ if base.is_empty() || name == base || name.ends_with(&format!(".{base}")) => {
            name.to_owned()
        }
        _ => format!("{name}.{base}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_set_of_records_is_told_with_whole_names() {
        let domain: Domain = serde_json::from_value(json!({
            "is_validated": false,
            "dns_records": [
                [
                    { "type": "CNAME", "name": "demo", "base": "acme.dev", "value": "alias.deno.net" },
                    { "type": "CNAME", "name": "_acme-challenge.demo.acme.dev", "base": "acme.dev", "value": "x.acme.deno.net." },
                    { "type": "A", "name": "@", "base": "acme.dev", "value": "192.0.2.1" },
                ],
                [{ "type": "A", "name": "demo", "base": "acme.dev", "value": "192.0.2.2" }],
            ],
            "provisioning_status": { "code": "pending" },
        }))
        .unwrap();
        assert_eq!(
            records(&domain),
            [
                "CNAME demo.acme.dev alias.deno.net",
                "CNAME _acme-challenge.demo.acme.dev x.acme.deno.net.",
                "A acme.dev 192.0.2.1",
            ]
        );
    }
}
