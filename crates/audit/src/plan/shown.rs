//! Changes as a person sees them in a report: file, lines out, lines in.

use super::{Change, Layout};
use crate::dms::CONFIG;
use crate::finding::Edit;
use crate::{Facts, Server};

impl Change {
    /// The lines that it takes out and puts in, where it goes on this server.
    #[must_use]
    pub fn shown(&self, layout: &Layout, server: &Server<'_>) -> Edit {
        let file = layout.file(self).unwrap_or_else(|| "in the container".to_owned());
        let target = host_name(&file);
        let (remove, add) = match self {
            Self::Parameter { name, value } => {
                (assigned(server, name), value.iter().map(|value| setting(name, value)).collect())
            }
            Self::Override { service, name, value } => {
                return Edit {
                    target: format!("{target} ({service})"),
                    remove: overridden(server, service, name).into_iter().collect(),
                    add: value.iter().map(|value| format!("-o {name}={value}")).collect(),
                };
            }
            Self::Service { service, line } => {
                (served(server.facts, &file, service).into_iter().collect(), line.iter().cloned().collect())
            }
            Self::Dovecot { blocks, name, value } => (Vec::new(), nested(blocks, &setting(name, value))),
            Self::Variable { name, value } => {
                let old = server.dms().ok().and_then(|dms| dms.assigned(name)).map(|set| set.line.clone());
                (old.into_iter().collect(), value.iter().map(|value| format!("{name}={value}")).collect())
            }
            Self::Setting { section, name, value, .. } => {
                let head = (!section.is_empty()).then(|| format!("[{section}]"));
                let line = value.iter().map(|value| layout.format(self).line(name, value));
                (Vec::new(), head.into_iter().chain(line).collect())
            }
            Self::Lines { remove, add, .. } => (remove.clone(), add.clone()),
            Self::Access { .. } => (Vec::new(), self.chmod().into_iter().collect()),
            Self::Key { algorithm, .. } => (Vec::new(), vec![format!("a new {} key", algorithm.name())]),
            Self::Remove { .. } => (vec!["the file".to_owned()], Vec::new()),
        };
        Edit { target, remove, add }
    }
}

impl Change {
    /// The commands that change who may do what with a file; none for all other changes.
    pub(crate) fn chmod(&self) -> Option<String> {
        let Self::Access { file, mode, owner, group } = self else { return None };
        let who = match (owner, group) {
            (Some(owner), Some(group)) => Some(format!("chown {owner}:{group} {file}")),
            (Some(owner), None) => Some(format!("chown {owner} {file}")),
            (None, Some(group)) => Some(format!("chgrp {group} {file}")),
            (None, None) => None,
        };
        let mode = mode.map(|mode| format!("chmod {mode:04o} {file}"));
        Some(who.into_iter().chain(mode).collect::<Vec<_>>().join(" && "))
    }
}

/// The name of a file as the host's people know it: docker-mailserver's documentation keeps its volume there.
fn host_name(file: &str) -> String {
    let own = file.strip_prefix(CONFIG).map(|path| format!("docker-data/dms/config{path}"));
    own.unwrap_or_else(|| file.strip_prefix("/compose/").unwrap_or(file).to_owned())
}

fn setting(name: &str, value: &str) -> String {
    format!("{name} = {value}").trim_end().to_owned()
}

/// The assignments of a parameter that stand in main.cf.
fn assigned(server: &Server<'_>, name: &str) -> Vec<String> {
    let Some(main_cf) = server.postfix().ok().and_then(|postfix| postfix.main_cf()) else {
        return Vec::new();
    };
    main_cf.of(name).map(|set| setting(&set.name, &set.value)).collect()
}

fn overridden(server: &Server<'_>, service: &str, name: &str) -> Option<String> {
    let services = server.postfix().ok()?.services();
    let value = services.iter().find(|known| known.key() == service)?.overridden(name)?;
    Some(format!("-o {name}={value}"))
}

/// The line of a service in master.cf.
fn served(facts: &Facts, file: &str, service: &str) -> Option<String> {
    let text = facts.text(file).ok().flatten()?;
    let is = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next().zip(words.next()).is_some_and(|(name, kind)| format!("{name}/{kind}") == service)
    };
    text.lines().find(is).map(str::to_owned)
}

/// A line inside of its sections.
fn nested(blocks: &[String], line: &str) -> Vec<String> {
    let open = blocks.iter().enumerate().map(|(depth, block)| format!("{}{block} {{", "  ".repeat(depth)));
    let close = (0..blocks.len()).rev().map(|depth| format!("{}}}", "  ".repeat(depth)));
    open.chain([format!("{}{line}", "  ".repeat(blocks.len()))]).chain(close).collect()
}
