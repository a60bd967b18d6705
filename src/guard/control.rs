//! What is asked on the control socket, answered on the daemon's own thread: nobody else touches its state.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use mailward_decide::{Protected, Protection};
use mailward_enforce::{Element, Firewall};
use mailward_model::{Ban, Network, Origin, Span, Timestamp};
use mailward_report::At;
use mailward_report::bans::{BanList, BanRow};
use mailward_source::{Reader, Waker};
use mailward_store::Allowed;
use mailward_web::{Limits, Method, Request, Response, Server};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Guard, Message, Setup, clock};
use crate::explanation::subject;

/// A request, and where its answer goes.
pub(super) struct Asked {
    request: Request,
    answer: SyncSender<Response>,
}

/// How long an answer may take: longer than the client waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// Why a ban was lifted that was a mistake: what led to it does not count any more.
pub(super) const PARDONED: &str = "lifted by hand";
/// Bans in one list.
const LISTED: usize = 10_000;

/// Opens the control socket.
pub(super) fn serve(setup: &Setup, sender: Sender<Message>, waker: Waker) -> anyhow::Result<Server> {
    let sender = Mutex::new(sender);
    let handler = move |request: Request| {
        let (answer, answered): (_, Receiver<Response>) = sync_channel(1);
        let asked = Message::Asked(Asked { request, answer });
        let sent = sender.lock().is_ok_and(|sender| sender.send(asked).is_ok());
        waker.wake();
        let gone = || Response::error(503, "the daemon is stopping; try again in some seconds");
        if sent { answered.recv_timeout(PATIENCE).unwrap_or_else(|_| gone()) } else { gone() }
    };
    if let Some(folder) = setup.socket.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let server =
        mailward_web::serve(&setup.socket, 0o660, setup.socket_group, Limits::default(), Arc::new(handler))?;
    Ok(server)
}

/// A ban that somebody asks for.
#[derive(Debug, Deserialize)]
struct Wanted {
    target: String,
    /// For how long; none is until lifted.
    seconds: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// Bans a target by hand.
#[derive(Debug, Deserialize)]
struct BanOrder {
    #[serde(flatten)]
    wanted: Wanted,
    #[serde(default)]
    by: String,
}

/// What is answered to it.
#[derive(Debug, Serialize)]
struct Imposed {
    #[serde(flatten)]
    ban: BanRow,
    /// In dry-run it is on the record, and refuses nobody.
    mode: &'static str,
}

/// Bans that another tool made.
#[derive(Debug, Deserialize)]
struct ImportOrder {
    /// Its name.
    tool: String,
    bans: Vec<Wanted>,
}

/// Puts a network on the allowlist.
#[derive(Debug, Deserialize)]
struct AllowOrder {
    network: String,
    seconds: Option<u64>,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    by: String,
}

impl Wanted {
    fn ban(&self, origin: Origin, by: &str, now: Timestamp) -> Result<Ban, Response> {
        Ok(Ban {
            target: network(Some(&self.target))?,
            from: now,
            until: self.seconds.map(|secs| now.plus(Span::from_secs(secs))),
            origin,
            by: by.into(),
            step: 0,
            reason: self.reason.as_str().into(),
        })
    }
}

impl Guard {
    pub(super) fn answer(&mut self, asked: &Asked, reader: &Reader) {
        let response = self.respond(&asked.request, reader).unwrap_or_else(|refusal| refusal);
        // Who asked may have gone away.
        let _ = asked.answer.send(response);
    }

    fn respond(&mut self, request: &Request, reader: &Reader) -> Result<Response, Response> {
        match (request.method, request.path.as_str()) {
            (Method::Get, "/v1/status") => document(&self.status(reader)),
            (Method::Get, "/v1/bans") => document(&self.ban_list()),
            (Method::Post, "/v1/bans") => self.ban(&order(request)?),
            (Method::Delete, "/v1/bans") => self.unban(network(request.parameter("target"))?, request),
            (Method::Get, "/v1/allow") => self.allowlist(),
            (Method::Post, "/v1/allow") => self.allow(&order(request)?),
            (Method::Delete, "/v1/allow") => self.disallow(network(request.parameter("network"))?),
            (Method::Get, "/v1/explain") => {
                document(&self.explain(&subject(request.parameter("subject").unwrap_or_default()))?)
            }
            (Method::Post, "/v1/integrity") => {
                self.watch.look();
                Ok(Response::ok(json!({ "looking": self.setup.settings.integrity.watch })))
            }
            (Method::Post, "/v1/import") => self.import(&order(request)?),
            (Method::Get, "/v1/top") => document(&self.top()?),
            (_, path) if path.starts_with("/v1/policy") || path.starts_with("/v1/login") => {
                self.answer_of_the_gate(request)
            }
            _ => Err(Response::error(404, "there is no such thing to ask for")),
        }
    }

    fn ban_list(&mut self) -> BanList {
        let now = clock();
        let mut bans: Vec<&Ban> = self.engine.bans().active().filter(|ban| ban.is_active(now)).collect();
        bans.sort_by_key(|ban| (std::cmp::Reverse(ban.from), ban.target));
        let total = bans.len() as u64;
        let mut rows: Vec<BanRow> = bans.into_iter().take(LISTED).map(BanRow::from).collect();
        if let Some(Ok(elements)) = self.shield.firewall().map(Firewall::elements) {
            let ranges = ranges(&elements);
            for row in &mut rows {
                row.in_kernel = row.target.parse().ok().map(|target| hold(&ranges, target));
            }
        }
        BanList { now: At(now), mode: self.mode().into(), total, bans: rows }
    }

    fn ban(&mut self, order: &BanOrder) -> Result<Response, Response> {
        let now = clock();
        let ban = order.wanted.ban(Origin::Operator, &order.by, now)?;
        match self.impose(vec![ban.clone()], now)?.pop() {
            Some(protected) => Err(Response::error(409, &format!("{protected}. See: mailward allow --list"))),
            None => document(&Imposed { ban: BanRow::from(&ban), mode: self.mode() }),
        }
    }

    /// Bans whom another tool has banned, unless the never-ban list forbids it, or a ban holds that is longer.
    fn import(&mut self, order: &ImportOrder) -> Result<Response, Response> {
        let now = clock();
        let wanted = order.bans.iter().map(|wanted| wanted.ban(Origin::Import, &order.tool, now));
        let mut bans = wanted.collect::<Result<Vec<Ban>, Response>>()?;
        let asked = bans.len();
        bans.retain(|ban| self.engine.bans().covering(ban.target).is_none_or(|held| held.end() < ban.end()));
        let (held, tried) = (asked - bans.len(), bans.len());
        let refused: Vec<String> = self.impose(bans, now)?.iter().map(ToString::to_string).collect();
        Ok(Response::ok(json!({ "banned": tried - refused.len(), "held": held, "refused": refused })))
    }

    /// Bans what is asked for: in the kernel and on the disk before it is told. Gives back what the never-ban list forbids.
    fn impose(&mut self, bans: Vec<Ban>, now: Timestamp) -> Result<Vec<Protected>, Response> {
        let (mut cleared, mut refused) = (Vec::new(), Vec::new());
        for ban in bans {
            self.replace(&ban, now)?;
            match self.engine.bans_mut().impose(ban, now) {
                Ok(ban) => cleared.push(ban),
                Err(protected) => refused.push(protected),
            }
        }
        self.enforce(&cleared, now);
        for ban in &cleared {
            self.keeper.ban(ban.ban().clone(), false);
            self.stats.banned(ban.ban());
        }
        self.keep()?;
        for ban in cleared {
            self.voice.tell(&mailward_engine::Effect::Ban(ban), self.setup.enforce);
        }
        Ok(refused)
    }

    /// A ban that holds longer than the one which takes its place would come back at a restart. It is lifted on the disk
    /// first: of both in one commit, both would be.
    fn replace(&mut self, ban: &Ban, now: Timestamp) -> Result<(), Response> {
        let held = self.engine.bans().active().find(|held| held.target == ban.target);
        if let Some(held) = held.filter(|held| held.end() > ban.end())
            && self.engine.bans().never_ban().clear(ban.clone(), now).is_ok()
        {
            let before = now.minus(Span::from_micros(1));
            self.keeper.lifted(held, before, &ban.by, "another ban by hand is shorter");
            self.keep()?;
        }
        Ok(())
    }

    fn unban(&mut self, target: Network, request: &Request) -> Result<Response, Response> {
        let now = clock();
        let Some(ban) = self.engine.bans_mut().lift(target) else {
            return Err(Response::error(404, &self.why_not_lifted(target)));
        };
        self.engine.bans_mut().pardon(target);
        self.engine.detector_mut().pardon_network(target);
        self.porter.pardoned(target);
        self.lift(&ban, now, request.parameter("by").unwrap_or_default(), PARDONED);
        self.keep()?;
        self.clear_left(target, now)?;
        document(&BanRow::from(&ban))
    }

    /// Where bans do not go to the kernel, that of an earlier run may be there.
    fn clear_left(&self, target: Network, now: Timestamp) -> Result<(), Response> {
        if self.shield.has_firewall() || !mailward_host::user::is_root() {
            return Ok(());
        }
        let options = self.setup.settings.firewall.options.clone();
        let table = options.table.clone();
        let cleared = Firewall::open(options).and_then(|mut firewall| firewall.clear_left(target, now));
        cleared.map_err(|error| {
            let why = format!(
                "{target} is lifted, but the kernel may still refuse it, from an earlier run: {error}. See: nft list table inet {table}"
            );
            Response::error(500, &why)
        })
    }

    fn why_not_lifted(&self, target: Network) -> String {
        match self.engine.bans().covering(target) {
            Some(ban) => {
                format!("{target} lies in {}, which is banned: mailward unban {}", ban.target, ban.target)
            }
            None => format!("{target} is not banned. See: mailward bans; mailward explain {target}"),
        }
    }

    pub(super) fn lift(&mut self, ban: &Ban, now: Timestamp, by: &str, why: &str) {
        self.shield.remove(&[ban.target], now);
        self.porter.lifted(&[ban.target]);
        self.keeper.lifted(ban, now, by, why);
        self.voice.ended(ban, now);
    }

    fn allowlist(&self) -> Result<Response, Response> {
        let entries = self.keeper.store().allowlist().map_err(|error| failed(&error))?;
        let entries: Vec<_> = entries.iter().map(entry).collect();
        Ok(Response::ok(json!({ "allowed": entries })))
    }

    /// Allows a network; bans within it, or around it, end.
    fn allow(&mut self, order: &AllowOrder) -> Result<Response, Response> {
        let (now, network) = (clock(), network(Some(&order.network))?);
        let allowed = Allowed {
            network,
            comment: order.comment.as_str().into(),
            until: order.seconds.map(|secs| now.plus(Span::from_secs(secs))),
            created: now,
            by: order.by.as_str().into(),
        };
        self.keeper.store_mut().allow(&allowed).map_err(|error| failed(&error))?;
        let never = self.engine.bans_mut().never_ban_mut();
        never.unprotect(network, |why| matches!(why, Protection::Allowed { .. }));
        never.protect(network, Protection::Allowed { comment: order.comment.clone() }, allowed.until);
        self.porter.renew(&self.setup, self.engine.bans());
        let mut lifted = Vec::new();
        for protected in self.engine.bans().forbidden(now) {
            if let Some(ban) = self.engine.bans_mut().lift(protected.target) {
                self.lift(&ban, now, &order.by, "allowed by hand");
                lifted.push(ban.target.to_string());
            }
        }
        self.keep()?;
        Ok(Response::ok(json!({ "allowed": entry(&allowed), "lifted": lifted })))
    }

    fn disallow(&mut self, network: Network) -> Result<Response, Response> {
        if !self.keeper.store_mut().disallow(network).map_err(|error| failed(&error))? {
            let why = format!("{network} is not on the allowlist. See: mailward allow --list");
            return Err(Response::error(404, &why));
        }
        let never = self.engine.bans_mut().never_ban_mut();
        never.unprotect(network, |why| matches!(why, Protection::Allowed { .. }));
        self.porter.renew(&self.setup, self.engine.bans());
        Ok(Response::ok(json!({ "removed": network.to_string() })))
    }

    /// Commits what a person ordered before it is said to be done.
    fn keep(&mut self) -> Result<(), Response> {
        if self.keeper.commit(clock(), true) {
            self.announce();
            return Ok(());
        }
        let trouble = self.keeper.trouble().unwrap_or("the store failed");
        let why = format!(
            "done now, but it will be forgotten at the next restart unless the store works again: {trouble}"
        );
        Err(Response::error(507, &why))
    }

    pub(super) const fn mode(&self) -> &'static str {
        if self.setup.enforce { "enforce" } else { "dry-run" }
    }
}

/// Addresses from a first to a last, IPv4 or not.
type Range = (bool, u128, u128);

/// What the kernel holds, with neighbours in one: a network is in several parts there, where another one lies in it.
fn ranges(elements: &[Element]) -> Vec<Range> {
    let mut all: Vec<Range> = elements.iter().map(|element| range(element.first, element.last)).collect();
    all.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (v4, first, last) in all {
        match merged.last_mut() {
            Some((is_v4, _, end)) if *is_v4 == v4 && first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((v4, first, last)),
        }
    }
    merged
}

/// Whether one of these holds all of a target.
fn hold(ranges: &[Range], target: Network) -> bool {
    let (v4, first, last) = range(target.address(), target.last());
    let after = ranges.partition_point(|(is_v4, begin, _)| (*is_v4, *begin) <= (v4, first));
    let before = after.checked_sub(1).and_then(|at| ranges.get(at));
    before.is_some_and(|(is_v4, _, end)| *is_v4 == v4 && last <= *end)
}

fn range(first: IpAddr, last: IpAddr) -> Range {
    let number = |address| match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => u128::from(v6),
    };
    (first.is_ipv4(), number(first), number(last))
}

fn entry(allowed: &Allowed) -> serde_json::Value {
    json!({
        "network": allowed.network.to_string(),
        "comment": allowed.comment,
        "until": allowed.until.map(|until| until.to_string()),
        "created": allowed.created.to_string(),
        "by": allowed.by,
    })
}

pub(super) fn document(value: &impl serde::Serialize) -> Result<Response, Response> {
    serde_json::to_value(value).map(Response::ok).map_err(|error| Response::error(500, &error.to_string()))
}

pub(super) fn order<T: for<'a> Deserialize<'a>>(request: &Request) -> Result<T, Response> {
    T::deserialize(&request.body).map_err(|error| Response::error(400, &error.to_string()))
}

fn network(text: Option<&str>) -> Result<Network, Response> {
    text.unwrap_or_default()
        .parse()
        .map_err(|error: mailward_model::NetworkError| Response::error(400, &error.to_string()))
}

pub(super) fn failed(error: &mailward_store::StoreError) -> Response {
    Response::error(500, &error.to_string())
}
