//! The value that holds: of a parameter, for the server and for each service, where it stands, and what it beat.

use core::fmt;

use super::defaults::default_of;
use super::text::boolean;
use super::{Kind, Postfix, Protocols, Service, expand, seconds};
use crate::Untold;
use crate::check::could_not_tell;

/// The value that holds for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The parameter.
    pub parameter: String,
    /// Its value, expanded.
    pub value: String,
    /// Its value as written.
    pub written: String,
    /// Who says so.
    pub origin: Origin,
    /// Where it stands: `main.cf:12`, `master.cf:17 (submission)`, `default of Postfix 3.7.11`.
    pub place: String,
    /// What would hold without it.
    pub beats: Option<Beaten>,
}

/// Who sets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody: it is compiled in.
    Default,
    /// main.cf.
    MainCf,
    /// `-o` in master.cf.
    MasterCf,
}

/// A value that another one beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beaten {
    /// The value, as written.
    pub value: String,
    /// Where it stands.
    pub place: String,
}

/// What a service that speaks SMTP is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The Internet's mail servers, on port 25.
    Mx,
    /// The server's own users.
    Submission,
    /// Programs of this machine.
    Internal,
    /// Nobody knows.
    Other,
}

impl Postfix<'_> {
    /// The value of a parameter for all services that do not override it, expanded; none if its default is not known.
    #[must_use]
    pub fn value(&self, parameter: &str) -> Option<String> {
        self.written(None, parameter).map(|written| self.expanded(None, &written))
    }

    /// As [`Self::value`], for a check that cannot go on without.
    ///
    /// # Errors
    /// When main.cf does not set it and its default is not known.
    pub fn need(&self, parameter: &str) -> Result<String, Untold> {
        self.value(parameter).map_or_else(|| self.unknown_default(parameter), Ok)
    }

    /// The value that main.cf gives a parameter, expanded; none if it does not.
    #[must_use]
    pub fn explicit(&self, parameter: &str) -> Option<String> {
        self.set.get(parameter).map(|written| self.expanded(None, written))
    }

    /// The value of a parameter in a service, and where it comes from.
    ///
    /// # Errors
    /// When nobody sets it and its default is not known.
    pub fn in_service(&self, service: &Service, parameter: &str) -> Result<Effective, Untold> {
        self.effective(Some(service), parameter)
    }

    /// The value of a parameter where no service overrides it, and where it comes from.
    ///
    /// # Errors
    /// When main.cf does not set it and its default is not known.
    pub fn in_main(&self, parameter: &str) -> Result<Effective, Untold> {
        self.effective(None, parameter)
    }

    /// A text with `$name` and the like replaced as in a service, or as where no service overrides them.
    #[must_use]
    pub fn expanded(&self, service: Option<&Service>, text: &str) -> String {
        expand(text, &|name| self.written(service, name))
    }

    /// Whether a boolean parameter is on in a service.
    ///
    /// # Errors
    /// As [`Self::in_service`], and when the value is no boolean.
    pub fn is_on(&self, service: &Service, parameter: &str) -> Result<bool, Untold> {
        let effective = self.in_service(service, parameter)?;
        match boolean(&effective.value) {
            Some(on) => Ok(on),
            None => could_not_tell(format!("{parameter} is neither yes nor no: {}", effective.value)),
        }
    }

    /// A parameter that is a time, in seconds, with `unit` where it names none.
    ///
    /// # Errors
    /// When it is not known, or no time.
    pub fn seconds(&self, parameter: &str, unit: char) -> Result<u64, Untold> {
        let value = self.need(parameter)?;
        seconds(&value, unit).map_or_else(|| could_not_tell(format!("{parameter} is no time: {value}")), Ok)
    }

    /// The parameter whose value bounds the TLS versions of a service that receives mail, and what it lets through:
    /// where TLS is required (`encrypt`, wrapper mode) the mandatory one. None where TLS is off.
    ///
    /// # Errors
    /// When a default is not known.
    pub fn tls_protocols(&self, service: &Service) -> Result<Option<(Effective, Protocols)>, Untold> {
        let Some(mandatory) = self.tls_required(service)? else { return Ok(None) };
        let parameter = if mandatory { "smtpd_tls_mandatory_protocols" } else { "smtpd_tls_protocols" };
        let effective = self.in_service(service, parameter)?;
        let protocols = Protocols::read(&effective.value);
        Ok(Some((effective, protocols)))
    }

    /// Whether a service that receives mail requires TLS; none where it offers none.
    ///
    /// # Errors
    /// When a default is not known.
    pub fn tls_required(&self, service: &Service) -> Result<Option<bool>, Untold> {
        if self.is_on(service, "smtpd_tls_wrappermode")? {
            return Ok(Some(true));
        }
        // A level beats the two switches of before Postfix 2.3.
        match self.in_service(service, "smtpd_tls_security_level")?.value.as_str() {
            "" if self.is_on(service, "smtpd_enforce_tls")? => Ok(Some(true)),
            "" if self.is_on(service, "smtpd_use_tls")? => Ok(Some(false)),
            "" | "none" => Ok(None),
            "may" => Ok(Some(false)),
            _ => Ok(Some(true)),
        }
    }

    /// What people call a service: `port 587 (submission)`, `port 25 (smtpd behind postscreen)`.
    #[must_use]
    pub fn label(&self, service: &Service) -> String {
        let port = |port: u16| match &service.host {
            Some(host) => format!("port {port} on {host}"),
            None => format!("port {port}"),
        };
        match (service.kind, service.port) {
            (Kind::Inet, Some(number)) if service.name.ends_with(&number.to_string()) => port(number),
            (Kind::Inet, Some(number)) => format!("{} ({})", port(number), service.name),
            (Kind::Pass, _) => match self.postscreen().and_then(|screen| screen.port) {
                Some(number) => format!("port {number} ({} behind postscreen)", service.name),
                None => format!("{} (behind postscreen)", service.name),
            },
            _ => format!("service {}", service.key()),
        }
    }

    /// The service that runs `postscreen`.
    #[must_use]
    pub fn postscreen(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.command == "postscreen" && service.kind == Kind::Inet)
    }

    /// The port at which clients reach a service.
    #[must_use]
    pub fn port(&self, service: &Service) -> Option<u16> {
        if service.kind == Kind::Pass { self.postscreen()?.port } else { service.port }
    }

    /// What a service that speaks SMTP is for.
    #[must_use]
    pub fn role(&self, service: &Service) -> Role {
        if self.loopback_only(service) {
            return Role::Internal;
        }
        let wrapped = self.is_on(service, "smtpd_tls_wrappermode").unwrap_or(false);
        match self.port(service) {
            Some(25) => Role::Mx,
            Some(465 | 587) => Role::Submission,
            _ if wrapped => Role::Submission,
            _ => Role::Other,
        }
    }

    /// Whether only this machine can reach a service.
    #[must_use]
    pub fn loopback_only(&self, service: &Service) -> bool {
        let own =
            |host: &str| matches!(host, "localhost" | "loopback-only" | "::1") || host.starts_with("127.");
        match (service.kind, &service.host) {
            (Kind::Inet, Some(host)) => own(host),
            (Kind::Inet, None) => {
                let interfaces = self.value("inet_interfaces").unwrap_or_default();
                let mut interfaces = super::elements(&interfaces).into_iter().peekable();
                interfaces.peek().is_some() && interfaces.all(|host| own(host.trim_matches(['[', ']'])))
            }
            (Kind::Unix, _) => true,
            (Kind::Pass, _) => self.postscreen().is_none_or(|screen| self.loopback_only(screen)),
        }
    }

    /// Where main.cf sets a parameter: `main.cf:12`, or `main.cf` where the text is not known.
    #[must_use]
    pub fn place(&self, parameter: &str) -> String {
        match self.main_cf().and_then(|text| text.of(parameter).next_back()) {
            Some(assignment) => format!("main.cf:{}", assignment.line),
            None => "main.cf".to_owned(),
        }
    }

    fn effective(&self, service: Option<&Service>, parameter: &str) -> Result<Effective, Untold> {
        let Some((written, origin)) = self.decided(service, parameter) else {
            return self.unknown_default(parameter);
        };
        Ok(Effective {
            parameter: parameter.to_owned(),
            value: self.expanded(service, &written),
            place: self.place_of(service, parameter, origin),
            beats: self.beaten(parameter, origin),
            written,
            origin,
        })
    }

    fn decided(&self, service: Option<&Service>, parameter: &str) -> Option<(String, Origin)> {
        if let Some(value) = service.and_then(|service| service.overridden(parameter)) {
            return Some((value.to_owned(), Origin::MasterCf));
        }
        match self.set.get(parameter) {
            Some(value) => Some((value.clone(), Origin::MainCf)),
            None => self.default(parameter).map(|value| (value, Origin::Default)),
        }
    }

    fn place_of(&self, service: Option<&Service>, parameter: &str, origin: Origin) -> String {
        match (origin, service) {
            (Origin::MasterCf, Some(service)) => service.place(),
            (Origin::Default, _) => self.default_place(),
            _ => self.place(parameter),
        }
    }

    fn default_place(&self) -> String {
        self.version
            .map_or_else(|| "Postfix's default".to_owned(), |version| format!("default of Postfix {version}"))
    }

    fn beaten(&self, parameter: &str, origin: Origin) -> Option<Beaten> {
        let default = || Some(Beaten { value: self.default(parameter)?, place: self.default_place() });
        match origin {
            Origin::Default => None,
            Origin::MasterCf => match self.set.get(parameter) {
                Some(value) => Some(Beaten { value: value.clone(), place: self.place(parameter) }),
                None => default(),
            },
            Origin::MainCf => {
                let before = self.main_cf().and_then(|text| text.of(parameter).rev().nth(1));
                let before = before.map(|assignment| Beaten {
                    value: assignment.value.clone(),
                    place: format!("main.cf:{}", assignment.line),
                });
                before.or_else(default)
            }
        }
    }

    /// The value of a parameter in a service, or where none overrides it, with `$name` as it stands; none if its default is not
    /// known.
    #[must_use]
    pub fn written(&self, service: Option<&Service>, parameter: &str) -> Option<String> {
        let of_service = service.and_then(|service| match parameter {
            "service_name" => Some(service.name.clone()),
            "process_name" => Some(service.command.clone()),
            _ => None,
        });
        of_service.or_else(|| self.decided(service, parameter).map(|(value, _)| value))
    }

    /// The default of a parameter, unexpanded.
    #[must_use]
    pub fn default(&self, parameter: &str) -> Option<String> {
        // `postconf -d` knows the machine's name, but not the one that main.cf sets.
        if parameter == "mydomain"
            && let Some(name) = self.set.get("myhostname").filter(|name| !name.contains('$'))
            && let Some((_, domain)) = name.split_once('.')
        {
            return Some(domain.to_owned());
        }
        if let Some(value) = self.defaults.as_ref().and_then(|defaults| defaults.get(parameter)) {
            return Some(value.clone());
        }
        match parameter {
            "mail_version" => self.version.map(|version| version.to_string()),
            "myhostname" => Some(self.host.clone()).filter(|host| !host.is_empty()),
            "mydomain" => self.host.split_once('.').map(|(_, domain)| domain.to_owned()),
            _ if self.defaults.is_some() => None,
            _ => default_of(parameter, self.version).map(str::to_owned),
        }
    }

    fn unknown_default<T>(&self, parameter: &str) -> Result<T, Untold> {
        could_not_tell(match (&self.defaults, self.version) {
            (Some(_), Some(version)) => format!("Postfix {version} has no parameter {parameter}"),
            _ => format!("the default of {parameter} is not known: `postconf -d` was not run"),
        })
    }
}

impl Service {
    /// Where it stands: `master.cf:17 (submission)`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("master.cf:{line} ({})", self.name),
            None => format!("master.cf ({})", self.name),
        }
    }
}

/// `smtpd_tls_auth_only = no`.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.parameter, self.value)?;
        if self.written == self.value { Ok(()) } else { write!(f, " (written {})", self.written) }
    }
}
