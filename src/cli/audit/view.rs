//! What the checks found, as a report.

use std::collections::BTreeMap;

use mailward_audit::plan::Layout;
use mailward_audit::{
    Area, Audit, Check, FAMILIES, Facts, Finding, Outcome, Server, Untold, announced_policy, services,
};
use mailward_report::audit::{
    AreaView, AuditReport, CheckView, EditView, EvidenceView, FindingView, PolicyView, RemedyView,
    ServiceView, Told,
};
use mailward_report::{At, Severity};

/// The version of the JSON document.
const SCHEMA: u32 = 1;

/// The report of an audit.
pub(super) fn report(facts: &Facts, audit: &Audit) -> AuditReport {
    let mut report = AuditReport {
        schema: SCHEMA,
        mailward: env!("CARGO_PKG_VERSION").to_owned(),
        host: facts.about.host.clone(),
        deployment: serde_json::to_value(facts.about.deployment)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
        taken: taken(facts),
        from: from(facts),
        findings: findings(facts, audit),
        areas: areas(audit),
        services: services(&Server::new(facts)).unwrap_or_default().into_iter().map(service_view).collect(),
        policies: policies(facts),
        ..AuditReport::default()
    };
    for result in &audit.results {
        let told = |because: &str| Told {
            id: result.check.id.to_owned(),
            title: result.check.title.to_owned(),
            because: because.to_owned(),
        };
        match &result.judged {
            Ok(Outcome::Fail(_)) => {}
            Ok(Outcome::Pass(shown)) => report.passed.push(told(shown)),
            Err(Untold::NotApplicable(why)) => report.not_applicable.push(told(why)),
            Err(Untold::CouldNotTell(why)) => report.could_not_tell.push(told(why)),
        }
    }
    report
}

fn policies(facts: &Facts) -> Vec<PolicyView> {
    let domains = facts.dns.domains.iter();
    let policies = domains.filter_map(|domain| Some((domain.clone(), announced_policy(facts, domain)?)));
    policies.map(|(domain, policy)| PolicyView { domain, id: policy.id, text: policy.text }).collect()
}

fn service_view(service: mailward_audit::Service) -> ServiceView {
    let mailward_audit::Service { name, because, running, seen } = service;
    ServiceView { name, because, running, seen }
}

/// What a check is about, for who wants to know.
pub(crate) fn check_view(family: &str, check: &Check) -> CheckView {
    CheckView {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        family: family.to_owned(),
        severity: severity(check.severity),
        why: check.why.to_owned(),
        proof: check.proof.to_owned(),
        fix: check.fix.to_owned(),
        references: owned(check.references),
    }
}

fn taken(facts: &Facts) -> At {
    let taken: Option<jiff::Timestamp> = facts.about.taken.parse().ok();
    At(mailward_model::Timestamp::from_micros(taken.map_or(0, jiff::Timestamp::as_microsecond)))
}

fn from(facts: &Facts) -> String {
    match (facts.about.remote, facts.about.prefix.as_slice()) {
        (true, _) => "from outside".to_owned(),
        (false, []) => "this host".to_owned(),
        (false, prefix) => prefix.join(" "),
    }
}

fn findings(facts: &Facts, audit: &Audit) -> Vec<FindingView> {
    let (server, layout) = (Server::new(facts), Layout::of(facts));
    let view = |(check, finding)| finding_view(check, finding, &layout, &server);
    audit.findings().into_iter().map(view).collect()
}

fn finding_view(check: &Check, finding: &Finding, layout: &Layout, server: &Server<'_>) -> FindingView {
    let remedy = &finding.remedy;
    FindingView {
        fingerprint: fingerprint(check.id, &finding.subject),
        id: check.id.to_owned(),
        severity: severity(finding.severity),
        area: area_of(check).map_or("", Area::title).to_owned(),
        subject: finding.subject.clone(),
        title: check.title.to_owned(),
        summary: finding.summary.clone(),
        cause: finding.cause.clone(),
        effect: check.why.to_owned(),
        evidence: finding
            .evidence
            .iter()
            .map(|seen| EvidenceView { place: seen.place.clone(), seen: seen.seen.clone() })
            .collect(),
        remedy: RemedyView {
            advice: if remedy.advice.is_empty() { check.fix.to_owned() } else { remedy.advice.clone() },
            edits: remedy
                .shown(layout, server)
                .into_iter()
                .map(|edit| EditView { target: edit.target, remove: edit.remove, add: edit.add })
                .collect(),
            apply: remedy.applied(layout),
            prove: remedy.prove.clone(),
        },
        references: owned(check.references),
        ..FindingView::default()
    }
}

/// Names what does not change as long as the weakness is there.
fn fingerprint(id: &str, subject: &str) -> String {
    if subject.is_empty() { id.to_owned() } else { format!("{id}:{subject}") }
}

fn areas(audit: &Audit) -> Vec<AreaView> {
    let mut areas: BTreeMap<Area, AreaView> = BTreeMap::new();
    for result in &audit.results {
        let Some(area) = area_of(result.check) else { continue };
        let view = areas.entry(area).or_default();
        view.title = area.title().to_owned();
        match &result.judged {
            Ok(Outcome::Fail(findings)) => {
                view.failed += 1;
                let worst = findings.iter().map(|finding| severity(finding.severity)).max();
                view.worst = view.worst.max(worst);
            }
            Ok(Outcome::Pass(_)) => view.passed += 1,
            Err(Untold::NotApplicable(_)) => view.not_applicable += 1,
            Err(Untold::CouldNotTell(_)) => view.could_not_tell += 1,
        }
    }
    areas.into_values().collect()
}

fn area_of(check: &Check) -> Option<Area> {
    let prefix = check.id.split('-').next()?;
    FAMILIES.iter().find(|family| family.prefix == prefix).map(|family| family.area)
}

pub(crate) const fn severity(severity: mailward_audit::Severity) -> Severity {
    match severity {
        mailward_audit::Severity::Info => Severity::Info,
        mailward_audit::Severity::Low => Severity::Low,
        mailward_audit::Severity::Medium => Severity::Medium,
        mailward_audit::Severity::High => Severity::High,
        mailward_audit::Severity::Critical => Severity::Critical,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
