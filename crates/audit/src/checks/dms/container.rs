//! The container: what it may do, what it shows to the network, what survives it.

use serde_json::Value;

use crate::check::{could_not_tell, not_applicable, pass};
use crate::dms::{Compose, Mount, Published};
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

use super::environment::recreate;

/// What `docker inspect` said of the container, if it said it.
pub(crate) fn inspected(facts: &Facts) -> Option<Value> {
    let text = facts.output("docker inspect").ok()?;
    let value: Value = serde_json::from_str(text).ok()?;
    let value = if let Value::Array(mut all) = value {
        (!all.is_empty()).then(|| all.swap_remove(0))?
    } else {
        value
    };
    value.get("HostConfig").is_some().then_some(value)
}

fn flag(inspected: Option<&Value>, pointer: &str) -> bool {
    inspected.and_then(|value| value.pointer(pointer)).and_then(Value::as_bool).unwrap_or(false)
}

fn words(inspected: Option<&Value>, pointer: &str) -> Vec<String> {
    let items = inspected.and_then(|value| value.pointer(pointer)).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Both ways to know a container; an error only if there is neither.
struct Container<'a> {
    compose: Option<&'a Compose>,
    inspected: Option<Value>,
}

impl<'a> Container<'a> {
    fn of(server: &'a Server<'_>) -> Result<Self, Untold> {
        let compose = server.dms()?.compose();
        let inspected = inspected(server.facts);
        match (compose, inspected) {
            (Err(why), None) => Err(why),
            (compose, inspected) => Ok(Self { compose: compose.ok(), inspected }),
        }
    }

    fn file(&self) -> String {
        self.compose.map_or_else(|| "compose.yaml".to_owned(), |compose| compose.file.clone())
    }
}

pub(crate) static DMS_006: Check = Check {
    id: "DMS-006",
    title: "fail2ban is on without the right to ban",
    severity: Severity::High,
    why: "fail2ban counts guesses and writes that it banned somebody, but without NET_ADMIN the firewall rules fail and nobody is \
          kept out.",
    proof: "ENABLE_FAIL2BAN=1 without NET_ADMIN among the container's capabilities.",
    fix: "Add NET_ADMIN to cap_add.",
    references: &["https://docker-mailserver.github.io/docker-mailserver/latest/config/security/fail2ban/"],
    judge: dms_006,
};

fn dms_006(server: &Server<'_>) -> Judged {
    let fail2ban = server.dms()?.in_force("ENABLE_FAIL2BAN")?;
    if !fail2ban.is_on() {
        return not_applicable("fail2ban is off");
    }
    let container = Container::of(server)?;
    let (place, rights) = capabilities(&container);
    if let Some(right) = rights.iter().find(|right| admits(right)) {
        return pass(format!("{place}: {right}"));
    }
    let seen = if rights.is_empty() { "no capability is added".to_owned() } else { rights.join(", ") };
    let remedy = Remedy::new("Give the container the right to change its firewall.")
        .add(container.file(), &["    cap_add:", "      - NET_ADMIN"])
        .apply("docker compose up -d --force-recreate")
        .prove("docker exec mailserver nft list table inet f2b-table");
    Ok(Finding::new(
        Severity::High,
        "",
        "fail2ban is on, but the container lacks NET_ADMIN: no ban takes effect",
    )
    .cause("cap_add")
    .seen(place, seen)
    .seen(fail2ban.place, fail2ban.seen)
    .remedy(remedy)
    .into())
}

fn capabilities(container: &Container<'_>) -> (String, Vec<String>) {
    if let Some(inspected) = &container.inspected {
        let mut rights = words(Some(inspected), "/HostConfig/CapAdd");
        if flag(Some(inspected), "/HostConfig/Privileged") {
            rights.push("privileged".to_owned());
        }
        return ("docker inspect".to_owned(), rights);
    }
    let Some(compose) = container.compose else { return (String::new(), Vec::new()) };
    let mut rights: Vec<String> = compose.list("cap_add").into_iter().map(|(right, _)| right).collect();
    if compose.is_true("privileged").is_some() {
        rights.push("privileged".to_owned());
    }
    (compose.file.clone(), rights)
}

fn admits(right: &str) -> bool {
    matches!(right.to_ascii_uppercase().trim_start_matches("CAP_"), "NET_ADMIN" | "ALL" | "PRIVILEGED")
}

pub(crate) static DMS_008: Check = Check {
    id: "DMS-008",
    title: "The image's version floats or is very old",
    severity: Severity::Medium,
    why: "With a floating tag the next pull changes the mail server without anybody having decided it; an old release has a \
          Debian, a Postfix and a Dovecot that get no security updates.",
    proof: "The tag of the image in the compose file or of the running container.",
    fix: "Name a release, and its digest if you can; read the release notes before you raise it.",
    references: &[
        "https://github.com/docker-mailserver/docker-mailserver/releases",
        "CIS Docker Benchmark 4",
    ],
    judge: dms_008,
};

/// Releases below this rest on Debian 11 or older.
const OLDEST: u32 = 14;

fn dms_008(server: &Server<'_>) -> Judged {
    let container = Container::of(server)?;
    let running = || {
        Some((container.inspected.as_ref()?.get("Image")?.as_str()?.to_owned(), "docker inspect".to_owned()))
    };
    let Some((image, place)) = container.compose.and_then(|compose| compose.text("image")).or_else(running)
    else {
        return could_not_tell("the image is built from a directory, not named");
    };
    let Some(what) = unsteady(&image) else { return pass(format!("{image} ({place})")) };
    let repository = image.rsplit_once(':').map_or(image.as_str(), |(name, _)| name).to_owned();
    let remedy = Remedy::new("Name the release that you have tested.")
        .edit(container.file(), &[&format!("image: {image}")], &[&format!("image: {repository}:15.1.0")])
        .apply("docker compose pull && docker compose up -d")
        .prove("docker inspect --format '{{.Config.Image}}' mailserver");
    let finding = Finding::new(Severity::Medium, "", format!("The image {image} {what}"));
    Ok(finding.cause("image").seen(place, format!("image: {image}")).remedy(remedy).into())
}

fn unsteady(image: &str) -> Option<String> {
    if image.contains("@sha256:") {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let Some((_, tag)) = name.split_once(':') else {
        return Some("has no tag, which means `latest`".to_owned());
    };
    let major = tag.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major < OLDEST => {
            Some(format!("is of release {major}, which rests on a Debian out of support"))
        }
        None if ["latest", "edge", "stable", "master", "main", "nightly"].contains(&tag) => {
            Some(format!("has the floating tag `{tag}`"))
        }
        _ => None,
    }
}

pub(crate) static DMS_009: Check = Check {
    id: "DMS-009",
    title: "The container can take over the host",
    severity: Severity::High,
    why: "A flaw in the mail server then is a flaw of the whole machine: a privileged container, one with Docker's socket or one \
          in the host's network is not kept in.",
    proof: "privileged, Docker's socket among the volumes, network_mode host, and capabilities that amount to root, in the \
            compose file and in docker inspect.",
    fix: "Take it out; NET_ADMIN is the only right that docker-mailserver needs beyond the usual ones.",
    references: &["CIS Docker Benchmark 5"],
    judge: dms_009,
};

fn dms_009(server: &Server<'_>) -> Judged {
    let container = Container::of(server)?;
    let inspect = || "docker inspect".to_owned();
    let inspected = container.inspected.as_ref();
    let mut findings = Vec::new();
    let privileged = container.compose.and_then(|compose| compose.is_true("privileged"));
    if let Some(place) = privileged.or_else(|| flag(inspected, "/HostConfig/Privileged").then(inspect)) {
        findings.push(escape("privileged", "The container is privileged", place, "privileged: true"));
    }
    let sockets = container.compose.map(Compose::mounts).unwrap_or_default();
    let bound = words(inspected, "/HostConfig/Binds").into_iter().find(|bind| bind.contains("docker.sock"));
    let socket = sockets.into_iter().find(|mount| mount.source.contains("docker.sock"));
    let socket =
        socket.map(|mount| (mount.place, mount.text)).or_else(|| bound.map(|bind| (inspect(), bind)));
    if let Some((place, text)) = socket {
        findings.push(escape(
            "docker socket",
            "The container has Docker's socket: it can start containers as root",
            place,
            &text,
        ));
    }
    let mode =
        container.compose.and_then(|compose| compose.text("network_mode")).filter(|(mode, _)| mode == "host");
    let running =
        inspected.and_then(|value| value.pointer("/HostConfig/NetworkMode")).and_then(Value::as_str)
            == Some("host");
    if let Some(place) = mode.map(|(_, place)| place).or_else(|| running.then(inspect)) {
        findings.push(escape(
            "host network",
            "The container is in the host's network",
            place,
            "network_mode: host",
        ));
    }
    let (place, rights) = capabilities(&container);
    let strong = ["SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RAWIO", "ALL"];
    for right in
        rights.iter().filter(|right| strong.contains(&right.to_ascii_uppercase().trim_start_matches("CAP_")))
    {
        let summary = format!("The container has the capability {right}");
        findings.push(escape(right, &summary, place.clone(), right));
    }
    Ok(Outcome::of(findings, "not privileged, no Docker socket, a network of its own"))
}

fn escape(subject: &str, summary: &str, place: String, seen: &str) -> Finding {
    let file = place.rsplit_once(':').map_or("compose.yaml", |(file, _)| file).to_owned();
    Finding::new(Severity::High, subject, summary).cause(subject).seen(place, seen).remedy(
        Remedy::new("Take it out of the compose file.")
            .edit(file, &[seen], &[])
            .apply("docker compose up -d --force-recreate")
            .prove("docker inspect mailserver"),
    )
}

pub(crate) static DMS_010: Check = Check {
    id: "DMS-010",
    title: "Internal or cleartext ports are published",
    severity: Severity::High,
    why: "Ports of filters and re-injection take mail without a login and without a filter; ports without TLS take passwords that \
          anybody on the way can read. Docker publishes past the host's firewall.",
    proof: "The published ports of the compose file and of the container; 110, 143 and 4190 count only where Dovecot takes \
            passwords before TLS.",
    fix: "Take the port out of `ports`, or bind it to 127.0.0.1.",
    references: &[
        "CIS Docker Benchmark 5",
        "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    ],
    judge: dms_010,
};

/// Ports that only the mail server's own programs may reach.
pub(crate) const INTERNAL: &[(u16, &str)] = &[
    (24, "LMTP"),
    (783, "spamd"),
    (3306, "MariaDB"),
    (3310, "clamd"),
    (5432, "PostgreSQL"),
    (6379, "Redis"),
    (8891, "OpenDKIM"),
    (8893, "OpenDMARC"),
    (9000, "PHP or FastCGI"),
    (9001, "supervisor"),
    (10_023, "Postgrey"),
    (10_024, "amavis"),
    (10_025, "re-injection behind amavis"),
    (10_026, "re-injection"),
    (11_332, "Rspamd proxy"),
    (11_333, "Rspamd worker"),
    (11_334, "Rspamd controller"),
    (12_340, "quota status"),
    (65_265, "quota status"),
];

fn dms_010(server: &Server<'_>) -> Judged {
    let container = Container::of(server)?;
    let ports = published(&container);
    if ports.is_empty() {
        return not_applicable("the container publishes no ports");
    }
    let clear = cleartext(server);
    let judged: Vec<(&Published, String)> = ports
        .iter()
        .filter(|port| !is_loopback(&port.address))
        .filter_map(|port| {
            let internal = INTERNAL.iter().find(|(number, _)| *number == port.container);
            let what = internal.map(|(_, what)| format!("is internal ({what})"));
            Some((
                port,
                what.or_else(|| clear.clone().filter(|_| [110, 143, 4190].contains(&port.container)))?,
            ))
        })
        .collect();
    if judged.is_empty() {
        let shown: Vec<String> = ports.iter().map(|port| port.container.to_string()).collect();
        return pass(format!("published: {}", shown.join(", ")));
    }
    let numbers: Vec<String> = judged.iter().map(|(port, _)| port.container.to_string()).collect();
    let lines: Vec<String> = judged.iter().map(|(port, _)| format!("- \"{}\"", port.text)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let seen = judged.iter().map(|(port, what)| Evidence {
        place: port.place.clone(),
        seen: format!("{}: port {} {what}", port.text, port.container),
    });
    let remedy = Remedy::new("Take the ports out; what the host itself needs is bound to 127.0.0.1.")
        .edit(container.file(), &lines, &[])
        .apply("docker compose up -d --force-recreate")
        .prove("docker port mailserver");
    let summary = format!("Ports that nobody outside may reach are published: {}", numbers.join(", "));
    Ok(Finding::new(Severity::High, "", summary).cause("ports").all_seen(seen).remedy(remedy).into())
}

/// What the compose file publishes, or else what the container does.
fn published(container: &Container<'_>) -> Vec<Published> {
    if let Some(compose) = container.compose {
        return compose.ports();
    }
    let bindings = container.inspected.as_ref().and_then(|value| value.pointer("/HostConfig/PortBindings"));
    let bindings = bindings.and_then(Value::as_object).into_iter().flatten();
    bindings
        .filter_map(|(port, hosts)| {
            let container = port.split('/').next()?.parse().ok()?;
            let address = hosts.pointer("/0/HostIp").and_then(Value::as_str).unwrap_or_default().to_owned();
            let host =
                hosts.pointer("/0/HostPort").and_then(Value::as_str).and_then(|port| port.parse().ok());
            let host = host.unwrap_or_default();
            Some(Published {
                address,
                host,
                container,
                place: "docker inspect".to_owned(),
                text: format!("{host}:{port}"),
            })
        })
        .collect()
}

fn is_loopback(address: &str) -> bool {
    address.starts_with("127.") || address == "::1" || address == "localhost"
}

/// Why ports without implicit TLS take passwords in clear text, if they do.
fn cleartext(server: &Server<'_>) -> Option<String> {
    let printed = server.facts.output("doveconf -n").ok();
    let says =
        |line: &str| printed.is_some_and(|text| text.lines().any(|printed| printed.trim_end() == line));
    let why = ["disable_plaintext_auth = no", "auth_allow_cleartext = yes", "ssl = no"]
        .into_iter()
        .find(|line| says(line));
    let untold = || {
        server
            .dms()
            .ok()?
            .setting("SSL_TYPE")
            .ok()
            .filter(|kind| kind.value.is_empty())
            .map(|_| "SSL_TYPE is empty")
    };
    why.or_else(untold).map(|why| format!("takes passwords in clear text ({why})"))
}

pub(crate) static DMS_011: Check = Check {
    id: "DMS-011",
    title: "Mail, state or logs can be lost with the container",
    severity: Severity::High,
    why: "What is not on a volume is gone when the container is created anew: the queue, the learnt spam, signatures, bans, and \
          the logs that would tell what an intruder did.",
    proof: "The volumes of the compose file and the mounts of the container against /var/mail, /var/mail-state, /var/log/mail and \
            the config volume.",
    fix: "Mount the missing directories.",
    references: &[
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/advanced/optional-config/",
    ],
    judge: dms_011,
};

/// What has to survive, and what is lost otherwise.
const KEPT: &[(&str, &str, &str)] = &[
    ("/var/mail", "mail-data", "all mail"),
    ("/var/mail-state", "mail-state", "queue, bans, learnt spam, virus signatures"),
    ("/var/log/mail", "mail-logs", "logs"),
    ("/tmp/docker-mailserver", "config", "accounts, aliases, DKIM keys"),
];

fn dms_011(server: &Server<'_>) -> Judged {
    let container = Container::of(server)?;
    let mounts = mounts(&container);
    let lost: Vec<_> =
        KEPT.iter().filter(|(path, _, _)| !mounts.iter().any(|mount| keeps(mount, path))).collect();
    let mut findings = Vec::new();
    if !lost.is_empty() {
        let what: Vec<&str> = lost.iter().map(|(_, _, what)| *what).collect();
        let lines: Vec<String> =
            lost.iter().map(|(path, name, _)| format!("      - ./docker-data/dms/{name}/:{path}/")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let seen = lost.iter().map(|(path, _, what)| Evidence {
            place: container.file(),
            seen: format!("nothing is mounted at {path}: {what} are lost with the container"),
        });
        let remedy = recreate("Copy what is there out of the container first (docker cp).".to_owned())
            .add(container.file(), &lines)
            .prove("docker inspect --format '{{json .Mounts}}' mailserver");
        let summary = format!("With the container would be lost: {}", what.join("; "));
        findings.push(
            Finding::new(Severity::High, "volumes", summary).cause("volumes").all_seen(seen).remedy(remedy),
        );
    }
    Ok(Outcome::of(findings, "mail, state, logs and configuration are on volumes"))
}

fn mounts(container: &Container<'_>) -> Vec<Mount> {
    let running =
        container.inspected.as_ref().and_then(|value| value.get("Mounts")).and_then(Value::as_array);
    if let Some(running) = running {
        let text =
            |mount: &Value, key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        return running
            .iter()
            .map(|mount| Mount {
                source: text(mount, "Source"),
                target: text(mount, "Destination").trim_end_matches('/').to_owned(),
                ..Mount::default()
            })
            .collect();
    }
    container.compose.map(Compose::mounts).unwrap_or_default()
}

fn keeps(mount: &Mount, path: &str) -> bool {
    let covers =
        mount.target == path || path.starts_with(&format!("{}/", mount.target.trim_end_matches('/')));
    covers && !mount.source.is_empty()
}

pub(crate) static DMS_012: Check = Check {
    id: "DMS-012",
    title: "The host name is not that of a mail server",
    severity: Severity::Medium,
    why: "A bare mail domain as host name makes Postfix take the domain for its own machine, and mail to it goes astray; a name \
          that the MX record does not have fits neither certificate nor reverse name.",
    proof: "OVERRIDE_HOSTNAME, or `hostname` of the compose file, against the domains of the accounts, the MX records and the \
            running Postfix.",
    fix: "Give the container the name that the MX record has, such as mail.example.org.",
    references: &["https://docker-mailserver.github.io/docker-mailserver/latest/usage/#minimal-dns-setup"],
    judge: dms_012,
};

fn dms_012(server: &Server<'_>) -> Judged {
    let Some((name, place)) = host_name(server)? else {
        return could_not_tell("no host name is set in files");
    };
    let domains = mail_domains(server.facts);
    let exchangers = exchangers(server.facts, &domains);
    let wrong = if !name.contains('.') {
        Some(format!("{name} is no full name"))
    } else if domains.contains(&name) {
        Some(format!("{name} is a mail domain itself"))
    } else if !exchangers.is_empty() && !exchangers.iter().any(|(host, _)| *host == name) {
        let (host, domain) = exchangers.first().map_or(("", ""), |(host, domain)| (host, domain));
        Some(format!("{name} is no mail exchanger; that of {domain} is {host}"))
    } else {
        None
    };
    let Some(wrong) = wrong else { return pass(format!("{name} ({place})")) };
    let domain = domains.first().map_or("example.org", String::as_str);
    let better = exchangers.first().map_or_else(|| format!("mail.{domain}"), |(host, _)| host.clone());
    let file = place.rsplit_once(':').map_or("compose.yaml", |(file, _)| file).to_owned();
    let remedy =
        recreate("Name the container as the MX record does, and get a certificate for that name.".to_owned())
            .add(file, &[&format!("hostname: {better}")])
            .prove("docker exec mailserver postconf -h myhostname");
    let finding = Finding::new(Severity::Medium, "", wrong.clone()).cause("hostname").seen(place, wrong);
    Ok(finding.remedy(remedy).into())
}

fn host_name(server: &Server<'_>) -> Result<Option<(String, String)>, Untold> {
    let dms = server.dms()?;
    let set = dms.setting("OVERRIDE_HOSTNAME").ok().filter(|set| !set.value.is_empty());
    if let Some(set) = set {
        return Ok(Some((set.value.to_ascii_lowercase(), set.place)));
    }
    let compose = dms.compose()?;
    let domain = compose.text("domainname");
    Ok(compose.text("hostname").map(|(name, place)| match domain {
        Some((domain, _)) if !name.contains('.') => (format!("{name}.{domain}").to_ascii_lowercase(), place),
        _ => (name.to_ascii_lowercase(), place),
    }))
}

fn mail_domains(facts: &Facts) -> Vec<String> {
    let accounts = facts.accounts.known().into_iter().flatten();
    let mut domains: Vec<String> =
        accounts.filter_map(|account| Some(account.name.rsplit_once('@')?.1.to_ascii_lowercase())).collect();
    domains.extend(facts.dns.domains.iter().cloned());
    domains.sort_unstable();
    domains.dedup();
    domains
}

/// Mail exchangers that the DNS names for these domains.
fn exchangers(facts: &Facts, domains: &[String]) -> Vec<(String, String)> {
    let answers = domains.iter().filter_map(|domain| Some((domain, facts.dns.answer("MX", domain).ok()?)));
    answers
        .flat_map(|(domain, answer)| {
            let hosts = answer.records.iter().filter_map(|record| record.split_whitespace().last());
            hosts
                .map(|host| (host.trim_end_matches('.').to_ascii_lowercase(), domain.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) static DMS_014: Check = Check {
    id: "DMS-014",
    title: "The container does not come back, is killed while it stops, or counts as healthy while it is not",
    severity: Severity::Low,
    why: "Without a restart policy a crash is the end until somebody notices; a short stop loses what is being delivered; a health \
          check that only looks for a listener says healthy while every connection dies.",
    proof: "restart, stop_grace_period and healthcheck of the compose file.",
    fix: "Set restart: always, stop_grace_period: 1m, and a health check that talks to Postfix.",
    references: &["https://docs.docker.com/reference/compose-file/services/#healthcheck"],
    judge: dms_014,
};

fn dms_014(server: &Server<'_>) -> Judged {
    let compose = server.dms()?.compose()?;
    let findings: Vec<Finding> =
        [restart(compose), stop(compose), health(compose)].into_iter().flatten().collect();
    Ok(Outcome::of(findings, "restart policy, stop time and health check are set"))
}

fn restart(compose: &Compose) -> Option<Finding> {
    let policy = compose.text("restart");
    let fine = policy.as_ref().is_some_and(|(policy, _)| policy != "no" && policy != "false")
        || compose.has(&["deploy", "restart_policy"]);
    let (seen, place) = policy
        .unwrap_or_else(|| ("restart is not set".to_owned(), format!("{}:{}", compose.file, compose.line)));
    (!fine).then(|| {
        lowly(
            "restart",
            "Nothing starts the container again after a crash",
            &place,
            &seen,
            "    restart: always",
        )
    })
}

fn stop(compose: &Compose) -> Option<Finding> {
    let set = compose.text("stop_grace_period");
    let short = match &set {
        None => true,
        Some((time, _)) => {
            time.strip_suffix('s').and_then(|seconds| seconds.parse::<u32>().ok()).is_some_and(|s| s < 30)
        }
    };
    let (seen, place) = set.unwrap_or_else(|| {
        (
            "stop_grace_period is not set; Docker kills after 10 seconds".to_owned(),
            format!("{}:{}", compose.file, compose.line),
        )
    });
    let what = "The container has too little time to stop";
    short.then(|| lowly("stop time", what, &place, &seen, "    stop_grace_period: 1m"))
}

fn health(compose: &Compose) -> Option<Finding> {
    let off = compose.health_check_off();
    if let Some(place) = off {
        return Some(lowly("health check", "The health check is switched off", &place, "disabled", HEALTH));
    }
    let Some((test, place)) = compose.health_check() else {
        let place = format!("{}:{}", compose.file, compose.line);
        return Some(lowly(
            "health check",
            "There is no health check",
            &place,
            "healthcheck is not set",
            HEALTH,
        ));
    };
    let looks = ["ss ", "netstat ", "lsof ", "pgrep", "pidof", "nc -z", "/proc/net"];
    let talks = ["EHLO", "QUIT", "swaks", "curl ", "openssl s_client", "s_client", "220"];
    let weak = looks.iter().any(|word| test.contains(word)) && !talks.iter().any(|word| test.contains(word));
    let what = "The health check only looks for a listener: healthy also while every connection dies";
    weak.then(|| lowly("health check", what, &place, &test, HEALTH))
}

const HEALTH: &str = "      test: \"timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/25; read -r -u 3 line; [[ $$line == 220* ]]'\"";

fn lowly(subject: &str, summary: &str, place: &str, seen: &str, add: &str) -> Finding {
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file).to_owned();
    Finding::new(Severity::Low, subject, summary).cause(subject).seen(place, seen).remedy(
        recreate("Set it in the compose file.".to_owned())
            .add(file, &[add])
            .prove("docker inspect mailserver"),
    )
}
