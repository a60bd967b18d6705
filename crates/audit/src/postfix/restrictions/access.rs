//! Look-ups in access tables, by address and by name. See access(5).

use std::net::IpAddr;

use crate::Untold;
use crate::postfix::{Postfix, Table};

/// What an access table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The action: `REJECT not you`.
    pub(super) action: String,
    /// The entry, as written.
    pub(super) entry: String,
    /// Where it stands.
    pub(super) place: String,
}

impl Postfix<'_> {
    /// What a table says of a mail address: itself, without its extension, its domain, its parent domains, its local part.
    pub(super) fn access_of_address(&self, table: &str, address: &str) -> Result<Option<Answer>, Untold> {
        let table = self.table(table)?;
        if address.is_empty() {
            let key = self.value("smtpd_null_access_lookup_key").unwrap_or_else(|| "<>".to_owned());
            return answer(&table, &key);
        }
        let mut keys = vec![address.to_owned()];
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let plain = self.without_extension(local);
        if !table.whole_only() {
            keys.extend(plain.map(|plain| format!("{plain}@{domain}")));
            keys.extend(self.name_and_parents(domain));
            keys.push(format!("{local}@"));
            keys.extend(plain.map(|plain| format!("{plain}@")));
        }
        first(&table, &keys)
    }

    /// What a table says of a name: itself, its parent domains.
    pub(super) fn access_of_name(&self, table: &str, name: &str) -> Result<Option<Answer>, Untold> {
        let table = self.table(table)?;
        let keys = if table.whole_only() { vec![name.to_owned()] } else { self.name_and_parents(name) };
        first(&table, &keys)
    }

    /// What a table says of a client: its name as above, its address, the networks at the octets of its address.
    pub(super) fn access_of_client(
        &self,
        table: &str,
        name: &str,
        address: IpAddr,
    ) -> Result<Option<Answer>, Untold> {
        let table = self.table(table)?;
        let mut keys = Vec::new();
        if table.kind != "cidr" {
            keys = if table.whole_only() { vec![name.to_owned()] } else { self.name_and_parents(name) };
        }
        let address = address.to_string();
        let separator = if address.contains(':') { ':' } else { '.' };
        let mut network = address.as_str();
        keys.push(network.to_owned());
        while !table.whole_only()
            && let Some((shorter, _)) = network.rsplit_once(separator)
        {
            keys.push(shorter.to_owned());
            network = shorter;
        }
        first(&table, &keys)
    }

    /// The logins that own a sender address, and what could not be read of the tables that name them.
    pub(super) fn owners(&self, maps: &str, sender: &str) -> (Vec<String>, Vec<Untold>) {
        let (local, domain) = sender.rsplit_once('@').unwrap_or((sender, ""));
        let mut keys = vec![sender.to_owned()];
        keys.extend(self.without_extension(local).map(|plain| format!("{plain}@{domain}")));
        let local_domain = matches!(self.class_of(None, domain), Ok(Some((crate::postfix::Class::Local, _))));
        keys.extend(local_domain.then(|| local.to_owned()));
        keys.push(format!("@{domain}"));
        let (mut owners, mut unknown) = (Vec::new(), Vec::new());
        for name in map_names(maps) {
            let found = self.table(&name).and_then(|table| {
                let whole = table.whole_only();
                first(&table, if whole { keys.get(..1).unwrap_or_default() } else { &keys })
            });
            match found {
                Ok(Some(answer)) => owners.extend(
                    answer.action.split([',', ' ', '\t']).filter(|name| !name.is_empty()).map(str::to_owned),
                ),
                Ok(None) => {}
                Err(why) => unknown.push(why),
            }
        }
        (owners, unknown)
    }

    fn without_extension<'t>(&self, local: &'t str) -> Option<&'t str> {
        let delimiters = self.value("recipient_delimiter").unwrap_or_default();
        let at = local.find(|c| delimiters.contains(c)).filter(|at| *at > 0)?;
        local.get(..at)
    }

    /// Parents with a dot before them, or without where the parameter says that a name stands for its subdomains.
    fn name_and_parents(&self, name: &str) -> Vec<String> {
        let bare = self.parents_match("smtpd_access_maps");
        let mut keys = vec![name.to_owned()];
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            keys.push(if bare { parent.to_owned() } else { format!(".{parent}") });
            rest = parent;
        }
        keys
    }
}

/// The tables of a list, those joined by `unionmap:` one by one.
fn map_names(maps: &str) -> Vec<String> {
    let mut names = Vec::new();
    for element in crate::postfix::elements(maps) {
        match element.strip_prefix("unionmap:") {
            Some(joined) => names.extend(
                crate::postfix::elements(crate::postfix::unbraced(joined)).into_iter().map(str::to_owned),
            ),
            None => names.push(element.to_owned()),
        }
    }
    names
}

fn first(table: &Table, keys: &[String]) -> Result<Option<Answer>, Untold> {
    for key in keys.iter().filter(|key| !key.is_empty()) {
        if let Some(answer) = answer(table, key)? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

fn answer(table: &Table, key: &str) -> Result<Option<Answer>, Untold> {
    let entry = table.find(key)?;
    Ok(entry.map(|entry| Answer {
        action: entry.value.clone(),
        entry: format!("{} {}", entry.key, entry.value).trim().to_owned(),
        place: table.place(entry),
    }))
}
