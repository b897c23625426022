//! How many dead letters, by code and by tenant.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::seen::Seen;
use crate::terminal::{Table, one_line};

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) total: u64,
    by_code: BTreeMap<String, u64>,
    /// Without a tenant: what can't be read so far.
    by_tenant: BTreeMap<Option<String>, u64>,
}

impl Counts {
    pub(super) fn add(&mut self, seen: &Seen) {
        self.total += 1;
        *self.by_code.entry(seen.code().to_owned()).or_default() += 1;
        let tenant = seen.tenant().map(|tenant| tenant.as_str().to_owned());
        *self.by_tenant.entry(tenant).or_default() += 1;
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let by_code = self.by_code.iter();
        let by_code = by_code.map(|(code, count)| json!({ "code": code, "count": count }));
        let by_tenant = self.by_tenant.iter();
        let by_tenant =
            by_tenant.map(|(tenant, count)| json!({ "tenantId": tenant, "count": count }));
        json!({
            "total": self.total,
            "byCode": by_code.collect::<Vec<_>>(),
            "byTenant": by_tenant.collect::<Vec<_>>(),
        })
    }

    /// For people: a table of codes and one of tenants, the most first.
    pub(super) fn words(&self) -> String {
        let codes = self
            .by_code
            .iter()
            .map(|(code, count)| (one_line(code), *count));
        let tenants = self.by_tenant.iter().map(|(tenant, count)| {
            let tenant = tenant.as_deref().map_or_else(|| "-".to_owned(), one_line);
            (tenant, *count)
        });
        let codes = table("code", codes.collect());
        let tenants = table("tenant", tenants.collect());
        format!("{codes}\n\n{tenants}")
    }
}

fn table(what: &str, mut rows: Vec<(String, u64)>) -> String {
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut table = Table::new([what, "letters"]);
    for (name, count) in rows {
        table.row([name, count.to_string()]);
    }
    table.render()
}

/// `1 dead letter`, `10000 dead letters`.
pub(super) fn letters(count: u64) -> String {
    if count == 1 {
        "1 dead letter".to_owned()
    } else {
        format!("{count} dead letters")
    }
}
