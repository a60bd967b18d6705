//! Changes of Postfix whose places and values follow from what is there.

use super::Change;
use crate::Server;
use crate::postfix::{Postfix, Role, Service};

/// A parameter with this value for every service that takes mail: in main.cf, and where a service says otherwise.
pub(crate) fn everywhere(server: &Server<'_>, name: &str, value: &str) -> Vec<Change> {
    let mut changes = vec![Change::parameter(name, value)];
    let Ok(postfix) = server.postfix() else { return changes };
    let other = |service: &&Service| service.overridden(name).is_some_and(|own| own != value);
    let services = postfix.smtpd().filter(other);
    changes.extend(services.map(|service| Change::overriding(service.key(), name, value)));
    changes
}

/// An option of every service of a role that does not have this value.
pub(crate) fn of_role(server: &Server<'_>, role: Role, name: &str, value: &str) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let services = postfix.smtpd().filter(|service| postfix.role(service) == role);
    let lacks = |service: &&Service| postfix.in_service(service, name).map_or(true, |now| now.value != value);
    services.filter(lacks).map(|service| Change::overriding(service.key(), name, value)).collect()
}

/// A list changed wherever it is set: what the operator put in stays in.
pub(crate) fn lists(server: &Server<'_>, name: &str, change: impl Fn(&str) -> String) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let services = postfix.smtpd().filter_map(|service| Some((service, service.overridden(name)?)));
    let changed = |list: &str| Some(change(list)).filter(|new| !super::list::is_same(list, new));
    let main = postfix.written(None, name).and_then(|list| changed(&list));
    let main = main.map(|list| Change::parameter(name, list));
    let own =
        services.filter_map(|(service, list)| Some(Change::overriding(service.key(), name, changed(list)?)));
    main.into_iter().chain(own).collect()
}

/// A list of the services of a role changed: each gets an option of its own, so that others keep theirs.
pub(crate) fn lists_of_role(
    server: &Server<'_>,
    role: Role,
    name: &str,
    change: impl Fn(&str) -> String,
) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let services = postfix.smtpd().filter(|service| postfix.role(service) == role);
    services
        .filter_map(|service| {
            let list = postfix.written(Some(service), name)?;
            let new = change(&list);
            (!super::list::is_same(&list, &new)).then(|| Change::overriding(service.key(), name, new))
        })
        .collect()
}

/// The words of a service's line, without its overrides; none if it is not there.
pub(crate) fn service_line(
    server: &Server<'_>,
    postfix: &Postfix<'_>,
    service: &Service,
) -> Option<Vec<String>> {
    let file = format!("{}/master.cf", postfix.directory());
    let text = server.facts.text(&file).ok().flatten().or_else(|| server.facts.output("postconf -M").ok())?;
    super::edit::service_words(text, &service.key())
}

/// Parameters left to Postfix's own values, in main.cf and in every service.
pub(crate) fn by_default(server: &Server<'_>, names: &[&str]) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let is_set = |name: &str| postfix.set().any(|(known, _)| known == name);
    let of_main = names.iter().filter(|name| is_set(name)).map(|name| Change::unset(name));
    let of_services = postfix.services().iter().flat_map(|service| {
        let own = names.iter().filter(|name| service.overridden(name).is_some());
        own.map(|name| Change::Override { service: service.key(), name: (*name).to_owned(), value: None })
    });
    of_main.chain(of_services).collect()
}
