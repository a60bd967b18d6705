//! The mail server's service of a compose file.

use std::collections::BTreeMap;

use super::env::Assignment;
use super::yaml::{Node, Value};

/// The mail server's service.
#[derive(Clone, Debug, Default)]
pub struct Compose {
    /// The file.
    pub file: String,
    /// The service's name.
    pub service: String,
    /// The line it begins on.
    pub line: usize,
    /// Whether the file declares a network with IPv6 that the service may use.
    pub ipv6: bool,
    node: Node,
    /// Variables of the `.env` file beside it, for `${NAME}`.
    dot_env: BTreeMap<String, String>,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The host's address it is bound to; empty for all.
    pub address: String,
    /// The host's port; 0 if Docker chooses one.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// Where it stands.
    pub place: String,
    /// The entry as it stands.
    pub text: String,
}

/// A mounted volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The host's path, or a volume's name; empty for an anonymous one.
    pub source: String,
    /// Where it is in the container.
    pub target: String,
    /// Where it stands.
    pub place: String,
    /// The entry as it stands.
    pub text: String,
}

impl Compose {
    /// The service whose image is docker-mailserver's, or that mounts its config volume.
    pub(crate) fn read(file: &str, text: &str, dot_env: &[Assignment]) -> Result<Option<Self>, String> {
        let root = Node::read(text)?;
        let Some(services) = root.get("services") else { return Ok(None) };
        let Some((name, node)) = services.entries().find(|(_, node)| is_mail_server(node)) else {
            return Ok(None);
        };
        let networks = root.get("networks").into_iter().flat_map(Node::entries);
        let ipv6 =
            networks.into_iter().any(|(_, network)| network.get("enable_ipv6").is_some_and(Node::is_true));
        Ok(Some(Self {
            file: file.to_owned(),
            service: name.text().unwrap_or_default().to_owned(),
            line: name.line,
            ipv6,
            node: node.clone(),
            dot_env: dot_env.iter().map(|set| (set.name.clone(), set.value.clone())).collect(),
        }))
    }

    /// A setting's text and place.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<(String, String)> {
        let node = self.node.get(key)?;
        Some((self.filled(node.text()?), self.place(node)))
    }

    /// The items of a list, with their places.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<(String, String)> {
        let items = self.node.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(|item| Some((self.filled(item.text()?), self.place(item)))).collect()
    }

    /// Whether a switch is on, and where.
    #[must_use]
    pub fn is_true(&self, key: &str) -> Option<String> {
        self.node.get(key).filter(|node| node.is_true()).map(|node| self.place(node))
    }

    /// Whether a key is there at all.
    #[must_use]
    pub fn has(&self, path: &[&str]) -> bool {
        self.node.at(path).is_some()
    }

    /// The health check's command and place.
    #[must_use]
    pub fn health_check(&self) -> Option<(String, String)> {
        let test = self.node.at(&["healthcheck", "test"])?;
        let words: Vec<_> = test.items().iter().filter_map(Node::text).collect();
        Some((words.join(" "), self.place(test)))
    }

    /// Whether the health check is switched off, and where.
    #[must_use]
    pub fn health_check_off(&self) -> Option<String> {
        let off = self.node.at(&["healthcheck", "disable"]).filter(|node| node.is_true());
        let none = self.health_check().filter(|(test, _)| test.trim() == "NONE").map(|(_, place)| place);
        off.map(|node| self.place(node)).or(none)
    }

    /// The environment files it names.
    #[must_use]
    pub fn env_files(&self) -> Vec<String> {
        let items = self.node.get("env_file").map(Node::items).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.text().or_else(|| item.get("path")?.text()))
            .map(|path| self.filled(path))
            .collect()
    }

    /// The assignments of `environment:`.
    pub(crate) fn environment(&self) -> Vec<Assignment> {
        let Some(node) = self.node.get("environment") else { return Vec::new() };
        let pairs: Vec<(String, String, &Node)> = match &node.value {
            Value::Map(_) => node
                .entries()
                .filter_map(|(key, value)| {
                    Some((key.text()?.to_owned(), value.text().unwrap_or_default().to_owned(), key))
                })
                .collect(),
            _ => node
                .items()
                .iter()
                .filter_map(|item| {
                    let (name, value) = item.text()?.split_once('=')?;
                    Some((name.to_owned(), value.to_owned(), item))
                })
                .collect(),
        };
        pairs
            .into_iter()
            .map(|(name, value, node)| Assignment {
                line: format!("{name}={value}"),
                name,
                value: self.filled(&value),
                place: self.place(node),
            })
            .collect()
    }

    /// The published ports, each of a range by itself up to sixteen.
    #[must_use]
    pub fn ports(&self) -> Vec<Published> {
        let items = self.node.get("ports").map(Node::items).unwrap_or_default();
        items.iter().flat_map(|item| self.published(item)).collect()
    }

    fn published(&self, item: &Node) -> Vec<Published> {
        let place = self.place(item);
        let Some(text) = item.text() else {
            let number = |key: &str| {
                item.get(key).and_then(Node::text).and_then(|text| self.filled(text).parse().ok())
            };
            let address = item.get("host_ip").and_then(Node::text).unwrap_or_default().to_owned();
            let container: u16 = number("target").unwrap_or_default();
            let host = number("published").unwrap_or_default();
            let text = format!("target: {container}");
            return vec![Published { address, host, container, place, text }];
        };
        let text = self.filled(text);
        let bare = text.split('/').next().unwrap_or_default();
        let (before, container) = bare.rsplit_once(':').unwrap_or(("", bare));
        let (address, host) = before.rsplit_once(':').unwrap_or(("", before));
        let hosts = range(host);
        range(container)
            .into_iter()
            .enumerate()
            .map(|(at, container)| Published {
                address: address.trim_matches(['[', ']']).to_owned(),
                host: hosts.get(at).copied().unwrap_or_default(),
                container,
                place: place.clone(),
                text: text.clone(),
            })
            .collect()
    }

    /// The mounted volumes.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let items = self.node.get("volumes").map(Node::items).unwrap_or_default();
        items.iter().map(|item| self.mount(item)).collect()
    }

    fn mount(&self, item: &Node) -> Mount {
        let place = self.place(item);
        let field =
            |key: &str| item.get(key).and_then(Node::text).map(|text| self.filled(text)).unwrap_or_default();
        let (source, target, text) = match item.text() {
            None => (field("source"), field("target"), format!("source: {}", field("source"))),
            Some(text) => {
                let text = self.filled(text);
                let mut parts = text.split(':');
                let first = parts.next().unwrap_or_default().to_owned();
                match parts.next() {
                    Some(target) => (first, target.to_owned(), text.clone()),
                    None => (String::new(), first, text.clone()),
                }
            }
        };
        let target = if target.len() > 1 { target.trim_end_matches('/').to_owned() } else { target };
        Mount { source, target, place, text }
    }

    fn place(&self, node: &Node) -> String {
        format!("{}:{}", self.file, node.line)
    }

    /// A text with `${NAME}`, `${NAME:-default}` and `$NAME` filled in from the `.env` file.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                filled.push('$');
                after
            } else if let Some((inner, after)) =
                after.strip_prefix('{').and_then(|after| after.split_once('}'))
            {
                let name = inner.split([':', '-', '?', '+']).next().unwrap_or(inner);
                let default = inner.split_once('-').map(|(_, default)| default).unwrap_or_default();
                let value = self.dot_env.get(name).filter(|value| !value.is_empty());
                filled.push_str(value.map_or(default, String::as_str));
                after
            } else {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                let (name, after) = after.split_at(end);
                filled.push_str(self.dot_env.get(name).map(String::as_str).unwrap_or_default());
                after
            };
        }
        filled + rest
    }
}

fn is_mail_server(service: &Node) -> bool {
    let image = service.get("image").and_then(Node::text).unwrap_or_default();
    let mounts = service.get("volumes").map(Node::items).unwrap_or_default();
    let config = |mount: &Node| {
        mount
            .text()
            .or_else(|| mount.get("target")?.text())
            .is_some_and(|text| text.contains("/tmp/docker-mailserver"))
    };
    image.contains("docker-mailserver") || mounts.iter().any(config)
}

fn range(text: &str) -> Vec<u16> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
        (Ok(from), Ok(to)) => (from..=to).take(16).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "services:
  web: {image: nginx}
  mail:
    image: ${REGISTRY:-ghcr.io}/docker-mailserver/docker-mailserver:${TAG}
    ports: ['25:25', '127.0.0.1:1143:143', '10000-10002:10000-10002/tcp', 587]
    volumes:
      - ./config/:/tmp/docker-mailserver/
      - {type: bind, source: /srv, target: /var/mail}
    environment:
      - A=1
    env_file: [{path: a.env}, b.env]
networks:
  default: {enable_ipv6: true}
";

    fn read() -> Compose {
        let dot_env = super::super::env::read(".env", "TAG=15.1.0\n");
        Compose::read("compose.yaml", TEXT, &dot_env).unwrap().unwrap()
    }

    #[test]
    fn the_mail_server_is_found_among_services() {
        let compose = read();
        assert_eq!(compose.service, "mail");
        assert_eq!(compose.text("image").unwrap().0, "ghcr.io/docker-mailserver/docker-mailserver:15.1.0");
        assert_eq!(compose.env_files(), ["a.env", "b.env"]);
        assert_eq!(compose.environment()[0].place, "compose.yaml:10");
        assert!(compose.ipv6);
    }

    #[test]
    fn ports_and_mounts_in_both_forms() {
        let compose = read();
        let ports: Vec<_> =
            compose.ports().iter().map(|p| (p.address.clone(), p.host, p.container)).collect();
        assert_eq!(ports.len(), 6);
        assert_eq!(ports[1], ("127.0.0.1".to_owned(), 1143, 143));
        assert_eq!(ports[4], (String::new(), 10002, 10002));
        assert_eq!(ports[5], (String::new(), 0, 587));
        let targets: Vec<_> = compose.mounts().into_iter().map(|mount| mount.target).collect();
        assert_eq!(targets, ["/tmp/docker-mailserver", "/var/mail"]);
    }
}
