//! Files: what they are, and what those that matter say. First the ones at known paths, then the ones that configuration and
//! scripts name. No private key, no password and no hash is kept.

mod inside;
mod local;
mod named;
mod text;
mod tree;
mod wanted;

use std::collections::BTreeMap;

use mailward_audit::Known;
use mailward_audit::facts::{Deployment, File, Said};

pub(crate) use named::{paths, stores};
pub use text::Mask;
pub(crate) use text::{Secrets, is_accounts};
pub(crate) use tree::mounts_of_compose;
pub use tree::{Mount, Tree};
pub(crate) use wanted::Wanted;

/// Files by the path at which the mail server's programs see them.
pub(crate) type Files = BTreeMap<String, Known<File>>;

/// Looks at all that matter. Programs have said what they are configured to use.
pub(crate) fn collect(
    tree: &Tree,
    deployment: Deployment,
    more: &[Wanted],
    said: &BTreeMap<String, Known<Said>>,
) -> Files {
    let secrets = text::Secrets::of(said);
    let mut files = Files::new();
    let mut first = wanted::fixed(deployment);
    first.extend_from_slice(more);
    first.extend(named::by_commands(said));
    look(tree, &first, &secrets, &mut files);
    let mut second = named::by_texts(&files);
    second.extend(named::homes(&files));
    look(tree, &second, &secrets, &mut files);
    let filters = named::filters(&files);
    for filter in &filters {
        files.remove(&filter.path);
    }
    look(tree, &filters, &secrets, &mut files);
    let parents = named::parents(&files);
    look(tree, &parents, &secrets, &mut files);
    files
}

/// Looks at what was not looked at yet.
fn look(tree: &Tree, wanted: &[Wanted], secrets: &text::Secrets, files: &mut Files) {
    let new: Vec<&Wanted> =
        wanted.iter().filter(|wanted| wanted.depth > 0 || !files.contains_key(&wanted.path)).collect();
    let (near, far): (Vec<&Wanted>, Vec<&Wanted>) =
        new.into_iter().partition(|wanted| tree.sees(&wanted.path));
    for wanted in near {
        local::walk(tree, wanted, secrets, files);
    }
    if !far.is_empty() {
        inside::walk(tree.place(), &far, secrets, files);
    }
}
