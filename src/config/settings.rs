//! The settings as the program uses them.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use mailward_audit::firewall::{Opening, Port};
use mailward_decide::login::Limit;
use mailward_decide::policy::PolicySettings;
use mailward_decide::{Budget, Ladder};
use mailward_detect::{Capacity, Patience, Rules};
use mailward_model::{Network, Span};
use mailward_notify::{Channel, Quiet};
use mailward_report::Severity;
use mailward_source::Start;
use mailward_store::Retention;

use crate::tasks::Schedule;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) sources: Sources,
    pub(crate) guard: Guard,
    pub(crate) firewall: Firewall,
    pub(crate) host_firewall: HostFirewall,
    pub(crate) never_ban: NeverBan,
    pub(crate) ladder: Ladder,
    pub(crate) budget: Budget,
    pub(crate) patience: Patience,
    pub(crate) memory: Capacity,
    pub(crate) retention: Retention,
    pub(crate) audit: Audit,
    pub(crate) integrity: Integrity,
    pub(crate) accounts: Accounts,
    pub(crate) backup: Backup,
    pub(crate) policy: Policy,
    pub(crate) login: Login,
    pub(crate) geoip: Geoip,
    pub(crate) notify: Notify,
    pub(crate) tasks: TaskSettings,
    pub(crate) rules: Rules,
}

/// A value that is found out unless somebody sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Auto<T> {
    /// Found out.
    #[default]
    Auto,
    /// Set.
    Set(T),
}

/// `[sources]`: where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Log files; their rotations are found by themselves.
    pub(crate) files: Auto<Vec<PathBuf>>,
    /// Whether the journal is read.
    pub(crate) journal: Auto<bool>,
    /// What of the journal.
    pub(crate) journal_matches: Vec<String>,
    /// Where to begin in a log that was never read.
    pub(crate) start: Start,
    /// The zone of stamps that do not tell theirs: `local`, or a name of the time zone database.
    pub(crate) time_zone: String,
}

impl Default for Sources {
    fn default() -> Self {
        // Facility 2 is mail (RFC 5424 section 6.2.1): Postfix and Dovecot both log to it.
        let journal_matches = vec!["SYSLOG_FACILITY=2".to_owned()];
        Self {
            files: Auto::Auto,
            journal: Auto::Auto,
            journal_matches,
            start: Start::Beginning,
            time_zone: "local".into(),
        }
    }
}

impl Sources {
    /// The zone of stamps that do not tell theirs; none if there is no zone of that name on this host.
    pub(crate) fn zone(&self) -> Option<TimeZone> {
        match self.time_zone.as_str() {
            "local" => Some(TimeZone::system()),
            "UTC" => Some(TimeZone::UTC),
            name => TimeZone::get(name).ok(),
        }
    }
}

/// Whether bans are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are only decided and recorded.
    DryRun,
}

impl Mode {
    /// The stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::DryRun => "dry-run",
        }
    }
}

/// `[guard]`: the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) mode: Mode,
    /// Where it keeps what must survive a restart.
    pub(crate) state_directory: PathBuf,
    /// The control socket.
    pub(crate) socket: PathBuf,
    /// The group that may use it.
    pub(crate) socket_group: String,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            state_directory: "/var/lib/mailward".into(),
            socket: "/run/mailward/control.sock".into(),
            socket_group: "root".into(),
        }
    }
}

/// `[firewall]`: how bans reach the kernel, and Postfix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firewall {
    pub(crate) enabled: bool,
    /// Ports, action and table.
    pub(crate) options: mailward_enforce::Options,
    /// A CIDR table for postscreen, beside or instead of the kernel.
    pub(crate) postscreen_table: Option<PathBuf>,
}

impl Default for Firewall {
    fn default() -> Self {
        Self { enabled: true, options: mailward_enforce::Options::default(), postscreen_table: None }
    }
}

/// `[host-firewall]`: what `mailward firewall` opens and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostFirewall {
    /// Ports that are open beside mail and SSH, or only to some.
    pub(crate) allow: Vec<Opening>,
    /// Ports that stay closed though somebody listens there.
    pub(crate) close: Vec<Port>,
    /// Interfaces whose traffic is not filtered.
    pub(crate) trusted_interfaces: Vec<InterfaceName>,
    /// New connections a minute to mail ports, of each source.
    pub(crate) mail_rate: u32,
    /// New connections a minute to SSH, of each source.
    pub(crate) ssh_rate: u32,
    /// A file of networks that may not reach ports at which people log in.
    pub(crate) blocked_networks: Option<PathBuf>,
    /// How long rules act before they are confirmed.
    pub(crate) trial: Span,
}

impl Default for HostFirewall {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            close: Vec::new(),
            trusted_interfaces: Vec::new(),
            // An office behind one address opens hundreds when its line comes back; a flood is thousands.
            mail_rate: 300,
            ssh_rate: 30,
            blocked_networks: None,
            trial: Span::from_secs(60),
        }
    }
}

/// The name of a network interface, perhaps with a `*` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceName(pub(crate) String);

impl std::fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[never-ban]`: who is never banned, beside what no configuration removes (loopback, private networks).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NeverBan {
    pub(crate) networks: Vec<NamedNetwork>,
    /// Where the operator is logged in from.
    pub(crate) operator_session: bool,
    /// Postfix's `mynetworks`.
    pub(crate) mynetworks: bool,
    /// Addresses of this host.
    pub(crate) own_addresses: bool,
}

impl Default for NeverBan {
    fn default() -> Self {
        Self { networks: Vec::new(), operator_session: true, mynetworks: true, own_addresses: true }
    }
}

/// A network, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedNetwork {
    pub(crate) network: Network,
    /// Whose it is; may be empty.
    pub(crate) comment: String,
}

/// `[audit]`: what is judged, how it is reached, and what was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// The command before every command, to look into a container.
    pub(crate) prefix: Auto<Vec<String>>,
    /// docker-mailserver's Compose file.
    pub(crate) compose_file: Auto<Option<PathBuf>>,
    /// Mail domains, beside those that are found.
    pub(crate) domains: Vec<String>,
    /// Who is asked for DNS records.
    pub(crate) resolver: Resolver,
    /// The folder of received DMARC and TLS reports.
    pub(crate) reports: Option<PathBuf>,
    /// Whether a few guessable passwords are tried against the stored hashes.
    pub(crate) guess_passwords: bool,
    /// Findings that the operator accepted.
    pub(crate) accept: Vec<Accepted>,
}

/// `[integrity]`: what is watched for changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Integrity {
    /// Whether the daemon looks.
    pub(crate) watch: bool,
    /// How often.
    pub(crate) interval: Span,
    /// What is watched besides.
    pub(crate) paths: Vec<PathBuf>,
    /// What is not.
    pub(crate) ignore: Vec<PathBuf>,
}

impl Default for Integrity {
    fn default() -> Self {
        Self { watch: true, interval: Span::from_mins(2), paths: Vec::new(), ignore: Vec::new() }
    }
}

/// `[backup]`: what is saved, where, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// The directory of the repository.
    pub(crate) repository: Option<PathBuf>,
    /// The key of the repository.
    pub(crate) key_file: PathBuf,
    /// What is saved besides.
    pub(crate) include: Vec<PathBuf>,
    /// What is not.
    pub(crate) exclude: Vec<PathBuf>,
    /// Days, weeks, months and years of which the newest proven snapshot is kept.
    pub(crate) keep_daily: u32,
    pub(crate) keep_weekly: u32,
    pub(crate) keep_monthly: u32,
    pub(crate) keep_yearly: u32,
    /// Whether everybody else comes first at the processor and the disk.
    pub(crate) gentle: bool,
    /// KiB in a second; 0 is no limit.
    pub(crate) bandwidth: u64,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            repository: None,
            key_file: PathBuf::from("/etc/mailward/backup.key"),
            include: Vec::new(),
            exclude: Vec::new(),
            keep_daily: 7,
            keep_weekly: 5,
            keep_monthly: 12,
            keep_yearly: 3,
            gentle: true,
            bandwidth: 0,
        }
    }
}

/// Who is asked for DNS records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// The first of /etc/resolv.conf.
    #[default]
    System,
    /// Nobody.
    None,
    /// This one.
    At(SocketAddr),
}

/// `[accounts]`: which passwords are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accounts {
    /// Characters at the least.
    pub(crate) min_length: usize,
    /// The least strength by zxcvbn, 0 to 4.
    pub(crate) min_strength: u32,
    /// The list of stolen passwords: a file, or a directory of ranges.
    pub(crate) breached: Option<PathBuf>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { min_length: 12, min_strength: 3, breached: None }
    }
}

/// `[policy]` and the sections after it: how Postfix is answered when it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Whether it is answered at all.
    pub(crate) enabled: bool,
    /// Where, by TCP.
    pub(crate) listen: Option<SocketAddr>,
    /// Where, by a unix socket.
    pub(crate) socket: Option<PathBuf>,
    /// Who is asked about lists.
    pub(crate) resolver: Resolver,
    /// How long the DNS may take.
    pub(crate) deadline: Span,
    /// Tables of who owns which address.
    pub(crate) owners: Vec<PathBuf>,
    /// What is answered.
    pub(crate) settings: PolicySettings,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: false,
            // Where guides have Postgrey.
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 10_023))),
            socket: Some("/var/spool/postfix/private/mailward-policy".into()),
            resolver: Resolver::System,
            deadline: Span::from_secs(2),
            owners: Vec::new(),
            settings: PolicySettings::default(),
        }
    }
}

/// `[login]`: how Dovecot is answered when it asks about logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// Whether it is answered at all.
    pub(crate) enabled: bool,
    /// Whether verdicts are told, or only counted.
    pub(crate) mode: Mode,
    /// Where, by TCP: Dovecot asks by nothing else.
    pub(crate) listen: Option<SocketAddr>,
    /// Where, by a unix socket, for scripts.
    pub(crate) socket: Option<PathBuf>,
    /// What whoever asks has to know.
    pub(crate) key: Option<String>,
    /// How long whoever is suspected waits.
    pub(crate) wait: Span,
    /// What single accounts are limited to.
    pub(crate) limits: Vec<Limit>,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            enabled: false,
            mode: Mode::Enforce,
            // Where weakforced's examples have it.
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 4_001))),
            socket: Some("/run/mailward/login.sock".into()),
            key: None,
            // As weakforced's policy: no person minds it once, and a guesser pays it each time.
            wait: Span::from_secs(3),
            limits: Vec::new(),
        }
    }
}

/// `[geoip]`: where addresses are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Geoip {
    /// A database in MaxMind's format.
    pub(crate) database: Option<PathBuf>,
}

/// `[notify]`: who is told when something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notify {
    /// Where alerts go.
    pub(crate) channels: Vec<NamedChannel>,
    /// How long an alert waits for others to go with it.
    pub(crate) gather: Span,
    /// How long nothing more is said of what was told.
    pub(crate) alike: Span,
    /// When nothing is said but what is loud.
    pub(crate) quiet: Option<Quiet>,
    /// From which severity on an alert breaks the quiet.
    pub(crate) loud: Severity,
    /// Messages in an hour, of each channel.
    pub(crate) hourly: usize,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            gather: Span::from_secs(30),
            alike: Span::from_mins(30),
            quiet: None,
            loud: Severity::Critical,
            hourly: 20,
        }
    }
}

/// A channel with its name, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedChannel {
    pub(crate) name: String,
    /// From which severity on it takes alerts.
    pub(crate) least: Severity,
    /// Whether it takes digests.
    pub(crate) letters: bool,
    pub(crate) channel: Channel,
}

/// `[tasks]`: what the daemon does again and again, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskSettings {
    /// Whether the daemon does anything.
    pub(crate) enabled: bool,
    /// By how much at the most a time is put off.
    pub(crate) jitter: Span,
    pub(crate) services: Schedule,
    pub(crate) queue: Schedule,
    pub(crate) disk: Schedule,
    pub(crate) audit: Schedule,
    pub(crate) certificates: Schedule,
    pub(crate) dns: Schedule,
    pub(crate) reputation: Schedule,
    pub(crate) updates: Schedule,
    pub(crate) accounts: Schedule,
    pub(crate) logs: Schedule,
    pub(crate) backup: Schedule,
    pub(crate) backup_check: Schedule,
    pub(crate) restore_drill: Schedule,
    pub(crate) digest_daily: Schedule,
    pub(crate) digest_weekly: Schedule,
    pub(crate) digest_monthly: Schedule,
}

impl Default for TaskSettings {
    fn default() -> Self {
        let (night, morning) = (Time::constant(4, 0, 0, 0), Time::constant(6, 30, 0, 0));
        Self {
            enabled: true,
            jitter: Span::from_mins(10),
            services: Schedule::Every(Span::from_mins(10)),
            queue: Schedule::Every(Span::from_mins(15)),
            disk: Schedule::Every(Span::from_hours(1)),
            audit: Schedule::Daily(night),
            certificates: Schedule::Daily(night),
            dns: Schedule::Daily(night),
            reputation: Schedule::Daily(night),
            updates: Schedule::Daily(night),
            accounts: Schedule::Weekly(Weekday::Monday, night),
            logs: Schedule::Daily(night),
            backup: Schedule::Never,
            backup_check: Schedule::Never,
            restore_drill: Schedule::Never,
            digest_daily: Schedule::Daily(morning),
            digest_weekly: Schedule::Weekly(Weekday::Monday, morning),
            digest_monthly: Schedule::Monthly(1, morning),
        }
    }
}

/// A finding that the operator accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The check's id.
    pub(crate) check: String,
    /// The finding's subject; empty for all of the check's findings.
    pub(crate) subject: String,
    /// Why.
    pub(crate) reason: String,
    /// By whom.
    pub(crate) owner: String,
    /// The last day on which it holds.
    pub(crate) until: Date,
}
