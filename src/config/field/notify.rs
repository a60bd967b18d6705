//! Settings of alerts: channels, and quiet hours.

use std::path::PathBuf;

use jiff::civil::Time;
use mailward_notify::{Channel, Mail, Quiet, Security, Service, Web};
use mailward_report::Severity;
use toml::de::{DeTable, DeValue};

use super::super::mistake::{Mistakes, meant};
use super::super::settings::NamedChannel;
use super::list::list;
use super::{Field, Value, quoted, text, wrong};

impl Field for Option<Quiet> {
    fn valid() -> String {
        "hours such as \"22:00-06:30\", or \"none\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = match text(value) {
            Some("none") => Some(None),
            Some(hours) => quiet(hours).map(Some),
            None => None,
        };
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read
    }

    fn show(&self) -> String {
        match self {
            None => quoted("none"),
            Some(quiet) => {
                quoted(&format!("{}-{}", quiet.from.strftime("%H:%M"), quiet.to.strftime("%H:%M")))
            }
        }
    }
}

fn quiet(hours: &str) -> Option<Quiet> {
    let (from, to) = hours.split_once('-')?;
    let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
    Some(Quiet { from: time(from)?, to: time(to)? })
}

/// What each kind of channel takes, beside what all take; a star marks what it needs.
const KINDS: [(&str, &[&str]); 9] = [
    ("mail", &["to*", "from", "server", "security", "login", "secret-file"]),
    ("ntfy", &["url*", "to*", "secret-file"]),
    ("gotify", &["url*", "secret-file*"]),
    ("matrix", &["url*", "to*", "secret-file*"]),
    ("slack", &["secret-file*"]),
    ("telegram", &["to*", "secret-file*", "url"]),
    ("teams", &["secret-file*"]),
    ("webhook", &["url*", "template", "secret-file"]),
    ("command", &["program*"]),
];

/// What every channel takes.
const OF_ALL: [&str; 4] = ["kind", "name", "least", "letters"];

impl Field for Vec<NamedChannel> {
    fn valid() -> String {
        "a list such as [{ kind = \"mail\", to = \"admin@example.org\" }]".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let channels = list(key, &Self::valid(), value, mistakes, |item, mistakes| match item.get_ref() {
            DeValue::Table(table) => Reader { table, at: item, mistakes }.channel(),
            _ => {
                wrong(key, &Self::valid(), item, None, mistakes);
                None
            }
        })?;
        let mut names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            let name = twice.concat();
            let name = name.get(..name.len() / 2).unwrap_or_default();
            mistakes.add(
                value.span(),
                format!("two channels are called \"{name}\""),
                "give each a name of its own: name = \"phone\"",
            );
            return None;
        }
        Some(channels)
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "[]".into();
        }
        let items = self.iter().map(|channel| format!("    {{ {} }},\n", written(channel).join(", ")));
        format!("[\n{}]", items.collect::<String>())
    }
}

/// A channel that is being read.
struct Reader<'r, 'm> {
    table: &'r DeTable<'r>,
    at: &'r Value<'r>,
    mistakes: &'r mut Mistakes<'m>,
}

impl<'r> Reader<'r, '_> {
    fn channel(&mut self) -> Option<NamedChannel> {
        let kind = self.kind()?;
        let (kind, keys) = KINDS.iter().find(|(name, _)| *name == kind)?;
        if !self.keys_fit(kind, keys) {
            return None;
        }
        let name = self.text("name").unwrap_or_else(|| (*kind).to_owned());
        let least = match self.value("least") {
            Some(value) => <Severity as Field>::read("least", value, self.mistakes)?,
            None => Severity::Medium,
        };
        let letters = match self.value("letters") {
            Some(value) => <bool as Field>::read("letters", value, self.mistakes)?,
            None => *kind == "mail",
        };
        let channel = match *kind {
            "mail" => Channel::Mail(self.mail()?),
            "command" => Channel::Command(self.command()?),
            kind => Channel::Web(self.web(service(kind)?)?),
        };
        Some(NamedChannel { name, least, letters, channel })
    }

    fn kind(&mut self) -> Option<String> {
        let given = self.text("kind").unwrap_or_default();
        let kinds = || KINDS.iter().map(|(name, _)| *name);
        if kinds().any(|kind| kind == given) {
            return Some(given);
        }
        let help = match meant(&given, kinds()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("kind is one of: {}", kinds().collect::<Vec<_>>().join(", ")),
        };
        let problem = match given.as_str() {
            "" => "a channel needs kind".to_owned(),
            other => format!("there is no kind \"{other}\" of channels"),
        };
        let at = self.value("kind").map_or(self.at.span(), Value::span);
        self.mistakes.add(at, problem, help);
        None
    }

    /// Whether there is what is needed, all of it text, and nothing else.
    fn keys_fit(&mut self, kind: &str, keys: &[&str]) -> bool {
        let named = |key: &&str| key.trim_end_matches('*').to_owned();
        let known: Vec<String> = keys.iter().map(named).chain(OF_ALL.map(str::to_owned)).collect();
        let mut fits = true;
        for (key, _) in self.table {
            if !known.iter().any(|known| key.get_ref() == known) {
                let problem = format!("a channel of kind \"{kind}\" has no \"{}\"", key.get_ref());
                self.mistakes.add(key.span(), problem, format!("it has: {}", known.join(", ")));
                fits = false;
            }
        }
        for needed in keys.iter().filter_map(|key| key.strip_suffix('*')) {
            if self.value(needed).is_none() {
                let problem = format!("a channel of kind \"{kind}\" needs {needed}");
                self.mistakes.add(self.at.span(), problem, "docs/notify.md has an example of each kind");
                fits = false;
            }
        }
        fits
    }

    fn value(&self, key: &str) -> Option<&'r Value<'r>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn text(&self, key: &str) -> Option<String> {
        let given = self.value(key).and_then(text).map(str::to_owned);
        given.filter(|text| !text.trim().is_empty() && !text.chars().any(char::is_control))
    }

    /// A text, or a list of them.
    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(_) => <Vec<String> as Field>::read(key, value, self.mistakes),
            _ => self.needed(key).map(|one| vec![one]),
        }
        .filter(|texts| !texts.is_empty())
    }

    fn needed(&mut self, key: &str) -> Option<String> {
        let read = self.text(key);
        if read.is_none() {
            let at = self.value(key).map_or(self.at.span(), Value::span);
            self.mistakes.add(at, format!("{key} must be a text in quotes"), "");
        }
        read
    }

    /// What may be left out, and is a text where it is not.
    fn optional(&mut self, key: &str) -> Option<Option<String>> {
        if self.value(key).is_some() { self.needed(key).map(Some) } else { Some(None) }
    }

    fn file(&mut self) -> Option<Option<PathBuf>> {
        let path = self.optional("secret-file")?.map(PathBuf::from);
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            let problem = "secret-file must be an absolute path";
            self.mistakes.add(self.at.span(), problem, "such as \"/etc/mailward/ntfy.token\"");
            return None;
        }
        Some(path)
    }

    fn mail(&mut self) -> Option<Mail> {
        let (to, from) = (self.texts("to")?, self.optional("from")?);
        let (server, port) = self.server()?;
        let is_here =
            server == "localhost" || server.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let security = match self.value("security") {
            Some(value) => <Security as Field>::read("security", value, self.mistakes)?,
            None if port == 465 => Security::Tls,
            None if is_here => Security::None,
            None => Security::StartTls,
        };
        let login = self.login()?;
        if login.is_some() && security == Security::None && !is_here {
            let help = "security = \"starttls\" or \"tls\"";
            self.mistakes.add(self.at.span(), "a password is not sent to another host in the clear", help);
            return None;
        }
        Some(Mail { to, from, server, port, security, login })
    }

    fn server(&mut self) -> Option<(String, u16)> {
        let place = self.optional("server")?.unwrap_or_else(|| "127.0.0.1:25".to_owned());
        let parts = place.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        if parts.is_none() {
            let at = self.value("server").map_or(self.at.span(), Value::span);
            let help = "such as \"mail.example.org:587\", \"127.0.0.1:25\" or \"[2001:db8::1]:465\"";
            self.mistakes.add(at, format!("server is no server and port: \"{place}\""), help);
        }
        parts.map(|(host, port)| (host.trim_matches(['[', ']']).to_owned(), port))
    }

    fn login(&mut self) -> Option<Option<(String, PathBuf)>> {
        match (self.optional("login")?, self.file()?) {
            (Some(login), Some(file)) => Some(Some((login, file))),
            (None, None) => Some(None),
            _ => {
                let help = "the file has the password in its first line, and belongs to root with mode 600";
                self.mistakes.add(self.at.span(), "login and secret-file go together", help);
                None
            }
        }
    }

    fn web(&mut self, service: Service) -> Option<Web> {
        let (url, secret) = (self.optional("url")?, self.file()?);
        let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if url.as_ref().is_some_and(|url| !is_web(url)) {
            self.mistakes.add(
                self.at.span(),
                "url must begin with https:// or http://",
                "a secret address belongs into secret-file",
            );
            return None;
        }
        let (to, template) = (self.optional("to")?.unwrap_or_default(), self.optional("template")?);
        Some(Web { service, url, secret, to, template })
    }

    fn command(&mut self) -> Option<Vec<String>> {
        let words = self.texts("program")?;
        if words.first().is_some_and(|program| program.starts_with('/')) {
            return Some(words);
        }
        let help = "such as program = [\"/usr/local/bin/alert\", \"--urgent\"]; no shell reads it";
        self.mistakes.add(self.at.span(), "program must be an absolute path", help);
        None
    }
}

/// A channel as TOML, setting by setting.
fn written(channel: &NamedChannel) -> Vec<String> {
    let kind = kind(&channel.channel);
    let mut parts = vec![
        format!("kind = {}", quoted(kind)),
        format!("name = {}", quoted(&channel.name)),
        format!("least = {}", quoted(channel.least.name())),
        format!("letters = {}", channel.letters),
    ];
    let mut add = |key: &str, value: Option<String>| {
        parts.extend(value.map(|value| format!("{key} = {value}")));
    };
    let path = |path: &PathBuf| quoted(&path.display().to_string());
    match &channel.channel {
        Channel::Command(words) => add("program", Some(Field::show(words))),
        Channel::Web(web) => {
            add("url", web.url.as_deref().map(quoted));
            add("to", Some(&web.to).filter(|to| !to.is_empty()).map(|to| quoted(to)));
            add("template", web.template.as_deref().map(quoted));
            add("secret-file", web.secret.as_ref().map(path));
        }
        Channel::Mail(mail) => {
            add("to", Some(Field::show(&mail.to)));
            add("from", mail.from.as_deref().map(quoted));
            let server = &mail.server;
            let host = if server.contains(':') { format!("[{server}]") } else { server.clone() };
            add("server", Some(quoted(&format!("{host}:{}", mail.port))));
            add("security", Some(Field::show(&mail.security)));
            add("login", mail.login.as_ref().map(|(name, _)| quoted(name)));
            add("secret-file", mail.login.as_ref().map(|(_, file)| path(file)));
        }
    }
    parts
}

const fn kind(channel: &Channel) -> &'static str {
    match channel {
        Channel::Mail(_) => "mail",
        Channel::Command(_) => "command",
        Channel::Web(web) => match web.service {
            Service::Ntfy => "ntfy",
            Service::Gotify => "gotify",
            Service::Matrix => "matrix",
            Service::Slack => "slack",
            Service::Telegram => "telegram",
            Service::Teams => "teams",
            Service::Webhook => "webhook",
        },
    }
}

fn service(kind: &str) -> Option<Service> {
    Some(match kind {
        "ntfy" => Service::Ntfy,
        "gotify" => Service::Gotify,
        "matrix" => Service::Matrix,
        "slack" => Service::Slack,
        "telegram" => Service::Telegram,
        "teams" => Service::Teams,
        "webhook" => Service::Webhook,
        _ => return None,
    })
}
