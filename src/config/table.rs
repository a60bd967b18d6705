//! Every setting, as one table: name, meaning, limits, and where it goes.

use std::ops::RangeInclusive;

use mailward_detect::Rule;

use super::field::{Field, Measured, Value, within};
use super::mistake::Mistakes;
use super::settings::Settings;

/// A section of the file.
pub(super) struct Section {
    pub(super) name: &'static str,
    /// What it is about; lines of a comment.
    pub(super) about: &'static str,
    pub(super) settings: &'static [Setting<Settings>],
}

/// A setting of `T`: of everything, or of a rule.
pub(super) struct Setting<T> {
    pub(super) key: &'static str,
    /// What it means, in one line.
    pub(super) about: &'static str,
    /// Takes the value, or tells the mistake.
    pub(super) read: fn(&mut T, &Value<'_>, &mut Mistakes<'_>),
    /// The value as TOML.
    pub(super) show: fn(&T) -> String,
    /// Between what it must lie, in words, where it has limits.
    pub(super) limits: Option<fn(&T) -> String>,
}

macro_rules! setting {
    ($key:literal, $($field:ident).+, $about:literal) => {
        Setting {
            key: $key,
            about: $about,
            read: |all, value, mistakes| {
                if let Some(read) = Field::read($key, value, mistakes) {
                    all.$($field).+ = read;
                }
            },
            show: |all| Field::show(&all.$($field).+),
            limits: None,
        }
    };
    ($key:literal, $($field:ident).+, $limits:expr, $about:literal) => {
        Setting {
            key: $key,
            about: $about,
            read: |all, value, mistakes| {
                if let Some(read) = within($key, &$limits, value, mistakes) {
                    all.$($field).+ = read;
                }
            },
            show: |all| Field::show(&all.$($field).+),
            limits: Some(|all| limits_of(&all.$($field).+, &$limits)),
        }
    };
}

fn limits_of<F: Measured>(_: &F, limits: &RangeInclusive<u64>) -> String {
    format!("{} to {}", F::words(*limits.start()), F::words(*limits.end()))
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// As durations are printed: 52 weeks.
const YEAR: u64 = 364 * DAY;
/// As long as histories go back, and as rules look.
const LONGEST_WINDOW: u64 = 28 * DAY;

/// All sections but the rules, in the order in which they are printed.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "sources",
        about: "Where log lines come from.",
        settings: &[
            setting!(
                "files",
                sources.files,
                "Log files, each with its rotations. \"auto\" finds those of Postfix, Dovecot and docker-mailserver."
            ),
            setting!(
                "journal",
                sources.journal,
                "Whether to read the systemd journal. \"auto\" does so where files is \"auto\", too, and the mail log is nowhere else."
            ),
            setting!(
                "journal-matches",
                sources.journal_matches,
                "What of the journal, as journalctl(1) takes it; facility 2 is mail. [] is everything."
            ),
            setting!(
                "start",
                sources.start,
                "Where to begin in a log that was never read: at its \"beginning\", or at its \"end\"."
            ),
            setting!(
                "time-zone",
                sources.time_zone,
                "The zone of time stamps without one: \"local\", or a name such as \"Europe/Berlin\"."
            ),
        ],
    },
    Section {
        name: "guard",
        about: "The daemon.",
        settings: &[
            setting!(
                "mode",
                guard.mode,
                "\"enforce\" bans; \"dry-run\" records offences and tells whom it would ban, and bans nobody."
            ),
            setting!(
                "state-directory",
                guard.state_directory,
                "Where bans, offences and the places in the logs are kept. A change needs a restart."
            ),
            setting!(
                "socket",
                guard.socket,
                "Where the commands reach the daemon. A change needs a restart."
            ),
            setting!(
                "socket-group",
                guard.socket_group,
                "The group that may use the commands, beside root. A change needs a restart."
            ),
        ],
    },
    Section {
        name: "firewall",
        about: "How bans reach the kernel: a table of our own, before the rules of Docker and everybody else.",
        settings: &[
            setting!("enabled", firewall.enabled, "Whether the kernel drops what banned addresses send."),
            setting!(
                "ports",
                firewall.options.ports,
                "The TCP ports that are closed to them; \"all\" closes everything, SSH as well."
            ),
            setting!(
                "action",
                firewall.options.action,
                "\"drop\" answers nothing; \"reset\" tells the client at once that nobody is there."
            ),
            setting!(
                "table",
                firewall.options.table,
                "The name of the nftables table in the family inet. Nobody else may use it."
            ),
            setting!(
                "postscreen-table",
                firewall.postscreen_table,
                "A CIDR table for postscreen_access_list, where the kernel may not be touched; or \"none\"."
            ),
        ],
    },
    Section {
        name: "host-firewall",
        about: "What `mailward firewall` opens and closes on this host. Ports of mail and SSH on which somebody listens are open by themselves.",
        settings: &[
            setting!(
                "allow",
                host_firewall.allow,
                "What else is open: [\"tcp/443\"]; or open to a network alone, SSH and mail as well: [\"tcp/22 from 192.0.2.0/24\"]."
            ),
            setting!(
                "close",
                host_firewall.close,
                "What stays closed though somebody listens there: [\"tcp/111\", \"udp/111\"]."
            ),
            setting!(
                "trusted-interfaces",
                host_firewall.trusted_interfaces,
                "Interfaces whose traffic is not filtered: [\"wg0\"]. Bridges of containers are found by themselves."
            ),
            setting!(
                "mail-rate",
                host_firewall.mail_rate,
                1..=1_000_000,
                "New connections a minute to mail ports, of each address (IPv6: /64) by itself; as many at once. Networks of [never-ban] are not counted."
            ),
            setting!("ssh-rate", host_firewall.ssh_rate, 1..=1_000_000, "The same for SSH."),
            setting!(
                "blocked-networks",
                host_firewall.blocked_networks,
                "A file of networks, one in a line, that reach no port at which people log in (25 is none): a country's, from a GeoIP list; or \"none\"."
            ),
            setting!(
                "trial",
                host_firewall.trial,
                10..=3_600,
                "How long new rules act before `mailward firewall confirm` makes them stay."
            ),
        ],
    },
    Section {
        name: "never-ban",
        about: "Who is never banned. Loopback, link-local and private networks never are, whatever stands here.",
        settings: &[
            setting!(
                "networks",
                never_ban.networks,
                "Addresses and networks, with a comment that says whose they are."
            ),
            setting!(
                "operator-session",
                never_ban.operator_session,
                "Whoever is logged in to this host right now."
            ),
            setting!("mynetworks", never_ban.mynetworks, "What Postfix has in mynetworks."),
            setting!(
                "own-addresses",
                never_ban.own_addresses,
                "The addresses of this host, and the networks of its container bridges."
            ),
        ],
    },
    Section {
        name: "ladder",
        about: "How bans grow with each repeat.",
        settings: &[
            setting!(
                "steps",
                ladder.steps,
                "The first ban, the second, and so on; the last one repeats. A rule that asks for longer gets longer."
            ),
            setting!("most", ladder.most, MINUTE..=10 * YEAR, "No ban by a rule is longer."),
            setting!(
                "memory",
                ladder.memory,
                DAY..=10 * YEAR,
                "After so long without a ban, an address starts from the first step again."
            ),
        ],
    },
    Section {
        name: "budget",
        about: "What stops a rule that runs away. Over it nobody is banned any more, and `mailward status` says so.",
        settings: &[
            setting!(
                "bans-per-minute",
                budget.bans_per_minute,
                1..=1_000_000,
                "Bans by rules in any minute."
            ),
            setting!("active-bans", budget.active_bans, 1..=10_000_000, "Bans by rules at once."),
            setting!(
                "ipv4-addresses",
                budget.ipv4_addresses,
                1..=1 << 32,
                "IPv4 addresses that bans by rules cover at once."
            ),
            setting!(
                "ipv6-networks",
                budget.ipv6_networks,
                1..=1 << 48,
                "IPv6 /64 networks that bans by rules cover at once."
            ),
        ],
    },
    Section {
        name: "patience",
        about: "With how much patience the known are judged: places where somebody logs in, and servers that deliver mail.",
        settings: &[
            setting!(
                "memory",
                patience.memory,
                DAY..=YEAR,
                "How long a login or a delivery makes its place known."
            ),
            setting!(
                "factor",
                patience.factor,
                1..=1_000,
                "What the threshold of a rule is multiplied by for them."
            ),
        ],
    },
    Section {
        name: "memory",
        about: "How much is remembered at the most, whatever is sent; a source takes about 100 bytes. A change needs a restart.",
        settings: &[
            setting!(
                "sources",
                memory.sources,
                1_000..=100_000_000,
                "Addresses with offences; the oldest and least guilty make room."
            ),
            setting!("networks", memory.networks, 1_000..=100_000_000, "Networks with guilty addresses."),
            setting!("accounts", memory.accounts, 1_000..=100_000_000, "Accounts that were tried."),
            setting!(
                "places",
                memory.places,
                1_000..=100_000_000,
                "Places of successful logins, and mail servers that deliver."
            ),
        ],
    },
    Section {
        name: "retention",
        about: "How long things are kept on disk.",
        settings: &[
            setting!("offences", retention.offences, DAY..=10 * YEAR, "Offences with their log lines."),
            setting!(
                "offence-rows",
                retention.offence_rows,
                1_000..=1_000_000_000,
                "And at most so many of them."
            ),
            setting!(
                "guesses",
                retention.guesses,
                MINUTE..=YEAR,
                "Digits of the hashes of guessed passwords, where Dovecot logs them."
            ),
            setting!("bans", retention.bans, DAY..=10 * YEAR, "Bans after their end, with what led to them."),
            setting!("logins", retention.logins, DAY..=10 * YEAR, "From where each account logs in."),
            setting!("hourly", retention.hourly, DAY..=100 * YEAR, "Counts per hour."),
            setting!(
                "bytes",
                retention.bytes,
                16 << 20..=1 << 44,
                "The database grows no larger; the oldest offences go first."
            ),
            setting!(
                "work",
                retention.work,
                100..=1_000_000,
                "Rows that are forgotten in one go, so that the log never waits."
            ),
        ],
    },
    Section {
        name: "audit",
        about: "What `mailward audit` judges, how it is reached, and what was accepted.",
        settings: &[
            setting!(
                "prefix",
                audit.prefix,
                "The command before every command, to look into a container: [\"docker\", \"exec\", \"-i\", \"mailserver\"]. [] is this host; \"auto\" finds docker-mailserver."
            ),
            setting!(
                "compose-file",
                audit.compose_file,
                "docker-mailserver's Compose file, which tells where its configuration is; \"auto\" finds it."
            ),
            setting!(
                "domains",
                audit.domains,
                "Mail domains, beside those that are found in the configuration."
            ),
            setting!(
                "resolver",
                audit.resolver,
                "Who is asked for DNS records: \"system\", \"none\", or an address and port such as \"127.0.0.1:53\"."
            ),
            setting!(
                "reports",
                audit.reports,
                "The folder in which received DMARC and TLS reports are kept, as mails (a Maildir) or as files; or \"none\"."
            ),
            setting!(
                "guess-passwords",
                audit.guess_passwords,
                "Whether a few guessable passwords are tried against the stored hashes, on this host alone."
            ),
            setting!(
                "accept",
                audit.accept,
                "Findings that are accepted, each with a reason, who says so, and the last day on which it holds."
            ),
        ],
    },
    Section {
        name: "integrity",
        about: "Watches the configuration, and the places where intruders make themselves at home.",
        settings: &[
            setting!(
                "watch",
                integrity.watch,
                "Whether the daemon looks, and tells what is not as it was accepted."
            ),
            setting!("interval", integrity.interval, 1..=DAY, "How often it looks."),
            setting!(
                "paths",
                integrity.paths,
                "Files and directories to watch besides; what is watched by itself: docs/integrity.md."
            ),
            setting!(
                "ignore",
                integrity.ignore,
                "Files and directories that are not watched, with all that is in them."
            ),
        ],
    },
    Section {
        name: "backup",
        about: "What is saved and for how long: docs/backup.md. `mailward backup run --dry-run` shows what is found by itself.",
        settings: &[
            setting!(
                "repository",
                backup.repository,
                "The directory of the repository, on another disk or a mounted share, or \"none\". restic reads it, too."
            ),
            setting!(
                "key-file",
                backup.key_file,
                "The key, made with the repository. Without a copy elsewhere a lost disk is the end of all backups: `mailward backup key`."
            ),
            setting!("include", backup.include, "Files and directories to save besides."),
            setting!(
                "exclude",
                backup.exclude,
                "Files and directories that are not saved, with all that is in them."
            ),
            setting!(
                "keep-daily",
                backup.keep_daily,
                1..=10_000,
                "Of so many days the newest snapshot is kept. Only those count that a trial restore has proven."
            ),
            setting!("keep-weekly", backup.keep_weekly, 0..=10_000, "The same of weeks."),
            setting!("keep-monthly", backup.keep_monthly, 0..=10_000, "The same of months."),
            setting!("keep-yearly", backup.keep_yearly, 0..=10_000, "The same of years."),
            setting!(
                "gentle",
                backup.gentle,
                "Whether a backup lets everybody else go first: nice(1) 10, and the idle class of ionice(1)."
            ),
            setting!(
                "bandwidth",
                backup.bandwidth,
                0..=100_000_000,
                "KiB that are written to the repository in a second; 0 is as many as there can be."
            ),
        ],
    },
    Section {
        name: "accounts",
        about: "Which passwords `mailward account` takes.",
        settings: &[
            setting!("min-length", accounts.min_length, 8..=64, "The least number of characters."),
            setting!(
                "min-strength",
                accounts.min_strength,
                0..=4,
                "The least strength by zxcvbn: 3 is a hundred million guesses, 4 ten thousand million."
            ),
            setting!(
                "breached",
                accounts.breached,
                "The list of stolen passwords of Pwned Passwords: the file ordered by hash, or a directory with a file for each range; or \"none\"."
            ),
        ],
    },
    Section {
        name: "policy",
        about: "Answers Postfix when it asks (check_policy_service): docs/in-path.md.",
        settings: &[
            setting!(
                "enabled",
                policy.enabled,
                "Whether the daemon answers. Postfix has to be told to ask: mailward harden apply --only in-path."
            ),
            setting!("listen", policy.listen, "Where, by TCP, or \"none\". A change needs a restart."),
            setting!(
                "socket",
                policy.socket,
                "Where, by a unix socket in Postfix's queue directory, or \"none\". A change needs a restart."
            ),
            setting!(
                "bans",
                policy.settings.bans,
                "Whether banned clients are refused: \"on\"; \"warn-only\" writes into Postfix's log what would be said; \"off\"."
            ),
            setting!(
                "places",
                policy.settings.places,
                "Whether accounts are held to [login] limits when they send: \"on\", \"warn-only\" or \"off\"."
            ),
            setting!(
                "senders",
                policy.settings.senders,
                "Whether accounts are held to senders that they own: \"on\", \"warn-only\" or \"off\". Without owners nobody is."
            ),
            setting!(
                "owners",
                policy.owners,
                "Tables of who owns which address, as texts: of smtpd_sender_login_maps, and of aliases: [\"/etc/postfix/virtual\"]. They are read again when they change."
            ),
            setting!(
                "exceptions",
                policy.settings.exceptions,
                "What is left out for whom: [\"greylist for client 192.0.2.0/24\"]. Parts: all, bans, places, senders, accounts, clients, doubts, greylist; who: client, client-name, sender, recipient, user, service (a port, or policy_context)."
            ),
        ],
    },
    Section {
        name: "sending-limits",
        about: "How much an account may send, the brake on a stolen password: \"60/1h burst 25\" is 60 an hour, at most 25 of them at once.",
        settings: &[
            setting!("mode", policy.settings.accounts_mode, "\"on\", \"warn-only\" or \"off\"."),
            setting!("messages", policy.settings.accounts.messages, "Messages of an account, or \"none\"."),
            setting!("recipients", policy.settings.accounts.recipients, "Recipients, or \"none\"."),
            setting!(
                "daily-messages",
                policy.settings.accounts.daily_messages,
                "Messages over a longer time, or \"none\"."
            ),
            setting!(
                "daily-recipients",
                policy.settings.accounts.daily_recipients,
                "Recipients over a longer time, or \"none\"."
            ),
            setting!(
                "history",
                policy.settings.accounts.history,
                0..=100,
                "An account that usually sends more in an hour may send so many times its usual; 0 takes no account of it."
            ),
        ],
    },
    Section {
        name: "client-limits",
        about: "How many recipients clients that are not logged in may name: \"300/1h\".",
        settings: &[
            setting!("mode", policy.settings.clients_mode, "\"on\", \"warn-only\" or \"off\"."),
            setting!("address", policy.settings.clients.address, "One address, or \"none\"."),
            setting!(
                "network",
                policy.settings.clients.network,
                "One network, as [greylist] counts them, or \"none\"."
            ),
            setting!("sender", policy.settings.clients.sender, "One envelope sender, or \"none\"."),
            setting!(
                "recipient-domain",
                policy.settings.clients.recipient_domain,
                "All together in one domain of ours, or \"none\"."
            ),
        ],
    },
    Section {
        name: "doubts",
        about: "What speaks against a client. From the sum follows whether it is greylisted, or refused.",
        settings: &[
            setting!(
                "mode",
                policy.settings.doubts_mode,
                "Whether a client is refused for its sum: \"on\", \"warn-only\" or \"off\"."
            ),
            setting!(
                "no-name",
                policy.settings.doubts.no_name,
                0..=100,
                "Its address has no name that leads back to it."
            ),
            setting!(
                "generic-name",
                policy.settings.doubts.generic_name,
                0..=100,
                "Its name is one that a provider gives to its customers' lines."
            ),
            setting!(
                "helo",
                policy.settings.doubts.helo,
                0..=100,
                "It calls itself what no mail server is called."
            ),
            setting!(
                "spf",
                policy.settings.spf,
                "Whether the SPF record of the sender's domain is asked for. One that names the client makes the domain the greylist's key."
            ),
            setting!(
                "spf-fail",
                policy.settings.doubts.spf_fail,
                0..=100,
                "The record says that the client may not send for the domain."
            ),
            setting!(
                "spf-softfail",
                policy.settings.doubts.spf_softfail,
                0..=100,
                "The record says that it probably may not."
            ),
            setting!(
                "greylist-at",
                policy.settings.doubts.greylist_at,
                0..=1_000,
                "From what sum on it is greylisted."
            ),
            setting!(
                "refuse-at",
                policy.settings.doubts.refuse_at,
                1..=1_000,
                "From what sum on it is refused."
            ),
            setting!(
                "lists",
                policy.settings.lists,
                "Lists of the DNS, as postscreen_dnsbl_sites has them: [\"zen.spamhaus.org=127.0.0.[2..11]*8\", \"list.dnswl.org=127.0.[0..255].[1..3]*-4\"]. Mind their terms of use."
            ),
            setting!(
                "resolver",
                policy.resolver,
                "Who is asked about them: \"system\", \"none\", or an address and port. Lists refuse public resolvers. A change needs a restart."
            ),
            setting!(
                "deadline",
                policy.deadline,
                1..=2,
                "How long they may take; an answer that is late does not count."
            ),
        ],
    },
    Section {
        name: "greylist",
        about: "Who was never seen is asked to come again.",
        settings: &[
            setting!("mode", policy.settings.greylist_mode, "\"on\", \"warn-only\" or \"off\"."),
            setting!(
                "clients",
                policy.settings.greylist.clients,
                "\"doubtful\" ones ([doubts] greylist-at), or \"all\"."
            ),
            setting!(
                "delay",
                policy.settings.greylist.delay,
                1..=DAY,
                "How long a first attempt is put off."
            ),
            setting!(
                "window",
                policy.settings.greylist.window,
                MINUTE..=LONGEST_WINDOW,
                "Within what time it must come again."
            ),
            setting!(
                "memory",
                policy.settings.greylist.memory,
                DAY..=YEAR,
                "How long whoever came through is known."
            ),
            setting!(
                "auto-allow",
                policy.settings.greylist.auto_allow,
                0..=1_000,
                "A network that came through so often, an hour apart, is not greylisted any more; 0 is never."
            ),
            setting!(
                "ipv4-prefix",
                policy.settings.greylist.ipv4_prefix,
                8..=32,
                "Neighbours that count as one client."
            ),
            setting!("ipv6-prefix", policy.settings.greylist.ipv6_prefix, 16..=128, "The same for IPv6."),
            setting!(
                "capacity",
                policy.settings.greylist.capacity,
                1_000..=100_000_000,
                "How much is remembered at the most, about 30 bytes each; the oldest make room. A change needs a restart."
            ),
        ],
    },
    Section {
        name: "login",
        about: "The login guard: answers Dovecot when it asks about logins (auth policy): docs/in-path.md. What fills up is set in [rules].",
        settings: &[
            setting!(
                "enabled",
                login.enabled,
                "Whether the daemon answers. Dovecot asks once auth_policy_server_url is set."
            ),
            setting!(
                "mode",
                login.mode,
                "\"enforce\" refuses; \"dry-run\" lets everybody in, and counts what would be refused."
            ),
            setting!("listen", login.listen, "Where, by TCP, or \"none\". A change needs a restart."),
            setting!(
                "socket",
                login.socket,
                "Where root's scripts ask, by a unix socket, or \"none\"; Dovecot asks by TCP alone. A change needs a restart."
            ),
            setting!(
                "key",
                login.key,
                "What Dovecot has to send, in auth_policy_server_api_header or as the password in the URL; or \"none\". Without one, nobody changes lists by it."
            ),
            setting!(
                "wait",
                login.wait,
                0..=15,
                "How long a login waits that is suspect, and not refused. Dovecot adds its own delay."
            ),
            setting!(
                "limits",
                login.limits,
                "What accounts are limited to: [\"scanner@example.org only smtp from 192.0.2.0/24\", \"* from DE,AT\"] (all others; countries need [geoip]). Protocols are imap, pop3, sieve, and smtp for all sending."
            ),
        ],
    },
    Section {
        name: "geoip",
        about: "Where addresses are, for limits by country in [login] limits and for the rule impossible-travel.",
        settings: &[setting!(
            "database",
            geoip.database,
            "A database in MaxMind's format, such as GeoLite2-Country.mmdb, or \"none\". It is held in memory, read again when it changes, and not used once it is 120 days old."
        )],
    },
    Section {
        name: "notify",
        about: "Who is told when something is wrong, and when it is over: docs/notify.md. Try it out: mailward notify test.",
        settings: &[
            setting!(
                "channels",
                notify.channels,
                "Where alerts go: [{ kind = \"mail\", to = \"admin@example.org\", least = \"medium\" }]. Kinds: mail, ntfy, gotify, matrix, slack, telegram, teams, webhook, command."
            ),
            setting!(
                "gather",
                notify.gather,
                0..=3_600,
                "How long an alert waits for others to go with it; the critical do not wait."
            ),
            setting!(
                "alike",
                notify.alike,
                0..=DAY,
                "How long nothing more is said of what was told; it is counted instead. The critical is said each time."
            ),
            setting!("quiet", notify.quiet, "When alerts wait: \"22:00-06:30\", or \"none\"."),
            setting!("loud", notify.loud, "From which severity on an alert breaks the quiet."),
            setting!(
                "messages-per-hour",
                notify.hourly,
                1..=1_000,
                "Messages of each channel; what is over that goes later, in one."
            ),
        ],
    },
    Section {
        name: "tasks",
        about: "What the daemon does again and again: docs/tasks.md. When: \"never\", \"every 15m\", \"daily 06:30\", \"monday 06:30\", \"monthly 1 06:30\", in local time.",
        settings: &[
            setting!("enabled", tasks.enabled, "Whether the daemon does any of them."),
            setting!("jitter", tasks.jitter, 0..=DAY, "By how much at the most a time of day is put off."),
            setting!(
                "services",
                tasks.services,
                "Talking to the mail ports, and whether the log tells of it."
            ),
            setting!("queue", tasks.queue, "How much mail waits, and since when."),
            setting!("disk", tasks.disk, "Space and inodes, with a forecast."),
            setting!("audit", tasks.audit, "The whole audit, compared with the last one."),
            setting!(
                "certificates",
                tasks.certificates,
                "Certificates: their end, and whether the right one is served."
            ),
            setting!("dns", tasks.dns, "DNS records of mail: what is new, what is wrong."),
            setting!("reputation", tasks.reputation, "Block lists."),
            setting!("updates", tasks.updates, "Updates that wait."),
            setting!("accounts", tasks.accounts, "Accounts: unused, weak, forwarding."),
            setting!("logs", tasks.logs, "Whether the log is written, rotated and kept."),
            setting!("backup", tasks.backup, "A backup, as [backup] says."),
            setting!("backup-check", tasks.backup_check, "Whether the backups are whole."),
            setting!("restore-drill", tasks.restore_drill, "Restoring a sample on trial."),
            setting!(
                "digest-daily",
                tasks.digest_daily,
                "A mail about the last day, to channels that take letters."
            ),
            setting!("digest-weekly", tasks.digest_weekly, "The same about seven days."),
            setting!("digest-monthly", tasks.digest_monthly, "The same about thirty days."),
        ],
    },
];

/// What can be set of a rule, under `[rules.<id>]`.
pub(super) const OF_RULE: &[Setting<Rule>] = &[
    setting!("enabled", enabled, "Whether it is applied."),
    setting!("threshold", threshold, 1..=1_000_000, "How much fills the window."),
    setting!("window", window, 1..=LONGEST_WINDOW, "How long the window is."),
    BAN,
];

/// How long the first ban of a rule is.
pub(super) const BAN: Setting<Rule> =
    setting!("ban", ban, MINUTE..=10 * YEAR, "How long the first ban is; later ones grow by the ladder.");

/// The name of the section of the rules.
pub(super) const RULES: &str = "rules";
