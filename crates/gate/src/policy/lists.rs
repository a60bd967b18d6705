//! The lists of the DNS: asked together, tried out before they count, switched off while they are dead.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mailward_decide::lists::{DnsList, Listing, question};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Report;
use crate::dns::Resolver;

/// How often each list is tried out, and how often while one of them is off.
const TRIED: Duration = Duration::from_secs(3_600);
const TRIED_AGAIN: Duration = Duration::from_secs(300);
/// How often it is looked whether the settings name others.
const LOOK: Duration = Duration::from_secs(1);

/// The lists, and which of them answer.
pub(crate) struct Lists {
    lists: RefCell<Vec<DnsList>>,
    resolver: Option<Rc<Resolver>>,
    /// Why a zone is off; none where it is not. What was never tried out is off.
    zones: RefCell<HashMap<String, Option<String>>>,
}

/// What lists said of a client.
#[derive(Default)]
pub(crate) struct Heard {
    /// Those that list it, with their weights.
    pub(crate) listed: Vec<(String, i32)>,
    /// What those that did not answer could have said for it.
    pub(crate) unheard: i32,
}

impl Lists {
    pub(crate) fn new(resolver: Option<Rc<Resolver>>) -> Self {
        Self { lists: RefCell::default(), resolver, zones: RefCell::default() }
    }

    /// Whether any is asked.
    pub(crate) fn is_on(&self) -> bool {
        self.resolver.is_some() && self.zones.borrow().values().any(Option::is_none)
    }

    /// What the lists say of a client, as far as they say it in time.
    pub(crate) async fn listed(&self, client: IpAddr, tell: &dyn Fn(Report)) -> Heard {
        let Some(resolver) = &self.resolver else { return Heard::default() };
        let mut asked = JoinSet::new();
        for zone in self.zones_on() {
            let resolver = Rc::clone(resolver);
            asked.spawn_local(async move {
                let answers = resolver.listed(&question(client, &zone)).await;
                (zone, answers)
            });
        }
        let mut heard = Heard::default();
        while let Some(Ok((zone, answers))) = asked.join_next().await {
            self.weigh(&zone, answers.as_deref(), &mut heard, tell);
        }
        // In the same order, whoever answered first.
        heard.listed.sort();
        heard
    }

    fn zones_on(&self) -> Vec<String> {
        self.zones
            .borrow()
            .iter()
            .filter(|(_, trouble)| trouble.is_none())
            .map(|(zone, _)| zone.clone())
            .collect()
    }

    fn weigh(&self, zone: &str, answers: Option<&[Ipv4Addr]>, heard: &mut Heard, tell: &dyn Fn(Report)) {
        for list in self.lists.borrow().iter().filter(|list| list.zone() == zone) {
            match answers.map(|answers| list.listing(answers)) {
                Some(Listing::Listed(weight)) => heard.listed.push((zone.to_owned(), weight)),
                Some(Listing::Unlisted) => {}
                Some(Listing::Refused(code)) => self.set(zone, Some(refused(code)), tell),
                None => heard.unheard = heard.unheard.saturating_add(list.weight().min(0)),
            }
        }
    }

    /// From now on a zone counts, or does not; what is new of that is told.
    fn set(&self, zone: &str, trouble: Option<String>, tell: &dyn Fn(Report)) {
        let before = self.zones.borrow().get(zone).cloned();
        let said = news(zone, before.as_ref(), trouble.as_ref());
        self.zones.borrow_mut().insert(zone.to_owned(), trouble);
        if let Some(said) = said {
            tell(Report::Alert(said));
        }
    }

    /// Tries the lists that are wanted out, again and again: new ones before they count.
    pub(crate) async fn watch(&self, wanted: impl Fn() -> Vec<DnsList>, tell: &dyn Fn(Report)) {
        let mut tried: Option<Instant> = None;
        loop {
            let lists = wanted();
            let often = if self.are_all_on() { TRIED } else { TRIED_AGAIN };
            if tried.is_none_or(|tried| tried.elapsed() >= often) || *self.lists.borrow() != lists {
                self.lists.replace(lists);
                self.try_out(tell).await;
                tried = Some(Instant::now());
            }
            sleep(LOOK).await;
        }
    }

    fn are_all_on(&self) -> bool {
        self.zones.borrow().values().all(Option::is_none)
    }

    /// RFC 5782 section 5: a list that is alive lists 127.0.0.2, and never 127.0.0.1.
    async fn try_out(&self, tell: &dyn Fn(Report)) {
        let Some(resolver) = &self.resolver else { return };
        let mut zones: Vec<String> = self.lists.borrow().iter().map(|list| list.zone().to_owned()).collect();
        zones.sort_unstable();
        zones.dedup();
        self.zones.borrow_mut().retain(|zone, _| zones.contains(zone));
        for zone in zones {
            let trouble = trouble(resolver, &zone).await;
            self.set(&zone, trouble, tell);
        }
    }
}

/// Why a list does not count, if so.
async fn trouble(resolver: &Resolver, zone: &str) -> Option<String> {
    let ask =
        async |octet| resolver.tried(&question(IpAddr::V4(Ipv4Addr::new(127, 0, 0, octet)), zone)).await;
    let Some(listed) = ask(2).await else { return Some("it does not answer".to_owned()) };
    if let Some(code) =
        listed.iter().find(|answer| matches!(answer.octets(), [127, 255, 255, _] | [127, 0, 0, 255]))
    {
        return Some(refused(*code));
    }
    if !listed.iter().any(Ipv4Addr::is_loopback) {
        return Some("it does not list 127.0.0.2, as every list that is alive does (RFC 5782)".to_owned());
    }
    let all = ask(1).await.is_some_and(|answers| !answers.is_empty());
    all.then(|| "it lists 127.0.0.1, and so everybody (RFC 5782)".to_owned())
}

fn refused(code: Ipv4Addr) -> String {
    format!(
        "it refuses to answer this resolver ({code}): set [doubts] resolver to one of your own, and look at its terms of use"
    )
}

/// What has changed, in words.
fn news(zone: &str, before: Option<&Option<String>>, now: Option<&String>) -> Option<String> {
    match (before.map(Option::as_ref), now) {
        (Some(before), now) if before == now => None,
        (_, Some(why)) => Some(format!("the list {zone} is not asked: {why}")),
        (Some(Some(_)), None) => Some(format!("the list {zone} is asked again")),
        (_, None) => None,
    }
}
